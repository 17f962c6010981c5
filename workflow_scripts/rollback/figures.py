"""Figures of the rollback: table 1 of Hao et al. (2019), figure 3 of Hao et al. (2020)."""

from typing import Any

from workflow_scripts.common.stage import Figure
from workflow_scripts.common.titles import task_titles
from workflow_scripts.finetune.files import outcome_files, scored
from workflow_scripts.landscape.surfaces import layer_groups
from workflow_scripts.rollback.files import group_files, group_runs, layer_files, layer_runs
from workflow_scripts.rollback.paper import HAO_2019_TABLE_1


def _paper_values(settings: Any) -> dict[str, Any] | None:
    """The paper's table 1 for the tasks that are its own; None where there are none."""
    chosen = settings.figures.paper_values
    return {task: HAO_2019_TABLE_1[row] for task, row in chosen.items()} or None


FIGURES = (
    Figure(
        "table1",
        "accuracies with layer groups rolled back",
        "figures/draw_rollback_table",
        inputs=lambda settings: {
            "tables": group_files(settings),
            "scores": outcome_files(group_runs(settings)),
        },
        spec=lambda settings: {
            "tasks": task_titles(settings),
            "groups": layer_groups(settings),
            "paper": _paper_values(settings),
            "scored": scored((run.task, run) for run in group_runs(settings)),
        },
        numbers="tasks and groups | `task`, `title`, `synthetic`, `group`, `first`, `last`, "
        "`examples`, `accuracy`, `majority` (of the majority class; percent), `difference`, "
        "`low`, `high` (points), `paper_accuracy` (percent), `paper_difference` (points), "
        "`from_paper` (points, this accuracy less the "
        "paper's), `paper_note`",
        drawn=lambda settings: bool(group_files(settings)),
        table=True,
    ),
    Figure(
        "dynamics3",
        "distance of the last layer with single layers rolled back",
        "figures/draw_layer_rollback",
        inputs=lambda settings: {
            "tables": layer_files(settings),
            "scores": outcome_files(layer_runs(settings)),
        },
        spec=lambda settings: {
            "tasks": task_titles(settings),
            "scored": scored((run.task, run) for run in layer_runs(settings)),
        },
        numbers="layers rolled back, for each measure drawn | `task`, `synthetic`; the columns of "
        "`layers.parquet` of the rollback but `left_out`",
        drawn=lambda settings: bool(layer_files(settings)),
    ),
)

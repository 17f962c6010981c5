"""Figures of the rollback: table 1 of Hao et al. (2019), figure 3 of Hao et al. (2020)."""

from typing import Any

from workflow_scripts.common.files import File
from workflow_scripts.common.stage import Figure
from workflow_scripts.common.titles import task_titles
from workflow_scripts.finetune.files import outcome_files, scored
from workflow_scripts.finetune.runs import Run
from workflow_scripts.landscape.surfaces import layer_groups
from workflow_scripts.rollback.files import first_of_each, group_runs, layer_runs, rollback_file
from workflow_scripts.rollback.paper import HAO_2019_TABLE_1


def _drawn(runs: list[Run], name: str) -> list[File]:
    return [rollback_file(run, name) for run in first_of_each(runs)]


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
            "tables": _drawn(group_runs(settings), "groups"),
            "scores": outcome_files(first_of_each(group_runs(settings))),
        },
        spec=lambda settings: {
            "tasks": task_titles(settings),
            "groups": layer_groups(settings),
            "paper": _paper_values(settings),
            "scored": scored((run.task, run) for run in first_of_each(group_runs(settings))),
        },
        numbers="tasks and groups | `task`, `title`, `synthetic`, `group`, `first`, `last`, "
        "`examples`, `accuracy`, `majority` (of the majority class; percent), `difference`, "
        "`low`, `high` (points), `paper_accuracy` (percent), `paper_difference` (points), "
        "`from_paper` (points, this accuracy less the "
        "paper's), `paper_note`",
        drawn=lambda settings: bool(group_runs(settings)),
        table=True,
        claims=("invariant_low_layers",),
    ),
    Figure(
        "dynamics3",
        "distance of the last layer with single layers rolled back",
        "figures/draw_layer_rollback",
        inputs=lambda settings: {
            "tables": _drawn(layer_runs(settings), "layers"),
            "scores": outcome_files(first_of_each(layer_runs(settings))),
        },
        spec=lambda settings: {
            "tasks": task_titles(settings),
            "scored": scored((run.task, run) for run in first_of_each(layer_runs(settings))),
        },
        numbers="layers rolled back, for each measure drawn | `task`, `synthetic`; the columns of "
        "`layers.parquet` of the rollback but `left_out`",
        drawn=lambda settings: bool(layer_runs(settings)),
        claims=("low_layers_rolled_back",),
        ledger="dynamics_claims",
    ),
)

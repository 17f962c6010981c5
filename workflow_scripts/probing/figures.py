"""Figures of the probing stage: Zhou and Srikumar (2022)."""

from typing import Any

from workflow_scripts.common.files import File, Files
from workflow_scripts.common.stage import Figure
from workflow_scripts.common.titles import task_titles
from workflow_scripts.finetune.files import score_files, scored
from workflow_scripts.model.files import model_file
from workflow_scripts.probing.files import (
    Probed,
    compared_file,
    own_probed,
    probing_files,
    table_inputs,
    table_spec,
)
from workflow_scripts.probing.paper import NOTES, table_7

_WHOSE = "`task`, `synthetic`"


def _shown(settings: Any) -> list[Probed]:
    """The first run of every task."""
    return own_probed(settings, seeds=0)


def _inputs(settings: Any, **files: Any) -> Files:
    return {**files, "scores": score_files(one.run for one in _shown(settings))}


def _spec(settings: Any, **more: Any) -> dict[str, Any]:
    return {
        "tasks": task_titles(settings, settings.probing.tasks),
        "scored": scored((one.task, one.run) for one in _shown(settings)),
        **more,
    }


def _with_paths(settings: Any) -> list[str]:
    """Tasks whose centroids are drawn: those whose geometry is measured across tasks."""
    return settings.probing.cross_tasks or settings.probing.tasks[:1]


def _paper(settings: Any) -> dict[str, Any] | None:
    """The paper's values by model and task of the experiment; None where there are none."""
    probing, printed = settings.probing, table_7()
    beside = {
        model: {
            task: {**printed[size][row], "note": NOTES.get((size, row), "")}
            for task, row in probing.paper_values.items()
            if row in printed[size]
        }
        for model, size in probing.paper_models.items()
    }
    return beside if any(beside.values()) else None


FIGURES = (
    Figure(
        "probing_table",
        "probes, clusters and geometry before and after",
        "figures/draw_probing_table",
        inputs=lambda settings: _inputs(
            settings, **table_inputs(settings), card=model_file("{model}", "card.json")
        ),
        spec=lambda settings: _spec(settings, **table_spec(settings), paper=_paper(settings)),
        numbers=f"tasks, runs and states | {_WHOSE}, `seeds`, `state` (`original`, `fine-tuned`), "
        "`epoch`, `layer`, `labels`, `width`, `mlp_train`, `mlp_dev` with "
        "`_std` (mean and deviation of the initialisations, percent), `logistic_train`, "
        "`logistic_dev`, `majority_dev` (percent), `unseen`, `cut`; `clusters`, `undecided`, "
        "`nearest` (dev examples whose nearest cluster has their label, percent); for `train_` and "
        "`dev_`: `separated`, `pairs`, `linear`, `shuffled` (share of the shuffles), `vacuous` "
        "(pairs), `smallest` (examples of a label), `n_per_d` (largest of a pair); `similarity`, "
        "`reason`; `paper_accuracy`, `paper_deviation`, `paper_clusters`, `paper_linear`, "
        "`paper_similarity`, `paper_note`",
        drawn=lambda settings: bool(settings.probing.tasks),
        table=True,
        claims=("labels_join",),
        ledger="probing_claims",
    ),
    Figure(
        "probing1",
        "distances of labels over training",
        "figures/draw_label_distances",
        inputs=lambda settings: _inputs(
            settings,
            distances=probing_files(_shown(settings), "distances.parquet"),
            abouts=probing_files(_shown(settings), "about.json"),
        ),
        spec=_spec,
        numbers=f"tasks, checkpoints and labels | {_WHOSE}, `epoch`, `layer`, `label`, `train`, "
        "`dev` (distance to the nearest other label), `shown`",
        drawn=lambda settings: bool(settings.probing.tasks),
        claims=("distances_increase",),
        ledger="probing_claims",
    ),
    Figure(
        "probing2",
        "paths of centroids over training and layers",
        "figures/draw_centroid_paths",
        inputs=lambda settings: _inputs(settings, paths=compared_file(settings, "paths")),
        spec=lambda settings: _spec(settings) | {"shown": _with_paths(settings)},
        numbers=f"{_WHOSE}; the columns of `paths.parquet`; `shown`",
        drawn=lambda settings: bool(settings.probing.tasks) and settings.probing.layers == "all",
        claims=("upper_layers_change_more",),
        ledger="probing_claims",
    ),
    Figure(
        "probing3",
        "similarity of geometries by layer and epoch",
        "figures/draw_geometry_similarity",
        inputs=lambda settings: _inputs(settings, similarity=compared_file(settings, "similarity")),
        spec=_spec,
        numbers=f"{_WHOSE}; the columns of `similarity.parquet`",
        drawn=lambda settings: bool(settings.probing.tasks),
        claims=("positions_preserved", "splits_diverge"),
        ledger="probing_claims",
    ),
    Figure(
        "probing4",
        "geometry of one task in models of others",
        "figures/draw_cross_tasks",
        inputs=lambda settings: _inputs(settings, cross=compared_file(settings, "cross")),
        spec=_spec,
        numbers=f"{_WHOSE}; the columns of `cross.parquet`",
        drawn=lambda settings: (
            bool(settings.probing.cross_tasks) and len(settings.probing.tasks) > 1
        ),
    ),
)


def stage_targets(settings: Any) -> list[File]:
    """All figures of this stage, of all models."""
    drawn = [figure for figure in FIGURES if figure.drawn(settings)]
    return [
        file
        for model in settings.experiment.models
        for figure in drawn
        for file in figure.outputs(model).values()
    ]

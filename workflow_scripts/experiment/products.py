"""What an experiment makes: its runs, its tasks and all that ``results/figures/all`` asks for."""

from typing import Any

from workflow_scripts.common.files import File
from workflow_scripts.common.stage import Figure
from workflow_scripts.finetune.runs import Run, with_bases
from workflow_scripts.stages import STAGES


def figures(settings: Any) -> list[Figure]:
    """Figures that the experiment has, in the order of the stages."""
    return [figure for stage in STAGES for figure in stage.figures if figure.drawn(settings)]


def all_targets(settings: Any) -> list[File]:
    """Every figure, table and page of the experiment."""
    targets: list[File] = []
    for model in settings.experiment.models:
        for stage in STAGES:
            targets += stage.targets(settings, model)
        for figure in figures(settings):
            targets += figure.outputs(model).values()
    return targets


def left_out(settings: Any) -> list[str]:
    """What the experiment leaves out, and the key that it depends on, a line each."""
    return [line for stage in STAGES for line in stage.left_out(settings)]


def local_rules(settings: Any) -> list[str]:
    """Rules that run where Snakemake runs, on a cluster too."""
    drawn = [f"draw_{figure.name}" for figure in figures(settings)]
    return ["all", *(rule for stage in STAGES for rule in stage.local), *drawn]


def runs(settings: Any, model: str = "{model}") -> list[Run]:
    """All runs of a model that the stages need, each after the one that it continues."""
    return with_bases(run for stage in STAGES for run in stage.runs(settings, model))


def end_runs(settings: Any, model: str) -> list[Run]:
    """Runs of which only the first and last checkpoints are of use: no trajectory shows them."""
    whole = {run for stage in STAGES for run in stage.whole_runs(settings, model)}
    return [run for run in runs(settings, model) if run not in whole]


def all_tasks(settings: Any) -> list[str]:
    """Tasks whose data are needed, those of second directions too, sorted."""
    return sorted({run.task for run in runs(settings)})

"""Files of the report stage, and what its rules take."""

from typing import Any

from workflow_scripts.common.files import File, Files
from workflow_scripts.common.titles import task_titles
from workflow_scripts.data.files import task_file
from workflow_scripts.dynamics.files import pair_files
from workflow_scripts.dynamics.pairs import pair_titles, pairs_of, trained_runs
from workflow_scripts.finetune.files import run_table, score_files, scored
from workflow_scripts.finetune.runs import run_of, starts_of
from workflow_scripts.landscape.files import examples_file, surface_files, trajectory_file
from workflow_scripts.landscape.surfaces import continued_run, lines, planes
from workflow_scripts.probing.files import own_probed, probing_files
from workflow_scripts.rollback.files import group_files, layer_files

KINDS = ("parquet", "csv", "md")


def ledger_files(name: str, model: str = "{model}") -> dict[str, File]:
    """A ledger: as Parquet, CSV and Markdown."""
    names = ("ledger", "csv", "markdown")
    return {
        key: File(f"results/report/{model}/{name}.{kind}")
        for key, kind in zip(names, KINDS, strict=True)
    }


def claim_inputs(settings: Any, model: str = "{model}") -> Files:
    """What the claims of Hao et al. (2019) are evaluated on."""
    every, figures = planes(settings, model), settings.figures
    overfitting = run_of(settings, model, figures.overfitting_task, "pretrained")
    groups = group_files(settings, model)
    return {
        "geometries": surface_files(every, "geometry.json"),
        "lines": surface_files(lines(settings, model), "examples.parquet"),
        "planes": surface_files(every, "examples.parquet"),
        "trajectories": [trajectory_file(settings, surface) for surface in every],
        "histories": [run_table(surface.run, "history.parquet") for surface in every],
        "examples": [examples_file(task) for task in settings.experiment.tasks],
        "scores": run_table(overfitting, "scores.parquet"),
        "continued": run_table(continued_run(settings, model), "scores.parquet"),
        "run_scores": score_files(surface.run for surface in every),
        "card": task_file(figures.overfitting_task, "card.json"),
        **({"rollbacks": groups} if groups else {}),
    }


def claim_spec(settings: Any) -> dict[str, Any]:
    """Settings of ``evaluate_claims``."""
    width = settings.landscape.width
    runs = [surface.run for surface in planes(settings, "{model}")]
    return {
        "tasks": settings.experiment.tasks,
        "starts": starts_of(settings),
        "overfitting_task": settings.figures.overfitting_task,
        "scored": scored((run.task, run) for run in runs),
        "tolerances": width.tolerances,
        "resamples": width.resamples,
    }


def dynamics_claim_inputs(settings: Any, model: str = "{model}") -> Files:
    """What the claims of Hao et al. (2020) are evaluated on."""
    pairs = pairs_of(settings, model)
    optional = {
        "attention": pair_files(settings, pairs, "attention"),
        "rollbacks": layer_files(settings, model),
    }
    return {
        "representations": pair_files(settings, pairs, "representations"),
        "scores": score_files(run for _, run in trained_runs(pairs)),
        **{name: files for name, files in optional.items() if files},
    }


def dynamics_claim_spec(settings: Any) -> dict[str, Any]:
    """Settings of ``evaluate_dynamics_claims``."""
    pairs = pairs_of(settings, "{model}")
    return {
        "pairs": pair_titles(settings, pairs),
        "scored": scored(trained_runs(pairs)),
        "resamples": settings.dynamics.resamples,
    }


def probing_claim_inputs(settings: Any, model: str = "{model}") -> Files:
    """What the claims of Zhou and Srikumar (2022) are evaluated on."""
    probed = own_probed(settings, model)
    return {
        "distances": probing_files(probed, "distances.parquet"),
        "clusters": probing_files(probed, "clusters.parquet"),
        "probes": probing_files(probed, "probes.parquet"),
        "scores": score_files(one.run for one in probed),
    }


def probing_claim_spec(settings: Any) -> dict[str, Any]:
    """Settings of ``evaluate_probing_claims``."""
    probed = own_probed(settings)
    return {
        "tasks": task_titles(settings, settings.probing.tasks),
        "scored": scored((one.task, one.run) for one in probed),
    }


def probing_pages(settings: Any) -> list[File]:
    """Pages of the claims on probing, of all models."""
    ledgers = [ledger_files("probing_claims", model) for model in settings.experiment.models]
    return [ledger[kind] for ledger in ledgers for kind in ("csv", "markdown")]

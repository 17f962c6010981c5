"""Files of the report stage, and what its rules take."""

from typing import Any

from workflow_scripts.common.files import File, Files
from workflow_scripts.common.stage import Figure
from workflow_scripts.common.titles import task_titles
from workflow_scripts.data.files import task_file
from workflow_scripts.dynamics.files import pair_files
from workflow_scripts.dynamics.pairs import every_pair, pair_titles, trained_runs
from workflow_scripts.finetune.files import run_table, score_files, scored
from workflow_scripts.finetune.runs import recipe_difference, starts_of
from workflow_scripts.landscape.files import along_file, examples_file, surface_files
from workflow_scripts.landscape.surfaces import continued_runs, measured_runs, planes
from workflow_scripts.probing.files import own_probed, probing_files
from workflow_scripts.rollback.files import group_runs, layer_runs, rollback_file
from workflow_scripts.stability.files import forgetting_file, merged_files
from workflow_scripts.stability.sweeps import recipes_of, small_sweeps, sweeps_of, whole_tasks

KINDS = ("parquet", "csv", "md")


def ledger_files(name: str, model: str = "{model}") -> dict[str, File]:
    """A ledger: as Parquet, CSV and Markdown."""
    names = ("ledger", "csv", "markdown")
    return {
        key: File(f"results/report/{model}/{name}.{kind}")
        for key, kind in zip(names, KINDS, strict=True)
    }


def ledger_names(settings: Any) -> list[str]:
    """Ledgers that the experiment has."""
    names = ["claims", "dynamics_claims"]
    names += ["stability_claims"] if settings.stability.tasks else []
    names += ["probing_claims"] if settings.probing.tasks else []
    return names


def figure_inputs(settings: Any, figure: Figure) -> Files:
    """What the drawing of a figure takes: its own inputs, and the ledger of its claims."""
    if not figure.claims:
        return figure.inputs(settings)
    return {**figure.inputs(settings), "ledger": ledger_files(figure.ledger)["ledger"]}


def figure_spec(settings: Any, figure: Figure) -> dict[str, Any]:
    """Settings of the drawing of a figure."""
    claims = {"claims": list(figure.claims)} if figure.claims else {}
    return {**figure.spec(settings), **claims}


def claim_inputs(settings: Any, model: str = "{model}") -> Files:
    """What the claims of Hao et al. (2019) are evaluated on."""
    every, measured = planes(settings, model), measured_runs(settings, model)
    overfitting = settings.figures.overfitting_task
    training_on = {
        "dev": task_file(overfitting, "dev.parquet"),
        "continued": score_files(continued_runs(settings, model)),
    }
    rollbacks = [rollback_file(run, "groups") for run in group_runs(settings, model)]
    along = {"trajectories": "trajectory", "paths": "path", "rays": "ray", "radii": "radii"}
    return {
        **{key: [along_file(run, name) for run in measured] for key, name in along.items()},
        "histories": [run_table(run, "history.parquet") for run in measured],
        "scores": score_files(measured),
        "geometries": surface_files(every, "geometry.json"),
        "planes": surface_files(every, "examples.parquet"),
        "examples": [examples_file(task) for task in settings.experiment.tasks],
        "cards": [task_file(task, "card.json") for task in settings.experiment.tasks],
        **(training_on if overfitting else {}),
        **({"rollbacks": rollbacks} if rollbacks else {}),
    }


def claim_spec(settings: Any) -> dict[str, Any]:
    """Settings of ``evaluate_claims``."""
    tasks = settings.experiment.tasks
    rolled_back = [run.task for run in group_runs(settings)]
    overfitting = settings.figures.overfitting_task
    return {
        "tasks": task_titles(settings),
        "starts": starts_of(settings),
        "scored": scored((run.task, run) for run in measured_runs(settings, "{model}")),
        "differences": {task: recipe_difference(settings, task) for task in tasks},
        **({"overfitting_task": overfitting} if overfitting else {}),
        **({"rolled_back": rolled_back} if rolled_back else {}),
    }


def dynamics_claim_inputs(settings: Any, model: str = "{model}") -> Files:
    """What the claims of Hao et al. (2020) are evaluated on."""
    pairs = every_pair(settings, model)
    optional = {
        "attention": pair_files(settings, pairs, "attention"),
        "rollbacks": [rollback_file(run, "layers") for run in layer_runs(settings, model)],
    }
    return {
        "representations": pair_files(settings, pairs, "representations"),
        "scores": score_files(run for _, run in trained_runs(pairs)),
        **{name: files for name, files in optional.items() if files},
    }


def dynamics_claim_spec(settings: Any) -> dict[str, Any]:
    """Settings of ``evaluate_dynamics_claims``."""
    pairs = every_pair(settings, "{model}")
    models = [[one.run.seeds for one in (pair.first, pair.second)] for pair in pairs]
    return {
        "pairs": pair_titles(settings, pairs),
        "drawn": [pair.drawn for pair in pairs],
        "models": models,
        "scored": scored(trained_runs(pairs)),
        "resamples": settings.dynamics.resamples,
    }


def stability_claim_inputs(settings: Any, model: str = "{model}") -> Files:
    """What the claims of Mosbach et al. (2021) are evaluated on."""
    tasks = settings.stability.tasks
    tables = {
        name: [file for task in tasks for file in merged_files(settings, model, task, name)]
        for name in ("runs", "predictions")
    }
    forgetting = [forgetting_file(model, task) for task in whole_tasks(settings)]
    return {
        **tables,
        "cards": [task_file(task, "card.json") for task in tasks],
        **({"forgetting": forgetting} if forgetting and settings.stability.forgetting.runs else {}),
    }


def stability_claim_spec(settings: Any) -> dict[str, Any]:
    """Settings of ``evaluate_stability_claims``."""
    tasks = settings.stability.tasks
    return {
        "tasks": [
            {
                "task": title,
                "sweeps": [sweep.name for sweep in sweeps_of(settings, task)],
                "recipes": recipes_of(settings, task)[:2],
                "small": [sweep.name for sweep in small_sweeps(settings, task)],
            }
            for task, title in zip(tasks, task_titles(settings, tasks), strict=True)
        ]
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

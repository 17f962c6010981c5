"""Files of the probing stage, what its rules take, and which runs it probes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from workflow_scripts.common.files import File, Files, digests_of
from workflow_scripts.data.files import task_file
from workflow_scripts.finetune.files import checkpoint_file
from workflow_scripts.finetune.runs import Checkpoint, Run, run_of, seeds_of
from workflow_scripts.model.files import architecture_files


@dataclass(frozen=True)
class Probed:
    """A task's examples, as the models of a run represent them.

    Parameters
    ----------
    task : str
        Whose examples are read.
    run : Run
        Of that task, or of another: then only its last checkpoint and layer are read.
    checkpoints : tuple of Checkpoint
        That are read, the earliest first.
    """

    task: str
    run: Run
    checkpoints: tuple[Checkpoint, ...]

    @property
    def crosses(self) -> bool:
        """Whether the models are those of another task."""
        return self.run.task != self.task


def probed_run(settings: Any, model: str, task: str, seeds: int = 0) -> Run:
    """A fine-tuned model of a task; by its own recipe where ``probing.recipes`` names one."""
    recipe = settings.probing.recipes.get(task)
    return run_of(settings, model, task, "pretrained", recipe, seeds)


def own_probed(settings: Any, model: str = "{model}", seeds: int | None = None) -> list[Probed]:
    """Every task in its own models, of all runs or of those with certain seeds."""
    probed = []
    for task in settings.probing.tasks:
        count = min(settings.probing.seeds, len(seeds_of(settings, task)))
        for place in range(count) if seeds is None else (seeds,):
            run = probed_run(settings, model, task, place)
            ends = [run.first, run.last]
            whole = settings.probing.checkpoints == "all"
            probed.append(Probed(task, run, tuple(run.checkpoints if whole else ends)))
    return probed


def crossed(settings: Any, model: str = "{model}") -> list[Probed]:
    """Tasks of ``probing.cross_tasks`` in the last models of all others, first seeds."""
    runs = [probed_run(settings, model, task) for task in settings.probing.tasks]
    return [
        Probed(task, run, (run.last,))
        for task in settings.probing.cross_tasks
        for run in runs
        if run.task != task
    ]


def all_probed(settings: Any, model: str = "{model}") -> list[Probed]:
    """All that is measured."""
    return [*own_probed(settings, model), *crossed(settings, model)]


def probing_path(name: str) -> str:
    """Path of a file of a job, as its rule makes it."""
    return f"results/probing/{{model}}/{{task}}/{{tuned}}/init{{init}}_order{{order}}/{name}"


JOB = "{model}_{task}_{tuned}_init{init}_order{order}"


def probing_file(probed: Probed, name: str) -> File:
    """A file of one measurement."""
    run = probed.run
    path = f"results/probing/{run.model}/{probed.task}/{run.task}/{run.seeds}/{name}"
    task = digests_of(task_file(probed.task, "card.json"))
    return File(path, [*task, *digests_of(map(checkpoint_file, probed.checkpoints))])


def probing_files(probed: Iterable[Probed], name: str) -> list[File]:
    """The files of that name of several measurements."""
    return [probing_file(one, name) for one in probed]


def compared_file(settings: Any, name: str, model: str = "{model}") -> File:
    """A table of ``compare_geometry``, of all tasks together."""
    digests = digests_of(probing_files(all_probed(settings, model), "distances.parquet"))
    return File(f"results/probing/{model}/{name}.parquet", digests)


def _probed(settings: Any, wildcards: Any) -> Probed:
    """What a job measures."""
    seeds = f"init{wildcards.init}_order{wildcards.order}"
    for one in all_probed(settings, wildcards.model):
        if (one.task, one.run.task, one.run.seeds) == (wildcards.task, wildcards.tuned, seeds):
            return one
    raise KeyError(f"{wildcards.task} is not measured on models of {wildcards.tuned}, {seeds}")


def vector_inputs(settings: Any, wildcards: Any) -> Files:
    """What ``extract_vectors`` takes."""
    probed = _probed(settings, wildcards)
    return {
        **architecture_files(wildcards.model),
        "card": task_file(probed.task, "card.json"),
        "train": task_file(probed.task, "train.parquet"),
        "dev": task_file(probed.task, "dev.parquet"),
        "checkpoints": [checkpoint_file(one) for one in probed.checkpoints],
    }


def vector_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Settings of ``extract_vectors``."""
    probed = _probed(settings, wildcards)
    return {
        "epochs": [checkpoint.epoch for checkpoint in probed.checkpoints],
        "examples": settings.probing.examples,
        "seed": settings.probing.seed,
        "last_only": probed.crosses or settings.probing.layers == "last",
        "max_length": settings.finetune.max_length,
    }


def geometry_inputs(settings: Any, wildcards: Any) -> Files:
    """What ``measure_geometry`` and ``train_probes`` take."""
    probed = _probed(settings, wildcards)
    return {
        name: probing_file(probed, f"{name}.{kind}")
        for name, kind in (("vectors", "npy"), ("rows", "parquet"), ("about", "json"))
    }


def geometry_spec(settings: Any, wildcards: Any) -> dict[str, Any]:
    """Settings of ``measure_geometry``."""
    probing, crosses = settings.probing, _probed(settings, wildcards).crosses
    return {
        "seed": probing.seed,
        "shuffles": 0 if crosses else probing.shuffles,
        "clusters_too": probing.clusters and not crosses,
        "predicted": probing.predicted,
    }


def probe_spec(settings: Any) -> dict[str, Any]:
    """Settings of ``train_probes``."""
    probing = settings.probing
    return {
        "grid": probing.grid,
        "initialisations": probing.initialisations,
        "seed": probing.seed,
    }


def _named(probed: Iterable[Probed]) -> list[dict[str, str]]:
    """Whose files are given, in their order, as scripts take it."""
    return [{"task": one.task, "tuned": one.run.task, "seeds": one.run.seeds} for one in probed]


def comparison_inputs(settings: Any, model: str = "{model}") -> Files:
    """What ``compare_geometry`` takes."""
    probed = all_probed(settings, model)
    return {
        "distances": probing_files(probed, "distances.parquet"),
        "centroids": probing_files(probed, "centroids.parquet"),
        "abouts": probing_files(probed, "about.json"),
    }


def comparison_spec(settings: Any) -> dict[str, Any]:
    """Settings of ``compare_geometry``."""
    return {"probed": _named(all_probed(settings))}


def table_inputs(settings: Any, model: str = "{model}") -> Files:
    """What the table of all tasks, and the claims, rest on: own models, all seeds."""
    probed = own_probed(settings, model)
    return {
        "clusters": probing_files(probed, "clusters.parquet"),
        "controls": probing_files(probed, "controls.parquet"),
        "probes": probing_files(probed, "probes.parquet"),
        "distances": probing_files(probed, "distances.parquet"),
        "abouts": probing_files(probed, "about.json"),
        "similarity": compared_file(settings, "similarity", model),
    }


def table_spec(settings: Any) -> dict[str, Any]:
    """Whose the files of ``table_inputs`` are."""
    return {"probed": _named(own_probed(settings))}

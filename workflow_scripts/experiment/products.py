"""What an experiment consists of, by its settings: surfaces, runs, pairs of models, figures.

Names of files stand in ``rules/common.smk``. The rules and ``workflow_scripts.plan`` ask here, so
that a plan counts what the rules make.
"""

from workflow_scripts.experiment.config import Config, Seeds
from workflow_scripts.landscape.grid import shards

STARTS = ("scratch", "pretrained")
FIGURES = "figure1", "figure2", "figure3", "figure4", "figure5", "figure6"
GROUP_FIGURES = "figure7", "table1"

Surface = tuple[str, str, str, str | None]  # task, start, kind, layer group
Model = tuple[int, str, str]  # epoch (0 or -1, the last), task, seeds
Run = tuple[str, str, str, str]  # task, start, recipe, seeds


def seeds_name(seeds: Seeds) -> str:
    """Folder of the runs with these seeds."""
    return f"init{seeds.init}_order{seeds.order}"


def layer_groups(settings: Config) -> list[str]:
    """Names of the layer groups, the lowest first."""
    return list(settings.landscape.groups or ("low", "middle", "high"))


def surfaces(settings: Config) -> dict[str, Surface]:
    """Every surface and line of a model: name -> task, start, kind and layer group."""
    found = {}
    for task in settings.experiment.tasks:
        for start in STARTS:
            found[f"{task}_{start}"] = task, start, "plane", None
            found[f"{task}_{start}_line"] = task, start, "line", None
    for task in settings.figures.group_tasks:
        for group in layer_groups(settings):
            found[f"{task}_pretrained_{group}"] = task, "pretrained", "group", group
    return found


def axis_points(settings: Config, kind: str) -> int:
    """Points per axis of a kind of surface."""
    return settings.landscape.line_points if kind == "line" else settings.landscape.points


def row_shards(settings: Config) -> list[tuple[str, int, int]]:
    """Kind of surface, first and last row of every block of rows that one job evaluates."""
    wanted = settings.landscape
    return [
        (kind, first, last)
        for kind in dict.fromkeys(kind for _, _, kind, _ in surfaces(settings).values())
        for first, last in shards(
            kind, *wanted.range, axis_points(settings, kind), wanted.rows_per_shard
        )
    ]


def model_pairs(settings: Config) -> dict[str, tuple[str, list[str], Model, Model]]:
    """Pairs of models: name -> kind of comparison, tasks, and epoch, task and seeds of both.

    The kinds are ``change`` (pre-trained and fine-tuned), ``seeds`` and ``tasks``.
    """
    first_seeds, *more_seeds = [seeds_name(seeds) for seeds in settings.finetune.seeds]
    of_seeds = settings.dynamics.seed_tasks
    found = {}
    for task in settings.experiment.tasks:
        last = (-1, task, first_seeds)
        found[f"change_{task}"] = "change", [task], (0, task, first_seeds), last
        if more_seeds and (of_seeds is None or task in of_seeds):
            found[f"seeds_{task}"] = "seeds", [task], last, (-1, task, more_seeds[0])
    for first, second in settings.dynamics.task_pairs:
        models = [(-1, task, first_seeds) for task in (first, second)]
        # No name of a task holds a "+".
        found[f"tasks_{first}+{second}"] = "tasks", [first, second], *models
    return found


def pair_files(settings: Config) -> list[str]:
    """Tables of a pair, as far as the settings want them; ``rollback`` is of changes only."""
    dynamics = settings.dynamics
    return [
        "representations",
        "layers",
        *(["attention"] if dynamics.attention else []),
        *(["rollback"] if dynamics.rollback else []),
    ]


def pairs_of(settings: Config, comparison: str) -> list[str]:
    """Names of all pairs of a kind: change, seeds or tasks."""
    return [name for name, of in model_pairs(settings).items() if of[0] == comparison]


def dynamics_figures(settings: Config) -> dict[str, tuple[str, str, list[str]]]:
    """Figures of learning dynamics: name -> what it shows, table of a pair, pairs.

    Those that this experiment has no pairs or tables for are left out.
    """
    change, seeds, tasks = (pairs_of(settings, kind) for kind in ("change", "seeds", "tasks"))
    wanted = {
        "dynamics1": ("attention", change),
        "dynamics2": ("representations", change),
        "dynamics3": ("rollback", change),
        "dynamics4": ("attention", seeds),
        "dynamics5": ("representations", seeds),
        "dynamics6": ("attention", tasks),
        "dynamics7": ("representations", tasks),
        "dynamics_heads": ("heads", [*change, *tasks]),
        "dynamics_svcca": ("svcca", [*change, *tasks]),
        "dynamics_cka": ("cka", [*change, *tasks]),
    }
    tables = {"heads": "attention", "svcca": "layers", "cka": "layers"}
    found = {name: (what, tables.get(what, what), of) for name, (what, of) in wanted.items()}
    there = pair_files(settings)
    return {name: of for name, of in found.items() if of[2] and of[1] in there}


def moment_bytes(width: int, depth: int, groups: int) -> int:
    """Bytes of the moments of all layers of a pair of models, for each group and in all.

    Parameters
    ----------
    width : hidden size d.
    depth : layers, the embeddings among them.
    groups : of examples.
    """
    return 8 * (width + 2) ** 2 * (3 * depth * (groups + 4) + depth**2)


def landscape_run(settings: Config, task: str, start: str) -> Run:
    """The run that the landscapes of a task and start are drawn for."""
    seeds = seeds_name(settings.finetune.seeds[0])
    return task, start, settings.recipe_of(task, start), seeds


def pair_run(settings: Config, task: str, seeds: str) -> Run:
    """A fine-tuned model of a task; by its own recipe where `dynamics.recipes` names one."""
    recipe = settings.dynamics.recipes.get(task, settings.recipe_of(task, "pretrained"))
    return task, "pretrained", recipe, seeds


def spanning_runs(settings: Config, surface: str) -> list[Run]:
    """Runs whose checkpoints span a surface: its own, and that of the second direction."""
    task, start, kind, _ = surfaces(settings)[surface]
    tasks = [task] if kind == "line" else [task, settings.landscape.second[task]]
    return [landscape_run(settings, name, start) for name in tasks]


def continued_run(settings: Config) -> Run:
    """The run of figure 4 that trains on."""
    task = settings.figures.overfitting_task
    seeds = seeds_name(settings.finetune.seeds[0])
    return task, "pretrained", settings.figures.overfitting_recipe, seeds


def base_run(settings: Config, run: Run) -> Run | None:
    """The run that a run continues; None for one that starts by itself."""
    task, start, recipe, seeds = run
    base = settings.finetune.recipes[recipe].continues
    return (task, start, base, seeds) if base else None


def runs(settings: Config) -> list[Run]:
    """All runs of a model that the figures need, each after the one that it continues."""
    wanted = [run for name in surfaces(settings) for run in spanning_runs(settings, name)]
    wanted.append(continued_run(settings))
    for _, _, *models in model_pairs(settings).values():
        wanted += [pair_run(settings, task, seeds) for _, task, seeds in models]
    found: dict[Run, None] = {}
    for run in wanted:
        chain = [run]
        while (base := base_run(settings, chain[-1])) is not None:
            chain.append(base)
        found |= dict.fromkeys(reversed(chain))
    return list(found)


def unprojected_runs(settings: Config) -> list[Run]:
    """Runs of which no trajectory is drawn: only their first and last checkpoints are of use."""
    projected = {
        landscape_run(settings, task, start)
        for task in settings.experiment.tasks
        for start in STARTS
    }
    projected.add(continued_run(settings))
    return [run for run in runs(settings) if run not in projected]


def all_tasks(settings: Config) -> list[str]:
    """Tasks whose data are needed, those of second directions too, sorted."""
    chosen = settings.experiment.tasks
    return sorted({*chosen, *(settings.landscape.second[task] for task in chosen)})

"""Names of files, and helpers of the rules. No rules here."""

import json
import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from snakemake.logging import logger

from workflow_scripts.rebuilds.import_results import other_versions, unknown_outputs
from workflow_scripts.experiment.checks import cache_folder, check_inputs
from workflow_scripts.rebuilds.code_hashes import CodeHashes
from workflow_scripts.experiment.config import validated
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.paths import as_inputs
from workflow_scripts.experiment.products import (
    FIGURES,
    GROUP_FIGURES,
    STARTS,
    axis_points,
    continued_run,
    dynamics_figures,
    landscape_run,
    layer_groups,
    model_pairs,
    moment_bytes,
    pair_files,
    pair_run,
    pairs_of,
    row_shards,
    seeds_name,
    spanning_runs,
    surfaces,
    unprojected_runs,
)
from workflow_scripts.common.gpus import visible_gpus
from workflow_scripts.common.provenance import made_with
from workflow_scripts.rebuilds.records import source_digests
from workflow_scripts.rebuilds.recover import remember
from workflow_scripts.rebuilds.explain import keep_sources
from workflow_scripts.figures.paper import HAO_2019_TABLE_1
from workflow_scripts.landscape.grid import shards


def checked(function, *arguments):
    """Call a check; what is wrong ends the workflow with one line, before any job starts."""
    try:
        return function(*arguments)
    except UserError as error:
        sys.exit(f"Tunescape: {error}")


SETTINGS = checked(validated, config)


TASKS = SETTINGS.experiment.tasks
MODELS = SETTINGS.experiment.models
# Files on this machine that tasks and models are read from.
TASK_FILES, MODEL_FILES = checked(check_inputs, SETTINGS)


SCRIPTS = []
HASHES = CodeHashes(".snakemake/tunescape_code.json")


def tell_of_results():
    """Stop where Snakemake would not notice changes; tell of results of other libraries."""
    unknown = unknown_outputs()
    if unknown:
        sys.exit(
            f"Tunescape: Snakemake has no record of {len(unknown)} results, such as {unknown[0]} "
            "(a fresh clone, or .snakemake was deleted): changed settings and code would go "
            "unnoticed. Take them over by their own records: python -m "
            f"workflow_scripts.rebuilds import --directory {shlex.quote(os.getcwd())}"
        )
    for library, files in other_versions().items():
        then = (
            "they are made again"
            if SETTINGS.rebuild.on_library_change
            else "they stay (rebuild.on_library_change)"
        )
        logger.warning(f"Tunescape: {files} results were made with {library}; {then}")


def code(path):
    """Params function: hash of what a rule's script means. A job computes its own rule's only."""
    script = f"workflow_scripts/{path}.py"
    SCRIPTS.append(script)
    return lambda wildcards: HASHES.of(script).code


def libraries(path, output):
    """Params function: versions of the libraries that the rule's script uses.

    ``output`` : pattern of one of the rule's outputs, whose record tells what made it.
    """
    script = f"workflow_scripts/{path}.py"
    renew = SETTINGS.rebuild.on_library_change
    return lambda wildcards: made_with(
        HASHES.of(script).libraries, output.format(**dict(wildcards.items())), renew
    )


def keep_code():
    """Keep the code of all scripts for ``why``, and its hashes for the jobs and the next run."""
    HASHES.save(SCRIPTS)
    keep_sources({script: HASHES.of(script).code for script in SCRIPTS})


def let_scheduler_rest():
    """Keep Snakemake's scheduler from looking for new jobs where none has ended.

    For its limit of 100 new jobs a second each look asks for another one a second later, so that
    with jobs in wait every one that ends starts one more chain of looks: after 90 jobs of the
    default experiment they took a quarter of a core. Another limit (--max-jobs-per-timespan) is
    the user's, and stays.
    """
    limit = getattr(workflow.scheduler, "job_rate_limiter", None)
    if limit is not None and (limit.max_jobs, limit.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def context(wildcards, threads):
    """What never changes a number beyond the stated precision.

    Snakemake does not track params that depend on threads: none of this makes a file stale.
    """
    return {
        "experiment": SETTINGS.experiment.name,
        "device": SETTINGS.compute.device,
        "threads": threads,
        "token_budget": SETTINGS.compute.token_budget,
    }


CACHE = checked(cache_folder, SETTINGS)


def cached_context(wildcards, threads):
    """``context`` of rules that are dear enough to be kept for other experiments."""
    return {**context(wildcards, threads), "cache": CACHE}


# What follows a stage runs again only if what the stage's files hold has changed: such a file is
# `ancient`, so that its time does not count, and its `.digest` stands beside it as an input.
# Snakemake looks again after a checkpoint, at the jobs that take one of its outputs: so each job
# takes the digests of all checkpoints that it rests on.


def digests(of_runs=(), of_tasks=(), of_models=()):
    """Digest files that a job rests on: of runs with all that they come from, tasks, models."""
    found = [task_file(task, "digest") for task in of_tasks]
    found += [model_file(model, "digest") for model in of_models]
    for run in of_runs:
        found += [*digests_above(*run), run_file(*run, "weights.digest")]
    return sorted(set(found))


def digests_above(model, task, start, recipe, seeds):
    """Digest files of what a run comes from."""
    found = [model_file(model, "digest"), task_file(task, "digest")]
    if start == "scratch":
        found.append(model_file(model, f"scratch/{seeds.split('_')[0]}.digest"))
    base = SETTINGS.finetune.recipes[recipe].continues
    return found + (digests([(model, task, start, base, seeds)]) if base else [])


# data


def task_file(task, name):
    return f"results/data/{task}/{name}"


def task_spec(task):
    settings = SETTINGS.tasks[task]
    return {
        "name": task,
        "source": settings.source,
        "label": settings.label,
        "text": settings.text,
        "train_examples": settings.train,
        "dev_examples": settings.dev,
        "dev_split": settings.dev_split,
        "seed": settings.seed,
    }


# model


def model_file(model, name):
    return f"results/model/{model}/{name}"


ARCHITECTURE = {
    "config": model_file("{model}", "config.json"),
    "tokenizer": model_file("{model}", "tokenizer.json"),
    "tokenizer_config": model_file("{model}", "tokenizer_config.json"),
}


def architecture():
    """Configuration and tokenizer of a model, by the names that scripts know them by."""
    return {name: ancient(path) for name, path in ARCHITECTURE.items()}


# finetune


FIRST_SEEDS = seeds_name(SETTINGS.finetune.seeds[0])


def run_file(model, task, start, recipe, seeds, name):
    return f"results/finetune/{model}/{task}/{start}/{recipe}/{seeds}/{name}"


RUN = "{model}", "{task}", "{start}"
SEEDS = "init{init}_order{order}"


def run_pattern(recipe, name):
    """A file of any run of a recipe."""
    return run_file(*RUN, recipe, SEEDS, name)


def run_checkpoints(model, task, start, recipe, seeds):
    """Checkpoints of a run, epoch 0 first."""
    return [
        run_file(model, task, start, recipe, seeds, f"epoch{epoch:02d}.safetensors")
        for epoch in range(SETTINGS.finetune.recipes[recipe].epochs + 1)
    ]


def kept_checkpoints(recipe):
    """Outputs of a run of a recipe: those between its ends stay only if all are to be kept."""
    first, *between, last = run_checkpoints(*RUN, recipe, SEEDS)
    if SETTINGS.finetune.keep == "ends":
        between = map(temp, between)
    return [first, *between, last]


def delete_unneeded_checkpoints():
    """Delete what no trajectory shows; Snakemake does it only where another job is last to need it."""
    if SETTINGS.finetune.keep == "ends":
        for model in MODELS:
            for run in unprojected_runs(SETTINGS):
                for path in run_checkpoints(model, *run)[1:-1]:
                    Path(path).unlink(missing_ok=True)


def atlas_run(model, task, start):
    """Where the run lies that the landscapes of a task and start are drawn for."""
    return model, *landscape_run(SETTINGS, task, start)


def start_weights(recipe):
    """Input function: the weights from which a run of this recipe starts."""
    base = SETTINGS.finetune.recipes[recipe].continues

    def weights(wildcards):
        model, task, start, seeds = job_run(wildcards)
        if base:
            return ancient(run_checkpoints(model, task, start, base, seeds)[-1])
        if start == "scratch":
            return ancient(
                model_file(model, f"scratch/init{wildcards.init}.safetensors")
            )
        return ancient(model_file(model, "model.safetensors"))

    return weights


def job_run(wildcards):
    """Model, task, start and seeds of a job that trains."""
    seeds = f"init{wildcards.init}_order{wildcards.order}"
    return wildcards.model, wildcards.task, wildcards.start, seeds


def start_digests(recipe):
    """Input function: digests of what a run of this recipe comes from."""

    def found(wildcards):
        model, task, start, seeds = job_run(wildcards)
        return digests_above(model, task, start, recipe, seeds)

    return found


def run_spec(recipe):
    """Params function: what a run of this recipe depends on, besides its files."""

    def spec(wildcards):
        settings = SETTINGS.finetune.recipes[recipe].model_dump()
        return {
            "continues": settings.pop("continues") is not None,
            "recipe": settings,
            "init": int(wildcards.init),
            "order": int(wildcards.order),
            "max_length": SETTINGS.finetune.max_length,
        }

    return spec


def run_state(wildcards, output):
    """Where a run keeps what it needs to go on after a kill; not tracked, like context."""
    return os.path.join(os.path.dirname(output.history), "state")


# landscape


def surface_file(model, surface, name):
    return f"results/landscape/{model}/{surface}/{name}"


def examples_file(task):
    return f"results/landscape/examples_{task}.parquet"


def tokens_file(model, task):
    return f"results/landscape/{model}/tokens_{task}.parquet"


SURFACES = surfaces(SETTINGS)


def surface_spec(surface):
    """What a surface's points depend on, besides its files."""
    _, _, kind, group = SURFACES[surface]
    settings = SETTINGS.landscape
    return {
        "kind": kind,
        "range": settings.range,
        "points": axis_points(SETTINGS, kind),
        "group": group,
        "groups": settings.groups if kind == "group" else None,
    }


def row_file(model, surface, row):
    return surface_file(model, surface, f"rows/{row:03d}.parquet")


def surface_rows(model, surface):
    """A file per row of a surface."""
    spec = surface_spec(surface)
    found = shards(spec["kind"], *spec["range"], spec["points"], 1)
    return [row_file(model, surface, row) for row, _ in found]


def surfaces_of_kind(kind):
    """Pattern of the names of all surfaces of a kind."""
    return "|".join(re.escape(name) for name, of in SURFACES.items() if of[2] == kind)


def surface_runs(model, surface):
    """Runs whose checkpoints span a surface."""
    return [(model, *run) for run in spanning_runs(SETTINGS, surface)]


def surface_digests(surfaces, *, tasks=(), runs=()):
    """Digests that a job rests on which takes files of these surfaces, tasks and runs."""
    spanned = [run for name in surfaces for run in surface_runs("{model}", name)]
    return digests([*spanned, *runs], tasks)


def surface_task(wildcards):
    """Task of a job's surface."""
    return SURFACES[wildcards.surface][0]


def spanning(wildcards):
    """Input function: checkpoints that span a job's surface, by their scripts' names for them."""
    task, start, kind, _ = SURFACES[wildcards.surface]
    checkpoints = run_checkpoints(*atlas_run(wildcards.model, task, start))
    found = {"start": ancient(checkpoints[0]), "end": ancient(checkpoints[-1])}
    if kind != "line":
        # The other task's run has the same start: the same model or, from scratch, the same seed.
        second = atlas_run(wildcards.model, SETTINGS.landscape.second[task], start)
        found["second"] = ancient(run_checkpoints(*second)[-1])
    return found


def evaluating(wildcards):
    """Input function: what the points of a job's surface are evaluated with."""
    return {
        **spanning(wildcards),
        "config": ancient(model_file(wildcards.model, "config.json")),
        "tokens": tokens_file(wildcards.model, surface_task(wildcards)),
    }


def job_surface_digests(wildcards):
    """Input function: digests that a job of one surface rests on."""
    return digests(surface_runs(wildcards.model, wildcards.surface))


def trajectory_run(wildcards):
    """The surface's own run, or the run that continues it."""
    task, start, _, _ = SURFACES[wildcards.surface]
    model, task, start, recipe, seeds = atlas_run(wildcards.model, task, start)
    recipe = recipe if wildcards.run == "target" else wildcards.run
    return model, task, start, recipe, seeds


def trajectory_checkpoints(wildcards):
    return ancient(run_checkpoints(*trajectory_run(wildcards)))


def trajectory_digests(wildcards):
    """Input function: digests that a trajectory rests on."""
    runs = surface_runs(wildcards.model, wildcards.surface)
    return digests([*runs, trajectory_run(wildcards)])


def geometry_spec(surface):
    task, start, _, _ = SURFACES[surface]
    return {
        "surface": {
            **surface_spec(surface),
            "start": start,
            "second": SETTINGS.landscape.second[task],
        },
    }


def precision_spec(surface):
    settings = SETTINGS.landscape
    auto = settings.precision == "auto"
    return {
        "surface": surface_spec(surface),
        "wanted": settings.precision,
        "tolerance": settings.precision_tolerance if auto else None,
    }


def surface_precision(wildcards):
    """Input function: the calibration of a surface that need not be float32."""
    if SETTINGS.landscape.precision == "float32":
        return []
    return surface_file(wildcards.model, wildcards.surface, "precision.json")


def merge_spec(surface):
    spec = surface_spec(surface)
    return {key: spec[key] for key in ("kind", "range", "points")}


# rollback


def rollback_file(model, task):
    return f"results/rollback/{model}/{task}.parquet"


def rollback_run(wildcards):
    return atlas_run(wildcards.model, wildcards.task, "pretrained")


# dynamics


def dynamics_file(model, pair, name):
    return f"results/dynamics/{model}/{pair}/{name}"


def dynamics_run(model, task, seeds=FIRST_SEEDS):
    """Where the fine-tuned model of a task lies that is compared with others."""
    return model, *pair_run(SETTINGS, task, seeds)


MODEL_PAIRS = model_pairs(SETTINGS)


PAIR_FILES = pair_files(SETTINGS)


def pair_examples(pair):
    """Number of dev examples of each task that a pair of models reads; None for all."""
    one_task = MODEL_PAIRS[pair][0] != "tasks"
    return SETTINGS.dynamics.examples if one_task else SETTINGS.dynamics.pair_examples


def pair_model(place):
    """Input function: checkpoint of a pair's first (0) or second (1) model."""

    def checkpoint(wildcards):
        epoch, task, seeds = MODEL_PAIRS[wildcards.pair][2 + place]
        return ancient(
            run_checkpoints(*dynamics_run(wildcards.model, task, seeds))[epoch]
        )

    return checkpoint


def pair_inputs(name):
    """Input function: a file of each task of a pair."""
    return lambda wildcards: [
        ancient(task_file(task, name)) for task in MODEL_PAIRS[wildcards.pair][1]
    ]


def pair_digests(model, pairs):
    """Digests that a job rests on which takes files of these pairs of models."""
    models = [of for pair in pairs for of in MODEL_PAIRS[pair][2:]]
    return digests([dynamics_run(model, task, seeds) for _, task, seeds in models])


def job_pair_digests(wildcards):
    """Input function: digests that a job of one pair rests on."""
    return pair_digests(wildcards.model, [wildcards.pair])


def reading_spec(pair):
    """Which examples a pair of models reads."""
    return {
        "examples": pair_examples(pair),
        "seed": SETTINGS.dynamics.seed,
        "max_length": SETTINGS.finetune.max_length,
    }


def pair_tables(name, pairs):
    """A table of each of these pairs; none where the settings leave it out."""
    if name not in PAIR_FILES:
        return []
    return [dynamics_file("{model}", pair, f"{name}.parquet") for pair in pairs]


def likeness_memory(wildcards, input, attempt):
    """Megabytes of a job that holds moments of all layers, for each group of examples and in all."""
    with open(input.config, encoding="utf-8") as file:
        facts = json.load(file)
    # As the architectures call them.
    width = next(
        (facts[key] for key in ("hidden_size", "dim", "d_model") if key in facts), 1024
    )
    depth = (
        next(
            (facts[key] for key in ("num_hidden_layers", "n_layers") if key in facts),
            24,
        )
        + 1
    )
    held = moment_bytes(width, depth, SETTINGS.dynamics.groups)
    return round((3000 + held / 1e6) * attempt)


def likeness_spec(pair):
    """How hidden states are compared."""
    settings = SETTINGS.dynamics
    return {
        **reading_spec(pair),
        "tokens": settings.tokens,
        "keep": settings.keep,
        "groups": settings.groups,
    }


# compute


def gpus():
    """GPUs of one job that runs a model; ``auto`` takes one where this machine has any."""
    device = SETTINGS.compute.device
    return int(
        device == "cuda"
        or (device == "auto" and shutil.which("nvidia-smi") is not None)
    )


def share_gpus():
    """Let as many jobs with a GPU run at a time as this machine has GPUs, unless told how many.

    A cluster's scheduler knows by itself how many there are.
    """
    here = workflow.nodes is None
    if here and gpus() and "gpu" not in workflow.global_resources:
        workflow.register_resource("gpu", max(1, len(visible_gpus())))


# report


def report_file(model, name):
    return f"results/report/{model}/{name}"


def atlas_surfaces(suffix="", tasks=TASKS):
    """Names of every task's and start's surface, scratch first."""
    return [f"{task}_{start}{suffix}" for task in tasks for start in STARTS]


def over_tasks_and_starts(name, suffix="", tasks=TASKS):
    """A file of every task's and start's surface, scratch first."""
    return [
        surface_file("{model}", surface, name)
        for surface in atlas_surfaces(suffix, tasks)
    ]


ATLAS_RUNS = [atlas_run("{model}", task, start) for task in TASKS for start in STARTS]
# History of every task's and start's run, scratch first.
HISTORIES = [ancient(run_file(*run, "history.parquet")) for run in ATLAS_RUNS]
HISTORY_DIGESTS = [run_file(*run, "digest") for run in ATLAS_RUNS]


OVERFITTING = SETTINGS.figures.overfitting_task


OVERFITTING_RUN = atlas_run("{model}", OVERFITTING, "pretrained")
CONTINUED_RUN = "{model}", *continued_run(SETTINGS)


def rollback_tables(wildcards):
    """Rollback table of every task; none where layer groups are left out."""
    tasks = TASKS if SETTINGS.figures.group_tasks else []
    return [rollback_file(wildcards.model, task) for task in tasks]


# figures


def figure_file(name):
    return f"results/figures/{{model}}/{name}"


def figure_outputs(name, table=False, category="Loss landscapes"):
    """Files of a figure: vector, raster and the numbers behind it; a table's as text too.

    The raster goes into Snakemake's report, under ``category``.
    """
    kinds = ["pdf", "png", "csv", *(["md"] if table else [])]
    files = {kind: figure_file(f"{name}.{kind}") for kind in kinds}
    return files | {
        "png": report(files["png"], caption=f"captions/{name}.rst", category=category)
    }


GROUP_SURFACES = [name for name, of in SURFACES.items() if of[2] == "group"]


def over_groups(name):
    """A file of every layer-group surface."""
    return [surface_file("{model}", surface, name) for surface in GROUP_SURFACES]


def overfitting_trajectories(model):
    """The trajectory of figure 4: the run, and the run that continues it."""
    return [
        surface_file(model, f"{OVERFITTING}_pretrained", f"trajectory_{run}.parquet")
        for run in ("target", SETTINGS.figures.overfitting_recipe)
    ]


def overfitting_note():
    """How the run of figure 4 trains on."""
    recipe = SETTINGS.finetune.recipes[SETTINGS.figures.overfitting_recipe]
    return (
        f"{recipe.epochs} more epochs with a fresh {recipe.schedule.replace('_', ' ')} schedule, "
        f"learning rate {recipe.learning_rate:g}"
    )


def paper_values():
    """The paper's table 1 for the tasks that stand for its own; None where there are none."""
    chosen = SETTINGS.figures.paper_values
    return {task: HAO_2019_TABLE_1[row] for task, row in chosen.items()} or None


def task_titles(tasks):
    """Tasks of a figure, as its script takes them."""
    return [
        {
            "name": task,
            "title": SETTINGS.tasks[task].title or task,
            "synthetic": SETTINGS.tasks[task].source.startswith("synthetic:"),
        }
        for task in tasks
    ]


def pair_titles(pairs):
    """Pairs of models as the figures' scripts take them."""
    found = []
    for pair in pairs:
        comparison, tasks, first, second = MODEL_PAIRS[pair]
        titles = [SETTINGS.tasks[task].title or task for task in tasks]
        names = {
            "change": ("pre-trained", "fine-tuned"),
            "seeds": (f"seeds {first[2]}", f"seeds {second[2]}"),
            "tasks": tuple(titles),
        }
        found.append(
            {
                "name": pair,
                "title": "–".join(titles),
                "synthetic": any(
                    SETTINGS.tasks[task].source.startswith("synthetic:")
                    for task in tasks
                ),
                "comparison": comparison,
                "first": names[comparison][0],
                "second": names[comparison][-1],
            }
        )
    return found


def drawn_dynamics():
    """Figures of learning dynamics: name -> script, file of a pair that it shows, pairs, spec."""
    shown = {
        "attention": (
            "draw_attention_layers",
            {"resamples": SETTINGS.dynamics.resamples},
        ),
        "representations": ("draw_representation_layers", {}),
        "rollback": ("draw_layer_rollback", {}),
        "heads": ("draw_attention_heads", {}),
        "svcca": ("draw_layer_matrices", {"measure": "svcca"}),
        "cka": ("draw_layer_matrices", {"measure": "cka"}),
    }
    found = {}
    for figure, (what, table, pairs) in dynamics_figures(SETTINGS).items():
        script, spec = shown[what]
        titles = (
            {"tasks": task_titles(TASKS)}
            if what == "rollback"
            else {"pairs": pair_titles(pairs)}
        )
        found[figure] = script, f"{table}.parquet", pairs, titles | spec
    return found


DYNAMICS_FIGURES = drawn_dynamics()


def all_figures():
    """Every figure, table and page of the experiment."""
    names = [
        *FIGURES,
        *(GROUP_FIGURES if SETTINGS.figures.group_tasks else ()),
        *DYNAMICS_FIGURES,
    ]
    files = [
        f"results/figures/{model}/{name}.{kind}"
        for model in MODELS
        for name in names
        for kind in ("pdf", "png", "csv")
    ]
    files += [
        report_file(model, f"claims.{kind}")
        for model in MODELS
        for kind in ("csv", "md")
    ]
    files += [
        report_file(model, f"dynamics_claims.{kind}")
        for model in MODELS
        for kind in ("csv", "md")
    ]
    if SETTINGS.figures.group_tasks:
        files += [f"results/figures/{model}/table1.md" for model in MODELS]
    files += [
        surface_file(model, f"{task}_{start}", "width.parquet")
        for model in MODELS
        for task in TASKS
        for start in STARTS
    ]
    return files

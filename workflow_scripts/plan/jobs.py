"""Every job of an experiment, with the time, disk and memory that it should take.

The time of a job is that of its start, of its products of matrices (counted as operations, over
the machine's rate and the share of it that such work reaches) and of the memory that it moves.
"""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from workflow_scripts.experiment import products as experiment
from workflow_scripts.experiment.config import Config
from workflow_scripts.finetune.batches import epoch_batches
from workflow_scripts.landscape.grid import surface_points
from workflow_scripts.model.sizes import Shape
from workflow_scripts.model.text import token_batches
from workflow_scripts.plan.machine import Machine
from workflow_scripts.plan.sizes import Lengths

STAGES = ("data", "model", "finetune", "landscape", "rollback", "dynamics", "report", "figures")

# Measured on 2 cores of an AMD EPYC (AVX-512, 2 jobs at a time), with MiniLM and four GLUE tasks;
# those of a GPU are assumed.
SHARES = {  # of the rate of large products that a kind of work reaches
    "cpu": {"engine": 0.78, "forward": 0.7, "training": 0.67},
    "gpu": {"engine": 0.6, "forward": 0.5, "training": 0.5},
}
# Seconds: Python, libraries, records. Where the engine computes, nothing of transformers is needed.
START = {"model": 6.0, "engine": 2.5, "table": 0.7, "figure": 2.5}
BETWEEN = 0.3  # seconds that Snakemake takes between two jobs
STEP = 0.02  # seconds of a training step besides its work
STEP_BYTES = 100  # that a parameter moves in a step: gradient, its norms, clipping, Adam
SPAN_BYTES = 1500  # that a parameter costs where three checkpoints are read
JS_BYTES = 1000  # that an entry of two attentions costs
DOUBLE = 0.3  # rate of sums of products in float64, of that of products in float32
DISTANCES = 300  # operations per cube of the hidden size for all distances of two layers
CELL = 35  # the same for a cell of the matrix of layers, which shares the eigenvalues
MOST_DECOMPOSED = 1e12  # operations per second: eigenvalues gain little from a GPU
WRITING, HASHING = 0.5e9, 1e9  # bytes per second: disk, SHA-256
RUNTIME = {"model": 450e6, "table": 180e6, "figure": 230e6}  # bytes of memory before any work
LARGEST_GPU_PASS, CPU_PASS = 65536, 1024  # tokens, as common/device.py chooses them
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Job:
    """A job of Snakemake: what it makes, from which jobs, and what it costs.

    ``seconds`` on the clock; ``disk``, ``memory`` in bytes; ``gpu`` whether it takes one;
    ``local`` whether it runs where Snakemake does, on a cluster too.
    """

    stage: str
    rule: str
    name: str
    seconds: float
    needs: tuple[str, ...] = ()
    gpu: bool = False
    threads: int = 1
    disk: float = 0.0
    memory: float = 0.0
    local: bool = True


@dataclass
class Costs:
    """Costs of one model's jobs.

    Parameters
    ----------
    settings : the configuration.
    shape : of the model.
    lengths : of each task's examples, in the model's tokens.
    machine : that runs the jobs.
    """

    settings: Config
    shape: Shape
    lengths: dict[str, Lengths]
    machine: Machine
    _share: dict[str, float] = field(init=False)

    def __post_init__(self):
        self._share = SHARES["gpu" if self.machine.gpu else "cpu"]

    # Operations

    def engine_flops(self, lengths: np.ndarray, fixed: int = 0) -> float:
        """Of one evaluation of examples, the layers below ``fixed`` kept from before."""
        if not self.shape.packed:
            return self.forward_flops(lengths)  # nothing is kept, and there is padding
        tokens, squares = float(lengths.sum()), float(np.square(lengths).sum())
        below = self._flops(tokens, squares, self.shape.layers - 1 - fixed)
        # The last layer answers for the first token only.
        reads = 4 * self.shape.heads * self.shape.hidden * tokens
        return below + 2 * self.shape.layer_weights * len(lengths) + reads

    def forward_flops(self, lengths: np.ndarray) -> float:
        """Of a plain forward pass over examples, in batches of like length."""
        wanted = self.settings.compute.token_budget
        budget = wanted or (LARGEST_GPU_PASS if self.machine.gpu else CPU_PASS)
        return self._flops(*_padded(lengths, token_batches(lengths, budget)), self.shape.layers)

    def reading_flops(self, lengths: np.ndarray) -> float:
        """Of a pass through all layers for all tokens, without padding where that is known."""
        if not self.shape.packed:
            return self.forward_flops(lengths)
        squares = float(np.square(lengths).sum())
        return self._flops(float(lengths.sum()), squares, self.shape.layers)

    def epoch_flops(self, lengths: np.ndarray, recipe) -> float:
        """Of an epoch of training: a forward pass, and backward twice as much."""
        if self._trains_packed:
            return 3 * self.engine_flops(lengths)
        batches = epoch_batches(lengths, recipe.batch_size, recipe.bucket_batches, 0, 1)
        return 3 * self._flops(*_padded(lengths, batches), self.shape.layers)

    @property
    def _trains_packed(self) -> bool:
        """Whether training and its scores leave out what the engine does: finetune/packed.py."""
        return self.shape.packed and not self.machine.gpu

    def _flops(self, tokens: float, squares: float, layers: float) -> float:
        """Products with weights, 2 per weight and token; scores and sums of attention."""
        weights = 2 * self.shape.layer_weights * tokens
        return layers * (weights + 4 * self.shape.hidden * squares)

    # Seconds

    def _compute(self, flops: float, kind: str, half: bool = False) -> float:
        rate = self.machine.half_flops if half else self.machine.flops
        return flops / (rate * self._share[kind])

    def _move(self, count: float) -> float:
        return count / self.machine.bytes

    @property
    def weights(self) -> float:
        """Bytes of a checkpoint."""
        return FLOAT * self.shape.parameters

    def training(self, run: experiment.Run) -> dict[str, float]:
        """Costs of a run."""
        task, _, name, _ = run
        recipe, lengths = self.settings.finetune.recipes[name], self.lengths[task]
        steps_of_epoch = math.ceil(len(lengths.train) / recipe.batch_size)
        steps = min(recipe.epochs * steps_of_epoch, recipe.max_steps or math.inf)
        flops = self.epoch_flops(lengths.train, recipe) * steps / steps_of_epoch
        seconds = START["model"] + self._compute(flops, "training", recipe.autocast != "none")
        # Without padding only the words of the examples are moved: few, as a rule.
        trained = self.shape.moving if self._trains_packed else self.shape.parameters
        seconds += steps * (STEP + self._move(STEP_BYTES * trained))
        of_dev = self.engine_flops if self._trains_packed else self.forward_flops
        dev = self._compute(of_dev(lengths.dev), "forward")
        seconds += (recipe.epochs + 1) * (dev + 2 * self.weights / HASHING)
        # Weights and Adam's two moments.
        seconds += recipe.epochs * (self.weights + 2 * FLOAT * trained) / WRITING
        tokens = recipe.batch_size * np.percentile(lengths.train, 99)
        kept = 2 if self.settings.finetune.keep == "ends" else recipe.epochs + 1
        return {
            "seconds": seconds,
            "disk": kept * self.weights + 60 * steps,
            "memory": 5 * self.weights + self._activations(tokens, lengths.train.max()),
        }

    def _activations(self, tokens: float, longest: float) -> float:
        """Bytes that a training step keeps for its backward pass.

        References
        ----------
        Korthikanti et al. (2022), section 4.1: 34 s b h + 5 a s² b bytes of each layer in 16 bits.
        """
        shape = self.shape
        of_token = 68 * shape.hidden + 10 * shape.heads * longest
        return 2.0 * tokens * shape.layers * of_token  # as measured, gaps and copies included

    def surface_lengths(self, task: str) -> np.ndarray:
        """Of the examples on which a task's surfaces are evaluated."""
        wanted, lengths = self.settings.landscape, self.lengths[task]
        random = np.random.default_rng(0)
        parts = [
            split if count is None else random.permutation(split)[:count]
            for split, count in (
                (lengths.train, wanted.train_examples),
                (lengths.dev, wanted.dev_examples),
            )
        ]
        return np.concatenate(parts)

    def encoding(self, task: str) -> dict[str, float]:
        """Costs of the tokens of a task's surfaces."""
        lengths = self.surface_lengths(task)
        seconds = START["table"] + 1e-4 * len(lengths)
        return {"seconds": seconds, "disk": 3.0 * lengths.sum(), "memory": RUNTIME["table"]}

    @property
    def half_surfaces(self) -> bool:
        """Whether surfaces are computed in bfloat16, as far as that is known before."""
        wanted, machine = self.settings.landscape.precision, self.machine
        return wanted == "bfloat16" or (
            wanted == "auto" and machine.half_flops > 1.3 * machine.flops
        )

    @property
    def engine_start(self) -> float:
        """Seconds that a job takes to start which runs a model and does not train it."""
        return START["engine" if self.shape.packed else "model"]

    def points(self, surface: experiment.Surface, count: int) -> dict[str, float]:
        """Costs of ``count`` points of a surface, in one job."""
        task, _, _, group = surface
        fixed = self.first_layer(group) if group else 0
        lengths = self.surface_lengths(task)
        flops = count * self.engine_flops(lengths, fixed) + self._flops(
            float(lengths.sum()), float(np.square(lengths).sum()), fixed
        )
        moved = (12 + 6 * self.half_surfaces) * self.shape.moving * count
        spanned = SPAN_BYTES * self.shape.parameters / self.machine.host_bytes
        return {
            "seconds": self.engine_start
            + self._compute(flops, "engine", self.half_surfaces)
            + self._move(moved)
            + spanned,
            "disk": count * len(lengths) * 6,
            "memory": 8 * self.weights,
        }

    def first_layer(self, group: str) -> int:
        """Lowest layer of a layer group."""
        if self.settings.landscape.groups:
            return self.settings.landscape.groups[group][0]
        thirds = ("low", "middle", "high").index(group)
        return thirds * self.shape.layers // 3

    def calibration(self, surface: experiment.Surface) -> dict[str, float]:
        """Costs of measuring how far bfloat16 moves a surface: 26 points in both."""
        exact = self._compute(26 * self.engine_flops(self.surface_lengths(surface[0])), "engine")
        found = self.points(surface, 26)
        return found | {"seconds": found["seconds"] + exact, "disk": 4e3}

    def directions(self) -> dict[str, float]:
        """Costs of measuring a surface's directions."""
        moved = SPAN_BYTES * self.shape.parameters / self.machine.host_bytes
        return {"seconds": START["engine"] + moved, "memory": 7 * self.weights, "disk": 2e3}

    def trajectory(self, task: str, recipe: str) -> dict[str, float]:
        """Costs of four evaluations of each checkpoint of a run."""
        checkpoints = self.settings.finetune.recipes[recipe].epochs + 1
        flops = 4 * checkpoints * self.engine_flops(self.surface_lengths(task))
        seconds = self.engine_start + self._compute(flops, "engine")
        seconds += checkpoints * SPAN_BYTES * self.shape.parameters / self.machine.host_bytes
        return {"seconds": seconds, "memory": 16 * self.weights, "disk": 1e4}

    def rollback(self, task: str) -> dict[str, float]:
        """Costs of scoring a model with each layer group put back."""
        passes = 1 + len(experiment.layer_groups(self.settings))
        flops = passes * self.engine_flops(self.lengths[task].dev)
        seconds = self.engine_start + self._compute(flops, "engine")
        return {"seconds": seconds, "memory": 4 * self.weights, "disk": 1e4}

    def pair_lengths(self, pair: tuple) -> np.ndarray:
        """Of the dev examples that a pair of models reads."""
        comparison, tasks, *_ = pair
        dynamics = self.settings.dynamics
        count = dynamics.pair_examples if comparison == "tasks" else dynamics.examples
        return np.concatenate([self.lengths[task].dev[:count] for task in tasks])

    def attention(self, pair: tuple) -> dict[str, float]:
        """Costs of comparing the attention of two models."""
        lengths, shape = self.pair_lengths(pair), self.shape
        seconds = self.engine_start + self._compute(2 * self.reading_flops(lengths), "forward")
        entries = shape.layers * shape.heads * float(np.square(lengths).sum())
        rows = len(lengths) * shape.layers
        return {
            "seconds": seconds + self._move(JS_BYTES * entries) + 1e-4 * rows,
            "memory": 4 * self.weights + 40 * shape.heads * lengths.max() ** 2 * 16,
            "disk": rows * 8 * (shape.heads + 4),
        }

    def representations(self, pair: tuple) -> dict[str, float]:
        """Costs of comparing the hidden states of two models."""
        lengths, depth = self.pair_lengths(pair), self.shape.layers + 1
        # Of each group and of all, with three lags; of all pairs of layers; of each layer itself.
        products = depth * (1 + 4 + 6) + depth**2
        distances = depth * (self.settings.dynamics.groups + 1 + 3)
        seconds = self._compute(2 * self.reading_flops(lengths), "forward")
        seconds += self._likeness(lengths, products, distances, cells=depth**2)
        return {
            "seconds": self.engine_start + seconds,
            "memory": 4 * self.weights + self._moments(),
            "disk": 1e5 + 700 * depth**2,
        }

    def layers_back(self, pair: tuple) -> dict[str, float]:
        """Costs of putting a model's layers back one by one."""
        lengths, layers = self.pair_lengths(pair), self.shape.layers
        flops = (1 + (layers + 1) / 2) * self.reading_flops(lengths)
        distances = layers * (self.settings.dynamics.groups + 1 + 3)
        seconds = self._compute(flops, "forward")
        seconds += self._likeness(lengths, layers * 5 + 2 * (layers + 1), distances)
        return {
            "seconds": self.engine_start + seconds,
            "memory": 4 * self.weights + self._moments(),
            "disk": 1e5,
        }

    def _likeness(self, lengths: np.ndarray, products: int, distances: int, cells: int = 0):
        hidden = self.shape.hidden
        rows = len(lengths) if self.settings.dynamics.tokens == "cls" else float(lengths.sum())
        sums = 2 * rows * hidden**2 * products / (DOUBLE * self.machine.flops)
        decomposed = hidden**3 * (DISTANCES * distances + CELL * cells)
        return sums + decomposed / min(self.machine.flops, MOST_DECOMPOSED)

    def _moments(self) -> float:
        depth, groups = self.shape.layers + 1, self.settings.dynamics.groups
        return float(experiment.moment_bytes(self.shape.hidden, depth, groups))


def _padded(lengths: np.ndarray, batches: list[np.ndarray]) -> tuple[float, float]:
    """Tokens with padding, and the sum over tokens of their example's padded length."""
    widths = [(len(batch), float(lengths[batch].max())) for batch in batches]
    return sum(n * width for n, width in widths), sum(n * width**2 for n, width in widths)


def table_job(work: float = 0.0) -> dict[str, float]:
    """Costs of a job that reads tables and writes one; ``work`` seconds besides its start."""
    return {"seconds": START["table"] + work, "memory": RUNTIME["table"], "disk": 2e4}


def figure_job() -> dict[str, float]:
    """Costs of drawing a figure."""
    return {"seconds": START["figure"], "memory": RUNTIME["figure"], "disk": 4e5}


def all_jobs(
    settings: Config,
    shapes: dict[str, Shape],
    lengths: dict[str, dict[str, Lengths]],
    machine: Machine,
) -> list[Job]:
    """Every job that makes the experiment's figures and tables, each after those that it needs.

    Parameters
    ----------
    shapes : of each model of the experiment.
    lengths : of each model and task.
    machine : that runs the jobs.
    """
    jobs = []
    for task in experiment.all_tasks(settings):
        first = lengths[settings.experiment.models[0]][task]
        size = len(first.train) + len(first.dev)
        cost = table_job(2e-4 * size) | {"disk": 80.0 * size}
        jobs.append(Job("data", "prepare_task", f"task/{task}", **cost))
    for task in settings.experiment.tasks:
        name = f"examples/{task}"
        needs = (f"task/{task}",)
        jobs.append(Job("landscape", "choose_examples", name, needs=needs, **table_job()))
    for model in settings.experiment.models:
        costs = Costs(settings, shapes[model], lengths[model], machine)
        for job in _jobs_of(settings, costs, model):
            seconds = job.seconds + BETWEEN
            # Record, log and benchmark of a job.
            jobs.append(Job(**{**job.__dict__, "seconds": seconds, "disk": job.disk + 2e4}))
    return jobs


def _jobs_of(settings: Config, costs: Costs, model: str) -> Iterator[Job]:
    surfaces = experiment.surfaces(settings)
    yield from _training_jobs(settings, costs, model)
    for task in settings.experiment.tasks:
        name, needs = f"tokens/{model}/{task}", (f"model/{model}", f"examples/{task}")
        cost = costs.encoding(task)
        yield Job("landscape", "encode_examples", name, needs=needs, **cost)
    for name, surface in surfaces.items():
        yield from _surface_jobs(settings, costs, model, name, surface)
    yield from _trajectory_jobs(settings, costs, model)
    if settings.figures.group_tasks:
        for task in settings.experiment.tasks:
            run = experiment.landscape_run(settings, task, "pretrained")
            name = f"rollback/{model}/{task}"
            cost = costs.rollback(task)
            yield _model_job("rollback", "roll_back", name, (_run(model, run),), costs, cost)
    yield from _pair_jobs(settings, costs, model)
    made = tuple(f"surface/{model}/{name}" for name in surfaces)
    pairs = tuple(f"representations/{model}/{pair}" for pair in experiment.model_pairs(settings))
    work = 1e-4 * settings.landscape.width.resamples * len(settings.experiment.tasks)
    for rule, needs in (("evaluate_claims", made), ("evaluate_dynamics_claims", pairs)):
        yield Job("report", rule, f"{rule}/{model}", needs=needs, **table_job(1 + 10 * work))
    figures = [*experiment.FIGURES]
    figures += experiment.GROUP_FIGURES if settings.figures.group_tasks else ()
    for figure in figures:
        yield Job("figures", f"draw_{figure}", f"{figure}/{model}", needs=made, **figure_job())
    for figure, (_, _, of) in experiment.dynamics_figures(settings).items():
        needs = tuple(f"representations/{model}/{pair}" for pair in of)
        yield Job("figures", f"draw_{figure}", f"{figure}/{model}", needs=needs, **figure_job())


def _run(model: str, run: experiment.Run) -> str:
    return "/".join(("run", model, *run))


def _model_job(
    stage: str,
    rule: str,
    name: str,
    needs: tuple[str, ...],
    costs: Costs,
    cost: dict[str, Any],
    device: bool = True,
) -> Job:
    """A job that runs a model, or (without ``device``) reads its weights."""
    threads = costs.settings.compute.threads
    cost = cost | {"memory": cost["memory"] + RUNTIME["model"]}
    gpu = device and costs.machine.gpu
    return Job(stage, rule, name, needs=needs, gpu=gpu, threads=threads, local=False, **cost)


def _training_jobs(settings: Config, costs: Costs, model: str) -> Iterator[Job]:
    weights, runs = costs.weights, experiment.runs(settings)
    stored = {"disk": weights, "memory": 3 * weights + RUNTIME["model"]}
    seconds = START["model"] + 5 * weights / HASHING
    yield Job("model", "fetch_model", f"model/{model}", seconds, **stored)
    inits = {seeds.split("_")[0] for _, start, _, seeds in runs if start == "scratch"}
    for init in sorted(inits):
        name, needs = f"scratch/{model}/{init}", (f"model/{model}",)
        yield Job("model", "draw_scratch", name, seconds, needs=needs, **stored)
    for run in runs:
        task, start, recipe, seeds = run
        needs = [f"model/{model}", f"task/{task}"]
        if start == "scratch":
            needs.append(f"scratch/{model}/{seeds.split('_')[0]}")
        if (base := experiment.base_run(settings, run)) is not None:
            needs.append(_run(model, base))
        cost = costs.training(run)
        name = _run(model, run)
        yield _model_job("finetune", f"finetune_{recipe}", name, tuple(needs), costs, cost)


@cache
def _row_sizes(kind: str, low: float, high: float, points: int) -> dict[int, int]:
    return surface_points(kind, low, high, points).groupby("row").size().to_dict()


def _surface_jobs(
    settings: Config, costs: Costs, model: str, name: str, surface: experiment.Surface
) -> Iterator[Job]:
    task, _, kind, _ = surface
    needs = tuple(_run(model, run) for run in experiment.spanning_runs(settings, name))
    needs += (f"tokens/{model}/{task}",)
    if settings.landscape.precision != "float32":
        made = f"precision/{model}/{name}"
        cost = costs.calibration(surface)
        yield _model_job("landscape", "calibrate_precision", made, needs, costs, cost)
        needs += (made,)
    rows = _row_sizes(kind, *settings.landscape.range, experiment.axis_points(settings, kind))
    parts, size = [], 0.0
    for of_kind, first, last in experiment.row_shards(settings):
        if of_kind != kind:
            continue
        cost = costs.points(surface, sum(rows[row] for row in range(first, last + 1)))
        parts.append(f"rows/{model}/{name}/{first}")
        size += cost["disk"]
        rule = f"evaluate_rows_{kind}_{first}_{last}"
        yield _model_job("landscape", rule, parts[-1], needs, costs, cost)
    merged = table_job(size / 5e7) | {"disk": size, "memory": RUNTIME["table"] + 6 * size}
    made = f"merged/{model}/{name}" if kind == "plane" else f"surface/{model}/{name}"
    yield Job("landscape", "merge_surface", made, needs=tuple(parts), **merged)
    if kind == "line":
        return
    cost = costs.directions()
    measured = f"geometry/{model}/{name}"
    yield _model_job("landscape", "measure_directions", measured, needs, costs, cost, device=False)
    if kind == "plane":
        work = settings.landscape.width.resamples * sum(rows.values()) * 1e-5
        cost = table_job(work) | {"memory": RUNTIME["table"] + 6 * size}
        needs = (made, measured)
        yield Job("landscape", "measure_width", f"surface/{model}/{name}", needs=needs, **cost)


def _trajectory_jobs(settings: Config, costs: Costs, model: str) -> Iterator[Job]:
    wanted = [
        (task, start, experiment.landscape_run(settings, task, start))
        for task in settings.experiment.tasks
        for start in experiment.STARTS
    ]
    continued = experiment.continued_run(settings)
    wanted.append((continued[0], continued[1], continued))
    for task, start, run in wanted:
        spanning = experiment.spanning_runs(settings, f"{task}_{start}")
        needs = (*(_run(model, of) for of in (run, *spanning)), f"tokens/{model}/{task}")
        name = f"trajectory/{model}/{task}/{start}/{run[2]}"
        cost = costs.trajectory(task, run[2])
        yield _model_job("landscape", "project_trajectory", name, needs, costs, cost)


def _pair_jobs(settings: Config, costs: Costs, model: str) -> Iterator[Job]:
    rules = {
        "representations": ("compare_representations", costs.representations),
        "attention": ("compare_attention", costs.attention),
        "rollback": ("roll_back_layers", costs.layers_back),
    }
    tables = experiment.pair_files(settings)
    for name, pair in experiment.model_pairs(settings).items():
        runs = [experiment.pair_run(settings, task, seeds) for _, task, seeds in pair[2:]]
        needs = tuple(_run(model, run) for run in runs)
        for table, (rule, cost_of) in rules.items():
            if table in tables and (table != "rollback" or pair[0] == "change"):
                made = f"{table}/{model}/{name}"
                yield _model_job("dynamics", rule, made, needs, costs, cost_of(pair))


def schedule(jobs: list[Job], cores: int, gpus: int) -> dict[str, float]:
    """When each job ends, seconds from the start, if each starts as soon as it can.

    Parameters
    ----------
    jobs : each after those that it needs.
    cores, gpus : that are there, 1 core or more; with jobs that take a GPU, 1 GPU or more.

    Raises
    ------
    KeyError : if a job needs one that is not among them.
    """
    waiting = {job.name: len(set(job.needs)) for job in jobs}
    after: dict[str, list[Job]] = {job.name: [] for job in jobs}
    for job in jobs:
        for name in set(job.needs):
            after[name].append(job)
    order = {job.name: place for place, job in enumerate(jobs)}
    ready = [order[job.name] for job in jobs if not waiting[job.name]]
    running: list[tuple[float, int]] = []
    ends: dict[str, float] = {}
    free, all_cores, now = cores, cores, 0.0
    while ready or running:
        held = []
        while ready and free:
            place = heapq.heappop(ready)
            job = jobs[place]
            threads = min(job.threads, all_cores)
            if threads > free or job.gpu > gpus:
                held.append(place)
                continue
            free, gpus = free - threads, gpus - job.gpu
            heapq.heappush(running, (now + job.seconds, place))
        for place in held:
            heapq.heappush(ready, place)
        now, place = heapq.heappop(running)
        job = jobs[place]
        free, gpus = free + min(job.threads, all_cores), gpus + job.gpu
        ends[job.name] = now
        for next_job in after[job.name]:
            waiting[next_job.name] -= 1
            if not waiting[next_job.name]:
                heapq.heappush(ready, order[next_job.name])
    return ends

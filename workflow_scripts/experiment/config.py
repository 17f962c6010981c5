"""The configuration: its keys, types, limits and meanings, in one place.

The Snakefile validates the merged configuration with ``validated``; ``experiment/reference.py``
writes the JSON schema and the reference page from the same models.
"""

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from workflow_scripts.common.errors import UserError, nearest


def _number(value: Any) -> Any:
    """YAML 1.1 reads ``1e-5`` (no dot) as text: take it for the number that was meant."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Share = Annotated[Number, Field(ge=0, le=1)]
BelowOne = Annotated[Number, Field(ge=0, lt=1)]
Positive = Annotated[Number, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]
# A name becomes a folder: letters, digits, "-", "_" and "." only.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Experiment(Section):
    name: Name = Field(description="name of the experiment, kept in the provenance of every file")
    models: list[Name] = Field(min_length=1, description="models to study, out of `models`")
    tasks: list[Name] = Field(min_length=1, description="tasks to study, out of `tasks`")


class Model(Section):
    source: str = Field(
        description="`package:NAME/FOLDER`, `hub:OWNER/NAME@COMMIT`, `dir:/PATH` or "
        "`random:ARCHITECTURE:key=value,…`"
    )
    sha256: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 that the source's `model.safetensors` must have (64 hex digits)",
    )


class Task(Section):
    source: str = Field(
        description="`synthetic:NAME`, `hub:OWNER/NAME[/CONFIG]@COMMIT`, `dir:/FOLDER` or "
        "`dir:/FOLDER/TRAIN,DEV`"
    )
    title: str | None = Field(None, description="name in figures; the task's own name if null")
    label: str = Field("label", description="column that holds the label")
    text: list[str] | None = Field(
        None,
        min_length=1,
        max_length=2,
        description="columns that hold the text, one or two; found by their usual names if null",
    )
    train: Count | None = Field(
        None, description="training examples: all if null, else a seeded subset of this size"
    )
    dev: Count | None = Field(None, description="dev examples: all if null, else a seeded subset")
    dev_split: str | None = Field(
        None, description="split that serves as dev set; found by its usual names if null"
    )
    seed: Seed = Field(0, description="seed of the subset, or of a synthetic task's sentences")


class Seeds(Section):
    init: Seed = Field(description="seed of the head, and of the encoder where it is random")
    order: Seed = Field(description="seed of the order of the examples and of dropout")


class Recipe(Section):
    optimizer: Literal["adamw", "adam", "sgd"] = Field("adamw", description="optimizer")
    learning_rate: Positive = Field(description="highest learning rate")
    batch_size: Count = Field(32, description="examples per step")
    epochs: Count = Field(description="passes over the training set; one checkpoint each")
    max_steps: Count | None = Field(
        None, description="stop after this many steps, in the middle of an epoch if need be"
    )
    schedule: Literal["linear", "constant", "cosine", "slanted_triangular"] = Field(
        "linear", description="learning rate after the warm-up"
    )
    warmup: Share = Field(0.1, description="share of the steps with a rising learning rate")
    bias_correction: bool = Field(True, description="Adam's bias correction")
    eps: Positive = Field(1e-8, description="Adam's epsilon")
    eps_placement: Literal["after", "before"] = Field(
        "after",
        description="epsilon is added `after` the bias correction of the root (PyTorch) or "
        "`before` it (BERT)",
    )
    betas: list[BelowOne] = Field(
        [0.9, 0.999], min_length=2, max_length=2, description="Adam's betas"
    )
    weight_decay: Annotated[Number, Field(ge=0)] = Field(
        0.01,
        description="weight decay, not on biases and LayerNorm weights; decoupled with adamw, "
        "else part of the gradient",
    )
    gradient_clip: Positive | None = Field(
        1.0, description="largest Euclidean norm of the whole gradient; null for no clipping"
    )
    dropout: BelowOne | None = Field(
        None, description="dropout everywhere; the model's own if null"
    )
    autocast: Literal["none", "bfloat16"] = Field(
        "none", description="precision of the matrix products in training"
    )
    bucket_batches: Count = Field(
        16, description="batches drawn together and cut by length, against padding; 1 for none"
    )
    continues: Name | None = Field(
        None, description="recipe whose last checkpoint (head too) this one starts from"
    )


class Runs(Section):
    pretrained: Name | None = Field(None, description="recipe for pre-trained starts")
    scratch: Name | None = Field(None, description="recipe for random starts")


class DefaultRuns(Section):
    pretrained: Name = Field(description="recipe for pre-trained starts")
    scratch: Name = Field(description="recipe for random starts")


class Finetune(Section):
    max_length: Annotated[int, Field(ge=8)] = Field(description="longest input in tokens")
    seeds: list[Seeds] = Field(
        min_length=1, description="seeds of the runs; landscapes are drawn for the first"
    )
    recipes: dict[Name, Recipe] = Field(description="hyper-parameters by name")
    runs: DefaultRuns = Field(description="the recipe of each start")
    exceptions: dict[Name, Runs] = Field(
        default_factory=dict, description="task: recipes that differ from `runs`"
    )
    keep: Literal["all", "ends"] = Field(
        "all",
        description="checkpoints that stay: `all`, or the first and last (`ends`) of each run; the "
        "others are then deleted as soon as no planned job needs them, and trained again where a "
        "trajectory is to be made anew",
    )


class Width(Section):
    tolerances: list[Positive] = Field(
        min_length=1, description="nats above the loss at the end point"
    )
    relative: list[Positive] = Field(
        default_factory=list, description="the same as shares of ln K, the loss of pure chance"
    )
    resamples: Annotated[int, Field(ge=100)] = Field(
        500, description="bootstrap samples of the examples"
    )


class Landscape(Section):
    second: dict[Name, Name] = Field(
        description="task: the other task whose fine-tuning gives the second direction"
    )
    range: list[Number] = Field(
        min_length=2, max_length=2, description="ends of both axes, in units of the directions"
    )
    points: Annotated[int, Field(ge=3)] = Field(description="points per axis of a surface")
    line_points: Annotated[int, Field(ge=3)] = Field(description="points of a line")
    train_examples: Count | None = Field(
        description="training examples at every point: all if null, else a seeded subset"
    )
    dev_examples: Count | None = Field(description="dev examples at every point, likewise")
    seed: Seed = Field(0, description="seed of both subsets")
    rows_per_shard: Count = Field(description="rows of a surface in one job; 1 for one job a row")
    precision: Literal["float32", "bfloat16", "auto"] = Field(
        "float32",
        description="of the matrix products of surfaces and lines; auto: bfloat16 where it is "
        "faster and near enough to float32",
    )
    precision_tolerance: Positive = Field(
        1e-3,
        description="largest difference of a calibrated point's mean loss from float32, in nats, "
        "with which auto takes bfloat16",
    )
    groups: dict[Name, Annotated[list[int], Field(min_length=2, max_length=2)]] | None = Field(
        None, description="layer group: first and last layer; the thirds low, middle, high if null"
    )
    width: Width = Field(description="how the width of an optimum is measured")


class Dynamics(Section):
    recipes: dict[Name, Name] = Field(
        default_factory=dict,
        description="task: recipe of its runs here, where it is not that of the landscapes "
        "(pre-trained start)",
    )
    seed_tasks: list[Name] | None = Field(
        None,
        description="tasks of which two models are compared that differ in their seeds, the first "
        "two of `finetune.seeds`; all if null",
    )
    task_pairs: list[Annotated[list[Name], Field(min_length=2, max_length=2)]] = Field(
        default_factory=list,
        description="tasks whose models are compared, the most alike pair first (a claim is "
        "about that order)",
    )
    examples: Count | None = Field(
        None, description="dev examples of a task: all if null, else a seeded subset"
    )
    pair_examples: Count | None = Field(
        200, description="dev examples of each task of a pair, likewise"
    )
    seed: Seed = Field(0, description="seed of the subsets and of the groups")
    tokens: Literal["all", "cls"] = Field(
        "all", description="hidden states that are compared: of `all` tokens or of the first"
    )
    keep: Annotated[Number, Field(gt=0, le=1)] = Field(
        0.99, description="share of the variance that SVCCA keeps"
    )
    groups: Annotated[int, Field(ge=3)] = Field(
        20, description="groups of examples that the jackknife leaves out in turn"
    )
    resamples: Annotated[int, Field(ge=100)] = Field(
        1000, description="bootstrap samples of the examples, for the intervals of attention"
    )
    attention: bool = Field(
        True, description="whether attention is compared (dynamics1, 4 and 6, dynamics_heads)"
    )
    rollback: bool = Field(
        True,
        description="whether layers are put back one by one (dynamics3); not for ALBERT, whose "
        "layers share their weights",
    )


class Figures(Section):
    trajectory_tasks: list[Name] = Field(min_length=1, description="tasks of figure 3")
    overfitting_task: Name = Field(description="task of figure 4")
    overfitting_recipe: Name = Field(description="recipe of figure 4 that trains on")
    group_tasks: list[Name] = Field(
        description="tasks of figure 7; empty leaves out figure 7 and table 1 (layer groups)"
    )
    paper_values: dict[Name, Literal["MNLI", "RTE", "SST-2", "MRPC"]] = Field(
        default_factory=dict,
        description="task: the row of the paper's table 1 to print beside; only where the "
        "experiment is the paper's",
    )


class Compute(Section):
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the models run")
    threads: Count = Field(1, description="threads of one job that runs a model")
    token_budget: Annotated[int, Field(ge=64)] | None = Field(
        None,
        description="padded tokens in one forward pass, halved where a GPU's memory is too small; "
        "null for what suits the device",
    )
    cache: str | None = Field(
        None,
        description="folder, shared by experiments, that keeps fetched models, prepared tasks and "
        "training runs; `~` and `$VARIABLES` are expanded; null for none",
    )


class Rebuild(Section):
    on_library_change: bool = Field(
        False,
        description="whether results made with other versions of torch, transformers, numpy, … "
        "are made again; otherwise the change is only reported",
    )


class Config(Section):
    experiment: Experiment = Field(description="what is studied")
    models: dict[Name, Model] = Field(description="pre-trained encoders by name")
    tasks: dict[Name, Task] = Field(description="labelled classification data sets by name")
    finetune: Finetune = Field(description="training runs")
    landscape: Landscape = Field(description="loss surfaces, lines, trajectories and widths")
    dynamics: Dynamics = Field(
        description="attention and representations before and after, and across seeds and tasks"
    )
    figures: Figures = Field(description="what the figures show")
    compute: Compute = Field(description="how it is computed; never makes a result stale")
    rebuild: Rebuild = Field(default_factory=Rebuild, description="what makes a result stale")

    @model_validator(mode="after")
    def _names_refer(self) -> "Config":
        for where, names in (
            ("experiment.tasks", self.experiment.tasks),
            ("experiment.models", self.experiment.models),
        ):
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{where}: {name!r} stands there {names.count(name)} times")
        for where, names, known in self._references():
            for name in names:
                if name not in known:
                    allowed = ", ".join(known)
                    raise ValueError(
                        f"{where}: got {name!r}, allowed: {allowed}{nearest(name, known)}"
                    )
        return self

    def _references(self):
        runs = [self.finetune.runs, *self.finetune.exceptions.values()]
        named = [r for run in runs for r in (run.pretrained, run.scratch) if r is not None]
        recipes = list(self.finetune.recipes)
        tasks = list(self.tasks)
        chosen = self.experiment.tasks
        yield "experiment.models", self.experiment.models, list(self.models)
        yield "experiment.tasks", chosen, tasks
        yield "finetune.exceptions", self.finetune.exceptions, tasks
        yield "finetune.runs", named, recipes
        continued = [r.continues for r in self.finetune.recipes.values() if r.continues]
        yield "finetune.recipes.*.continues", continued, recipes
        yield "landscape.second", [*self.landscape.second, *self.landscape.second.values()], tasks
        yield (
            "experiment.tasks (each needs a line in landscape.second)",
            chosen,
            list(self.landscape.second),
        )
        yield "dynamics.recipes", self.dynamics.recipes, tasks
        yield "dynamics.recipes", list(self.dynamics.recipes.values()), recipes
        yield "dynamics.seed_tasks", self.dynamics.seed_tasks or [], chosen
        yield "dynamics.task_pairs", [t for pair in self.dynamics.task_pairs for t in pair], chosen
        yield "figures.trajectory_tasks", self.figures.trajectory_tasks, chosen
        yield "figures.overfitting_task", [self.figures.overfitting_task], chosen
        yield "figures.overfitting_recipe", [self.figures.overfitting_recipe], recipes
        yield "figures.group_tasks", self.figures.group_tasks, chosen
        yield "figures.paper_values", self.figures.paper_values, tasks

    @model_validator(mode="after")
    def _values_make_sense(self) -> "Config":
        for task, second in self.landscape.second.items():
            if task == second:
                raise ValueError(
                    f"landscape.second.{task}: got {second!r}, the task itself; the second "
                    "direction must come from another task"
                )
        low, high = self.landscape.range
        if low >= high:
            raise ValueError(f"landscape.range: got [{low:g}, {high:g}], the first must be smaller")
        if low > -1 or high < 1:
            raise ValueError(
                f"landscape.range: got [{low:g}, {high:g}], "
                "it must hold -1 (rollback), 0 and 1 (end)"
            )
        for name, (first, last) in (self.landscape.groups or {}).items():
            if name in ("line", "none"):
                # A surface's name would be that of the line, a row's that of no rollback.
                raise ValueError(f"landscape.groups: got the name {name!r}, choose another one")
            if not 0 <= first <= last:
                raise ValueError(
                    f"landscape.groups.{name}: got [{first}, {last}], allowed: 0 <= first <= last"
                )
        for name, recipe in self.finetune.recipes.items():
            base, seen = recipe.continues, [name]
            while base is not None:
                if base in seen:
                    raise ValueError(
                        f"finetune.recipes.{name}.continues: goes round in a circle "
                        f"({' -> '.join([*seen, base])})"
                    )
                seen.append(base)
                base = self.finetune.recipes[base].continues
        for pair in self.dynamics.task_pairs:
            if pair[0] == pair[1]:
                raise ValueError(
                    f"dynamics.task_pairs: got {pair}, two different tasks make a pair"
                )
        for task, name in self.dynamics.recipes.items():
            if self.finetune.recipes[name].continues:
                raise ValueError(
                    f"dynamics.recipes.{task}: got {name!r}, which continues another recipe; "
                    "it must start from the pre-trained model"
                )
        self._each_once()
        self._overfitting_continues()
        self._enough_examples()
        return self

    def _each_once(self) -> None:
        seeds = [(one.init, one.order) for one in self.finetune.seeds]
        listed: dict[str, list] = {
            "finetune.seeds": [f"init {init}, order {order}" for init, order in seeds],
            "dynamics.seed_tasks": self.dynamics.seed_tasks or [],
            "dynamics.task_pairs": [str(sorted(pair)) for pair in self.dynamics.task_pairs],
            "figures.trajectory_tasks": self.figures.trajectory_tasks,
            "figures.group_tasks": self.figures.group_tasks,
        }
        listed |= {f"tasks.{name}.text": task.text or [] for name, task in self.tasks.items()}
        for where, names in listed.items():
            for name in names:
                if names.count(name) > 1:
                    raise ValueError(f"{where}: {name!r} stands there {names.count(name)} times")
        for name, task in self.tasks.items():
            if task.label in (task.text or ()):
                raise ValueError(f"tasks.{name}.text: {task.label!r} is the column of the label")

    def _enough_examples(self) -> None:
        for name in self.experiment.tasks:
            for split in ("train", "dev"):
                wanted = getattr(self.landscape, f"{split}_examples")
                there = getattr(self.tasks[name], split)
                if wanted is not None and there is not None and wanted > there:
                    raise ValueError(
                        f"landscape.{split}_examples: got {wanted}, "
                        f"tasks.{name}.{split} allows {there}"
                    )
            self._enough_dev("examples", name)
        for name in sorted({task for pair in self.dynamics.task_pairs for task in pair}):
            self._enough_dev("pair_examples", name)

    def _enough_dev(self, key: str, task: str) -> None:
        wanted, there = getattr(self.dynamics, key), self.tasks[task].dev
        if wanted is not None and there is not None and wanted > there:
            raise ValueError(f"dynamics.{key}: got {wanted}, tasks.{task}.dev allows {there}")

    def _overfitting_continues(self) -> None:
        recipe = self.figures.overfitting_recipe
        base = self.recipe_of(self.figures.overfitting_task, "pretrained")
        if self.finetune.recipes[recipe].continues != base:
            raise ValueError(
                f"figures.overfitting_recipe: got {recipe!r}, which continues "
                f"{self.finetune.recipes[recipe].continues!r}; it must continue {base!r}, "
                f"the recipe of {self.figures.overfitting_task} with a pre-trained start"
            )

    def recipe_of(self, task: str, start: str) -> str:
        """Name of the recipe that a task's run with this start follows."""
        exception = self.finetune.exceptions.get(task)
        return (exception and getattr(exception, start)) or getattr(self.finetune.runs, start)


def validated(config: dict[str, Any]) -> Config:
    """The configuration, checked; ``UserError`` with one line about the first thing wrong."""
    try:
        return Config.model_validate(config)
    except ValidationError as error:
        raise UserError(_explain(error.errors()[0])) from None


def _explain(problem: dict[str, Any]) -> str:
    path = [str(part) for part in problem["loc"] if part != "[key]"]
    key = ".".join(path)
    if problem["type"] == "value_error":  # of a check above: says it all
        return f"config: {problem['ctx']['error']}"
    if problem["type"] == "extra_forbidden":
        allowed = _keys_beside(path)
        return (
            f"config: {key}: unknown key, allowed: {', '.join(allowed)}{nearest(path[-1], allowed)}"
        )
    if problem["type"] == "missing":
        return f"config: {key}: is missing"
    got = problem["input"]
    message = problem["msg"][0].lower() + problem["msg"][1:]
    hint = nearest(got, re.findall(r"'([^']*)'", problem.get("ctx", {}).get("expected", "")))
    return f"config: {key}: got {got!r} ({type(got).__name__}), {message}{hint}"


def _keys_beside(path: list[str]) -> list[str]:
    """Keys that the section holding the last part of ``path`` may have."""
    kind: Any = Config
    for part in path[:-1]:
        # In a section the part is a field; in a mapping or list it picks one of the values.
        kind = kind.model_fields[part].annotation if is_section(kind) else get_args(kind)[-1]
        if type(None) in get_args(kind):
            kind = next(k for k in get_args(kind) if k is not type(None))
    return list(kind.model_fields)


def is_section(kind: Any) -> bool:
    """Whether ``kind`` is a class of sections itself; ``dict[str, Task]`` is none."""
    return isinstance(kind, type) and issubclass(kind, Section)

"""The configuration, composed of the stages' sections, and its checks.

The Snakefile validates the merged configuration with ``validated``; ``reference/`` writes the
schema, the reference page and the comments of config.yaml from the same sections.
"""

import copy
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError, create_model, model_validator

from workflow_scripts.common.errors import MOST_CHARACTERS, UserError, cut, listed, nearest
from workflow_scripts.common.settings import Count, Name, Section, is_section
from workflow_scripts.common.stage import Reference, duplicates
from workflow_scripts.finetune.imported import resolve_runs
from workflow_scripts.finetune.runs import STARTS
from workflow_scripts.stages import STAGES

_EMBEDDED = Path(__file__).resolve().parents[2] / "config.yaml"


class Experiment(Section):
    """What is studied."""

    name: Name = Field(description="name of the experiment, kept in the provenance of every file")
    models: list[Name] | None = Field(
        None,
        min_length=1,
        description="models to study, out of `models`; if null those that the experiment's own "
        "file defines, or else the embedded one",
    )
    tasks: list[Name] = Field(
        min_length=1,
        description="tasks to study, out of `tasks`, in the order of the figures; with other tasks "
        "than those of config.yaml its keys that name tasks (`landscape.second`, `figures.*`, …) "
        "are null unless the experiment's own file sets them",
    )
    starts: list[Literal["pretrained", "scratch"]] = Field(
        ["pretrained", "scratch"],
        min_length=1,
        description="starts of the runs; without `scratch` nothing is trained from scratch; with "
        "`runs` it is left out unless the experiment's own file names it",
    )
    runs: list[Name] = Field(
        default_factory=list,
        description="runs that were trained elsewhere, out of `runs`; they take the place of "
        "fine-tuning their tasks",
    )


class Compute(Section):
    """How it is computed."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="where the models run")
    threads: Count = Field(
        1, description="threads of one job that runs a model; jobs side by side use the cores"
    )
    token_budget: Annotated[int, Field(ge=64)] | None = Field(
        None,
        description="padded tokens in one forward pass, halved where a GPU's memory is too small; "
        "null for what suits the device",
    )
    cache: str | None = Field(
        None,
        description="folder, shared by experiments, that keeps fetched models, prepared tasks and "
        "training runs, such as ~/.cache/tunescape; `~` and `$VARIABLES` are expanded; null for "
        "none",
    )


class Rebuild(Section):
    """What makes a result stale."""

    on_library_change: bool = Field(
        False,
        description="whether results made with other versions of torch, transformers, numpy, … "
        "are made again; otherwise the change is only reported",
    )


class _Checked(Section):
    """Checks of the whole configuration: those of the stages, in their order."""

    @model_validator(mode="after")
    def _names_refer_and_values_fit(self) -> "_Checked":
        experiment = self.experiment
        imported = Reference("experiment.runs", experiment.runs, self.runs)
        if mistakes := [*duplicates(imported.key, imported.names), *_unknown(imported)]:
            raise ValueError("\n".join(mistakes))
        resolve_runs(self)
        if experiment.models is None:
            experiment.models = list(self.models)
        chosen = [
            Reference("experiment.models", experiment.models, self.models),
            Reference("experiment.tasks", experiment.tasks, self.tasks),
            Reference("experiment.starts", experiment.starts, STARTS),
        ]
        mistakes = [line for one in chosen for line in duplicates(one.key, one.names)]
        mistakes += [line for one in chosen for line in _unknown(one)]
        if "pretrained" not in experiment.starts:
            mistakes.append(
                f"experiment.starts: got {experiment.starts}, it must contain 'pretrained'"
            )
        # What follows is about names that are known so far.
        if not mistakes:
            self._derive()
            references = (one for stage in STAGES for one in stage.references(self))
            mistakes = [line for one in references for line in _unknown(one)]
        if not mistakes:
            mistakes = [line for stage in STAGES for line in stage.problems(self)]
        if mistakes:
            raise ValueError("\n".join(dict.fromkeys(mistakes)))
        return self

    def _derive(self) -> None:
        """Set the values that follow from others, so that all else sees concrete ones."""
        for stage in STAGES:
            for key, value in stage.derived.items():
                section, name = key.split(".")
                setattr(getattr(self, section), name, value(self))


def _unknown(reference: Reference) -> Iterator[str]:
    for name in reference.names:
        if name not in reference.allowed:
            allowed = listed(reference.allowed)
            yield (
                f"{reference.key}: got {name!r}, allowed: {allowed}"
                f"{nearest(name, reference.allowed)}"
            )


Config = create_model(
    "Config",
    __base__=_Checked,
    experiment=(Experiment, Field(description="what is studied")),
    **{name: section for stage in STAGES for name, section in stage.sections.items()},
    compute=(Compute, Field(description="how it is computed; never makes a result stale")),
    rebuild=(Rebuild, Field(default_factory=Rebuild, description="what makes a result stale")),
)


def validated(config: dict[str, Any], written: Mapping[str, Any] | None = None) -> Config:
    """The configuration, checked, with a value for every key that follows from others.

    Parameters
    ----------
    config : dict
        The embedded default with the experiment's file merged into it.
    written : mapping, optional
        The experiment's file alone; everything in ``config`` by default.

    Raises
    ------
    UserError
        With a line for each mistake.
    """
    try:
        return Config.model_validate(config if written is None else _composed(config, written))
    except ValidationError as error:
        by_key: dict[tuple[str, ...], list[Any]] = {}
        for one in error.errors():
            by_key.setdefault(_key_of(one), []).append(one)
        # A value of one of several types fails as each of them: the deepest key says what is wrong.
        whole = {key[:depth] for key in by_key for depth in range(1, len(key))}
        said = [_explain(key, problems) for key, problems in by_key.items() if key not in whole]
        lines = dict.fromkeys(line for one in said for line in one.splitlines())
        raise UserError("\n".join(cut(line, MOST_CHARACTERS) for line in lines)) from None


# Keys of config.yaml that name its tasks.
_OF_ITS_TASKS = (
    "finetune.exceptions",
    "landscape.second",
    "dynamics.seed_tasks",
    "dynamics.task_pairs",
    "stability.tasks",
    "probing.tasks",
    "probing.cross_tasks",
    "figures.trajectory_tasks",
    "figures.overfitting_task",
    "figures.group_tasks",
)


def _composed(config: Mapping[str, Any], written: Mapping[str, Any]) -> dict[str, Any]:
    """``config`` without what the embedded default says of its own tasks and models only.

    Where an experiment has other tasks, the keys that name tasks are as its file has them, or
    left to their defaults; and its models are by default those that its file defines.
    """
    composed = copy.deepcopy(dict(config))
    experiment = composed.get("experiment")
    models = written.get("models")
    if _value(written, "experiment.runs"):
        # The models are those of the runs.
        if _value(written, "experiment.starts") is None and isinstance(experiment, dict):
            experiment["starts"] = ["pretrained"]
    elif isinstance(experiment, dict) and experiment.get("models") is None and models:
        experiment["models"] = list(models)
    if _value(written, "experiment.tasks") is None or _has_embedded_tasks(written):
        return composed
    for key in _OF_ITS_TASKS:
        section, name = key.split(".")
        if isinstance(composed.get(section), dict):
            composed[section].pop(name, None)
            if (value := _value(written, key)) is not None:
                composed[section][name] = value
    return composed


def _has_embedded_tasks(written: Mapping[str, Any]) -> bool:
    import yaml

    embedded = yaml.safe_load(_EMBEDDED.read_text(encoding="utf-8"))
    return _value(written, "experiment.tasks") == embedded["experiment"]["tasks"]


def _value(config: Any, key: str) -> Any:
    """Value of a dotted key; None without it."""
    for name in key.split("."):
        config = config.get(name) if isinstance(config, Mapping) else None
    return config


def _key_of(problem: Mapping[str, Any]) -> tuple[str, ...]:
    """Parts of a key; those that say which of several types was tried are left out."""
    parts = list(map(str, problem["loc"]))
    if parts[-1:] == ["str"] and problem["type"] == "string_type":
        parts.pop()
    return tuple(part for part in parts if not re.match(r"(dict|list|literal)?\[", part))


def _explain(path: tuple[str, ...], problems: list[Any]) -> str:
    """What is wrong with a key: a problem, or one for each type that it may have."""
    problem, key = problems[0], ".".join(path)
    if problem["type"] == "value_error":  # of the check above, which names the keys
        return "\n".join(f"config: {line}" for line in str(problem["ctx"]["error"]).splitlines())
    if problem["type"] == "extra_forbidden":
        allowed = _keys_beside(path)
        return f"config: {key}: unknown key, allowed: {listed(allowed)}{nearest(path[-1], allowed)}"
    if problem["type"] == "missing":
        return f"config: {key}: is missing"
    got = problem["input"]
    message = problem["msg"][0].lower() + problem["msg"][1:]
    message += "".join(one["msg"].replace("Input should be", " or") for one in problems[1:])
    expected = " ".join(one.get("ctx", {}).get("expected", "") for one in problems)
    hint = nearest(got, re.findall(r"'([^']*)'", expected))
    return f"config: {key}: got {got!r} ({type(got).__name__}), {message}{hint}"


def _keys_beside(path: tuple[str, ...]) -> list[str]:
    """Keys that the section holding the last part of ``path`` may have."""
    kind: Any = Config
    for part in path[:-1]:
        # In a section the part is a field; in a mapping or list it picks one of the values.
        kind = kind.model_fields[part].annotation if is_section(kind) else get_args(kind)[-1]
        if type(None) in get_args(kind):
            kind = next(k for k in get_args(kind) if k is not type(None))
    return list(kind.model_fields)

"""The configuration, composed of the stages' sections, and its checks.

The Snakefile validates the merged configuration with ``validated``; ``reference.py`` writes the
schema, the reference page and the comments of config.yaml from the same sections.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, ValidationError, create_model, model_validator

from workflow_scripts.common.errors import MOST_CHARACTERS, UserError, cut, listed, nearest
from workflow_scripts.common.settings import Count, Name, Section, is_section
from workflow_scripts.common.stage import Reference, duplicates
from workflow_scripts.stages import STAGES


class Experiment(Section):
    """What is studied."""

    name: Name = Field(description="name of the experiment, kept in the provenance of every file")
    models: list[Name] = Field(min_length=1, description="models to study, out of `models`")
    tasks: list[Name] = Field(
        min_length=1, description="tasks to study, out of `tasks`, in the order of the figures"
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
        chosen = [
            Reference("experiment.models", self.experiment.models, self.models),
            Reference("experiment.tasks", self.experiment.tasks, self.tasks),
        ]
        mistakes = [line for one in chosen for line in duplicates(one.key, one.names)]
        mistakes += [line for one in chosen for line in _unknown(one)]
        # What follows is about names that are known so far.
        if not mistakes:
            references = (one for stage in STAGES for one in stage.references(self))
            mistakes = [line for one in references for line in _unknown(one)]
        if not mistakes:
            mistakes = [line for stage in STAGES for line in stage.problems(self)]
        if mistakes:
            raise ValueError("\n".join(dict.fromkeys(mistakes)))
        return self


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


def validated(config: dict[str, Any]) -> Config:
    """The configuration, checked.

    Raises
    ------
    UserError
        With a line for each mistake.
    """
    try:
        return Config.model_validate(config)
    except ValidationError as error:
        lines = [line for one in error.errors() for line in _explain(one).splitlines()]
        lines = [cut(line, MOST_CHARACTERS) for line in dict.fromkeys(lines)]
        raise UserError("\n".join(lines)) from None


def _explain(problem: dict[str, Any]) -> str:
    path = [str(part) for part in problem["loc"] if part != "[key]"]
    key = ".".join(path)
    if problem["type"] == "value_error":  # of the check above, which names the keys
        return "\n".join(f"config: {line}" for line in str(problem["ctx"]["error"]).splitlines())
    if problem["type"] == "extra_forbidden":
        allowed = _keys_beside(path)
        return f"config: {key}: unknown key, allowed: {listed(allowed)}{nearest(path[-1], allowed)}"
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

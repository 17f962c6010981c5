"""Runs of an experiment that were trained elsewhere: their section, and what follows from it."""

import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import Field, PrivateAttr

from workflow_scripts.common.errors import UserError, in_one_line, listed, nearest
from workflow_scripts.common.settings import Name, Section
from workflow_scripts.finetune.checkpoints import TrainerRun, base_folder, find_run
from workflow_scripts.model.checks import local_folder, parse_source
from workflow_scripts.model.stage import Model


class ImportedRun(Section):
    """A run that was trained elsewhere."""

    source: str | list[str] = Field(
        description="`dir:/FOLDER`, the output folder of Hugging Face's Trainer (`checkpoint-N/`), "
        "or a list of checkpoints' folders in their order"
    )
    task: Name = Field(description="task, out of `tasks`, that it was trained on")
    model: Name | None = Field(
        None,
        description="base model, out of `models`; if null the folder that the checkpoints' "
        "`config.json` (`_name_or_path`) or `adapter_config.json` names",
    )
    _found: TrainerRun | None = PrivateAttr(None)

    @property
    def found(self) -> TrainerRun:
        """The checkpoints, once ``resolve_runs`` has looked for them."""
        return self._found


def resolve_runs(settings: Any) -> None:
    """Find the checkpoints and the base models of ``experiment.runs``.

    A base model that ``models`` does not have is added to it. Where ``experiment.models`` is null,
    it becomes the base models of the runs.

    Parameters
    ----------
    settings : Config
        Its ``experiment.runs`` are names in ``runs``.

    Raises
    ------
    UserError
        If a run has no checkpoint, or its base model is not known; one line that names the key.
    """
    experiment = settings.experiment
    for name in experiment.runs:
        run = settings.runs[name]
        with in_one_line(f"runs.{name}.source: "):
            run._found = find_run(run.source)
            if run.model is None:
                run.model = _model_of(settings, base_folder(run.found))
        if run.model not in settings.models:
            raise UserError(
                f"runs.{name}.model: got {run.model!r}, allowed: {listed(settings.models)}"
                f"{nearest(run.model, settings.models)}"
            )
    if experiment.runs and experiment.models is None:
        experiment.models = list(
            dict.fromkeys(settings.runs[name].model for name in experiment.runs)
        )


def _model_of(settings: Any, folder: Path) -> str:
    """Name in ``models`` of the model in a folder, which is added if it has none."""
    for name, model in settings.models.items():
        with suppress(UserError):
            known = local_folder(parse_source(model.source))
            if known is not None and known.resolve() == folder.resolve():
                return name
    name = re.sub(r"[^A-Za-z0-9_.-]+", "_", folder.name).strip("_.-") or "base"
    name = f"base_{name}" if name in settings.models else name
    settings.models[name] = Model(source=f"dir:{folder}")
    return name

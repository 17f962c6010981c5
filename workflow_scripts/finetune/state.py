"""Files of a run from which it resumes after it was killed."""

import hashlib
import logging
import os
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch

from workflow_scripts.common.tables import (
    atomic,
    read_json,
    read_table,
    same_file,
    write_json,
    write_table,
)
from workflow_scripts.model.encoder import read_weights, write_weights

log = logging.getLogger("tunescape")

SCORES = (
    *("epoch", "step", "train_loss", "dev_loss", "accuracy", "majority", "f1", "mcc"),
    *("diverged", "failed", "predictions"),
)


class Begun(NamedTuple):
    """An epoch that was interrupted after some of its steps.

    Attributes
    ----------
    weights : dict of str to Tensor
        The classifier's.
    tensors : dict of str to Tensor
        Of the optimizer and of the random state.
    measured : DataFrame
        A line per step, float64.
    """

    weights: dict[str, torch.Tensor]
    tensors: dict[str, torch.Tensor]
    measured: pd.DataFrame


class State:
    """A folder with the checkpoints, history and scores of a run's complete epochs.

    ``state.json`` is written last in an epoch, by renaming, and names the last complete epoch: a
    run killed at any moment finds all of that epoch's files, or of the one before. Nothing is
    pickled. A run that is asked to stop keeps the steps of the next epoch, too (``leave``).

    Parameters
    ----------
    folder : Path
        Outside the outputs of the run, on the same file system if possible.
    key : dict
        All that the run's numbers depend on; a state with another key is deleted.
    """

    def __init__(self, folder: Path, key: dict[str, Any]) -> None:
        self.folder = folder
        self.key = key
        self.epoch = -1  # last complete epoch
        self.scores: list[dict[str, Any]] = []
        self._find()

    def _find(self) -> None:
        path = self.folder / "state.json"
        if not path.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        try:
            found = read_json(path)
        except ValueError:
            found = {}
        differs = [name for name in self.key if found.get("key", {}).get(name) != self.key[name]]
        if differs:
            log.warning(
                "the state in %s is of another run (%s): starting afresh",
                self.folder,
                ", ".join(differs),
            )
            shutil.rmtree(self.folder)
            return
        for draft in self.folder.glob(".*"):
            draft.unlink()
        self.epoch, self.scores = found["epoch"], found["scores"]
        log.info("going on after epoch %d, from %s", self.epoch, self.folder)

    def checkpoint(self, epoch: int) -> Path:
        """File of the weights after an epoch."""
        return self.folder / f"epoch{epoch:02d}.safetensors"

    def _history(self, epoch: int) -> Path:
        return self.folder / f"history{epoch:02d}.parquet"

    def _optimizer(self, epoch: int) -> Path:
        return self.folder / f"optimizer{epoch:02d}.safetensors"

    def leave(
        self,
        weights: dict[str, torch.Tensor],
        tensors: dict[str, torch.Tensor],
        measured: pd.DataFrame,
    ) -> None:
        """Keep an incomplete epoch; see ``Begun``."""
        write_weights(weights, self.folder / "begun.weights.safetensors")
        write_weights(tensors, self.folder / "begun.tensors.safetensors")
        write_table(measured, self.folder / "begun.measured.parquet")
        write_json({"epoch": self.epoch + 1}, self.folder / "begun.json")

    def begun(self) -> Begun | None:
        """The incomplete epoch after the last complete one, if ``leave`` kept it."""
        marker = self.folder / "begun.json"
        if not marker.exists() or read_json(marker)["epoch"] != self.epoch + 1:
            return None
        return Begun(
            read_weights(self.folder / "begun.weights.safetensors"),
            read_weights(self.folder / "begun.tensors.safetensors"),
            read_table(self.folder / "begun.measured.parquet"),
        )

    def optimizer(self) -> dict[str, torch.Tensor]:
        """The optimizer's tensors after the last complete epoch; empty before the first step."""
        path = self._optimizer(self.epoch)
        return read_weights(path) if path.exists() else {}

    def save(
        self,
        weights: dict[str, torch.Tensor] | None,
        optimizer: dict[str, torch.Tensor],
        history: pd.DataFrame,
        scores: dict[str, Any],
    ) -> None:
        """Add an epoch.

        Parameters
        ----------
        weights : dict of str to Tensor, or None
            The classifier's; None if they are those of the epoch before.
        optimizer : dict of str to Tensor
            Its tensors; may be empty.
        history : DataFrame
            A line per step of the epoch; may be empty.
        scores : dict
            The epoch's scores, with the keys ``SCORES``.
        """
        epoch = self.epoch + 1
        target = self.checkpoint(epoch)
        if weights is None:
            with atomic(target) as draft:
                same_file(self.checkpoint(epoch - 1), draft)
        else:
            write_weights(weights, target)
        if optimizer:
            write_weights(optimizer, self._optimizer(epoch))
        if len(history):
            write_table(history, self._history(epoch))
        scores = [*self.scores, scores]
        write_json({"key": self.key, "epoch": epoch, "scores": scores}, self.folder / "state.json")
        self._optimizer(self.epoch).unlink(missing_ok=True)
        for path in sorted(self.folder.glob("begun.*")):  # begun.json first
            path.unlink()
        self.epoch, self.scores = epoch, scores

    def publish(self, checkpoints: list[Path], history: Path, scores: Path) -> None:
        """Write the run's outputs. The state stays complete until ``remove``.

        Parameters
        ----------
        checkpoints : list of Path
            To write: the weights after epoch 0, 1, …; hard links where the file system has them,
            else copies.
        history, scores : Path
            To write: tables of all epochs, see ``finetune.finetune``.

        Raises
        ------
        FileNotFoundError
            If one of these epochs has not been saved.
        """
        for epoch, target in enumerate(checkpoints):
            with atomic(target) as draft:
                same_file(self.checkpoint(epoch), draft)
                # The checkpoint may be of an earlier attempt, older than a remade input.
                os.utime(draft)
        parts = [self._history(epoch) for epoch in range(len(checkpoints))]
        tables = [read_table(path) for path in parts if path.exists()]
        write_table(pd.concat(tables, ignore_index=True), history)
        write_table(pd.DataFrame(self.scores, columns=list(SCORES)), scores)

    def remove(self) -> None:
        """Delete the folder, ``state.json`` first: without it the other files do not count."""
        (self.folder / "state.json").unlink()
        shutil.rmtree(self.folder, ignore_errors=True)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Train one recipe with a block of seeds, from the pre-trained model."""

import contextlib
import logging
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.device import (
    chosen_token_budget,
    keep_few_kernels,
    keep_freed_memory,
    reproducible,
)
from workflow_scripts.common.errors import UserError
from workflow_scripts.common.stopping import stop_requests
from workflow_scripts.common.tables import read_json, read_table, record, write_json, write_table
from workflow_scripts.finetune.recipe import Recipe
from workflow_scripts.finetune.state import SCORES, digest_of
from workflow_scripts.finetune.training import Training
from workflow_scripts.model.encoder import (
    build_classifier,
    load_weights,
    read_weights,
    start_weights,
)
from workflow_scripts.model.text import encode, load_tokenizer
from workflow_scripts.rebuilds.step import run
from workflow_scripts.stability.failed_runs import check_metric
from workflow_scripts.stability.sweeps import seeds_in

log = logging.getLogger("tunescape")
_TABLES = ("history", "scores", "predictions")


def sweep(
    config: Path,
    tokenizer: Path,
    tokenizer_config: Path,
    card: Path,
    train: Path,
    dev: Path,
    weights: Path,
    histories: list[Path],
    scores: list[Path],
    predictions: list[Path],
    recipe: dict[str, Any],
    max_length: int,
    examples: int | None,
    same_steps: bool,
    subset_seed: int | None,
    context: dict[str, Any],
    state: str,
) -> None:
    """Train a run per seed and write its history, scores and predictions; no weights.

    The model and the examples are loaded once. A job that was killed continues after its last
    finished run; a run's numbers do not depend on the other seeds of its job.

    Parameters
    ----------
    config, tokenizer, tokenizer_config : Path
        The model's files of these names, in one folder.
    card, train, dev : Path
        The task's card and tables.
    weights : Path
        The pre-trained encoder.
    histories, scores, predictions : list of Path
        To write, a file of each per run, named by its seeds, such as ``init0_order3.parquet``. The
        first two as in ``finetune.finetune``, without the predictions; ``prediction`` is the label
        id of each dev example at the end of training, -1 for none.
    recipe : dict
        Fields of ``finetune.recipe.Recipe``.
    max_length : int
        Longest input in tokens; longer ones are cut.
    examples : int or None
        Training examples, a random subset that all runs share; None for all.
    same_steps : bool
        Whether a subset is trained for as many steps as all examples would be.
    subset_seed : int or None
        Of the subset.
    context : dict
        ``device``, ``threads``, ``token_budget``; ``metric``, which must fit the labels.
    state : str
        Folder of the finished runs of a job that has not ended.

    Raises
    ------
    UserError
        If the metric does not fit the labels, the subset is larger than the training set, a file
        cannot be read or does not fit the model, or a stop was requested.
    """
    labels = len(read_json(card)["labels"])
    check_metric(context.get("metric", "accuracy"), labels)
    inputs = (train, dev, config, tokenizer, tokenizer_config, weights)
    spec = {"recipe": recipe, "max_length": max_length, "examples": examples}
    kept = Finished(
        Path(state),
        {
            **spec,
            "same_steps": same_steps,
            "subset_seed": subset_seed,
            "inputs": {path.name: digest_of(path) for path in inputs},
            "code": record().get("code"),
            "versions": record().get("versions"),
        },
    )
    names = [path.stem for path in scores]
    missing = [name for name in names if not kept.has(name)]
    if missing:
        with reproducible(context) as device, stop_requests() as asked_to_stop:
            trainer = Trainer(
                config.parent,
                labels,
                weights,
                read_table(train),
                read_table(dev),
                Sample(examples, same_steps, subset_seed),
                recipe,
                max_length,
                context["token_budget"],
                device,
                asked_to_stop,
            )
            for name in missing:
                log.info("run %s, %d of %d", name, names.index(name) + 1, len(names))
                kept.add(name, trainer.train(*seeds_in(name)))
    kept.publish(names, dict(zip(_TABLES, (histories, scores, predictions), strict=True)))


class Sample:
    """The training examples of a sweep.

    Parameters
    ----------
    examples : int or None
        Size of the subset; None for all examples.
    same_steps : bool
        Whether as many steps are taken as on all examples, instead of as many epochs.
    seed : int or None
        Of the subset.
    """

    def __init__(self, examples: int | None, same_steps: bool, seed: int | None) -> None:
        self.examples, self.same_steps, self.seed = examples, same_steps, seed

    def drawn(self, table: pd.DataFrame) -> pd.DataFrame:
        """The subset, in the table's order.

        Raises
        ------
        UserError
            If it would be larger than the table.
        """
        if self.examples is None:
            return table
        if self.examples > len(table):
            raise UserError(
                f"stability.small_examples: got {self.examples}, the task has {len(table)} "
                "training examples"
            )
        rows = np.random.default_rng(self.seed).permutation(len(table))[: self.examples]
        return table.iloc[np.sort(rows)].reset_index(drop=True)

    def recipe(self, recipe: dict[str, Any], examples: int) -> Recipe:
        """The recipe of a run on the subset.

        Parameters
        ----------
        recipe : dict
            Fields of a ``Recipe``, for all examples.
        examples : int
            How many these are.
        """
        if self.examples is None or not self.same_steps:
            return Recipe(**recipe)
        steps = recipe["epochs"] * math.ceil(examples / recipe["batch_size"])
        steps = min(steps, recipe["max_steps"] or steps)
        epochs = math.ceil(steps / math.ceil(self.examples / recipe["batch_size"]))
        return Recipe(**{**recipe, "epochs": epochs, "max_steps": steps})


class Trainer:
    """Trains runs that differ in their seeds, one after the other, in one module.

    Parameters
    ----------
    model_dir : Path
        Folder with the model's configuration and tokenizer.
    labels : int
        Number of classes.
    weights : Path
        The pre-trained encoder.
    train, dev : DataFrame
        The task's examples, all of them.
    sample : Sample
        The training examples that are used.
    recipe : dict
        Fields of a ``Recipe``.
    max_length : int
        Longest input in tokens.
    token_budget : int or None
        Tokens, with padding, in one forward pass over the dev set.
    device : torch.device
        Where the runs are trained.
    asked_to_stop : callable
        As in ``Training``.

    Attributes
    ----------
    module : nn.Module
        Has the weights of the last run.
    """

    def __init__(
        self,
        model_dir: Path,
        labels: int,
        weights: Path,
        train: pd.DataFrame,
        dev: pd.DataFrame,
        sample: Sample,
        recipe: dict[str, Any],
        max_length: int,
        token_budget: int | None,
        device: Any,
        asked_to_stop: Callable[[], str | None] = lambda: None,
    ) -> None:
        tokenizer = load_tokenizer(model_dir)
        self.recipe = sample.recipe(recipe, len(train))
        self.module = build_classifier(model_dir, labels, self.recipe.dropout).to(device)
        self.train_set = encode(tokenizer, sample.drawn(train), max_length)
        self.dev_set = encode(tokenizer, dev, max_length)
        self.encoder = read_weights(weights)
        self.labels, self.pad_id = labels, tokenizer.pad_token_id
        self.device, self.asked_to_stop = device, asked_to_stop
        self.token_budget = chosen_token_budget(token_budget, device)
        keep_freed_memory()
        keep_few_kernels()

    def train(self, init: int, order: int) -> dict[str, pd.DataFrame]:
        """Tables of the run with these seeds: ``history``, ``scores``, ``predictions``."""
        load_weights(self.module, start_weights(self.module, self.encoder, init))
        training = Training(
            self.module,
            self.train_set,
            self.dev_set,
            self.labels,
            self.pad_id,
            self.recipe,
            order,
            self.device,
            self.token_budget,
            self.asked_to_stop,
        )
        epochs = Epochs()
        training.run(epochs)
        scores = pd.DataFrame(epochs.scores, columns=list(SCORES))
        predictions = np.array(scores.pop("predictions").iloc[-1], np.int16)
        return {
            "history": pd.concat(epochs.histories, ignore_index=True),
            "scores": scores,
            "predictions": pd.DataFrame({"prediction": predictions}),
        }


class Epochs:
    """Tables of a run's epochs in memory, in the place of ``finetune.state.State``."""

    def __init__(self) -> None:
        self.epoch = -1
        self.scores: list[dict[str, Any]] = []
        self.histories: list[pd.DataFrame] = []

    def begun(self) -> None:
        """No epoch is ever continued."""

    def save(self, weights: Any, optimizer: Any, history: pd.DataFrame, scores: dict) -> None:
        """Add an epoch; weights and the optimizer's tensors are not kept."""
        self.epoch += 1
        self.scores.append(scores)
        if len(history):
            self.histories.append(history)

    def leave(self, weights: Any, tensors: Any, measured: Any) -> None:
        """Stop in the middle of a run.

        Raises
        ------
        UserError
            Always.
        """
        raise UserError(
            "stopped on request; the runs that were finished are kept, and the same command "
            "continues after them"
        )


class Finished:
    """A folder with the tables of finished runs, of jobs that have not ended.

    Parameters
    ----------
    folder : Path
        Outside the outputs of the jobs.
    key : dict
        All that a run's numbers depend on besides its seeds; runs with another key do not count.
    """

    def __init__(self, folder: Path, key: dict[str, Any]) -> None:
        self.folder, self.key = folder, key

    def _table(self, name: str, table: str) -> Path:
        return self.folder / name / f"{table}.parquet"

    def has(self, name: str) -> bool:
        """Whether a run is finished."""
        marker = self.folder / name / "key.json"
        if not marker.exists():
            return False
        held = read_json(marker)
        same = all(held.get(key) == value for key, value in self.key.items())
        log.info("run %s: %s", name, "finished before" if same else "another one was finished")
        return same

    def add(self, name: str, tables: dict[str, pd.DataFrame]) -> None:
        """Keep a finished run: its marker is written last."""
        (self.folder / name / "key.json").unlink(missing_ok=True)
        for table in _TABLES:
            write_table(tables[table], self._table(name, table))
        write_json(self.key, self.folder / name / "key.json")

    def publish(self, names: list[str], outputs: dict[str, list[Path]]) -> None:
        """Write the tables of some runs to their places, and delete these runs here."""
        for table, paths in outputs.items():
            for name, path in zip(names, paths, strict=True):
                write_table(read_table(self._table(name, table)), path)
        for name in names:
            (self.folder / name / "key.json").unlink()
            shutil.rmtree(self.folder / name, ignore_errors=True)
        # Jobs of other blocks may keep their runs here.
        with contextlib.suppress(OSError):
            self.folder.rmdir()


if __name__ == "__main__":
    run(sweep, snakemake)

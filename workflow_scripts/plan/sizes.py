"""Sizes of tasks, from files on this machine or known data sets; downloads nothing."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workflow_scripts.common.costs import Lengths
from workflow_scripts.common.errors import UserError, nearest
from workflow_scripts.data.stage import Task
from workflow_scripts.experiment.config import Config
from workflow_scripts.model.checks import local_folder, parse_source, random_settings
from workflow_scripts.model.sizes import was_fetched
from workflow_scripts.model.stage import Model

if TYPE_CHECKING:
    import pandas as pd

# Examples of a split that are turned into tokens; a larger one repeats their lengths.
SAMPLE = 2000
# Words and punctuation marks give so many tokens: 1.05 to 1.10 on the four tasks below, with the
# vocabulary of MiniLM (that of bert-base-uncased).
TOKENS_PER_WORD = 1.08


@dataclass(frozen=True)
class Split:
    """Examples of a split, and their length in tokens: mean, and deviation over mean."""

    examples: int
    mean: float | None = None
    spread: float | None = None


# Examples: the sizes that huggingface.co/datasets/nyu-mll/glue states. Lengths: measured with the
# vocabulary of MiniLM on 3,000 examples of each split or all (MNLI: of 29,495); longest input 512.
KNOWN_TASKS = {
    "nyu-mll/glue/mnli": (Split(392_702, 40.0, 0.47), Split(9_815, 39.3, 0.49)),
    "nyu-mll/glue/rte": (Split(2_490, 70.2, 0.59), Split(277, 68.3, 0.60)),
    "nyu-mll/glue/sst2": (Split(67_349, 13.3, 0.72), Split(872, 25.2, 0.41)),
    "nyu-mll/glue/mrpc": (Split(3_668, 53.3, 0.24), Split(408, 53.2, 0.24)),
    "nyu-mll/glue/cola": (Split(8_551, 11.3, 0.36), Split(1_043, 11.7, 0.41)),
    # Its lengths are assumed, not measured.
    "nyu-mll/glue/qnli": (Split(104_743, 50.0, 0.5), Split(5_463, 50.0, 0.5)),
}


def lengths_of(
    settings: Config, task: str, model: str, run: Path, by_words: bool = False
) -> Lengths:
    """Lengths of a task's examples in a model's tokens.

    They are measured, with the model's tokenizer or by counting words, if the examples are on this
    machine or are generated; otherwise they are drawn from what is known of the task.

    Parameters
    ----------
    settings : Config
    task, model : str
        Names in the configuration.
    run : Path
        Folder of the run, which may have prepared the task already.
    by_words : bool
        Count words, which is faster than the tokenizer.

    Raises
    ------
    UserError
        If the examples cannot be read, or nothing is known of the task without a network.
    """
    definition, longest = settings.tasks[task], settings.finetune.max_length
    tables = _tables(task, definition, run)
    if tables is not None:
        fetched = run / "results" / "model" / model
        tokenizer = None if by_words else _tokenizer(settings.models[model], fetched)
        how = "tokens" if tokenizer else f"words x {TOKENS_PER_WORD}"
        found = [_measured(table, tokenizer, longest) for table in tables]
        return Lengths(*found, f"{how} of {definition.source}")
    name = definition.source.partition(":")[2].partition("@")[0]
    if name not in KNOWN_TASKS:
        raise UserError(
            f"tasks.{task}.source: sizes of {name} are not known without a network; known: "
            f"{', '.join(KNOWN_TASKS)}{nearest(name, KNOWN_TASKS)}; for another, give "
            f"--examples {task}=TRAIN,DEV,TOKENS (TOKENS: mean of an example)"
        )
    splits = KNOWN_TASKS[name]
    requested = definition.train, definition.dev
    drawn = [
        drawn_lengths(size or split.examples, split.mean, split.spread, longest)
        for size, split in zip(requested, splits, strict=True)
    ]
    return Lengths(*drawn, f"known sizes of {name}")


def known_examples(settings: Config, task: str, run: Path) -> tuple[Split, Split] | None:
    """Sizes of a task's splits that are known without reading them; None if they are not.

    Parameters
    ----------
    settings : Config
    task : str
        Its name.
    run : Path
        Folder of the run, which may have prepared the task already.
    """
    definition = settings.tasks[task]
    place = definition.source.partition(":")[2].partition("@")[0]
    card = run / "results" / "data" / task / "card.json"
    splits = KNOWN_TASKS.get(place) or (Split(0), Split(0))
    prepared = json.loads(card.read_text("utf-8")) if _prepared(card, definition) else {}
    sizes = [
        getattr(definition, name) or prepared.get(name) or split.examples
        for name, split in zip(("train", "dev"), splits, strict=True)
    ]
    if not all(isinstance(size, int) and size for size in sizes):
        return None
    first, second = (
        replace(split, examples=size) for split, size in zip(splits, sizes, strict=True)
    )
    return first, second


def drawn_lengths(examples: int, mean: float, spread: float, longest: int) -> np.ndarray:
    """Lengths with this mean and spread before they are cut: a gamma distribution, a fixed seed.

    Parameters
    ----------
    examples : int
        How many lengths to draw.
    mean : float
        Mean length, tokens.
    spread : float
        Standard deviation divided by the mean.
    longest : int
        Longest input in tokens; longer ones are cut.

    Returns
    -------
    ndarray of shape (examples,), int64
        Tokens of each example.
    """
    shape = spread**-2
    drawn = np.random.default_rng(0).gamma(shape, mean / shape, examples)
    return np.clip(drawn.round(), 3, longest).astype(np.int64)


def _tables(task: str, definition: Task, run: Path) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Training and dev examples as the experiment takes them; None if they are not here."""
    from workflow_scripts.data.sources import Hub, parse_source
    from workflow_scripts.data.tasks import read_task

    try:
        if isinstance(parse_source(definition.source), Hub):
            folder = run / "results" / "data" / task
            if not _prepared(folder / "card.json", definition):
                return None
            from workflow_scripts.common.tables import read_table

            return read_table(folder / "train.parquet"), read_table(folder / "dev.parquet")
        read = read_task(
            definition.source,
            definition.label,
            definition.text,
            definition.train,
            definition.dev,
            definition.dev_split,
            definition.seed,
            unlabeled=definition.unlabeled,
            unit=definition.unit,
        )
        return read.train, read.dev
    except UserError as error:
        raise UserError(f"task {task}: {error}") from None


def _prepared(card: Path, definition: Task) -> bool:
    """Whether a run has prepared a task as it is defined now."""
    if not was_fetched(card, definition.source):
        return False
    found = json.loads(card.read_text(encoding="utf-8"))
    return all(getattr(definition, split) in (None, found.get(split)) for split in ("train", "dev"))


def _tokenizer(model: Model, fetched: Path):
    """A model's tokenizer if it is on this machine, else None."""
    from workflow_scripts.model.random_model import random_tokenizer
    from workflow_scripts.model.source import read_tokenizer

    source = parse_source(model.source)
    if source.scheme == "random":
        kind, settings = random_settings(source.place)
        return random_tokenizer(kind, settings["vocab_size"])
    if folder := local_folder(source):
        return read_tokenizer(folder)
    return read_tokenizer(fetched) if was_fetched(fetched / "card.json", model.source) else None


def _measured(table: pd.DataFrame, tokenizer, longest: int) -> np.ndarray:
    """Lengths of all examples of a table, from a seeded sample of them where there are many."""
    if "sentence_id" in table:  # a row per word
        table = table.drop_duplicates("sentence_id")
    size = len(table)
    if size > SAMPLE:
        table = table.sample(SAMPLE, random_state=0)
    columns = [name for name in ("sentence", "sentence1", "sentence2") if name in table]
    texts = [table[name].astype(str).tolist() for name in columns]
    if tokenizer is not None:
        ids = tokenizer(*texts, truncation="longest_first", max_length=longest)["input_ids"]
        found = np.array([len(row) for row in ids])
    else:
        words = sum(np.array([len(re.findall(r"\w+|[^\w\s]", t)) for t in text]) for text in texts)
        found = (words * TOKENS_PER_WORD).round().astype(np.int64) + 1 + len(columns)
    return np.resize(np.clip(found, 3, longest), size)


def given_lengths(text: str, longest: int) -> Lengths:
    """Lengths from ``TRAIN,DEV,TOKENS`` as a person gives them: two counts and a mean.

    Raises
    ------
    UserError
        If the text has another form, or a number is out of range.
    """
    parts = text.split(",")
    try:
        train, dev, mean = int(parts[0]), int(parts[1]), float(parts[2])
        good = len(parts) == 3 and train >= 2 and dev >= 1 and 3 <= mean < 10_000
    except (ValueError, IndexError):
        good = False
    if not good:
        raise UserError(
            f"--examples: got {text!r}, expected TRAIN,DEV,TOKENS such as 8000,1000,32.5"
        )
    drawn = [drawn_lengths(size, mean, 0.5, longest) for size in (train, dev)]
    return Lengths(*drawn, "--examples")

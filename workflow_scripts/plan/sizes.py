"""Sizes of models and tasks, from what lies on this machine or is known of them; no downloads."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workflow_scripts.common.errors import UserError, nearest
from workflow_scripts.experiment.config import Config, Model, Task
from workflow_scripts.model.checks import local_folder, parse_source, random_settings

if TYPE_CHECKING:
    import pandas as pd

# Architectures without padding in the engine (model/network.py), and in training on a CPU.
PACKED = ("albert", "bert", "electra", "roberta")
# Examples of a split that are turned into tokens; a larger one repeats their lengths.
SAMPLE = 2000
# Words and punctuation marks give so many tokens: 1.05 to 1.10 on the four tasks below, with the
# vocabulary of MiniLM (that of bert-base-uncased).
TOKENS_PER_WORD = 1.08


@dataclass(frozen=True)
class Shape:
    """What a model's parameters and products follow from."""

    kind: str  # as transformers' model_type
    layers: int
    hidden: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int = 512
    types: int = 2
    embedding: int = 0  # as hidden, if 0

    @property
    def packed(self) -> bool:
        """Whether the engine evaluates it, and a CPU trains it, without padding."""
        return self.kind in PACKED

    @property
    def layer_weights(self) -> int:
        """Entries of a layer's matrices: query, key, value, output, and the two outer ones."""
        return 4 * self.hidden**2 + 2 * self.hidden * self.intermediate

    @property
    def moving(self) -> int:
        """Parameters besides the word embeddings."""
        h = self.hidden
        width = self.embedding or h
        types = 0 if self.kind == "distilbert" else self.types
        layer = self.layer_weights + 4 * h + self.intermediate + h + 4 * h
        own_layers = 1 if self.kind == "albert" else self.layers
        top = 0 if self.kind in ("distilbert", "electra", "roberta") else h * h + h
        between = width * h + h if width != h or self.kind == "albert" else 0
        return (self.positions + types + 2) * width + between + own_layers * layer + top

    @property
    def parameters(self) -> int:
        """Parameters of the encoder.

        Exact for BERT, ALBERT, ELECTRA, RoBERTa and DistilBERT; others are taken for a BERT.
        """
        return self.moving + self.vocabulary * (self.embedding or self.hidden)


_BERT = {"positions": 512, "types": 2}
_BASE = {"layers": 12, "hidden": 768, "heads": 12, "intermediate": 3072}
_LARGE = {"layers": 24, "hidden": 1024, "heads": 16, "intermediate": 4096}
# From the config.json of each repository on huggingface.co.
KNOWN_MODELS = {
    "google-bert/bert-base-cased": Shape("bert", **_BASE, **_BERT, vocabulary=28996),
    "google-bert/bert-base-uncased": Shape("bert", **_BASE, **_BERT, vocabulary=30522),
    "google-bert/bert-large-cased": Shape("bert", **_LARGE, **_BERT, vocabulary=28996),
    "google-bert/bert-large-uncased": Shape("bert", **_LARGE, **_BERT, vocabulary=30522),
    "distilbert/distilbert-base-uncased": Shape(
        "distilbert", **{**_BASE, "layers": 6}, positions=512, vocabulary=30522
    ),
    "FacebookAI/roberta-base": Shape("roberta", **_BASE, positions=514, types=1, vocabulary=50265),
    "FacebookAI/roberta-large": Shape(
        "roberta", **_LARGE, positions=514, types=1, vocabulary=50265
    ),
}


@dataclass(frozen=True)
class Split:
    """Examples of a split, and their length in tokens: mean, and deviation over mean."""

    examples: int
    mean: float
    spread: float


# Examples: the sizes that huggingface.co/datasets/nyu-mll/glue states. Lengths: measured with the
# vocabulary of MiniLM on 3,000 examples of each split or all (MNLI: of 29,495); longest input 512.
KNOWN_TASKS = {
    "nyu-mll/glue/mnli": (Split(392_702, 40.0, 0.47), Split(9_815, 39.3, 0.49)),
    "nyu-mll/glue/rte": (Split(2_490, 70.2, 0.59), Split(277, 68.3, 0.60)),
    "nyu-mll/glue/sst2": (Split(67_349, 13.3, 0.72), Split(872, 25.2, 0.41)),
    "nyu-mll/glue/mrpc": (Split(3_668, 53.3, 0.24), Split(408, 53.2, 0.24)),
}


@dataclass(frozen=True)
class Lengths:
    """Tokens of every example of both splits (int64), and where that is known from."""

    train: np.ndarray
    dev: np.ndarray
    source: str


def shape_of(name: str, model: Model, run: Path) -> tuple[Shape, str]:
    """Sizes of a model, and where they are known from.

    Parameters
    ----------
    name : the model's name in the configuration.
    run : folder of the run, which may have fetched it already.

    Raises
    ------
    UserError : if the source cannot work, or nothing is known of it without a network.
    """
    try:
        source = parse_source(model.source)
        folder = local_folder(source)
        if source.scheme == "random":
            kind, settings = random_settings(source.place)
            return _random_shape(kind, settings), "random: source"
    except UserError as error:
        raise UserError(f"models.{name}.source: {error}") from None
    config = (folder or run / "results" / "model" / name) / "config.json"
    if folder or _fetched(config.parent / "card.json", model.source):
        return _shape(config), str(config)
    if source.place in KNOWN_MODELS:
        return KNOWN_MODELS[source.place], f"known sizes of {source.place}"
    raise UserError(
        f"models.{name}.source: sizes of {source.place} are not known without a network; known: "
        f"{', '.join(KNOWN_MODELS)}{nearest(source.place, KNOWN_MODELS)}; for another, give "
        f"--shape {name}=FOLDER with its config.json"
    )


def shape_in(name: str, folder: Path) -> tuple[Shape, str]:
    """Sizes of a model from the ``config.json`` of a folder that a person names.

    Raises
    ------
    UserError : if it cannot be read, or lacks a size.
    """
    from workflow_scripts.model.checks import read_config_file

    read_config_file(Path(folder) / "config.json")
    return _shape(Path(folder) / "config.json"), f"--shape {name}={folder}"


def _fetched(card: Path, source: str) -> bool:
    try:
        return json.loads(card.read_text(encoding="utf-8")).get("source") == source
    except (OSError, ValueError):
        return False


def _shape(config: Path) -> Shape:
    try:
        facts = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{config}: cannot be read as JSON ({error})") from None

    def fact(*names: str, default: int | None = None) -> int:
        for name in names:
            if isinstance(facts.get(name), int):
                return facts[name]
        if default is None:
            raise UserError(f"{config}: has no {names[0]}")
        return default

    hidden = fact("hidden_size", "dim", "d_model")
    return Shape(
        kind=str(facts.get("model_type", "bert")),
        layers=fact("num_hidden_layers", "n_layers"),
        hidden=hidden,
        heads=fact("num_attention_heads", "n_heads"),
        intermediate=fact("intermediate_size", "hidden_dim", default=4 * hidden),
        vocabulary=fact("vocab_size"),
        positions=fact("max_position_embeddings", default=512),
        types=fact("type_vocab_size", default=2),
        embedding=fact("embedding_size", default=0),
    )


def _random_shape(kind: str, settings: dict[str, Any]) -> Shape:
    from workflow_scripts.model.random_model import random_tokenizer

    return Shape(
        kind=kind,
        layers=settings["num_hidden_layers"],
        hidden=settings["hidden_size"],
        heads=settings["num_attention_heads"],
        intermediate=settings["intermediate_size"],
        vocabulary=settings["vocab_size"] or len(random_tokenizer(kind, None)),
        positions=settings["max_position_embeddings"],
        types=1 if kind == "roberta" else 2,
        embedding=settings["embedding_size"] or 0,
    )


def lengths_of(settings: Config, task: str, model: str, run: Path) -> Lengths:
    """Lengths of a task's examples in a model's tokens.

    Measured, with the model's tokenizer or from counted words, where the examples are on this
    machine or are generated; else drawn from what is known of the task.

    Parameters
    ----------
    task, model : names in the configuration.
    run : folder of the run, which may have prepared the task already.

    Raises
    ------
    UserError : if the examples cannot be read, or nothing is known of the task without a network.
    """
    definition, longest = settings.tasks[task], settings.finetune.max_length
    tables = _tables(task, definition, run)
    if tables is not None:
        tokenizer = _tokenizer(settings.models[model], run / "results" / "model" / model)
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
    wanted = definition.train, definition.dev
    drawn = [
        drawn_lengths(size or split.examples, split.mean, split.spread, longest)
        for size, split in zip(wanted, splits, strict=True)
    ]
    return Lengths(*drawn, f"known sizes of {name}")


def drawn_lengths(examples: int, mean: float, spread: float, longest: int) -> np.ndarray:
    """Lengths with this mean and spread before they are cut: a gamma distribution, a fixed seed.

    Parameters
    ----------
    spread : standard deviation over mean.
    longest : where inputs are cut, tokens.
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
        )
        return read.train, read.dev
    except UserError as error:
        raise UserError(f"task {task}: {error}") from None


def _prepared(card: Path, definition: Task) -> bool:
    """Whether a run has prepared a task as it is defined now."""
    if not _fetched(card, definition.source):
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
    return read_tokenizer(fetched) if _fetched(fetched / "card.json", model.source) else None


def _measured(table: pd.DataFrame, tokenizer, longest: int) -> np.ndarray:
    """Lengths of all examples of a table, from a seeded sample of them where there are many."""
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
    UserError : for anything else.
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

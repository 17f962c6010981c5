"""Keep the vectors that a task's labels belong to, of all layers of a run's checkpoints."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import atomic, read_json, read_table, write_json, write_table
from workflow_scripts.rebuilds.step import run


def extract_vectors(
    config: Path,
    tokenizer: Path,
    tokenizer_config: Path,
    card: Path,
    train: Path,
    dev: Path,
    checkpoints: list[Path],
    vectors: Path,
    rows: Path,
    about: Path,
    epochs: list[int],
    examples: int | None,
    seed: int,
    last_only: bool,
    max_length: int,
    context: dict[str, Any],
) -> None:
    """Write vectors of labelled examples: first tokens, or means of the tokens of words.

    Every example is read once per checkpoint, in batches; each batch goes to the file.

    Parameters
    ----------
    config, tokenizer, tokenizer_config : Path
        The model's files of these names, in one folder.
    card, train, dev : Path
        The task's card and examples.
    checkpoints : list of Path
        Of a run of the model; of any task, for the head is not used.
    vectors : Path
        To write: see ``vectors.py``; NaN nowhere.
    rows : Path
        To write: for each of the n vectors ``split``, ``row`` of the task's table, ``label``.
    about : Path
        JSON to write: ``task``, ``labels`` (names), ``unit``, ``epochs``, ``layers`` (-1 is the
        embeddings), ``width``, and by split the labelled words that were left out: ``cut`` (beyond
        the longest input) and ``empty`` (the tokenizer makes no token of them).
    epochs : list of int
        Of the checkpoints.
    examples : int or None
        Sentences of each split that are read, at most: a seeded subset; None for all.
    seed : int
        Of the subset.
    last_only : bool
        Whether only the last layer is kept.
    max_length : int
        Longest input in tokens.
    context : dict
        ``device``, ``threads``, ``token_budget``.

    Raises
    ------
    UserError
        If a file cannot be read or does not fit the model, a vector is not finite, or the device
        is not available.
    """
    import numpy as np
    import torch
    from numpy.lib.format import open_memmap

    from workflow_scripts.common.device import chosen_token_budget, reproducible
    from workflow_scripts.common.errors import UserError
    from workflow_scripts.model.encoder import load_encoder, read_weights
    from workflow_scripts.model.running import target_states
    from workflow_scripts.model.text import encode, load_tokenizer, token_batches

    loaded = load_tokenizer(config.parent)
    tables = {
        split: some_sentences(read_table(path), examples, seed, split)
        for split, path in (("train", train), ("dev", dev))
    }
    read = {split: encode(loaded, tables[split], max_length) for split in tables}
    known = read_json(card)
    first = {"train": 0, "dev": len(read["train"].labels)}
    count = sum(len(found.labels) for found in read.values())
    with reproducible(context) as device, atomic(vectors) as draft, torch.inference_mode():
        budget = chosen_token_budget(context["token_budget"], device)
        batches = [
            (split, batch)
            for split, found in read.items()
            for batch in token_batches(found.lengths, budget)
        ]
        steps = iter(progress(range(len(checkpoints) * len(batches)), "batches"))
        stored = None
        for place, path in enumerate(checkpoints):
            module = load_encoder(config.parent, read_weights(path), device)

            def states(split: str, batch, module=module) -> Iterator[torch.Tensor]:
                every = target_states(module, read[split], batch, loaded.pad_token_id)
                return iter(list(every)[-1:]) if last_only else every

            if stored is None:
                shapes = [s.shape[1] for s in states("train", np.arange(1))]
                depth, width = len(shapes), shapes[-1]
                if len(set(shapes)) > 1:
                    raise UserError(
                        f"{path}: layers have different widths ({min(shapes)} to {max(shapes)}), "
                        "expected one; set probing.layers: last"
                    )
                shape = (len(checkpoints), depth, count, width)
                stored = open_memmap(draft, mode="w+", dtype=np.float32, shape=shape)
            for split, batch in batches:
                next(steps)
                where = first[split] + read[split].labels_of(batch)
                for index, layer in enumerate(states(split, batch)):
                    values = layer.float().cpu().numpy()
                    if not np.isfinite(values).all():
                        raise UserError(f"{path}: a vector of layer {index - 1} is not finite")
                    stored[place, index, where] = values
        next(steps, None)
        total = len(list(target_states(module, read["train"], np.arange(1), loaded.pad_token_id)))
        stored.flush()
    write_table(
        pd.concat(
            [
                pd.DataFrame(
                    {
                        "split": split,
                        "row": tables[split].index[
                            found.targets.rows if found.targets else np.arange(len(found))
                        ],
                        "label": found.labels,
                    }
                )
                for split, found in read.items()
            ],
            ignore_index=True,
        ),
        rows,
    )
    left_out = {
        name: {
            split: getattr(found.targets, name) if found.targets else 0
            for split, found in read.items()
        }
        for name in ("cut", "empty")
    }
    write_json(
        {
            "task": known["name"],
            "labels": known["labels"],
            "unit": known.get("unit", "sentence"),
            "epochs": epochs,
            # The embeddings are layer -1.
            "layers": list(range(total - 1 - depth, total - 1)),
            "width": width,
            **left_out,
        },
        about,
    )


def some_sentences(table: pd.DataFrame, most: int | None, seed: int, split: str) -> pd.DataFrame:
    """A seeded subset of a task's sentences, with all their labels.

    Parameters
    ----------
    table : DataFrame
        Of the task.
    most : int or None
        Sentences; None for all.
    seed : int
        Of the subset.
    split : str
        ``train`` or ``dev``.

    Returns
    -------
    DataFrame
        The rows chosen, with their places in ``table`` as index.
    """
    from workflow_scripts.data.subset import subset

    names = table["sentence_id"] if "sentence_id" in table else pd.Series(table.index)
    every = names.drop_duplicates().to_frame("name")
    chosen = subset(every, None if most is None else min(most, len(every)), seed, split, split)
    return table[names.isin(chosen["name"]).to_numpy()]


if __name__ == "__main__":
    run(extract_vectors, snakemake)

"""Train some failed and some successful runs of a sweep again, and keep their weights."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd

from workflow_scripts.common.device import reproducible
from workflow_scripts.common.stopping import stop_requests
from workflow_scripts.common.tables import read_json, read_table, write_table
from workflow_scripts.model.encoder import write_weights
from workflow_scripts.rebuilds.step import run
from workflow_scripts.stability.sweep import Sample, Trainer

log = logging.getLogger("tunescape")


def train_again(
    config: Path,
    tokenizer: Path,
    tokenizer_config: Path,
    card: Path,
    train: Path,
    dev: Path,
    weights: Path,
    runs: Path,
    failed: list[Path],
    successful: list[Path],
    chosen: Path,
    recipe: dict[str, Any],
    max_length: int,
    examples: int | None,
    same_steps: bool,
    subset_seed: int | None,
    context: dict[str, Any],
) -> None:
    """Write the weights of the first failed and of the first successful runs of a sweep.

    A sweep keeps no weights: they are few, and a run gives the same bits again.

    Parameters
    ----------
    config, tokenizer, tokenizer_config, card, train, dev, weights
        As in ``sweep``.
    runs : Path
        ``runs.parquet`` of the sweep.
    failed, successful : list of Path
        To write: the classifier at the end of each run. Where the sweep has fewer such runs, the
        files that remain hold no tensors.
    chosen : Path
        To write: ``outcome``, ``init`` and ``order`` of the runs, in the order of the files, and
        ``repeated``: whether accuracy and training loss are those of the sweep to the bit.
    recipe, max_length, examples, same_steps, subset_seed
        As in ``sweep``.
    context : dict
        ``device``, ``threads``, ``token_budget``.

    Raises
    ------
    UserError
        As ``sweep``.
    """
    table = choose_runs(read_table(runs), len(successful))
    targets = {"failed": list(failed), "successful": list(successful)}
    repeated = []
    with reproducible(context) as device, stop_requests() as asked_to_stop:
        trainer = Trainer(
            config.parent,
            len(read_json(card)["labels"]),
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
        for one in table.itertuples():
            last = trainer.train(one.init, one.order)["scores"].iloc[-1]
            same = last["accuracy"] == one.accuracy and last["train_loss"] == one.train_loss
            if not same:
                log.warning("run init%d_order%d: not the bits of the sweep", one.init, one.order)
            repeated.append(bool(same))
            tensors = {name: p.detach() for name, p in trainer.module.named_parameters()}
            write_weights(tensors, targets[one.outcome].pop(0))
    for path in (*targets["failed"], *targets["successful"]):
        write_weights({}, path)
    write_table(table[["outcome", "init", "order"]].assign(repeated=repeated), chosen)


def choose_runs(runs: pd.DataFrame, most: int) -> pd.DataFrame:
    """The first failed and the first successful runs of a sweep, in the order of its seeds.

    Parameters
    ----------
    runs : DataFrame
        ``runs.parquet``; runs that diverged have no weights to speak of, and are left out.
    most : int
        Of either outcome.

    Returns
    -------
    DataFrame
        Its columns, and ``outcome``: failed or successful.
    """
    usable = runs[~runs["diverged"].astype(bool)]
    parts = [
        usable[usable["failed"].astype(bool) == failed].head(most).assign(outcome=outcome)
        for outcome, failed in (("failed", True), ("successful", False))
    ]
    return pd.concat(parts, ignore_index=True)


if __name__ == "__main__":
    run(train_again, snakemake)

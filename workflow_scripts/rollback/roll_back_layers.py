"""Roll back one layer at a time and measure how far the last layer's representation moves."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import write_table
from workflow_scripts.rebuilds.step import run


def roll_back_layers(
    config: Path,
    tokenizer: Path,
    tokenizer_config: Path,
    card: Path,
    dev: Path,
    start: Path,
    end: Path,
    rollback: Path,
    examples: int | None,
    seed: int,
    max_length: int,
    tokens: str,
    keep: float,
    groups: int,
    context: dict[str, Any],
) -> None:
    """Write the distance of the last layer's representation with each layer rolled back.

    Parameters
    ----------
    config, tokenizer, tokenizer_config : Path
        The model's files of these names, in one folder.
    card, dev : Path
        The task's card and dev examples.
    start, end : Path
        First and last checkpoint of the run.
    rollback : Path
        To write: ``similarity.layer_table``; ``layer`` is the layer that is rolled back, the
        distance is that of the fine-tuned model's last layer with and without the rollback.
    examples, seed, max_length, tokens, keep, groups, context
        As in ``compare_representations``.

    Raises
    ------
    UserError
        If ``compare_representations`` would raise it, or the layers share their weights (ALBERT).

    References
    ----------
    Hao et al. (2020), section 4 and figure 3.
    """
    from workflow_scripts.common.device import chosen_token_budget, reproducible
    from workflow_scripts.dynamics.reading import (
        chosen_rows,
        grouped_batches,
        load_pair,
        read_examples,
    )
    from workflow_scripts.dynamics.similarity import BatchRows, LayerPair, gather, layer_table
    from workflow_scripts.model.encoder import layer_count
    from workflow_scripts.model.running import rolled_back_states
    from workflow_scripts.model.text import load_tokenizer

    loaded_tokenizer = load_tokenizer(config.parent)
    pad_id = loaded_tokenizer.pad_token_id
    with reproducible(context) as device:
        budget = chosen_token_budget(context["token_budget"], device)
        read = read_examples(loaded_tokenizer, [dev], [card], examples, seed, max_length)
        before, after = load_pair(config.parent, [card, card], (start, end), device)
        batches = grouped_batches(read.lengths, groups, budget, seed)

        def rows() -> Iterator[BatchRows]:
            for batch in progress(batches, "batches"):
                chosen, _ = chosen_rows(read.lengths[batch.examples], tokens)
                states = rolled_back_states(after, before, read, batch.examples, pad_id)
                last, *rolled_back = (each[chosen] for each in states)
                yield BatchRows(batch.group, [last], rolled_back)

        pairs = {layer: LayerPair(0, layer) for layer in range(layer_count(after))}
        longest = int(read.lengths.max()) if tokens == "all" else 1
        gathered = gather(rows(), list(pairs.values()), longest, every=False)
        distances = layer_table(gathered, pairs, keep)
    write_table(distances.assign(examples=len(read)), rollback)


if __name__ == "__main__":
    run(roll_back_layers, snakemake)

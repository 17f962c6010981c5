"""Put one layer at a time back to its pre-trained weights and see how far the last layer moves."""

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
    cards: list[Path],
    dev: list[Path],
    first: Path,
    second: Path,
    rollback: Path,
    examples: int | None,
    seed: int,
    max_length: int,
    tokens: str,
    keep: float,
    groups: int,
    context: dict[str, Any],
) -> None:
    """Write the distance of the last layer's representation with each layer put back.

    Parameters
    ----------
    config, tokenizer, tokenizer_config : the model's files of these names, in one folder.
    cards, dev : the task's card and dev examples.
    first, second : first and last checkpoint of the run.
    rollback : to write: ``likeness.layer_table``; ``layer`` is the one put back, the distance that
        of the fine-tuned model's last layer from the last layer then.
    examples, seed, max_length, tokens, keep, groups, context : as in
        ``compare_representations``.

    Raises
    ------
    UserError : as ``compare_representations``; or if the layers share their weights (ALBERT).

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
    from workflow_scripts.dynamics.similarity import gather, layer_table
    from workflow_scripts.model.encoder import layer_count
    from workflow_scripts.model.running import rolled_back_states
    from workflow_scripts.model.text import load_tokenizer

    words = load_tokenizer(config.parent)
    with reproducible(context) as device:
        budget = chosen_token_budget(context["token_budget"], device)
        read = read_examples(words, dev, cards, examples, seed, max_length)
        before, after = load_pair(config.parent, cards, (first, second), device)
        batches = grouped_batches(read.lengths, groups, budget, seed)

        def rows() -> Iterator[tuple[int, list, list]]:
            for batch in progress(batches, "batches"):
                chosen, _ = chosen_rows(read.lengths[batch.examples], tokens)
                states = rolled_back_states(after, before, read, batch.examples, words.pad_token_id)
                last, *back = (each[chosen] for each in states)
                yield batch.group, [last], back

        pairs = {layer: (0, layer) for layer in range(layer_count(after))}
        longest = int(read.lengths.max()) if tokens == "all" else 1
        gathered = gather(rows(), list(pairs.values()), longest, every=False)
        found = layer_table(gathered, pairs, keep)
    write_table(found.assign(examples=len(read)), rollback)


if __name__ == "__main__":
    run(roll_back_layers, snakemake)

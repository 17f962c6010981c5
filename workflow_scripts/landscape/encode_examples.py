"""Turn the examples of a task's surfaces into a model's tokens, once for all jobs."""

from pathlib import Path

from workflow_scripts.common.tables import read_json, read_table, write_table
from workflow_scripts.landscape.tokens import tabulate
from workflow_scripts.model.text import encode, load_tokenizer
from workflow_scripts.rebuilds.step import run


def encode_examples(
    config: Path,
    tokenizer: Path,
    tokenizer_config: Path,
    card: Path,
    examples: Path,
    tokens: Path,
    max_length: int,
) -> None:
    """Write the tokens of all examples of a task's surfaces, see ``tokens.tabulate``.

    Parameters
    ----------
    config, tokenizer, tokenizer_config : Path
        The model's files of these names, in one folder.
    card : Path
        The task's card.
    examples : Path
        The examples of its surfaces (``choose_examples``).
    tokens : Path
        Table to write.
    max_length : int
        Longest input in tokens; longer ones are truncated.

    Raises
    ------
    UserError
        If a file cannot be read, or ``max_length`` is more than the model takes.
    """
    loaded_tokenizer = load_tokenizer(config.parent)
    table = read_table(examples)
    encoded = encode(loaded_tokenizer, table, max_length)
    labels = len(read_json(card)["labels"])
    write_table(tabulate(table["split"], encoded, loaded_tokenizer.pad_token_id, labels), tokens)


if __name__ == "__main__":
    run(encode_examples, snakemake)

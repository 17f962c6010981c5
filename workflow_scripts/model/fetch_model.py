"""Fetch a pre-trained encoder and its tokenizer."""

import json
from pathlib import Path

from workflow_scripts.common.tables import write_json, write_text
from workflow_scripts.model.encoder import write_weights
from workflow_scripts.model.source import digest_of, fetch
from workflow_scripts.rebuilds.step import run


def fetch_model(
    config: Path,
    weights: Path,
    tokenizer: Path,
    tokenizer_config: Path,
    card: Path,
    name: str,
    source: str,
    sha256: str | None = None,
    attention: bool = False,
) -> None:
    """Write a model's encoder, configuration, tokenizer and card.

    Parameters
    ----------
    config, weights, tokenizer, tokenizer_config : Path
        To write, in the formats of Hugging Face.
    card : Path
        JSON to write: ``name``, ``source``, ``Pretrained.card``, ``digest`` of the other files.
    name : str
        The model's name in the configuration.
    source, sha256, attention
        See ``source.fetch``.

    Raises
    ------
    UserError
        See ``source.fetch``.
    """
    model = fetch(source, sha256, attention)
    config_text = json.dumps(model.config, indent=1, sort_keys=True) + "\n"
    settings_text = (
        json.dumps(model.tokenizer_settings, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    )
    write_text(config_text, config)
    write_text(model.tokenizer_text, tokenizer)
    write_text(settings_text, tokenizer_config)
    write_weights(model.weights, weights)
    digest = digest_of(model.weights, config_text, model.tokenizer_text, settings_text)
    write_json({"name": name, "source": source, **model.card(), "digest": digest}, card)


if __name__ == "__main__":
    run(fetch_model, snakemake)

"""Tables of architectures, from the registry that the engine computes from."""

from collections.abc import Iterable

from workflow_scripts.model.checks import DEPEND_ON_PADDING, ENCODER_DECODERS, NO_ATTENTION
from workflow_scripts.model.families import FAMILIES, GENERAL

# Pre-trained models by architecture, where its name in config.json does not say it.
MODELS = {
    "albert": "ALBERT",
    "bert": "BERT, MiniLM",
    "camembert": "CamemBERT",
    "deberta-v2": "DeBERTa v2 and v3",
    "distilbert": "DistilBERT",
    "electra": "ELECTRA",
    "gpt2": "GPT-2, DistilGPT2",
    "llama": "Llama",
    "modernbert": "ModernBERT",
    "mpnet": "MPNet",
    "qwen2": "Qwen2, Qwen2.5",
    "roberta": "RoBERTa, DistilRoBERTa",
    "xlm-roberta": "XLM-RoBERTa",
}
_ENCODERS = [name for name, record in GENERAL.items() if not record.decoder]
_DECODERS = [name for name, record in GENERAL.items() if record.decoder]


def summary() -> str:
    """The README's table: a row for each way in which an architecture is computed."""
    rows = [
        ("fast: trained on a CPU and evaluated without padding", _named(FAMILIES)),
        ("general: its own forward pass in transformers", _named(_ENCODERS)),
        ("general, decoders: the head reads the last token", _named(_DECODERS)),
        ("general, without attention (`dynamics.attention: false`)", _listed(NO_ATTENTION)),
    ]
    return "\n".join(["| path | architectures |", "|---|---|", *map(_row, rows)])


def tested() -> str:
    """A row for each architecture that is tested against transformers."""
    head = ("`model_type`", "pre-trained models", "path", "head reads", "layers rolled back")
    rows = [
        (
            f"`{name}`",
            MODELS.get(name, ""),
            "fast",
            "the first token",
            "no: its layers share one set of weights" if family.shares_layers else "yes",
        )
        for name, family in FAMILIES.items()
    ]
    rows += [
        (
            f"`{name}`",
            MODELS.get(name, ""),
            "general",
            "the last token" if record.decoder else "as in transformers",
            "yes",
        )
        for name, record in GENERAL.items()
    ]
    return "\n".join([_row(head), "|" + "---|" * len(head), *map(_row, rows)])


def refused() -> str:
    """A row for each reason for which architectures are refused, in whole or in part."""
    rows = [
        ("an encoder-decoder, not one stack of layers", "while planning", ENCODER_DECODERS),
        (
            "its logits depend on padding, and so on which examples share a batch",
            "while planning",
            DEPEND_ON_PADDING,
        ),
        (
            "its attention is no matrix of tokens by tokens for each head",
            "while planning, unless `dynamics.attention: false` is set; all else works",
            NO_ATTENTION,
        ),
    ]
    lines = [_row((reason, when, _listed(names))) for reason, when, names in rows]
    return "\n".join(["| reason | refused | `model_type` |", "|---|---|---|", *lines])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _named(names: Iterable[str]) -> str:
    return "; ".join(f"{MODELS[n]} (`{n}`)" if n in MODELS else f"`{n}`" for n in names)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))

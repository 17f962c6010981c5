"""A tiny random BERT and a learnable toy task (synthetic), as files of the workflow."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from workflow_scripts.finetune.finetune import finetune
from workflow_scripts.finetune.recipe import Recipe
from workflow_scripts.finetune.stage import Recipe as Section
from workflow_scripts.model.encoder import draw_encoder, write_weights

GOOD, BAD, NEUTRAL = ("good", "fine"), ("bad", "poor"), tuple("abcdefghijkl")
CONTEXT = {"device": "cpu", "threads": 1, "token_budget": 256}


def toy_table(examples, seed, classes=2):
    """Sentences of 2 to 9 words; the label says which kind of word is among the neutral ones."""
    random = np.random.default_rng(seed)
    kinds = (BAD, GOOD, ("meh",))[:classes]
    rows = []
    for _ in range(examples):
        label = int(random.integers(classes))
        words = list(random.choice(NEUTRAL, random.integers(1, 9)))
        words.insert(int(random.integers(len(words) + 1)), str(random.choice(kinds[label])))
        rows.append({"sentence": " ".join(words), "label": label})
    return pd.DataFrame(rows)


def write_model(folder, kind="BertConfig"):
    """A random encoder of 2 layers, 32 wide, and its tokenizer."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *GOOD, *BAD, "meh", *NEUTRAL]
    core = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    takes_types = kind not in ("RobertaConfig", "DistilBertConfig")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=32,
        model_input_names=["input_ids", "attention_mask"] + ["token_type_ids"] * takes_types,
    ).save_pretrained(folder)
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    if kind == "DistilBertConfig":
        sizes = {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64}
    config = getattr(transformers, kind)(
        vocab_size=len(words),
        max_position_embeddings=34,
        initializer_range=0.1,
        pad_token_id=0,
        **sizes,
    )
    config.save_pretrained(folder)
    write_weights(draw_encoder(config, 0), folder / "model.safetensors")


def recipe_of(**changes):
    """A recipe with the configuration's defaults and these changes."""
    values = {"learning_rate": 3e-3, "batch_size": 16, "epochs": 3, "bucket_batches": 2}
    return Recipe(**Section(**{**values, **changes}).model_dump(exclude={"continues"}))


def arguments(toy, out, recipe, init=0, order=0, weights=None, continues=False):
    """Arguments of ``finetune`` for a run that writes into ``out``; JSON can hold them."""
    out.mkdir(parents=True, exist_ok=True)
    return {
        "train": str(toy / "train.parquet"),
        "dev": str(toy / "dev.parquet"),
        "card": str(toy / "card.json"),
        "config": str(toy / "config.json"),
        "tokenizer": str(toy / "tokenizer.json"),
        "tokenizer_config": str(toy / "tokenizer_config.json"),
        "weights": str(weights or toy / "model.safetensors"),
        "checkpoints": [
            str(out / f"epoch{epoch:02d}.safetensors") for epoch in range(recipe.epochs + 1)
        ],
        "history": str(out / "history.parquet"),
        "scores": str(out / "scores.parquet"),
        "recipe": asdict(recipe),
        "init": init,
        "order": order,
        "max_length": 32,
        "continues": continues,
        "context": CONTEXT,
        "state": str(out.parent / f"{out.name}.state"),
    }


def call(arguments):
    """Call ``finetune`` with arguments from ``arguments``, paths made paths again."""
    paths = ("train", "dev", "card", "config", "tokenizer", "tokenizer_config", "weights")
    paths += ("history", "scores")
    finetune(
        **{
            **json.loads(json.dumps(arguments)),
            **{name: Path(arguments[name]) for name in paths},
            "checkpoints": [Path(path) for path in arguments["checkpoints"]],
        }
    )

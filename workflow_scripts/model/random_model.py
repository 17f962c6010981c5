"""Small models with random weights, and their tokenizer, for tests and trial runs."""

from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.model.families import FAMILIES, GENERAL

_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
_PADDING_SECOND_SPECIAL = ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]

# Frequent English words; everything else is split into bytes.
_WORDS = """
the of and to a in is it that was for on are with as he she they we you i his her their our be at
by this had not but from or have an which one were all there when who will more no if out so said
what up its about into than them can only other new some could time these two may then do first
any my now such like over man men woman women person people child children boy girl dog cat horse
bird fish tree house home room door window road street city town village country river sea water
fire food bread milk tea coffee book paper letter word story song music film picture game ball car
bus train boat plane bike school teacher student doctor nurse farmer singer painter writer driver
king queen friend mother father brother sister day night morning evening week month year today
never always often every each many few most much very too also just still even again here red blue
green black white old young big small tall short long good bad great fine nice kind happy sad angry
tired hungry cold hot warm wet dry clean dirty fast slow early late easy hard rich poor strong weak
go goes went come comes came walk walks walked run runs ran sit sits sat stand stands stood sleep
sleeps slept eat eats ate drink drinks drank see sees saw look looks looked hear hears heard say
says tell tells told ask asks asked give gives gave take takes took make makes made buy buys bought
sell sells sold read reads write writes wrote play plays played work works worked love loves loved
like likes liked hate hates hated want wants wanted need needs needed know knows knew think thinks
thought find finds found lose loses lost open opens opened close closes closed begin begins began
end ends ended help helps helped is are was were has have had does did can will would should must
near under above behind before after between without within during against because while although
nobody nothing everybody everything somebody something both neither either same different true
"""


def random_facts(architecture: str, settings: dict[str, Any], vocabulary: int) -> dict[str, Any]:
    """Keys of a config.json for a model with the settings of ``checks.RANDOM_DEFAULTS``.

    Parameters
    ----------
    architecture, settings : str, dict
        From ``checks.random_settings``; the seed is left out.
    vocabulary : int
        Number of tokens of its tokenizer; used where ``vocab_size`` is None.

    Raises
    ------
    UserError
        If ``embedding_size`` is set for an architecture that has none.
    """
    chosen = {key: value for key, value in settings.items() if value is not None and key != "seed"}
    chosen["vocab_size"] = settings["vocab_size"] or vocabulary
    family = FAMILIES.get(architecture)
    if family is not None and family.has_embedding_size:
        chosen.setdefault("embedding_size", chosen["hidden_size"])
    elif "embedding_size" in chosen:
        have = " and ".join(f.model_type for f in FAMILIES.values() if f.has_embedding_size)
        raise UserError(f"embedding_size: {architecture} has none, only {have}")
    if family is not None:
        if family.token_types == 1:
            chosen["type_vocab_size"] = 1  # as in all of its pre-trained models
        chosen = {family.key(name): value for name, value in chosen.items()}
    else:
        general = GENERAL[architecture]
        copies = {key: chosen[name] for key, name in general.copies.items()}
        chosen = {general.keys.get(name, name): value for name, value in chosen.items()} | copies
    special = special_tokens(architecture)
    return chosen | {
        "pad_token_id": special.index("[PAD]"),
        "cls_token_id": special.index("[CLS]"),
        "sep_token_id": special.index("[SEP]"),
        "bos_token_id": special.index("[CLS]"),
        "eos_token_id": special.index("[SEP]"),
    }


def random_config(architecture: str, settings: dict[str, Any], vocabulary: int):
    """``PretrainedConfig`` with the keys of ``random_facts``, which see."""
    from transformers import AutoConfig

    return AutoConfig.for_model(architecture, **random_facts(architecture, settings, vocabulary))


def special_tokens(architecture: str) -> list[str]:
    """Special tokens in the order of their ids, from 0.

    Where positions count from behind the padding token's id, as in RoBERTa, that id is 1; MPNet
    takes it for 1 whatever the configuration says.
    """
    record = FAMILIES.get(architecture) or GENERAL[architecture]
    return _PADDING_SECOND_SPECIAL if record.positions_after_padding else _SPECIAL


def random_tokenizer(architecture: str, vocab_size: int | None):
    """Tokenizer with some frequent words and all bytes, so that it knows every text.

    Parameters
    ----------
    architecture : str
        Decides the order of the special tokens, and so their ids.
    vocab_size : int, optional
        Largest number of tokens, without the least frequent words; None for all.

    Raises
    ------
    UserError
        If ``vocab_size`` is too small for the special tokens and the bytes (517).
    """
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    special = special_tokens(architecture)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*special, *letters, *(f"##{letter}" for letter in letters)]
    if vocab_size is not None and vocab_size < len(pieces):
        raise UserError(f"vocab_size: got {vocab_size}, expected {len(pieces)} or more")
    # "Ġ" is how the byte-level alphabet writes the space before a word.
    words = list(dict.fromkeys(f"Ġ{word}" for word in _WORDS.split()))
    pieces = [*pieces, *words][:vocab_size]
    tokenizer = Tokenizer(
        models.WordPiece(
            {piece: i for i, piece in enumerate(pieces)},
            unk_token="[UNK]",
            max_input_chars_per_word=1_000_000,
        )
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(t, special.index(t)) for t in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )

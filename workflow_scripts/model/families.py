"""Families of encoders: one record each of how config.json and the weights name things.

``model/network.py`` computes these families, and trains them, from the record alone; any other
model goes through transformers. A new family is a record here, entered in ``FAMILIES``. The other
architectures that are tested against transformers are in ``GENERAL``.

Needs neither PyTorch nor transformers, whose import takes longer than many a job of a surface.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from workflow_scripts.common.errors import UserError

# Activations by the names that config.json gives them, and the function that each is.
ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "tanh": "tanh",
}

# Values of keys that config.json leaves out: the defaults of transformers' BertConfig.
_DEFAULTS: dict[str, Any] = {
    "vocab_size": 30522,
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "hidden_act": "gelu",
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}


@dataclass(frozen=True)
class Head:
    """Modules of a classification head, which reads the first token's hidden state.

    Attributes
    ----------
    dense, out : str
        Full names of the inner matrix (BERT's and ALBERT's pooler) and of the outer one.
    activation : str
        Between the two, a key of ``ACTIVATIONS``.
    dropout : str
        Full name of the module that drops units of the head.
    drops_input : bool
        Whether it acts before the inner matrix, too.
    """

    dense: str
    activation: str
    out: str
    dropout: str
    drops_input: bool


@dataclass(frozen=True)
class Family:
    """What distinguishes a family of encoders.

    Attributes
    ----------
    model_type : str
        As config.json names the family.
    head : Head
        Of its sequence classifier.
    prefix : str
        Before the names of the encoder's weights in a classifier.
    keys : mapping of str to str
        Keys of config.json by their BERT names, where it names them otherwise; None where the
        family has no such key.
    defaults : mapping of str to value
        Values of keys that config.json leaves out, where they are not BERT's. Only families with
        ``embedding_size`` have embeddings of another width than the hidden states.
    token_types : int
        Token types of the pre-trained models; 0 where the family has no embeddings of them.
    positions_after_padding : bool
        Whether an example's first position is the padding token's id plus 1.
    projection : str
        Name, without prefix, of the matrix between embeddings and layers; empty if there is none.
    always_projected : bool
        Whether that matrix is present even if both have one width.
    layer : str
        Where a layer's weights are, without prefix: a format string with ``{layer}``, or with
        ``{group}`` and ``{inner}`` where the layers of a group share their weights.
    parts : mapping of str to str
        Names within a layer of its matrices and norms, in the module's order.
    dropouts : mapping of str to str
        Names of the dropout modules within a layer: of the ``attention`` weights, and of what
        ``attention_out`` and ``down`` give; a place without dropout is left out.
    """

    model_type: str
    head: Head
    prefix: str = field(kw_only=True)
    keys: Mapping[str, str | None] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    token_types: int = 2
    positions_after_padding: bool = False
    projection: str = ""
    always_projected: bool = False
    layer: str = "encoder.layer.{layer}"
    parts: Mapping[str, str] = field(kw_only=True)
    dropouts: Mapping[str, str] = field(kw_only=True)

    @property
    def shares_layers(self) -> bool:
        """Whether several layers use one set of weights."""
        return "{group}" in self.layer

    @property
    def has_embedding_size(self) -> bool:
        """Whether config.json may give the embeddings a width of their own."""
        return "embedding_size" in self.defaults

    def key(self, name: str) -> str | None:
        """What config.json calls a BERT key; None where the family has none such."""
        return self.keys.get(name, name)

    def setting(self, facts: Mapping[str, Any], name: str) -> Any:
        """Value of a key, under its BERT name, in the content of a config.json."""
        default = (_DEFAULTS | dict(self.defaults))[name]
        key = self.key(name)
        return default if key is None else facts.get(key, default)


_PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_out": "attention.output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "output_norm": "output.LayerNorm",
}
_DROPOUTS = {
    "attention": "attention.self.dropout",
    "attention_out": "attention.output.dropout",
    "down": "output.dropout",
}
_BERT = Family(
    "bert",
    Head("bert.pooler.dense", "tanh", "classifier", "dropout", drops_input=False),
    prefix="bert",
    parts=_PARTS,
    dropouts=_DROPOUTS,
)
_ROBERTA = Family(
    "roberta",
    Head("classifier.dense", "tanh", "classifier.out_proj", "classifier.dropout", drops_input=True),
    prefix="roberta",
    defaults={"vocab_size": 50265, "pad_token_id": 1},
    token_types=1,
    positions_after_padding=True,
    parts=_PARTS,
    dropouts=_DROPOUTS,
)
# The configurations of these two inherit BERT's size of the vocabulary.
_XLM_ROBERTA = Family(
    "xlm-roberta",
    _ROBERTA.head,
    prefix="roberta",
    defaults={"pad_token_id": 1},
    token_types=1,
    positions_after_padding=True,
    parts=_PARTS,
    dropouts=_DROPOUTS,
)
_CAMEMBERT = Family(
    "camembert",
    _ROBERTA.head,
    prefix="roberta",
    defaults={"pad_token_id": 1},
    token_types=1,
    positions_after_padding=True,
    parts=_PARTS,
    dropouts=_DROPOUTS,
)
_ALBERT = Family(
    "albert",
    Head("albert.pooler", "tanh", "classifier", "dropout", drops_input=False),
    prefix="albert",
    defaults={
        "vocab_size": 30000,
        "embedding_size": 128,
        "hidden_size": 4096,
        "num_attention_heads": 64,
        "intermediate_size": 16384,
        "hidden_act": "gelu_new",
        "num_hidden_groups": 1,
        "inner_group_num": 1,
    },
    projection="encoder.embedding_hidden_mapping_in",
    always_projected=True,
    layer="encoder.albert_layer_groups.{group}.albert_layers.{inner}",
    parts={
        "output_norm": "full_layer_layer_norm",
        "query": "attention.query",
        "key": "attention.key",
        "value": "attention.value",
        "attention_out": "attention.dense",
        "attention_norm": "attention.LayerNorm",
        "up": "ffn",
        "down": "ffn_output",
    },
    dropouts={
        "attention": "attention.attention_dropout",
        "attention_out": "attention.output_dropout",
    },
)
_ELECTRA = Family(
    "electra",
    Head("classifier.dense", "gelu", "classifier.out_proj", "classifier.dropout", drops_input=True),
    defaults={
        "embedding_size": 128,
        "hidden_size": 256,
        "num_attention_heads": 4,
        "intermediate_size": 1024,
    },
    projection="embeddings_project",
    prefix="electra",
    parts=_PARTS,
    dropouts=_DROPOUTS,
)
_DISTILBERT = Family(
    "distilbert",
    Head("pre_classifier", "relu", "classifier", "dropout", drops_input=False),
    prefix="distilbert",
    keys={
        "hidden_size": "dim",
        "num_hidden_layers": "n_layers",
        "num_attention_heads": "n_heads",
        "intermediate_size": "hidden_dim",
        "hidden_act": "activation",
        "type_vocab_size": None,
        "layer_norm_eps": None,
    },
    defaults={"num_hidden_layers": 6, "type_vocab_size": 0},
    token_types=0,
    layer="transformer.layer.{layer}",
    parts={
        "query": "attention.q_lin",
        "key": "attention.k_lin",
        "value": "attention.v_lin",
        "attention_out": "attention.out_lin",
        "attention_norm": "sa_layer_norm",
        "up": "ffn.lin1",
        "down": "ffn.lin2",
        "output_norm": "output_layer_norm",
    },
    dropouts={"attention": "attention.dropout", "down": "ffn.dropout"},
)

FAMILIES = {
    "bert": _BERT,
    "roberta": _ROBERTA,
    "albert": _ALBERT,
    "electra": _ELECTRA,
    "distilbert": _DISTILBERT,
    "xlm-roberta": _XLM_ROBERTA,
    "camembert": _CAMEMBERT,
}


@dataclass(frozen=True)
class General:
    """An architecture that transformers computes, tested to give the numbers of transformers.

    Attributes
    ----------
    decoder : bool
        Whether a token's hidden state depends on the tokens before it alone; the head then reads
        the last token.
    keys : mapping of str to str
        Keys of config.json by their BERT names, where it names them otherwise.
    copies : mapping of str to str
        Further keys, each with the BERT name of the one whose value random models have for it.
    positions_after_padding : bool
        As in ``Family``.
    """

    decoder: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)
    positions_after_padding: bool = False


GENERAL = {
    "mpnet": General(positions_after_padding=True),
    "deberta-v2": General(),
    "modernbert": General(),
    "gpt2": General(
        decoder=True,
        keys={
            "hidden_size": "n_embd",
            "num_hidden_layers": "n_layer",
            "num_attention_heads": "n_head",
            "intermediate_size": "n_inner",
            "max_position_embeddings": "n_positions",
        },
    ),
    "llama": General(decoder=True, copies={"num_key_value_heads": "num_attention_heads"}),
    "qwen2": General(decoder=True, copies={"num_key_value_heads": "num_attention_heads"}),
}


@dataclass(frozen=True)
class Architecture:
    """A family with its sizes, under the names that BERT's config.json gives them.

    ``embedding_size`` is ``hidden_size`` where the family has no such key; ``num_hidden_groups``
    and ``inner_group_num`` are ALBERT's.
    """

    model_type: str
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    hidden_act: str
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float
    pad_token_id: int
    embedding_size: int
    num_hidden_groups: int = 1
    inner_group_num: int = 1

    @property
    def family(self) -> Family:
        """The record that all names come from."""
        return FAMILIES[self.model_type]

    @property
    def embeddings(self) -> str:
        """Name in front of the embeddings' parameters."""
        return f"{self.family.prefix}.embeddings"

    @property
    def word_embeddings(self) -> str:
        """Name of the parameter whose rows are looked up by tokens, and used for nothing else."""
        return f"{self.embeddings}.word_embeddings.weight"

    @property
    def tables(self) -> dict[str, int]:
        """Number of rows of each table of embeddings, by ``word``, ``position``, ``token_type``."""
        tables = {"word": self.vocab_size, "position": self.max_position_embeddings}
        return tables | ({"token_type": self.type_vocab_size} if self.type_vocab_size else {})

    @property
    def first_position(self) -> int:
        """Position of an example's first token."""
        return self.pad_token_id + 1 if self.family.positions_after_padding else 0

    @property
    def projection(self) -> str | None:
        """Name of the matrix between embeddings and layers; None where there is none."""
        family = self.family
        present = family.always_projected or self.embedding_size != self.hidden_size
        return f"{family.prefix}.{family.projection}" if family.projection and present else None

    @property
    def head(self) -> Head:
        """Names of the head's modules."""
        return self.family.head

    def layers(self) -> list[str]:
        """Name in front of each layer's parameters, lowest first; shared ones come again."""
        of_group = self.num_hidden_layers / self.num_hidden_groups
        return [
            f"{self.family.prefix}."
            + self.family.layer.format(layer=layer, group=int(layer / of_group), inner=inner)
            for layer in range(self.num_hidden_layers)
            for inner in range(self.inner_group_num)
        ]

    def shapes(self, labels: int) -> dict[str, tuple[int, ...]]:
        """Shape of every parameter of a classifier, by full name.

        Parameters
        ----------
        labels : int
            Number of classes.
        """
        width, hidden = self.embedding_size, self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            f"{self.embeddings}.{table}_embeddings.weight": (rows, width)
            for table, rows in self.tables.items()
        }

        def add(name: str, *shape: int) -> None:
            """A matrix [out, in] or a norm [H], and its bias."""
            shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[:1]

        add(f"{self.embeddings}.LayerNorm", width)
        if self.projection:
            add(self.projection, hidden, width)
        inner = {"up": (self.intermediate_size, hidden), "down": (hidden, self.intermediate_size)}
        for layer in self.layers():
            for part, name in self.family.parts.items():
                usual = (hidden,) if part.endswith("norm") else (hidden, hidden)
                add(f"{layer}.{name}", *inner.get(part, usual))
        add(self.head.dense, hidden, hidden)
        add(self.head.out, labels, hidden)
        return shapes

    def count(self, prefix: str, matrices: bool = False) -> int:
        """Entries of all parameters whose name begins so; with ``matrices``, of these alone."""
        return sum(
            prod(shape)
            for name, shape in self.shapes(labels=2).items()
            if name.startswith(f"{prefix}.") and len(shape) > matrices
        )


def read_architecture(facts: Mapping[str, Any]) -> Architecture:
    """The architecture of a config.json of a registered family, as transformers reads it.

    Parameters
    ----------
    facts : mapping
        Content of the file; its ``model_type`` is in ``FAMILIES``.

    Raises
    ------
    UserError
        If a size is not a positive whole number.
    """
    family = FAMILIES[facts["model_type"]]
    values = {name: family.setting(facts, name) for name in _DEFAULTS | dict(family.defaults)}
    if not family.positions_after_padding:
        values["pad_token_id"] = 0  # of no account without padding, and may be null
    values.setdefault("embedding_size", values["hidden_size"])
    least = {"pad_token_id": 0, "type_vocab_size": min(1, family.token_types)}
    for name, value in values.items():
        whole = type(value) is int and value >= least.get(name, 1)
        if not whole and name not in ("hidden_act", "layer_norm_eps"):
            raise UserError(f"{family.key(name)}: got {value!r}, expected a positive whole number")
    return Architecture(family.model_type, **values)


def known_architecture(facts: Mapping[str, Any]) -> Architecture | None:
    """The architecture of a config.json that ``model/network.py`` computes, else None.

    Parameters
    ----------
    facts : mapping
        Content of the file. Another ``model_type``, a decoder, other positions than absolute
        ones, an unknown activation or a value of another type are left to transformers.
    """
    family = FAMILIES.get(facts.get("model_type"))
    if family is None:
        return None
    if facts.get("is_decoder") or facts.get("add_cross_attention"):
        return None
    if facts.get("position_embedding_type", "absolute") != "absolute":
        return None
    try:
        architecture = read_architecture(facts)
    except UserError:
        return None
    usual = (
        architecture.hidden_act in ACTIVATIONS
        and isinstance(architecture.layer_norm_eps, (int, float))
        and architecture.hidden_size % architecture.num_attention_heads == 0
    )
    return architecture if usual else None

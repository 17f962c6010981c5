"""Weights of encoders, and sequence classifiers to put them in.

A model's folder holds ``config.json`` and ``model.safetensors``: the encoder's parameters
without the prefix that the classifier puts before them ("bert.", "roberta.", …). Everything
outside that prefix is the head.
"""

import copy
import hashlib
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from workflow_scripts.common.errors import UserError, one_line
from workflow_scripts.common.tables import atomic, read_json, record
from workflow_scripts.model.architecture import Classifier
from workflow_scripts.model.families import FAMILIES, known_architecture

log = logging.getLogger("tunescape")

# What the architectures call the probabilities of dropping a unit.
_DROPOUT_KEYS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "classifier_dropout",
    "classifier_dropout_prob",
    "cls_dropout",
    "dropout",
    "attention_dropout",
    "activation_dropout",
    "embedding_dropout",
    "mlp_dropout",
    "pooler_dropout",
    "seq_classif_dropout",
    "summary_last_dropout",
)


# Tables of embeddings that are not within a module ``embeddings``, as decoders call them.
_EMBEDDINGS = ("embeddings", "embed_tokens", "embed_positions", "word_embeddings", "wte", "wpe")


@cache
def _shared_groups() -> tuple[str, ...]:
    """Where groups of layers are that share their weights: ``albert_layer_groups``."""
    return tuple(
        family.layer.partition(".{group}")[0].rpartition(".")[2]
        for family in FAMILIES.values()
        if family.shares_layers
    )


@cache
def _layer_name() -> re.Pattern[str]:
    """The number of a layer (GPT-2's are in ``h``), or of a group, in the name of a parameter."""
    return re.compile(rf"(?:^|\.)(?:layers?|h|{'|'.join(_shared_groups())})\.(\d+)\.")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file by name, memory-mapped: do not change them in place.

    Raises
    ------
    UserError
        If the file is missing or is not a complete safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if Path(path).is_dir():
        raise UserError(
            f"{path}: is a folder, expected a safetensors file; the function fetch reads a folder, "
            f"of several parts too: fetch('dir:{path}').weights"
        )
    try:
        return load_file(path)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: cannot be read as safetensors ({one_line(error)})") from None


def write_weights(tensors: dict[str, Tensor], path: Path) -> None:
    """Write tensors as float32 safetensors with the running step's provenance, whole or not at all.

    Its bytes depend on the names, the values and the provenance only.

    Parameters
    ----------
    tensors : dict of str to Tensor
        By name, of any type and on any device.
    path : Path
        Replaced if it exists; its folder is made.
    """
    from safetensors.torch import save_file

    ready = {
        name: tensors[name].detach().to(device="cpu", dtype=torch.float32).contiguous()
        for name in sorted(tensors)
    }
    metadata = {"format": "pt"}
    if record():
        metadata["tunescape"] = json.dumps(record(), sort_keys=True)
    with atomic(path) as draft:
        draft.touch()
        usual = draft.stat().st_mode
        save_file(ready, draft, metadata)
        draft.chmod(usual)  # safetensors lets only the owner read
        _sort_header(draft)


def _sort_header(path: Path) -> None:
    """Sort the header's keys: safetensors writes those of the metadata in any order."""
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.dumps(
            json.loads(file.read(length)), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        ).encode()
        if len(header) > length:  # the tensors' bytes start where the header ends
            raise ValueError(f"{path}: the header grew from {length} to {len(header)} bytes")
        file.seek(8)
        file.write(header.ljust(length))


def build_classifier(
    model_dir: Path, labels: int, dropout: float | None = None, attention: str = "sdpa"
) -> nn.Module:
    """Sequence classifier of a model's architecture, in ``eval()`` mode, without weights.

    All parameters are NaN until ``load_weights`` fills them, so that a forgotten one is noticed.

    Parameters
    ----------
    model_dir : Path
        Folder with the model's ``config.json``.
    labels : int
        Number of classes, 2 or more.
    dropout : float, optional
        Probability for all of the hidden states, the attention and the head; None keeps the
        model's own.
    attention : str
        "sdpa" (PyTorch's fused kernels; "eager" where the architecture has none) or "eager"
        (plain products).

    Raises
    ------
    UserError
        If there are fewer than 2 classes, ``attention`` has another value, the configuration
        cannot be read, or the architecture is not supported.
    """
    if labels < 2:
        raise UserError(f"got {labels} classes, a classifier needs at least 2")
    if attention not in ("sdpa", "eager"):
        raise UserError(f"attention: got {attention!r}, allowed: sdpa, eager")
    return classifier_of(read_config(model_dir), labels, dropout, attention)


def build_word_classifier(
    model_dir: Path, labels: int, words: int, dropout: float | None = None
) -> nn.Module:
    """An encoder with a linear head for words, or pairs of words; see ``build_classifier``.

    Parameters
    ----------
    model_dir, labels, dropout
        As in ``build_classifier``.
    words : int
        Words of a label, whose vectors the head reads side by side.

    Returns
    -------
    nn.Module
        The encoder under its usual name; ``dropout`` and ``classifier`` in place of the head of
        the architecture's sequence classifier. All weights are NaN.
    """
    module = build_classifier(model_dir, labels, dropout)
    config = module.config
    for name, _ in list(module.named_children()):
        if name != module.base_model_prefix:
            delattr(module, name)
    drops = (getattr(config, key, None) for key in ("classifier_dropout", *_DROPOUT_KEYS))
    module.dropout = nn.Dropout(next((p for p in drops if p is not None), 0.0))
    module.classifier = nn.utils.skip_init(nn.Linear, words * config.hidden_size, labels)
    with torch.no_grad():
        for parameter in module.classifier.parameters():
            parameter.fill_(torch.nan)
    module.labels_words = True
    return module.eval()


def load_encoder(model_dir: Path, weights: Mapping[str, Tensor], device: torch.device) -> nn.Module:
    """A classifier for its hidden states alone: its head, whatever it was, is zero.

    Parameters
    ----------
    model_dir, device
        As in ``load_classifier``.
    weights : mapping of str to Tensor
        Of a checkpoint, of a task with any number of classes and any head, or of the encoder alone,
        names without prefix.
    """
    architecture = known_architecture(read_json(Path(model_dir) / "config.json"))
    module = (
        build_classifier(model_dir, labels=2)
        if architecture is None
        else Classifier(architecture, 2)
    )
    prefix = _prefix(module)
    if not any(name.startswith(prefix) for name in weights):
        weights = {prefix + name: tensor for name, tensor in weights.items()}
    encoder = {name: tensor for name, tensor in weights.items() if name.startswith(prefix)}
    heads = {n: torch.zeros(p.shape) for n, p in _parameters(module).items() if n not in encoder}
    heads = {name: tensor for name, tensor in heads.items() if not name.startswith(prefix)}
    load_weights(module, encoder | heads)
    return module.to(device).eval()


def read_config(model_dir: Path):
    """The ``PretrainedConfig`` of a folder; code that comes with a model is never run.

    Raises
    ------
    UserError
        If ``config.json`` is missing or unreadable, or names an unknown architecture.
    """
    from transformers import AutoConfig

    try:
        with quiet():
            return AutoConfig.from_pretrained(
                model_dir, local_files_only=True, trust_remote_code=False
            )
    except Exception as error:
        # transformers, huggingface_hub and json each raise their own.
        raise UserError(f"{Path(model_dir) / 'config.json'}: {one_line(error)[:300]}") from None


def classifier_of(
    config, labels: int, dropout: float | None = None, attention: str = "sdpa"
) -> nn.Module:
    """``build_classifier`` from a ``PretrainedConfig``, which is left as it is.

    ``labels`` and ``attention`` are not checked.

    Raises
    ------
    UserError
        If the architecture has no sequence classifier, keeps weights that are not parameters, or
        has no separate encoder.
    """
    from transformers.initialization import no_init_weights

    config = copy.deepcopy(config)
    config.num_labels = labels
    config.problem_type = "single_label_classification"
    if dropout is not None:
        for key in _DROPOUT_KEYS:
            if hasattr(config, key):
                setattr(config, key, float(dropout))
    if hasattr(config, "use_cache"):
        config.use_cache = False  # keys and values of a text that would go on
    kind = classifier_class(config)
    if not kind._supports_sdpa:
        attention = "eager"
    # Parameters are allocated, not drawn: all of them come from files. The buffers (positions)
    # are computed by the constructors.
    with quiet(), no_init_weights():
        module = kind._from_config(config, attn_implementation=attention, dtype=torch.float32)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(torch.nan)
    check_supported(module)
    return module.eval()


def reads_last_token(module: nn.Module) -> bool:
    """Whether a classifier of transformers is a decoder's, whose ``score`` reads the last token."""
    return isinstance(getattr(module, "score", None), nn.Linear)


def check_supported(module: nn.Module) -> None:
    """Check that all weights of a classifier are parameters, of an encoder and a head.

    Raises
    ------
    UserError
        If it keeps weights that are not parameters, or has no encoder of its own.
    """
    if not _base(module) or any(name not in _parameters(module) for name in module.state_dict()):
        raise UserError(
            f"architecture {module.config.model_type!r} is not supported: it keeps weights that "
            "are no parameters, or has no separate encoder"
        )


def classifier_class(config) -> type:
    """The architecture's own class of sequence classifiers.

    Raises
    ------
    UserError
        If transformers has none for this configuration.
    """
    from transformers import AutoModelForSequenceClassification

    kinds = AutoModelForSequenceClassification._model_mapping
    if type(config) not in kinds:
        raise UserError(
            f"architecture {config.model_type!r} has no sequence classifier in transformers"
        )
    kind = kinds[type(config)]
    return kind[0] if isinstance(kind, (list, tuple)) else kind


def load_weights(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Copy tensors to a module's parameters of the same names, on any device.

    Raises
    ------
    UserError
        If a name is missing or unknown, or a shape differs; nothing is copied then.
    """
    parameters = _parameters(module)
    if problem := disagreement(tensors, parameters):
        raise UserError(f"weights do not fit {type(module).__name__}: {problem}")
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[name])


def load_classifier(
    model_dir: Path,
    labels: int,
    weights: Mapping[str, Tensor],
    device: torch.device,
    attention: str = "sdpa",
) -> nn.Module:
    """A classifier with the given weights on a device, in float32, ready to evaluate.

    Of a family that ``model/families.py`` describes it is a ``Classifier``, which holds the
    weights for ``model/network.py``; any other is transformers' own.

    Parameters
    ----------
    model_dir : Path
        Folder with the model's ``config.json``.
    labels : int
        Number of classes, 2 or more.
    weights : mapping of str to Tensor
        All weights of the classifier, head included, by full name.
    device : torch.device
        Where the classifier is placed.
    attention : str
        As in ``build_classifier``; only modules of transformers use it.

    Raises
    ------
    UserError
        If the configuration cannot be read, the architecture is not supported, or the weights do
        not fit it.
    """
    architecture = known_architecture(read_json(Path(model_dir) / "config.json"))
    if architecture is None:
        module = build_classifier(model_dir, labels, attention=attention)
    else:
        module = Classifier(architecture, labels)
    load_weights(module, weights)
    return module.to(device).eval()


def disagreement(got: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str:
    """How the names and shapes of two sets of weights differ, in one line; empty if they agree.

    Only the first difference is named: names that ``got`` lacks, then names that ``expected``
    lacks, then a shape. Values and types are not compared.
    """
    missing = [name for name in expected if name not in got]
    unknown = [name for name in got if name not in expected]
    if missing:
        return f"{_some(missing)} missing"
    if unknown:
        return f"{_some(unknown)} unknown"
    for name, tensor in expected.items():
        if got[name].shape != tensor.shape:
            return f"{name} has shape {list(got[name].shape)}, expected {list(tensor.shape)}"
    return ""


def _some(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def start_weights(module: nn.Module, encoder: dict[str, Tensor], init: int) -> dict[str, Tensor]:
    """All weights of a classifier before its first step, by full name, in the module's order.

    Parameters
    ----------
    module : nn.Module
        Classifier of the architecture; it is not changed.
    encoder : dict of str to Tensor
        The encoder's weights by name without prefix (pre-trained or scratch).
    init : int
        Seed of the head. The same architecture, number of classes and seed give the same head,
        whatever the encoder's weights and the global random state.

    Raises
    ------
    UserError
        If the encoder's names or shapes are not the module's, or the architecture's own
        initialisation leaves out a parameter of the head.
    """
    prefix = _prefix(module)
    weights = {prefix + name: tensor for name, tensor in encoder.items()}
    weights |= _draw_head(module, init)
    if problem := disagreement(weights, _parameters(module)):
        raise UserError(f"encoder weights do not fit {type(module).__name__}: {problem}")
    return {name: weights[name] for name in _parameters(module)}


def _draw_head(module: nn.Module, init: int) -> dict[str, Tensor]:
    drawn = {}
    with _random_stream("head", init):
        for part, child in module.named_children():
            if part == module.base_model_prefix:
                continue
            child = copy.deepcopy(child).cpu()
            _draw(child, module)
            drawn |= {f"{part}.{name}": p.detach() for name, p in child.named_parameters()}
    _check_drawn(drawn)
    return drawn


def draw_encoder(
    config, init: int, stream: str = "encoder", truncated: bool = False
) -> dict[str, Tensor]:
    """Random encoder weights by the architecture's own initialisation, names without prefix.

    Includes exactly the parts that the architecture's sequence classifier has (a pooler or
    not). The same configuration, seed and ``stream`` give the same bits.

    Parameters
    ----------
    config : PretrainedConfig
        It is not changed.
    init : int
        Seed.
    stream : str
        Name of the random stream; another one gives other weights from the same seed.
    truncated : bool
        Draw entries of matrices again that are more than two standard deviations
        (``initializer_range``) from 0, as Devlin et al.'s code does, until there are none.

    Raises
    ------
    UserError
        If the architecture is not supported, or its own initialisation leaves out a parameter.
    """
    base = _base(classifier_of(config, labels=2))
    with _random_stream(stream, init):
        _draw(base, base)
        if truncated:
            _truncate(base, config.initializer_range)
    drawn = {name: p.detach() for name, p in base.named_parameters()}
    _check_drawn(drawn)
    return drawn


@contextmanager
def _random_stream(stream: str, init: int) -> Iterator[None]:
    # Head and encoder draw from different streams: from the same one, the head would repeat the
    # first numbers of the word embeddings. The global random state is restored afterwards.
    seed = int.from_bytes(hashlib.sha256(f"{stream} {init}".encode()).digest()[:7], "big")
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed)
        yield


def _draw(part: nn.Module, model) -> None:
    with torch.no_grad():
        for module in part.modules():
            model._init_weights(module)


def _truncate(part: nn.Module, spread: float) -> None:
    with torch.no_grad():
        for matrix in (p for p in part.parameters() if p.ndim > 1):
            while (outside := matrix.abs() > 2 * spread).any():
                matrix[outside] = torch.randn(int(outside.sum())) * spread


def _check_drawn(weights: dict[str, Tensor]) -> None:
    left = [name for name, tensor in weights.items() if not torch.isfinite(tensor).all()]
    if left:
        raise UserError(f"the architecture's own initialisation leaves out {_some(left)}")


def _parameters(module: nn.Module) -> dict[str, Tensor]:
    return dict(module.named_parameters())


def _prefix(module: nn.Module) -> str:
    return f"{module.base_model_prefix}."


def _base(module: nn.Module):
    return getattr(module, module.base_model_prefix, None)


def encoder_names(module: nn.Module) -> list[str]:
    """Full names of the encoder's parameters, in the module's order."""
    return [name for name in _parameters(module) if name.startswith(_prefix(module))]


def names_with_prefix(encoder: Iterable[str], classifier: Iterable[str]) -> list[str]:
    """Full names of the encoder's parameters in a classifier, in the encoder's order.

    Parameters
    ----------
    encoder : iterable of str
        Names without prefix, such as those in a model's ``model.safetensors``.
    classifier : iterable of str
        Full names of all parameters, such as those in a checkpoint.

    Raises
    ------
    UserError
        If there is no prefix with which the classifier has all of the encoder's names.
    """
    encoder, known = list(encoder), set(classifier)
    for name in sorted(known):
        prefix, _, rest = name.partition(".")
        if rest == encoder[0] and known.issuperset(f"{prefix}.{other}" for other in encoder):
            return [f"{prefix}.{other}" for other in encoder]
    raise UserError("weights do not fit the model: they lack parameters of its encoder")


def head_names(module: nn.Module) -> list[str]:
    """Full names of the head's parameters, in the module's order."""
    return [name for name in _parameters(module) if not name.startswith(_prefix(module))]


def encoder_weights(module: nn.Module, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The encoder's part of a classifier's weights, names without prefix.

    Parameters
    ----------
    module : nn.Module
        Gives only the prefix.
    tensors : dict of str to Tensor
        By full name; the result shares their memory.
    """
    prefix = _prefix(module)
    return {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def layer_of(name: str) -> int | None:
    """Index of the layer that a parameter belongs to, counted from 0; None outside the layers.

    ALBERT's layers share their weights: the index is that of the layer group (0 as a rule).
    """
    found = _layer_name().search(name)
    return int(found.group(1)) if found else None


def part_of(name: str, prefix: str) -> str:
    """Part of a classifier that a parameter belongs to.

    Parameters
    ----------
    name : str
        Full name of the parameter.
    prefix : str
        The classifier's ``base_model_prefix``; "" for names of an encoder without prefix.

    Returns
    -------
    "embeddings", "layer00" …, "pooler", "other" (of the encoder, but none of these) or "head".
    """
    if prefix and not name.startswith(f"{prefix}."):
        return "head"
    layer = layer_of(name)
    if layer is not None:
        return f"layer{layer:02d}"
    first = name.removeprefix(f"{prefix}.").split(".")[0]
    if first in _EMBEDDINGS:
        return "embeddings"
    return first if first == "pooler" else "other"


def shares_layers(module_or_names: nn.Module | Iterable[str]) -> bool:
    """Whether several layers use one set of weights (ALBERT)."""
    return any(
        f"{group}." in name for name in _names(module_or_names) for group in _shared_groups()
    )


def layer_count(module_or_names: nn.Module | Iterable[str]) -> int:
    """Number of layers with separate weights (1 for ALBERT, whose layers share one set)."""
    layers = {layer_of(name) for name in _names(module_or_names)} - {None}
    return len(layers)


def names_in_layers(module_or_names: nn.Module | Iterable[str], layers: range) -> list[str]:
    """Names of the parameters in these layers.

    Raises
    ------
    UserError
        If the layers share their weights (ALBERT), or none of the names is in them.
    """
    names = _names(module_or_names)
    if shares_layers(names):
        raise UserError("ALBERT's layers share one set of weights: there are no layer groups")
    chosen = [name for name in names if layer_of(name) in layers]
    if not chosen:
        raise UserError(f"the model has no layer from {layers.start} to {layers.stop - 1}")
    return chosen


def check_own_layers(module_or_names: nn.Module | Iterable[str]) -> None:
    """Check that one layer can be rolled back without the others.

    Raises
    ------
    UserError
        If the layers share their weights (ALBERT).
    """
    if shares_layers(module_or_names):
        raise UserError("ALBERT's layers share one set of weights: none can be rolled back alone")


def layer_modules(module: nn.Module) -> list[nn.Module]:
    """The layers of an encoder of transformers, lowest first; each with separate weights."""
    places = {}
    for name, _ in module.named_parameters():
        if (found := _layer_name().search(name)) is not None:
            places[int(found.group(1))] = name[: found.end() - 1]
    return [module.get_submodule(places[index]) for index in sorted(places)]


def _names(module_or_names: nn.Module | Iterable[str]) -> list[str]:
    if isinstance(module_or_names, nn.Module):
        return [name for name, _ in module_or_names.named_parameters()]
    return list(module_or_names)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers' and huggingface_hub's notices and progress bars off the terminal."""
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )
    from huggingface_hub.utils import logging as hub_notices
    from transformers.utils import logging as notices

    level, hub_level = notices.get_verbosity(), hub_notices.get_verbosity()
    bars, hub_bars = notices.is_progress_bar_enabled(), not are_progress_bars_disabled()
    notices.set_verbosity_error()
    notices.disable_progress_bar()
    hub_notices.set_verbosity_error()
    if hub_bars:
        disable_progress_bars()
    try:
        yield
    finally:
        notices.set_verbosity(level)
        hub_notices.set_verbosity(hub_level)
        if bars:
            notices.enable_progress_bar()
        if hub_bars:
            enable_progress_bars()

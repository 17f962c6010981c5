"""Checks of model sources before any job starts; nothing beyond the standard library is loaded."""

import importlib.util
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError, in_one_line, listed, nearest
from workflow_scripts.common.paths import absolute, check_not_pointer
from workflow_scripts.model.families import FAMILIES, GENERAL

SCHEMES = {
    "package": "package:NAME/FOLDER",
    "hub": "hub:OWNER/NAME@COMMIT",
    "dir": "dir:/FOLDER",
    "random": "random:ARCHITECTURE:key=value,…",
}
WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
# A tokenizer is any one of these sets of files, the first that is complete.
TOKENIZERS = (
    ("tokenizer.json",),
    ("vocab.txt",),
    ("vocab.json", "merges.txt"),
    ("spiece.model",),
    ("spm.model",),
    ("sentencepiece.bpe.model",),
    ("tokenizer.model",),
)
TOKENIZER_EXTRAS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5", ".msgpack")

# Architectures that cannot be used, by ``model_type``. That the logits of the second kind depend
# on padding was tried with transformers 5; ``source.fetch`` tries it of every model.
ENCODER_DECODERS = (
    *(
        "bart",
        "bigbird_pegasus",
        "blenderbot",
        "blenderbot-small",
        "encoder-decoder",
        "fsmt",
        "led",
    ),
    *("longt5", "m2m_100", "marian", "mbart", "mt5", "mvp", "nllb-moe", "pegasus", "pegasus_x"),
    *("plbart", "prophetnet", "switch_transformers", "t5", "t5gemma", "t5gemma2", "umt5"),
    "xlm-prophetnet",
)
DEPEND_ON_PADDING = (
    "canine",
    "convbert",
    "fnet",
    "funnel",
    "nystromformer",
    "reformer",
    "xlnet",
    "yoso",
)
# Architectures whose attention is not one matrix of tokens by tokens for each head.
NO_ATTENTION = ("big_bird", "longformer", "mra")

# Settings of random models with default values.
RANDOM_DEFAULTS: dict[str, Any] = {
    "num_hidden_layers": 2,
    "hidden_size": 32,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 130,
    "vocab_size": None,  # all of the tokenizer's
    "embedding_size": None,  # as hidden_size
    "initializer_range": 0.02,
    "seed": 0,
}


@dataclass(frozen=True)
class Source:
    """A parsed source.

    Parameters
    ----------
    scheme : str
        One of ``SCHEMES``.
    place : str
        Package and folder, repository, folder or settings.
    revision : str, optional
        A repository's commit: 40 hex digits, or the first 10 or more of them.
    """

    scheme: str
    place: str
    revision: str | None = None


def parse_source(source: str) -> Source:
    """Parse a model's ``source``.

    Raises
    ------
    UserError
        If the scheme is unknown, the source is malformed, or a hub source has no commit.
    """
    scheme, colon, place = source.partition(":")
    if not colon or scheme not in SCHEMES:
        is_path = source.startswith(("/", "~", "$", "./", "../"))
        meant = f"; did you mean 'dir:{source}'?" if is_path else nearest(scheme, SCHEMES)
        raise UserError(f"got {source!r}, allowed: {', '.join(SCHEMES.values())}{meant}")
    if not place:
        raise UserError(f"got {source!r}, expected {SCHEMES[scheme]}")
    if scheme != "hub":
        return Source(scheme, place)
    repo, at, revision = place.partition("@")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        raise UserError(f"got {source!r}, expected {SCHEMES[scheme]}")
    if not re.fullmatch(r"[0-9a-f]{10,40}", revision):
        got = f"revision {revision!r}" if at else "no revision"
        raise UserError(
            f"got {got}, expected {SCHEMES[scheme]} with a commit of 40 hex digits, or the first "
            "10 or more of them, since branches move; commits are listed at "
            f"https://huggingface.co/{repo}/commits/main"
        )
    return Source(scheme, repo, revision)


def check_model(name: str, definition: dict[str, Any], attention: bool = False) -> list[Path]:
    """Check the definition of a model, and its files as far as they are read before a job.

    Parameters
    ----------
    name : str
        The model's name in the configuration.
    definition : dict
        Its section: ``source`` and perhaps ``sha256``.
    attention : bool
        Whether the attention of two such models is to be compared.

    Returns
    -------
    list of Path
        Files whose change changes the model. Empty for hub and random sources.

    Raises
    ------
    UserError
        If the source cannot work, a file is missing, truncated or a Git LFS pointer, or the
        architecture is not supported; one line that starts with the key.
    """
    with in_one_line(f"models.{name}.source: "):
        source = parse_source(definition["source"])
        if source.scheme == "random":
            random_settings(source.place)
            if definition.get("sha256"):
                raise UserError("a random model has no file whose sha256 could be checked")
        folder = local_folder(source)
        if folder is None:
            return []
        files = model_files(folder)
        if attention:
            check_attention(read_config_file(folder / "config.json")["model_type"], str(folder))
        return files


def check_architecture(config: dict[str, Any], place: str) -> None:
    """Check that an architecture can be used, as far as ``config.json`` says.

    Parameters
    ----------
    config : dict
        What ``config.json`` holds.
    place : str
        Begins the message.

    Raises
    ------
    UserError
        If it is an encoder-decoder, or an architecture whose logits depend on padding.
    """
    kind = config["model_type"]
    if kind in ENCODER_DECODERS or config.get("is_encoder_decoder"):
        raise UserError(
            f"{place}: architecture {kind!r} is not supported: it is an encoder-decoder, expected "
            "an encoder or a decoder"
        )
    if kind in DEPEND_ON_PADDING:
        raise UserError(f"{place}: {depends_on_padding(kind)}")


def depends_on_padding(kind: str) -> str:
    """Why an architecture of this ``model_type`` is refused."""
    return (
        f"architecture {kind!r} is not supported: its logits depend on padding, so they would "
        "depend on which examples share a batch"
    )


def check_attention(kind: str, place: str) -> None:
    """Check that the attention of an architecture can be compared.

    Raises
    ------
    UserError
        If it is known not to be one matrix of tokens by tokens for each head.
    """
    if kind in NO_ATTENTION:
        raise UserError(f"{place}: {no_attention(kind)}")


def no_attention(kind: str) -> str:
    """What to say of an architecture whose attention cannot be compared."""
    return (
        f"the attention of architecture {kind!r} cannot be compared, since it is no matrix of "
        "tokens by tokens for each head; set dynamics.attention: false"
    )


def layers_of(definition: dict[str, Any]) -> int | None:
    """Number of layers of a model; None where that is not known without a network.

    Raises
    ------
    UserError
        If its source cannot work.
    """
    config = _local_config(definition)
    keys = ("num_hidden_layers", "n_layers", "n_layer", "num_layers")
    return next((int(config[key]) for key in keys if key in config), None)


def shares_layers(definition: dict[str, Any]) -> bool:
    """Whether a model is an ALBERT, as far as that is known without a network.

    All layers of an ALBERT share one set of weights, so that there are no layer groups.

    Raises
    ------
    UserError
        If its source cannot work.
    """
    family = FAMILIES.get(_local_config(definition).get("model_type"))
    return family is not None and family.shares_layers


class NoGroups(UserError):
    """A model has no layer groups by default."""


def check_groups(
    name: str, definition: dict[str, Any], groups: dict[str, list[int]] | None
) -> None:
    """Check that a model has the layer groups, as far as that is known without a network.

    Parameters
    ----------
    name : str
        The model's name in the configuration.
    definition : dict
        Its section.
    groups : dict or None
        First and last layer of each group by name; None stands for thirds.

    Raises
    ------
    NoGroups
        If the model is an ALBERT, or has fewer than 3 layers for the thirds.
    UserError
        If it lacks a group's last layer, or its source cannot work.
    """
    if shares_layers(definition):
        raise NoGroups(
            f"model {name}: ALBERT's layers share one set of weights, so there are no layer groups"
        )
    count = layers_of(definition)
    if count is None:
        return
    if groups is None and count < 3:
        raise NoGroups(f"model {name}: has {count} layers, the thirds of landscape.groups need 3")
    for group, (first, last) in (groups or {}).items():
        if last >= count:
            raise UserError(
                f"landscape.groups.{group}: got [{first}, {last}], "
                f"model {name} has layers 0 to {count - 1}"
            )


def _local_config(definition: dict[str, Any]) -> dict[str, Any]:
    source = parse_source(definition["source"])
    if source.scheme == "random":
        architecture, settings = random_settings(source.place)
        return {"model_type": architecture, **settings}
    folder = local_folder(source)
    return read_config_file(folder / "config.json") if folder else {}


def local_folder(source: Source) -> Path | None:
    """Folder that a ``package:`` or ``dir:`` source names; None for the others.

    Raises
    ------
    UserError
        If the package is not installed, a variable in the path is not set, the path is not
        absolute, or there is no such folder.
    """
    if source.scheme == "package":
        return _package_folder(source.place)
    if source.scheme == "dir":
        return _directory(source.place)
    return None


def _package_folder(place: str) -> Path:
    package, _, inside = place.partition("/")
    # A top-level name is found without running any of the package's code.
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"package {package!r} is not installed; "
            f"pip install --no-deps {package.replace('_', '-')}"
        )
    root = Path(next(iter(spec.submodule_search_locations))).resolve()
    folder = (root / inside).resolve()
    if not folder.is_relative_to(root) or not folder.is_dir():
        folders = [p.relative_to(root).parent.as_posix() for p in root.rglob("config.json")]
        raise UserError(
            f"package {package!r} has no folder {inside!r}; with models: "
            f"{listed(sorted(folders)) or 'none'}"
        )
    return folder


def _directory(place: str) -> Path:
    folder = absolute(place, f"got {place!r}")
    if not folder.is_dir():
        near = nearest(folder.name, os.listdir(folder.parent)) if folder.parent.is_dir() else ""
        raise UserError(f"{folder}: no such folder{near}")
    return folder


def model_files(folder: Path) -> list[Path]:
    """Configuration, weights and tokenizer files of a model's folder.

    Raises
    ------
    UserError
        If one of the three is missing, or the architecture is not supported; if the weights are
        pickled, or a file is cut off or a Git LFS pointer.
    """
    config = folder / "config.json"
    if not config.is_file():
        raise UserError(f"{folder}: has no config.json")
    check_architecture(read_config_file(config), str(config))
    weights, tokenizer = weight_files(folder), tokenizer_files(folder)
    for file in weights:
        check_not_pointer(file)
        if file.suffix == ".safetensors":
            check_whole(file)
    for file in tokenizer:
        check_not_pointer(file)
        if file.stat().st_size == 0:
            raise UserError(f"{file}: is empty")
    return [config, *weights, *tokenizer]


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object: ``common.tables.read_json`` without NumPy and pandas.

    Raises
    ------
    UserError
        If the file is missing, no JSON, no object or a Git LFS pointer.
    """
    try:
        check_not_pointer(path)
        value = json.loads(path.read_text(encoding="utf-8"))
    except UserError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected a JSON object")
    return value


def read_config_file(path: Path) -> dict[str, Any]:
    """A model's ``config.json``.

    Raises
    ------
    UserError
        If ``read_object`` raises it, or the file names no ``model_type`` or says that the weights
        are quantized.
    """
    config = read_object(path)
    if not isinstance(config.get("model_type"), str):
        raise UserError(f"{path}: does not name a model_type (bert, roberta, …)")
    if "quantization_config" in config:
        raise UserError(f"{path}: the weights are quantized; full weights are needed")
    return config


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder: one, or an index and its parts.

    Raises
    ------
    UserError
        If there are none, or the index is malformed or names a missing file.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (index := folder / INDEX).is_file():
        check_not_pointer(index)
        try:
            parts = sorted(
                set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            )
        except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
            raise UserError(f"{index}: is no index of safetensors files") from None
        for part in parts:
            if Path(part).name != part or not (folder / part).is_file():
                raise UserError(f"{folder}: {INDEX} names {part}, which is missing")
        return [index, *(folder / part for part in parts)]
    raise UserError(f"{folder}: {no_weights(os.listdir(folder), str(folder))}")


def check_whole(path: Path) -> None:
    """Check the size of a safetensors file against its header; tensors are not read.

    The file is 8 bytes with the header's length, the header (JSON), and the tensors.

    Raises
    ------
    UserError
        If the file is empty, cut off, too long or no safetensors file.
    """
    size = path.stat().st_size
    if size == 0:
        raise UserError(f"{path}: is empty")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > 100_000_000:  # the format's own limit
            raise UserError(f"{path}: is no safetensors file")
        header = file.read(length)
    if len(header) < length:
        raise UserError(f"{path}: is cut off in its header, after {size} bytes")
    try:
        tensors = json.loads(header)
        tensors.pop("__metadata__", None)
        end = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
        expected = 8 + length + int(end)
    except (ValueError, KeyError, IndexError, AttributeError, TypeError, RecursionError):
        raise UserError(f"{path}: is no safetensors file") from None
    if size != expected:
        state = "is cut off" if size < expected else "is too long"
        raise UserError(f"{path}: {state}: it has {size} bytes, its header says {expected}")


def no_weights(names: list[str], place: str) -> str:
    """What to say of a folder without weights that can be read.

    Parameters
    ----------
    names : list of str
        Of its files.
    place : str
        What transformers can load the model from.
    """
    pickles = sorted(name for name in names if name.endswith(_PICKLES))
    pickles = [name for name in pickles if name != "training_args.bin"]
    if not pickles:
        return f"has no weights ({WEIGHTS})"
    first = next((name for name in pickles if name.startswith("pytorch_model")), pickles[0])
    return (
        f"has {first} but no {WEIGHTS}; only safetensors is read, since unpickling runs code. "
        "If you trust the file, convert it: "
        f"python -c \"from transformers import AutoModel as M; M.from_pretrained('{place}')"
        f".save_pretrained('FOLDER')\" and copy {WEIGHTS} from FOLDER"
    )


def tokenizer_files(folder: Path) -> list[Path]:
    """The files that a folder's tokenizer is made from.

    Raises
    ------
    UserError
        If none of the sets in ``TOKENIZERS`` is complete.
    """
    for names in TOKENIZERS:
        if all((folder / name).is_file() for name in names):
            extras = [name for name in TOKENIZER_EXTRAS if (folder / name).is_file()]
            return [folder / name for name in (*names, *extras)]
    raise UserError(f"{folder}: has no tokenizer (tokenizer.json, vocab.txt, …)")


def random_architectures() -> tuple[str, ...]:
    """Architectures of random models."""
    return (*FAMILIES, *GENERAL)


def random_settings(place: str) -> tuple[str, dict[str, Any]]:
    """Architecture and settings of ``ARCHITECTURE:key=value,key=value``.

    The keys are those of ``RANDOM_DEFAULTS`` for every architecture: numbers of layers and heads,
    sizes, ``initializer_range`` and ``seed``.

    Returns
    -------
    architecture : str
        One of ``random_architectures()``.
    settings : dict
        All keys with their values; those not given have their defaults.

    Raises
    ------
    UserError
        If the architecture or a key is unknown, a value is not a positive number (a seed may be
        0), or ``hidden_size`` is not a multiple of ``num_attention_heads``.
    """
    architecture, _, rest = place.partition(":")
    if architecture not in random_architectures():
        raise UserError(
            f"got architecture {architecture!r}, allowed: {', '.join(random_architectures())}"
            f"{nearest(architecture, random_architectures())}"
        )
    settings = dict(RANDOM_DEFAULTS)
    for pair in filter(None, (part.strip() for part in rest.split(","))):
        key, _, value = pair.partition("=")
        if key not in RANDOM_DEFAULTS:
            raise UserError(
                f"got {key!r}, allowed: {', '.join(RANDOM_DEFAULTS)}{nearest(key, RANDOM_DEFAULTS)}"
            )
        settings[key] = _number(key, value)
    if settings["hidden_size"] % settings["num_attention_heads"]:
        raise UserError(
            f"hidden_size {settings['hidden_size']} is not a multiple of "
            f"num_attention_heads {settings['num_attention_heads']}"
        )
    return architecture, settings


def _number(key: str, value: str) -> int | float:
    try:
        number = float(value) if key == "initializer_range" else int(value)
    except ValueError:
        number = -1
    if number < 0 or (number == 0 and key != "seed"):
        raise UserError(f"{key}: got {value!r}, expected a positive number")
    return number

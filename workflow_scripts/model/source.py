"""Read the encoder's weights, configuration and tokenizer of a model source."""

import hashlib
import inspect
import json
import logging
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from workflow_scripts.common.errors import UserError, in_one_line, one_line
from workflow_scripts.model.checks import (
    INDEX,
    TOKENIZER_EXTRAS,
    TOKENIZERS,
    WEIGHTS,
    Source,
    depends_on_padding,
    local_folder,
    model_files,
    no_attention,
    no_weights,
    parse_source,
    random_settings,
    read_config_file,
    tokenizer_files,
    weight_files,
)
from workflow_scripts.model.encoder import (
    check_supported,
    classifier_class,
    classifier_of,
    draw_encoder,
    encoder_weights,
    part_of,
    quiet,
    read_config,
    reads_last_token,
)
from workflow_scripts.model.random_model import random_config, random_tokenizer
from workflow_scripts.model.running import own_logits
from workflow_scripts.model.text import Tokenizer, collate, encode, tokenizer_of

log = logging.getLogger("tunescape")

# Seed of the parameters that a source lacks.
_DRAW_SEED = 0
_HUB_FILES = [
    "config.json",
    WEIGHTS,
    INDEX,
    "model-*-of-*.safetensors",
    *sorted({name for names in TOKENIZERS for name in names}),
    *TOKENIZER_EXTRAS,
]
# Settings of what a model was used for, or of how its file was stored.
_FOREIGN_KEYS = (
    "_name_or_path",
    "architectures",
    "auto_map",
    "dtype",
    "gradient_checkpointing",
    "id2label",
    "label2id",
    "num_labels",
    "problem_type",
    "torch_dtype",
)
# Largest change of the logits by padding, as a share of the largest logit.
_MOST_BY_PADDING = 1e-3
# Texts on which readings of a tokenizer's files are compared: case, accents, signs, scripts.
_PROBES = (
    "The House isn't WHITE.",
    "Crème brûlée, naïve résumé",
    "  two  spaces\tand a tab",
    "東京 и Ελλάδα 🙂 ½ ﬁ",
    "e-mail@example.org, 3.14%",
)
# Tokens such as [CLS] and <s>.
_SPECIAL = re.compile(r"\[.*\]|<.*>")
_FOREIGN_TOKENIZER_KEYS = (
    "_name_or_path",
    "auto_map",
    "is_local",
    "local_files_only",
    "max_length",
    "name_or_path",
    "stride",
    "tokenizer_file",
    "truncation_strategy",
)


@dataclass(frozen=True)
class Pretrained:
    """A model as the workflow uses it.

    Parameters
    ----------
    config : dict
        Content of ``config.json``.
    weights : dict of str to Tensor
        The encoder in float32, by names without prefix.
    tokenizer_text : str
        Content of ``tokenizer.json``.
    tokenizer_settings : dict
        Content of ``tokenizer_config.json``.
    drawn : list of str
        Names of the weights that the source lacks; they were drawn with a fixed seed.
    ignored : list of str
        Names of the source's other weights, such as those of a head.
    sha256 : str or None
        Digest of the source's weights; None for random ones.
    revision, license : str or None
        Commit of a hub source; license that the model's README names.
    datasets : list of str
        Data that the model was trained on, as its README lists them.
    sentence_embeddings : bool
        Whether the README says that it was trained to embed sentences.
    """

    config: dict[str, Any]
    weights: dict[str, Tensor]
    tokenizer_text: str
    tokenizer_settings: dict[str, Any]
    drawn: list[str]
    ignored: list[str]
    sha256: str | None
    revision: str | None
    license: str | None
    datasets: list[str]
    sentence_embeddings: bool

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the two files."""
        return tokenizer_of(self.tokenizer_text, self.tokenizer_settings)

    def card(self) -> dict[str, Any]:
        """What is known of the model, as plain values for ``card.json``."""
        config = _as_config(self.config)
        return {
            "revision": self.revision,
            "sha256": self.sha256,
            "license": self.license,
            "datasets": self.datasets,
            "sentence_embeddings": self.sentence_embeddings,
            "random": self.sha256 is None,
            "architecture": config.model_type,
            "layers": config.num_hidden_layers,
            "hidden": config.hidden_size,
            "heads": config.num_attention_heads,
            "vocabulary": config.vocab_size,
            "max_length": self.tokenizer_settings["model_max_length"],
            "parameters": sum(tensor.numel() for tensor in self.weights.values()),
            "drawn": self.drawn,
            "ignored": self.ignored,
        }


def _as_config(values: dict[str, Any]):
    from transformers import AutoConfig

    return AutoConfig.for_model(**values)


def fetch(source: str, sha256: str | None = None, attention: bool = False) -> Pretrained:
    """Read a model from its source.

    Parameters
    ----------
    source : str
        ``package:NAME/FOLDER``, ``hub:OWNER/NAME@COMMIT``, ``dir:/FOLDER`` or
        ``random:ARCHITECTURE:key=value,…`` (see ``checks.RANDOM_DEFAULTS``).
    sha256 : str, optional
        Expected digest of the source's weights; by default they are not checked.
    attention : bool
        Whether the attention of two such models is to be compared.

    Raises
    ------
    UserError
        If the source cannot be found or read, its weights are not the expected ones
        or not finite, its logits depend on padding, or its attention cannot be compared.
    """
    with in_one_line():
        parsed = parse_source(source)
        if parsed.scheme == "random":
            return _random(parsed)
        if parsed.scheme == "hub":
            parsed = replace(parsed, revision=_full_commit(parsed))
        folder = local_folder(parsed) or _download(parsed)
        model_files(folder)
        digest = weights_digest(folder)
        if sha256 is not None and digest != sha256:
            raise UserError(f"{source}: weights have sha256 {digest}, expected {sha256}")
        module, weights, drawn = _load_encoder(folder)
        _check_finite(weights, folder)
        text, settings = _stored(_fitted(_load_tokenizer(folder), module))
        tokenizer, config = tokenizer_of(text, settings), _clean_config(folder)
        if module.config.pad_token_id is None:
            # A classifier that reads the last token finds it by the padding behind it.
            config["pad_token_id"] = module.config.pad_token_id = tokenizer.pad_token_id
        _check_forward(module, tokenizer, attention, source)
        return Pretrained(
            config=config,
            weights=weights,
            tokenizer_text=text,
            tokenizer_settings=settings,
            drawn=drawn,
            ignored=_unused(folder, module.base_model_prefix, set(weights)),
            sha256=digest,
            revision=parsed.revision,
            license=(_listed_in_readme(folder, "license") or [None])[0],
            datasets=_listed_in_readme(folder, "datasets"),
            sentence_embeddings="sentence-transformers"
            in (*_listed_in_readme(folder, "library_name"), *_listed_in_readme(folder, "tags")),
        )


def _check_finite(weights: dict[str, Tensor], folder: Path) -> None:
    for name, tensor in weights.items():
        if count := int((~torch.isfinite(tensor)).sum()):
            raise UserError(
                f"{folder}: weights: {name} has {count} of {tensor.numel()} values that are not "
                "finite (NaN or infinite)"
            )


def _check_forward(module, tokenizer: Tokenizer, attention: bool, source: str) -> None:
    """Check that padding changes no logits and, if asked for, that attention can be compared."""
    kind = module.config.model_type
    table = pd.DataFrame({"sentence": ["The", _PROBES[0]], "label": 0})
    encoded = encode(tokenizer, table, min(64, tokenizer.model_max_length))
    short = collate(encoded, np.arange(1), tokenizer.pad_token_id)
    both = collate(encoded, np.arange(2), tokenizer.pad_token_id)
    try:
        with torch.no_grad(), quiet():
            alone, padded = own_logits(module, short)[0], own_logits(module, both)[0]
            read = _read_by_transformers(module, short)
            layers = module(**short, output_attentions=True).attentions if attention else None
    except Exception as error:
        # Each architecture has requirements of its own.
        raise UserError(
            f"{source}: architecture {kind!r} is not supported: {one_line(error)[:200]}"
        ) from None
    most = alone.abs().max()
    if not (read - alone).abs().max() <= 1e-5 * most + 1e-6:
        raise UserError(
            f"{source}: architecture {kind!r} is not supported: its classifier reads another token "
            "than the last"
        )
    if not (padded - alone).abs().max() <= _MOST_BY_PADDING * most + 1e-6:
        raise UserError(f"{source}: {depends_on_padding(kind)}")
    square = short["input_ids"].shape[-1:] * 2
    if attention and not (layers and all(a is not None and a.shape[2:] == square for a in layers)):
        raise UserError(f"{source}: {no_attention(kind)}")


def _read_by_transformers(module, example: dict[str, Tensor]) -> Tensor:
    """Logits of one example by the classifier of transformers; of a decoder's last token."""
    padding = module.config.pad_token_id
    if reads_last_token(module):
        module.config.pad_token_id = None  # else the last one that is not this token
    try:
        return module(**example).logits[0]
    finally:
        module.config.pad_token_id = padding


def _random(source: Source) -> Pretrained:
    architecture, settings = random_settings(source.place)
    tokenizer = random_tokenizer(architecture, settings["vocab_size"])
    config = random_config(architecture, settings, len(tokenizer))
    text, stored = _stored(_fitted(tokenizer, classifier_of(config, labels=2)))
    weights = draw_encoder(config, settings["seed"], stream="random model")
    return Pretrained(
        config={**config.to_diff_dict(), "model_type": architecture, "dtype": "float32"},
        weights=weights,
        tokenizer_text=text,
        tokenizer_settings=stored,
        drawn=list(weights),
        ignored=[],
        sha256=None,
        revision=None,
        license=None,
        datasets=[],
        sentence_embeddings=False,
    )


def _full_commit(source: Source) -> str:
    """All 40 digits of a hub source's commit, looked up in the cache, then on the hub."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.file_download import repo_folder_name

    repo, start = source.place, source.revision
    if len(start) == 40:
        return start
    # The cache first: what has been downloaded is found without a network.
    cached = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=repo, repo_type="model"))
    found = sorted(folder.name for folder in cached.glob(f"snapshots/{start}*"))
    if not found:
        with _one_line_errors(source):
            commits = {commit.commit_id for commit in HfApi().list_repo_commits(repo)}
        found = sorted(commit for commit in commits if commit.startswith(start))
    if not found:
        raise UserError(
            f"hub:{repo}@{start}: no commit of the main branch begins with these digits; a commit "
            "elsewhere needs all 40"
        )
    if len(found) > 1:
        raise UserError(
            f"hub:{repo}@{start}: {len(found)} commits begin with these digits: {', '.join(found)}"
        )
    return found[0]


def _download(source: Source) -> Path:
    """Snapshot of a hub repository at a commit, in the Hugging Face cache."""
    from huggingface_hub import snapshot_download

    repo, place = source.place, f"hub:{source.place}@{source.revision}"
    with _one_line_errors(source):
        folder = Path(snapshot_download(repo, revision=source.revision, allow_patterns=_HUB_FILES))
    if not (folder / WEIGHTS).is_file() and not (folder / INDEX).is_file():
        raise UserError(f"{place}: {no_weights(_hub_names(source), repo)}")
    return folder


@contextmanager
def _one_line_errors(source: Source) -> Iterator[None]:
    """Raise what the hub's client raises as a UserError that names the source."""
    from huggingface_hub import constants, errors

    repo, place = source.place, f"hub:{source.place}@{source.revision}"
    try:
        with quiet():
            yield
    except errors.GatedRepoError:
        raise UserError(
            f"{place}: access is granted by its owners; ask at https://huggingface.co/{repo} and "
            "run `hf auth login`"
        ) from None
    except errors.RepositoryNotFoundError:
        raise UserError(f"{place}: no such repository, or it is private") from None
    except errors.RevisionNotFoundError:
        raise UserError(f"{place}: the repository has no such commit") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        why = (
            "HF_HUB_OFFLINE is set"
            if constants.HF_HUB_OFFLINE
            else f"the hub cannot be reached ({one_line(error.__cause__ or error)[:120]})"
        )
        raise UserError(f"{place}: not in the cache {constants.HF_HUB_CACHE}, and {why}") from None
    except Exception as error:
        # The HTTP library's own errors: no name, no route, time-outs.
        raise UserError(f"{place}: download failed ({one_line(error)[:200]})") from None


def _hub_names(source: Source) -> list[str]:
    from huggingface_hub import HfApi

    try:
        return HfApi().list_repo_files(source.place, revision=source.revision)
    except Exception as error:
        # Only to say more in an error that is raised anyway.
        log.info("cannot list %s: %s", source.place, one_line(error))
        return []


def weights_digest(folder: Path) -> str:
    """SHA-256 of a folder's weights: of the file, or of its parts' names and digests.

    Raises
    ------
    UserError
        If the folder has no safetensors weights, or a part is missing.
    """
    parts = [file for file in weight_files(folder) if file.name != INDEX]
    digests = {}
    for file in parts:
        with file.open("rb") as stream:
            digests[file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    if len(parts) == 1:
        return digests[parts[0].name]
    lines = "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _clean_config(folder: Path) -> dict[str, Any]:
    config = read_config_file(folder / "config.json")
    return {k: v for k, v in config.items() if k not in _FOREIGN_KEYS} | {"dtype": "float32"}


def _load_encoder(folder: Path) -> tuple[Any, dict[str, Tensor], list[str]]:
    """Classifier with a folder's weights, its encoder's weights, and names of those drawn."""
    config = read_config(folder)
    kind = classifier_class(config)
    config.num_labels = 2
    try:
        # What the source lacks is drawn from the global random state, then replaced below.
        with quiet(), torch.random.fork_rng(devices=[]):
            module, report = kind.from_pretrained(
                folder,
                config=config,
                dtype=torch.float32,
                attn_implementation="eager",  # which can return the attention
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                ignore_mismatched_sizes=True,  # of a head for other labels; checked below
                output_loading_info=True,
            )
    except Exception as error:
        # Whatever a broken file makes transformers raise.
        raise UserError(f"{folder}: weights: {one_line(error)[:300]}") from None
    check_supported(module)
    prefix = module.base_model_prefix
    weights = {
        name: tensor.detach()
        for name, tensor in encoder_weights(module, dict(module.named_parameters())).items()
    }
    absent = {name.removeprefix(f"{prefix}.") for name in report["missing_keys"]}
    drawn = [name for name in weights if name in absent]
    for name, got, expected in sorted(report["mismatched_keys"]):
        if part_of(name, prefix) != "head":
            raise UserError(
                f"{folder}: weights: {name} has shape {list(got)}, config.json says "
                f"{list(expected)}"
            )
    # A pooler may be missing. A model of whose layers some are missing is not pre-trained.
    essential = [name for name in drawn if part_of(name, "") != "pooler"]
    if essential:
        raise UserError(
            f"{folder}: weights: {len(essential)} of {len(weights)} parameters of the encoder are "
            f"missing ({essential[0]}, …); is it a {config.model_type} model?"
        )
    if drawn:
        log.info("not in the source, drawn with a fixed seed: %s", ", ".join(drawn))
        random = draw_encoder(config, _DRAW_SEED)
        weights |= {name: random[name] for name in drawn}
    return module, weights, drawn


def _unused(folder: Path, prefix: str, used: set[str]) -> list[str]:
    from safetensors import safe_open

    names: list[str] = []
    for file in weight_files(folder):
        if file.name != INDEX:
            with safe_open(file, "pt") as tensors:
                names += tensors.keys()

    def plain(name: str) -> str:
        name = name.removeprefix(f"{prefix}.")
        # Names that LayerNorm's parameters had in TensorFlow.
        return re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", name))

    return sorted(name for name in names if plain(name) not in used)


def read_tokenizer(folder: Path):
    """Transformers' fast tokenizer of any model's folder; code that comes with it is never run.

    Raises
    ------
    UserError
        If the folder has no tokenizer files, they cannot be read, or the tokenizer is not
        a fast one or has no padding token.
    """
    from transformers import AutoTokenizer

    tokenizer_files(Path(folder))  # without any, transformers makes one that knows no words
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_fast=True,
                **_case(Path(folder)),
            )
    except Exception as error:
        # transformers and tokenizers raise whatever the file makes them raise.
        raise UserError(f"{folder}: tokenizer: {one_line(error)[:300]}") from None
    if not tokenizer.is_fast:
        raise UserError(f"{folder}: tokenizer: no fast tokenizer (tokenizer.json) for it")
    if tokenizer.pad_token_id is None and tokenizer.eos_token is not None:
        tokenizer.pad_token = tokenizer.eos_token  # as usual for GPT-2 and Llama, which have none
    if tokenizer.pad_token_id is None:
        raise UserError(f"{folder}: tokenizer: has no padding token")
    return tokenizer


def _case(folder: Path) -> dict[str, bool]:
    """``do_lower_case`` of a ``vocab.txt`` whose folder does not say.

    A vocabulary with upper case is cased; transformers would make all text lower case.
    """
    vocabulary, settings = folder / "vocab.txt", folder / "tokenizer_config.json"
    if (folder / "tokenizer.json").is_file() or not vocabulary.is_file():
        return {}
    if settings.is_file() and "do_lower_case" in json.loads(settings.read_text("utf-8")):
        return {}
    words = vocabulary.read_text("utf-8").splitlines()
    cased = any(word != word.lower() for word in words if not _SPECIAL.fullmatch(word))
    return {"do_lower_case": False} if cased else {}


def _load_tokenizer(folder: Path):
    """The tokenizer of a folder, as its ``tokenizer.json`` says.

    transformers 5 rebuilds some tokenizers from the vocabulary and its classes' defaults, so
    that a cased vocabulary without a ``tokenizer_config.json`` would be given lower-case words.
    Where the two differ, the file is taken as it is, unless ``do_lower_case`` is stated.
    """
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    tokenizer = read_tokenizer(folder)
    file, settings = folder / "tokenizer.json", folder / "tokenizer_config.json"
    if not file.is_file():
        return tokenizer
    raw = Tokenizer.from_file(str(file))
    raw.no_padding()
    raw.no_truncation()
    if all(raw.encode(text).ids == tokenizer(text)["input_ids"] for text in _PROBES):
        return tokenizer
    if settings.is_file() and "do_lower_case" in json.loads(settings.read_text("utf-8")):
        return tokenizer
    log.warning("%s: tokenizer.json is used as it is; transformers would change it", folder)
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        model_max_length=tokenizer.model_max_length,
        model_input_names=tokenizer.model_input_names,
        **tokenizer.special_tokens_map,
    )


def _fitted(tokenizer, module):
    """A tokenizer that gives what its model takes: known ids only, no longer text, types or not."""
    config = module.config
    largest = max(tokenizer.get_vocab().values())
    if largest >= config.vocab_size:
        raise UserError(
            f"the tokenizer has ids up to {largest}, the model's vocabulary {config.vocab_size} "
            "tokens: they do not belong together"
        )
    positions = usable_positions(module)
    if positions is not None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, positions)
    names = ["input_ids", "attention_mask"]
    takes_types = "token_type_ids" in inspect.signature(type(module).forward).parameters
    if takes_types and getattr(config, "type_vocab_size", 0) > 1:
        names.insert(1, "token_type_ids")
    tokenizer.model_input_names = [n for n in names if n in tokenizer.model_input_names]
    return tokenizer


def usable_positions(module) -> int | None:
    """Longest input of a model in tokens; None if nothing limits it."""
    count = getattr(module.config, "max_position_embeddings", None)
    if not count or count < 0:
        return None
    base = getattr(module, module.base_model_prefix)
    table = getattr(getattr(base, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    # RoBERTa's kind counts positions from the padding token's id plus 1.
    return count if padding is None else count - padding - 1


def _stored(tokenizer) -> tuple[str, dict[str, Any]]:
    """``tokenizer.json``'s text and ``tokenizer_config.json``'s settings, free of local paths."""
    with tempfile.TemporaryDirectory() as folder, quiet():
        tokenizer.save_pretrained(folder)
        text = (Path(folder) / "tokenizer.json").read_text(encoding="utf-8")
        settings = json.loads((Path(folder) / "tokenizer_config.json").read_text("utf-8"))
    for key in _FOREIGN_TOKENIZER_KEYS:
        settings.pop(key, None)
    settings["model_max_length"] = tokenizer.model_max_length
    settings["model_input_names"] = tokenizer.model_input_names
    _check_stored(tokenizer, tokenizer_of(text, settings))
    return text, settings


def _check_stored(tokenizer, stored: Tokenizer) -> None:
    """Check that what is stored gives the same tokens without transformers.

    Raises
    ------
    UserError
        If it does not.
    """
    pairs = pd.DataFrame({"sentence1": _PROBES, "sentence2": _PROBES[::-1], "label": 0})
    singles = pd.DataFrame({"sentence": _PROBES, "label": 0})
    same = all(
        getattr(stored, name) == getattr(tokenizer, name)
        for name in ("pad_token_id", "cls_token_id", "sep_token_id")
    )
    for table, texts in ((singles, [_PROBES]), (pairs, [_PROBES, _PROBES[::-1]])):
        for longest in (min(most, stored.model_max_length) for most in (10, 100)):
            expected = tokenizer(*map(list, texts), truncation="longest_first", max_length=longest)
            found = encode(stored, table, longest)
            same &= found.input_ids == expected["input_ids"]
            same &= found.token_type_ids == expected.get("token_type_ids")
    if not same:
        raise UserError(
            f"tokenizer: {type(tokenizer).__name__} gives other tokens than its tokenizer.json "
            "does alone, and that file is all that jobs read"
        )


def digest_of(weights: dict[str, Tensor], *texts: str) -> str:
    """SHA-256 over weights (names, shapes, values) and texts."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].contiguous()
        digest.update(f"{name} {list(tensor.shape)}\0".encode())
        digest.update(memoryview(tensor.numpy()).cast("B"))
    for text in texts:
        digest.update(b"\0" + text.encode())
    return digest.hexdigest()


def _listed_in_readme(folder: Path, key: str) -> list[str]:
    """Values of a key in the header of a model's README: one, or a list; none without it."""
    readme = folder / "README.md"
    if not readme.is_file():
        return []
    head = re.match(r"---\n(.*?\n)---", readme.read_text("utf-8", errors="replace"), re.DOTALL)
    found = head and re.search(
        rf"^{key}:[ \t]*(?:(\S.*)|((?:\n[ \t]*- .*)+))$", head[1], re.MULTILINE
    )
    if not found:
        return []
    values = found[1].strip("[]").split(",") if found[1] else found[2].strip().split("\n")
    return [value.strip().removeprefix("- ").strip("'\" ") for value in values]

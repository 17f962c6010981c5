"""Checkpoints of a run that was trained elsewhere, as Hugging Face's Trainer writes them.

Found and checked before any job starts: only the standard library is loaded.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError, listed
from workflow_scripts.common.paths import absolute, check_not_pointer
from workflow_scripts.model.checks import (
    INDEX,
    WEIGHTS,
    check_architecture,
    check_whole,
    read_config_file,
    read_object,
    weight_files,
)

ADAPTER, ADAPTER_CONFIG = "adapter_model.safetensors", "adapter_config.json"
STATE = "trainer_state.json"
# What ``callback.SaveTrajectory`` writes into the Trainer's output folder: step 0, and a table.
START, GRADIENTS = "step-0", "gradient_norms.parquet"
_NAME = re.compile(r"checkpoint-(\d+)")
# The last matrix of a classification head, whose rows are the labels; the first of these names.
_HEADS = ("score.weight", "classifier.out_proj.weight", "classifier.weight", "logits_proj.weight")
# Settings of LoRA that change what an adapter's tensors mean, with the values that do not.
_PLAIN = {
    "alora_invocation_tokens": (None,),
    "arrow_config": (None,),
    "kasa_config": (None,),
    "layer_replication": (None,),
    "lora_bias": (False, None),
    "monteclora_config": (None,),
    "target_parameters": (None, []),
    "trainable_token_indices": (None,),
    "use_bdlora": (None, False),
    "use_dora": (False, None),
    "use_qalora": (False, None),
    "velora_config": (None,),
}
# Initialisations after which the base is no longer the one that the adapter names.
_CHANGE_BASE = ("corda", "loftq", "olora", "pissa")
# Places at which two large files are compared, and bytes at each.
_SAMPLES, _SAMPLE = 64, 4096


@dataclass(frozen=True)
class Saved:
    """A folder with the weights of one step.

    Parameters
    ----------
    folder : Path
        That holds them.
    step : int
        Optimizer steps done.
    """

    folder: Path
    step: int

    @property
    def adapter(self) -> bool:
        """Whether it holds an adapter, to be merged onto its base."""
        return (self.folder / ADAPTER_CONFIG).is_file()

    @property
    def weights(self) -> list[Path]:
        """Files of the weights: one, an index and its parts, or an adapter's."""
        if self.adapter:
            return [self.folder / ADAPTER]
        return weight_files(self.folder)

    @property
    def files(self) -> list[Path]:
        """All files that are read."""
        names = ("config.json", ADAPTER_CONFIG, STATE, "tokenizer.json")
        others = [self.folder / name for name in names]
        return [*self.weights, *(path for path in others if path.is_file())]


@dataclass(frozen=True)
class TrainerRun:
    """A run's checkpoints in the order of their steps.

    Parameters
    ----------
    checkpoints : tuple of Saved
        Those after the first step; at least one.
    start : Saved or None
        Step 0 with its head, where ``callback.SaveTrajectory`` kept it.
    gradients : Path or None
        The table of gradient norms that it wrote.
    """

    checkpoints: tuple[Saved, ...]
    start: Saved | None = None
    gradients: Path | None = None

    @property
    def last(self) -> Saved:
        """The end of the run."""
        return self.checkpoints[-1]

    @property
    def steps(self) -> list[int]:
        """Steps done at each point of the trajectory, from 0."""
        return [0, *(saved.step for saved in self.checkpoints)]

    @property
    def every(self) -> list[Saved]:
        """All folders, that of step 0 first."""
        return [*([self.start] if self.start else []), *self.checkpoints]


def find_run(source: str | Sequence[str]) -> TrainerRun:
    """Find the checkpoints of a run.

    Parameters
    ----------
    source : str or sequence of str
        ``dir:FOLDER``, a Trainer's output folder or a single checkpoint; or the folders of the
        checkpoints in their order.

    Raises
    ------
    UserError
        If there is no such folder or no checkpoint in it, or two have the same step.
    """
    if isinstance(source, str):
        folder = _folder(source)
        return _in_output(folder)
    if not source:
        raise UserError("got an empty list, expected folders of checkpoints in their order")
    folders = [_folder(one) for one in source]
    steps = [_step_of(folder) for folder in folders]
    if None in steps:
        # No steps are known: the order is all there is.
        steps = list(range(1, len(folders) + 1))
    if sorted(set(steps)) != steps:
        raise UserError(
            f"got checkpoints of steps {listed(steps)}, expected each step once, in rising order"
        )
    found = [Saved(*pair) for pair in zip(folders, steps, strict=True)]
    start = found.pop(0) if found[0].step == 0 and len(found) > 1 else None
    return TrainerRun(tuple(found), start)


def _folder(source: str) -> Path:
    if ":" in source and not source.startswith("dir:"):
        raise UserError(f"got {source!r}, expected dir:/FOLDER")
    folder = absolute(source.removeprefix("dir:"), f"got {source!r}")
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    return folder


def _in_output(folder: Path) -> TrainerRun:
    named = [(path, _NAME.fullmatch(path.name)) for path in folder.iterdir() if path.is_dir()]
    found = sorted(
        (Saved(path, int(name[1])) for path, name in named if name), key=lambda one: one.step
    )
    start = found.pop(0) if found and found[0].step == 0 else None
    if (folder / START).is_dir():
        start = Saved(folder / START, 0)
    if not found:
        if not _holds_weights(folder):
            raise UserError(
                f"{folder}: has no checkpoint-N after step 0, and {_no_weights(folder)}"
            )
        found = [Saved(folder, _step_of(folder) or 1)]
    elif _holds_weights(folder):
        final = _final(folder, found)
        found += [final] if final else []
    gradients = folder / GRADIENTS
    return TrainerRun(tuple(found), start, gradients if gradients.is_file() else None)


def _holds_weights(folder: Path) -> bool:
    return any((folder / name).is_file() for name in (WEIGHTS, INDEX, ADAPTER))


def _final(folder: Path, found: list[Saved]) -> Saved | None:
    """What ``Trainer.save_model`` wrote at the end, if no checkpoint holds it.

    It counts where the run went on after the last checkpoint.
    """
    last = found[-1]
    step = _step_of(folder) or int(state_of(last).get("max_steps") or 0)
    final = Saved(folder, step)
    if step <= last.step or final.adapter != last.adapter:
        return None
    return None if any(_same_weights(final, one) for one in found) else final


def _same_weights(one: Saved, other: Saved) -> bool:
    pairs = [one.weights, other.weights]
    if len(set(map(len, pairs))) > 1:
        return False
    return all(_same_bytes(*files) for files in zip(*pairs, strict=True))


def _same_bytes(one: Path, other: Path) -> bool:
    """Whether two files have one size and, at many places, the same bytes.

    A step of training moves all weights.
    """
    size = one.stat().st_size
    if size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        for place in range(0, size, max(_SAMPLE, math.ceil(size / _SAMPLES))):
            first.seek(place)
            second.seek(place)
            if first.read(_SAMPLE) != second.read(_SAMPLE):
                return False
    return True


def _step_of(folder: Path) -> int | None:
    """Step of a checkpoint, by its name or by the Trainer's state; None if neither says."""
    if name := _NAME.fullmatch(folder.name):
        return int(name[1])
    step = state_of(Saved(folder, 0)).get("global_step")
    return step if isinstance(step, int) else None


def state_of(saved: Saved) -> dict[str, Any]:
    """The Trainer's state beside a checkpoint; empty without one.

    Raises
    ------
    UserError
        If the file is no JSON object.
    """
    path = saved.folder / STATE
    return read_object(path) if path.is_file() else {}


def log_of(saved: Saved) -> list[dict[str, Any]]:
    """``log_history`` of the Trainer's state: what was logged up to a checkpoint."""
    log = state_of(saved).get("log_history") or []
    if not isinstance(log, list) or not all(isinstance(entry, dict) for entry in log):
        raise UserError(f"{saved.folder / STATE}: log_history is no list of objects")
    return log


def longest_input(saved: Saved) -> int | None:
    """Tokens to which a checkpoint's tokenizer last cut inputs; None where it does not say."""
    path = saved.folder / "tokenizer.json"
    cut = read_object(path).get("truncation") if path.is_file() else None
    return cut.get("max_length") if isinstance(cut, dict) else None


def base_folder(run: TrainerRun) -> Path:
    """Folder of the model that a run was fine-tuned from, as far as its files name one.

    Raises
    ------
    UserError
        If they name none, or one that is not a folder on this machine.
    """
    file, key = run.last.folder / ADAPTER_CONFIG, "base_model_name_or_path"
    if not run.last.adapter:
        file, key = run.last.folder / "config.json", "_name_or_path"
        if not file.is_file():
            raise UserError(f"{run.last.folder}: has no config.json")
    named = read_object(file).get(key)
    if isinstance(named, str) and named and Path(named).is_absolute() and Path(named).is_dir():
        folder = Path(named)
        if folder not in (saved.folder for saved in run.every):
            return folder
    if run.start is not None and not run.start.adapter:
        return run.start.folder
    remedy = "name it with `model`: a name in `models` (make own: MODEL=FOLDER)"
    if named:
        raise UserError(f"{file}: its base model is {named!r}, no folder on this machine; {remedy}")
    raise UserError(f"{file}: does not name the base model ({key}); {remedy}")


def check_checkpoints(run: TrainerRun) -> list[Path]:
    """Check the files of a run, as far as they are read before a job.

    Returns
    -------
    list of Path
        Files whose change changes the run.

    Raises
    ------
    UserError
        If weights are missing, pickled, cut off or of an unknown kind, or the checkpoints are not
        all of one run.
    """
    for saved in run.every:
        _check_saved(saved)
    for earlier, later in zip(run.checkpoints, run.checkpoints[1:], strict=False):
        _check_same_run(earlier, later)
    if run.start is not None and run.start.adapter == run.last.adapter:
        _check_shapes(shapes_of(run.start), shapes_of(run.last), run.start.folder, run.last.folder)
    return [
        *(path for saved in run.every for path in saved.files),
        *([run.gradients] if run.gradients else []),
    ]


def _check_saved(saved: Saved) -> None:
    folder = saved.folder
    if saved.adapter:
        check_adapter(read_object(folder / ADAPTER_CONFIG), folder / ADAPTER_CONFIG)
    if not _holds_weights(folder) or (saved.adapter and not (folder / ADAPTER).is_file()):
        raise UserError(f"{folder}: {_no_weights(folder)}")
    if not saved.adapter:
        config = read_config_file(folder / "config.json")
        check_architecture(config, str(folder / "config.json"))
    for path in saved.weights:
        check_not_pointer(path)
        if path.suffix == ".safetensors":
            check_whole(path)
    for path in saved.files:
        if path.name in (STATE, "tokenizer.json"):
            read_object(path)


def _no_weights(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    for name in names:
        if re.fullmatch(r"(pytorch|adapter)_model.*\.(bin|pt)", name):
            break
    else:
        return f"has no weights ({WEIGHTS}, {INDEX} or {ADAPTER})"
    convert = (
        "from transformers import AutoModelForSequenceClassification as M; "
        "M.from_pretrained('.').save_pretrained('.')"
    )
    if name.startswith("adapter"):
        convert = (
            "import torch; from safetensors.torch import save_file as save; "
            f"save(torch.load('{name}', weights_only=True), '{ADAPTER}')"
        )
    return (
        f"has {name} but no safetensors; unpickling runs code. If you trust it, convert it, in "
        f'the folder of each checkpoint: python -c "{convert}"'
    )


def check_adapter(config: Mapping[str, Any], place: Path) -> None:
    """Check that an adapter is one that can be merged: LoRA, without variants.

    Parameters
    ----------
    config : mapping
        Content of ``adapter_config.json``.
    place : Path
        Of the file, for the message.

    Raises
    ------
    UserError
        If it is not.
    """
    kind = config.get("peft_type")
    if kind != "LORA":
        raise UserError(
            f"{place}: got an adapter of the kind {kind!r}, expected LORA; merge it with peft "
            "(merge_and_unload) and save the whole model"
        )
    for key, allowed in _PLAIN.items():
        if key in config and config[key] not in allowed:
            raise UserError(
                f"{place}: {key} is {config[key]!r}, expected {allowed[0]!r}; merge the adapter "
                "with peft (merge_and_unload) and save the whole model"
            )
    drawn = str(config.get("init_lora_weights")).lower()
    if drawn.startswith(_CHANGE_BASE):
        raise UserError(
            f"{place}: init_lora_weights is {drawn!r}, which changes the base model; merge the "
            "adapter with peft (merge_and_unload) and save the whole model"
        )


def _check_same_run(earlier: Saved, later: Saved) -> None:
    pair = f"{earlier.folder.name} and {later.folder.name} are of different runs"
    if earlier.adapter != later.adapter:
        raise UserError(f"{earlier.folder.parent}: {pair}: only one of them is an adapter")
    first, second = log_of(earlier), log_of(later)
    # As text, since NaN is not equal to itself.
    if first and second and json.dumps(first) != json.dumps(second[: len(first)]):
        raise UserError(
            f"{earlier.folder.parent}: {pair}: the log of the first ({STATE}) is not how that of "
            "the second begins"
        )
    _check_shapes(shapes_of(earlier), shapes_of(later), earlier.folder, later.folder)


def _check_shapes(
    first: Mapping[str, tuple[int, ...]],
    second: Mapping[str, tuple[int, ...]],
    place: Path,
    other: Path,
) -> None:
    for name in sorted(first.keys() | second.keys()):
        if first.get(name) != second.get(name):
            got, expected = (
                list(one[name]) if name in one else "missing" for one in (first, second)
            )
            raise UserError(
                f"{place.parent}: {place.name} and {other.name} are of different runs: the shape "
                f"of {name} is {got} and {expected}"
            )


def shapes_of(saved: Saved) -> dict[str, tuple[int, ...]]:
    """Shapes of a checkpoint's tensors by name, from the headers of its files."""
    return _shapes(tuple(saved.weights))


def shapes_in(folder: Path) -> dict[str, tuple[int, ...]]:
    """Shapes of the tensors of a model's folder, likewise."""
    return _shapes(tuple(weight_files(folder)))


@cache
def _shapes(files: tuple[Path, ...]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for path in files:
        if path.suffix == ".safetensors":
            with path.open("rb") as file:
                header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
            header.pop("__metadata__", None)
            shapes |= {name: tuple(tensor["shape"]) for name, tensor in header.items()}
    return shapes


def plain_name(name: str) -> str:
    """Name of an adapter's tensor as its base has it."""
    name = name.removeprefix("base_model.model.")
    return name.replace(".modules_to_save.", ".").replace(".base_layer.", ".")


def head_name(names: Iterable[str], place: Path) -> str:
    """Name of the last matrix of a classification head, a row per label.

    Parameters
    ----------
    names : iterable of str
        Of a checkpoint's tensors.
    place : Path
        Of the checkpoint, for the message.

    Raises
    ------
    UserError
        If there is none.
    """
    plain = {plain_name(name): name for name in names}
    for head in _HEADS:
        if head in plain:
            return plain[head]
    raise UserError(
        f"{place}: has no classification head ({listed(_HEADS)}); expected a checkpoint of an "
        "AutoModelForSequenceClassification"
    )


def label_order(saved: Saved, labels: Sequence[str] | None, task: str) -> list[int] | None:
    """Rows of a checkpoint's head in the order of a task's labels.

    Parameters
    ----------
    saved : Saved
        A checkpoint.
    labels : sequence of str or None
        Of the task, in its order; None where they are not known yet.
    task : str
        Its name, for messages.

    Returns
    -------
    list of int or None
        For each label the row of the head; None where the labels are not known. Labels without
        names (``LABEL_0``), or whose task has the numbers 0, 1, …, are in the task's order.

    Raises
    ------
    UserError
        If the numbers of labels differ, or their names.
    """
    shapes = shapes_of(saved)
    rows = shapes[head_name(shapes, saved.folder)][0]
    named = _label_names(saved, rows)
    if labels is None:
        return None
    if rows != len(labels):
        raise UserError(
            f"{saved.folder}: got a head of {rows} labels{_in_brackets(named)}, task {task} has "
            f"{len(labels)} ({listed(labels)})"
        )
    same = list(range(rows))
    if named is None or list(labels) == [str(row) for row in same]:
        return same
    for spell in (str, str.casefold):
        places = {spell(name): row for row, name in enumerate(named)}
        if {spell(label) for label in labels} == set(places) and len(places) == rows:
            return [places[spell(label)] for label in labels]
    raise UserError(
        f"{saved.folder}: got the labels {listed(named)} (id2label), task {task} has "
        f"{listed(labels)}; expected the same names, or the numbers 0 to {rows - 1} in the task"
    )


def _in_brackets(named: Sequence[str] | None) -> str:
    return f" ({listed(named)})" if named else ""


def _label_names(saved: Saved, rows: int) -> list[str] | None:
    """Names of the labels by id; None where they have none."""
    path = saved.folder / "config.json"
    if not path.is_file():
        return None
    config = read_object(path)
    names = config.get("id2label")
    if not names and isinstance(config.get("label2id"), dict):
        names = {number: name for name, number in config["label2id"].items()}
    if not isinstance(names, dict):
        return None
    by_id = {str(number): str(name) for number, name in names.items()}
    if sorted(by_id) != sorted(map(str, range(rows))):
        return None
    ordered = [by_id[str(row)] for row in range(rows)]
    return None if all(re.fullmatch(r"LABEL_\d+", name) for name in ordered) else ordered


def check_base(run: TrainerRun, folder: Path) -> None:
    """Check that checkpoints are of a base model: its shapes, and its tokenizer.

    Parameters
    ----------
    run : TrainerRun
        The checkpoints.
    folder : Path
        Of the base model.

    Raises
    ------
    UserError
        If they are not.
    """
    saved, known = run.last, _without_prefix(shapes_in(folder))
    if saved.adapter:
        _check_targets(saved, known, folder)
    else:
        shapes = shapes_of(saved)
        common = 0
        for name, shape in shapes.items():
            for candidate in (name, name.partition(".")[2]):
                if candidate in known:
                    common += 1
                    if known[candidate] != shape and not _in_head(candidate):
                        raise UserError(
                            f"{saved.folder}: {name} has shape {list(shape)}, in the base model "
                            f"{folder} {list(known[candidate])}"
                        )
                    break
        if common < len(shapes) / 2:
            raise UserError(
                f"{saved.folder}: {common} of {len(shapes)} weights have the names of those of "
                f"the base model {folder}; is it a checkpoint of that model?"
            )
    _check_tokenizer(saved, folder)


def _in_head(name: str) -> bool:
    return name in _HEADS or name.replace(".bias", ".weight") in _HEADS


def _without_prefix(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Shapes by name, with and without its first part, which may be a classifier's prefix."""
    # LayerNorm's parameters had other names in TensorFlow.
    plain = {
        re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", name)): shape
        for name, shape in shapes.items()
    }
    return {name.partition(".")[2]: shape for name, shape in plain.items()} | plain


def _check_targets(saved: Saved, known: Mapping[str, tuple[int, ...]], folder: Path) -> None:
    shapes = {plain_name(name): shape for name, shape in shapes_of(saved).items()}
    for name, (rank, width) in ((n, s) for n, s in shapes.items() if n.endswith(".lora_A.weight")):
        target = name.removesuffix(".lora_A.weight")
        height = shapes.get(f"{target}.lora_B.weight", (0,))[0]
        expected = next(
            (known[one] for one in (f"{target}.weight", f"{target}.weight".partition(".")[2])
             if one in known), None,
        )  # fmt: skip
        if expected is None:
            raise UserError(f"{saved.folder}: the base model {folder} has no {target}.weight")
        if expected not in ((height, width), (width, height)):
            raise UserError(
                f"{saved.folder}: the adapter of {target} (rank {rank}) is for weights of shape "
                f"{[height, width]}, in the base model {folder} it is {list(expected)}"
            )


def _check_tokenizer(saved: Saved, folder: Path) -> None:
    """Compare the vocabularies of two tokenizers, as far as both have one in a known file."""
    own, base = (_vocabulary(one) for one in (saved.folder, folder))
    if own is None or base is None or own == base:
        return
    differing = [token for token in own.keys() | base.keys() if own.get(token) != base.get(token)]
    raise UserError(
        f"{saved.folder}: its tokenizer is another than that of the base model {folder}: "
        f"{len(differing)} tokens differ, such as {min(differing)!r}"
    )


def _vocabulary(folder: Path) -> dict[str, int] | None:
    """Ids of all tokens of a tokenizer; None without a file that lists them."""
    if (path := folder / "tokenizer.json").is_file():
        content = read_object(path)
        words = (content.get("model") or {}).get("vocab")
        if isinstance(words, list):
            words = {entry[0]: place for place, entry in enumerate(words)}
        if not isinstance(words, dict):
            return None
        added = content.get("added_tokens") or []
        return words | {token["content"]: token["id"] for token in added}
    if (path := folder / "vocab.txt").is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        return {word: place for place, word in enumerate(lines)}
    return None

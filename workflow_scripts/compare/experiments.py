"""Finished experiments: their ledgers, the curves behind them, and what they were made with.

The records of the ledgers name the files that they were made from; the atlas holds the
experiment's settings.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.atlas.files import atlas_file
from workflow_scripts.common.errors import UserError, listed, nearest, one_line
from workflow_scripts.common.tables import read_json, read_record, read_table
from workflow_scripts.rebuilds.records import record_path
from workflow_scripts.report.embedded import embedded
from workflow_scripts.report.files import ledger_files
from workflow_scripts.report.ledger import COLUMNS, PAPERS, read_outcomes

# Every finished experiment has these; the others belong to stages that may be left out.
REQUIRED = ("claims", "dynamics_claims")


@dataclass(frozen=True)
class Source:
    """Results of one model in the folder of an experiment.

    Attributes
    ----------
    folder : Path
        That holds ``results``.
    model : str
        Name of the model.
    """

    folder: Path
    model: str

    @property
    def experiment(self) -> str:
        """Name of the experiment; that of the folder if it is not recorded."""
        recorded = read_record(self.ledger("claims")).get("experiment")
        return recorded or self.folder.resolve().name

    def ledger(self, name: str) -> Path:
        """Path of a ledger, whether or not it exists."""
        return self.folder / ledger_files(name, self.model)["ledger"]

    def record(self, output: str) -> dict[str, Any]:
        """Record of an output; empty if there is none."""
        path = self.folder / record_path(output)
        return read_json(path) if path.is_file() else {}

    def evidence(self, ledger: str) -> tuple[dict[str, Any], dict[str, list[Path]]]:
        """Settings of a ledger, and the files that it rests on.

        Raises
        ------
        UserError
            If the ledger or its record is missing.
        """
        record = self.record(ledger_files(ledger, self.model)["ledger"])
        if not record.get("named_inputs"):
            raise UserError(f"no record of {ledger}")
        inputs = {
            name: [self.folder / path for path in paths]
            for name, paths in record["named_inputs"].items()
        }
        return record["spec"], inputs


@dataclass(frozen=True)
class Experiment:
    """What a finished experiment says about a model.

    Attributes
    ----------
    label : str
        What the page calls it.
    source : Source
        Where it was read from.
    ledgers : dict of str to DataFrame
        By name, those that the experiment has.
    curves : dict of str to DataFrame
        By the name of the curve: columns ``panel``, ``series``, ``run``, ``x`` and ``y``.
    missing : dict of str to str
        Why the experiment lacks a curve, by its name.
    runs : DataFrame
        Of the ledger of Hao et al. (2019), from ``report.ledger.read_outcomes``.
    settings : dict of str to str
        By key, such as ``landscape.points``; empty if they are not known.
    """

    label: str
    source: Source
    ledgers: dict[str, pd.DataFrame]
    curves: dict[str, pd.DataFrame]
    missing: dict[str, str]
    runs: pd.DataFrame
    settings: dict[str, str]


@dataclass(frozen=True)
class Curve:
    """A quantity that is drawn for every experiment.

    Attributes
    ----------
    name : str
        Of the curve and its CSV file.
    title, x, y : str
        What it shows, and the labels of its axes with units.
    read : callable
        From a ``Source`` to rows of ``panel``, ``series``, ``run``, ``x``, ``y``; ``x`` may be a
        name.
    log : bool
        Whether the vertical axis is logarithmic.
    """

    name: str
    title: str
    x: str
    y: str
    read: Callable[[Source], Iterator[pd.DataFrame]]
    log: bool = False


def _titled(task: dict[str, Any]) -> str:
    return f"{task['title']} (synthetic)" if task["synthetic"] else task["title"]


def _of_runs(source: Source, files: str) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """A table of each run of the tasks, and what all its rows have."""
    spec, inputs = source.evidence("claims")
    titles = {task["name"]: _titled(task) for task in spec["tasks"]}
    for which, path in zip(spec["scored"], inputs[files], strict=True):
        same = {"panel": titles[which["task"]], "series": which["start"], "run": which["seeds"]}
        yield same, read_table(path)


def _accuracy(source: Source) -> Iterator[pd.DataFrame]:
    for same, table in _of_runs(source, "scores"):
        yield pd.DataFrame({**same, "x": table["epoch"], "y": 100 * table["accuracy"]})


def _path(source: Source) -> Iterator[pd.DataFrame]:
    for same, table in _of_runs(source, "paths"):
        losses = np.stack(table["train_loss"]).mean(axis=1)
        yield pd.DataFrame({**same, "x": table["position"], "y": losses})


def _radii(source: Source) -> Iterator[pd.DataFrame]:
    words = {"random": "random", "onward": "beyond the end"}
    for same, table in _of_runs(source, "radii"):
        table = table[table["direction"].isin(words)]
        medians = table.groupby("direction", sort=False)["radius"].median()
        yield pd.DataFrame({**same, "x": medians.index.map(words), "y": medians.to_numpy()})


def _rollback(source: Source) -> Iterator[pd.DataFrame]:
    spec, inputs = source.evidence("claims")
    titles = {task["name"]: _titled(task) for task in spec["tasks"]}
    files = zip(spec.get("rolled_back", ()), inputs.get("rollbacks", ()), strict=True)
    for task, path in files:
        table = read_table(path)
        same = {"panel": titles[task], "series": "pretrained", "run": path.parent.name}
        accuracies = [100 * np.mean(correct) for correct in table["correct"]]
        yield pd.DataFrame({**same, "x": table["group"], "y": accuracies})


def _of_pairs(source: Source, files: str) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """A table of each pair of a model before and after fine-tuning."""
    spec, inputs = source.evidence("dynamics_claims")
    titles = {pair["name"]: _titled(pair) for pair in spec["pairs"]}
    pairs = zip(spec["pairs"], spec["drawn"], spec["models"], inputs.get(files, ()), strict=False)
    for pair, drawn, seeds, path in pairs:
        if pair["comparison"] == "change":
            same = {"panel": titles[drawn], "series": "pretrained", "run": seeds[-1]}
            yield same, read_table(path)


def _attention(source: Source) -> Iterator[pd.DataFrame]:
    for same, table in _of_pairs(source, "attention"):
        means = table.groupby("layer")["js"].mean()
        yield pd.DataFrame({**same, "x": means.index + 1, "y": means.to_numpy()})


def _similarity(measure: str) -> Callable[[Source], Iterator[pd.DataFrame]]:
    def read(source: Source) -> Iterator[pd.DataFrame]:
        for same, table in _of_pairs(source, "representations"):
            rows = table[table["measure"] == measure]
            yield pd.DataFrame({**same, "x": rows["layer"] + 1, "y": rows["value"]})

    return read


def _failed(source: Source) -> Iterator[pd.DataFrame]:
    spec, inputs = source.evidence("stability_claims")
    sweeps = [(_titled(of["task"]), sweep) for of in spec["tasks"] for sweep in of["sweeps"]]
    for (task, sweep), path in zip(sweeps, inputs["runs"], strict=True):
        runs = read_table(path, columns=["failed"])
        same = {"panel": task, "series": "pretrained", "run": f"{len(runs)} runs"}
        yield pd.DataFrame({**same, "x": [sweep], "y": 100 * runs["failed"].mean()})


CURVES = (
    Curve("accuracy", "Accuracy on the dev set", "epoch", "accuracy, %", _accuracy),
    Curve(
        "loss_path",
        "Training loss from the start to the end of training",
        "position",
        "loss, nats",
        _path,
    ),
    Curve(
        "radii",
        "Radius of the optimum",
        "direction",
        "radius (filter-normalised; α)",
        _radii,
        log=True,
    ),
    Curve(
        "rollback",
        "Accuracy with a group of layers rolled back",
        "layers rolled back",
        "accuracy, %",
        _rollback,
    ),
    Curve(
        "attention",
        "Attention before and after fine-tuning",
        "layer",
        "JS divergence, nats",
        _attention,
        log=True,
    ),
    Curve(
        "cka",
        "Representations before and after fine-tuning: CKA",
        "layer (0: embeddings)",
        "CKA distance",
        _similarity("cka_unbiased_distance"),
    ),
    Curve(
        "svcca",
        "Representations before and after fine-tuning: SVCCA",
        "layer (0: embeddings)",
        "SVCCA distance",
        _similarity("svcca"),
    ),
    Curve("failed", "Failed runs of the sweeps over seeds", "sweep", "failed runs, %", _failed),
)


def read_experiments(folders: Sequence[Path]) -> list[Experiment]:
    """Read finished experiments, each with all its models.

    Parameters
    ----------
    folders : sequence of Path
        That hold ``results``.

    Raises
    ------
    UserError
        For a folder that is missing, given twice or without a finished experiment; for a ledger of
        another version; unless there are two experiments or models.
    """
    full = [folder.resolve() for folder in folders]
    if repeated := [
        folder for folder, one in zip(folders, full, strict=True) if full.count(one) > 1
    ]:
        raise UserError(f"experiments: got {repeated[0]} twice")
    sources = [source for folder in folders for source in _sources(folder)]
    if len(sources) < 2:
        got = listed(folders) or "none"
        raise UserError(f"experiments: got {got}, expected two or more to compare")
    ledgers = [read_ledgers(source) for source in sources]
    return [
        Experiment(
            label, source, tables, *read_curves(source), read_runs(source), settings_of(source)
        )
        for label, source, tables in zip(_labels(sources), sources, ledgers, strict=True)
    ]


def _sources(folder: Path) -> list[Source]:
    """The models of a folder whose ledgers are finished."""
    if not folder.is_dir():
        near = nearest(str(folder), [path.parent for path in folder.parent.glob("*/results")])
        raise UserError(f"experiments: got {folder}, no such folder{near}")
    models = {
        path.name for room in ("report", "model") for path in (folder / "results" / room).glob("*/")
    }
    if not models:
        raise UserError(f"experiments: got {folder}, which has no results")
    sources = [Source(folder, model) for model in sorted(models)]
    finished = [one for one in sources if all(one.ledger(name).is_file() for name in REQUIRED)]
    if not finished:
        missing = next(path for name in REQUIRED if not (path := sources[0].ledger(name)).is_file())
        raise UserError(f"experiments: got {folder}, which is not finished: {missing} is missing")
    return finished


def _labels(sources: Sequence[Source]) -> list[str]:
    """Names of the experiments, or their folders where names repeat; and models that differ."""
    by_folder = {source.folder: source.experiment for source in sources}
    repeated = len(set(by_folder.values())) < len(by_folder)
    models = len({source.model for source in sources}) > 1
    return [
        (str(source.folder) if repeated else source.experiment)
        + (f", {source.model}" if models else "")
        for source in sources
    ]


def read_ledgers(source: Source) -> dict[str, pd.DataFrame]:
    """The ledgers of an experiment, by name.

    Raises
    ------
    UserError
        If one cannot be read, or has the columns of another version.
    """
    tables = {}
    for name in PAPERS:
        path = source.ledger(name)
        if not path.is_file():
            continue
        tables[name] = table = read_table(path)
        expected = ["claim", "text", *COLUMNS, *(["p_value"] if name == "stability_claims" else [])]
        if list(table.columns) != expected:
            differing = sorted(set(table.columns) ^ set(expected)) or ["their order"]
            raise UserError(
                f"{path}: has the columns of another version (differing: {listed(differing)}); run "
                "the workflow again on this experiment"
            )
    return tables


def read_curves(source: Source) -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """The curves of an experiment, and why it lacks others, by name."""
    curves, missing = {}, {}
    for curve in CURVES:
        try:
            tables = list(curve.read(source))
        except (UserError, KeyError, ValueError) as error:  # what tables of other versions raise
            missing[curve.name] = one_line(error)
            continue
        if tables:
            curves[curve.name] = pd.concat(tables, ignore_index=True)
        else:
            missing[curve.name] = "not part of the experiment"
    return curves, missing


def read_runs(source: Source) -> pd.DataFrame:
    """How the runs of the tasks ended, see ``report.ledger.read_outcomes``; empty if not known."""
    try:
        spec, inputs = source.evidence("claims")
        runs = read_outcomes(inputs["scores"], spec["scored"])
    except UserError:
        return pd.DataFrame(columns=["task", "start", "failed"])
    titles = {task["name"]: _titled(task) for task in spec["tasks"]}
    return runs.assign(task=runs["task"].map(titles))


def settings_of(source: Source) -> dict[str, str]:
    """Settings by key, as texts; empty without an atlas that holds them."""
    page = source.folder / atlas_file(source.model)
    try:
        settings = embedded(page.read_text(encoding="utf-8"))["settings"]
    except (OSError, KeyError, UserError):
        return {}
    return {key: value for name, of in settings.items() for key, value in _flat(name, of)}


def _flat(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, of in value.items():
            yield from _flat(f"{key}.{name}", of)
    else:
        yield key, "–" if value is None else json.dumps(value, ensure_ascii=False).strip('"')

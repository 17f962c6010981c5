"""The page of the comparison: the same claims, curves and settings of every experiment."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from workflow_scripts.compare.charts import css_colour, panel
from workflow_scripts.compare.experiments import CURVES, Curve, Experiment
from workflow_scripts.figures.style import START_TITLE, curve_look
from workflow_scripts.report.ledger import PAPERS, number_in_words, verdict_line

MARKS = {"o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▼", "P": "✚", "p": "⬟", ">": "▶"}


@dataclass(frozen=True)
class Number:
    """A number of a ledger, in words: what it is, its value with interval, and its runs."""

    measure: str
    value: str
    runs: int


@dataclass(frozen=True)
class Cell:
    """What an experiment says about a claim on a task: verdict, reason and deciding numbers."""

    verdict: str
    why: str
    numbers: tuple[Number, ...]


@dataclass(frozen=True)
class Row:
    """A task of a claim: a cell per experiment, or None where it has no such task."""

    task: str
    measures: tuple[str, ...]
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True)
class ClaimRows:
    """A claim: its sentence, a summary per experiment, and its tasks."""

    text: str
    summaries: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Chart:
    """A curve: its panels as (title, SVG, text), who lacks it and why, and its numbers as CSV."""

    curve: Curve
    panels: tuple[tuple[str, Markup, str], ...]
    missing: tuple[tuple[str, str], ...]
    csv: str


def comparison(experiments: Sequence[Experiment]) -> str:
    """The page, self-contained, as HTML.

    Parameters
    ----------
    experiments : sequence of Experiment
        From ``read_experiments``.
    """
    folder = Path(__file__).parent
    styles = (files("workflow_scripts.atlas") / "templates/style.css", folder / "page.css")
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.jinja").render(
        style=Markup("".join(path.read_text(encoding="utf-8") for path in styles)),
        experiments=experiments,
        keys=[
            (css_colour(place), MARKS[curve_look(place)["marker"]])
            for place in range(len(experiments))
        ],
        runs=[list(_runs(one)) for one in experiments],
        settings=differing_settings(experiments),
        unknown=[one.label for one in experiments if not one.settings],
        papers=[
            (f"{paper}: {subject}", claim_rows(experiments, name))
            for name, (paper, subject) in PAPERS.items()
            if any(name in one.ledgers for one in experiments)
        ],
        ledgers_csv=_data_link(ledgers_table(experiments)),
        charts=[chart(curve, experiments) for curve in CURVES],
    )


def _runs(one: Experiment) -> Iterator[str]:
    """Each task of an experiment, with its runs."""
    for task, of_task in one.runs.groupby("task", sort=False):
        parts = []
        for start, runs in of_task.groupby("start", sort=False):
            failed = f", {int(runs['failed'].sum())} failed" if runs["failed"].any() else ""
            parts.append(f"{len(runs)} {START_TITLE.get(start, start).lower()}{failed}")
        yield f"{task}: {'; '.join(parts)}"


def differing_settings(experiments: Sequence[Experiment]) -> list[tuple[str, list[str]]]:
    """Settings of which the experiments have different values, by key.

    Parameters
    ----------
    experiments : sequence of Experiment
        Those without settings are left out of account.
    """
    known = [one.settings for one in experiments if one.settings]
    keys = dict.fromkeys(key for settings in known for key in settings)
    return [
        (key, [one.settings.get(key, "–") if one.settings else "not known" for one in experiments])
        for key in keys
        if len({settings.get(key) for settings in known}) > 1
    ]


def claim_rows(experiments: Sequence[Experiment], ledger: str) -> list[ClaimRows]:
    """The claims of a ledger, side by side.

    Parameters
    ----------
    experiments : sequence of Experiment
        In the order of the columns.
    ledger : str
        Its name.
    """
    tables = [one.ledgers.get(ledger) for one in experiments]
    present = pd.concat([table for table in tables if table is not None])
    found = []
    for claim, every in present.groupby("claim", sort=False):
        of_claim = [None if t is None else t[t["claim"] == claim] for t in tables]
        summaries = ("not evaluated" if t is None or t.empty else verdict_line(t) for t in of_claim)
        rows = []
        for task in dict.fromkeys(every["task"]):
            of_task = [None if t is None else t[t["task"] == task] for t in of_claim]
            cells = tuple(None if t is None or t.empty else _cell(t) for t in of_task)
            first = next(cell for cell in cells if cell)
            synthetic = every[every["task"] == task]["synthetic"].any()
            title = f"{task} (synthetic)" if synthetic else task
            rows.append(Row(title, tuple(n.measure for n in first.numbers), cells))
        found.append(ClaimRows(every["text"].iloc[0], tuple(summaries), tuple(rows)))
    return found


def _cell(rows: pd.DataFrame) -> Cell:
    """The numbers that decide; where none does, all."""
    deciding = rows[rows["claimed"] != ""]
    numbers = (
        Number(row["measure"], number_in_words(row), int(row["runs"]))
        for row in (rows if deciding.empty else deciding).to_dict("records")
    )
    return Cell(rows["conclusion"].iloc[0], rows["why"].iloc[0], tuple(numbers))


def ledgers_table(experiments: Sequence[Experiment]) -> pd.DataFrame:
    """All rows of all ledgers, with the experiment, the model and the ledger first.

    Parameters
    ----------
    experiments : sequence of Experiment
        Those that are compared.
    """
    return pd.concat(
        [
            table.assign(experiment=one.label, model=one.source.model, ledger=name)
            for one in experiments
            for name, table in one.ledgers.items()
        ],
        ignore_index=True,
    ).pipe(_first, "experiment", "model", "ledger")


def _first(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    return table[[*names, *(name for name in table if name not in names)]]


def chart(curve: Curve, experiments: Sequence[Experiment]) -> Chart:
    """A curve of all experiments that have it, a panel per task.

    Parameters
    ----------
    curve : Curve
        Of ``CURVES``.
    experiments : sequence of Experiment
        Those that are compared.
    """
    tables = {
        place: one.curves[curve.name]
        for place, one in enumerate(experiments)
        if curve.name in one.curves
    }
    names = dict.fromkeys(name for table in tables.values() for name in table["panel"])
    panels = []
    for number, name in enumerate(names):
        shown = {
            place: rows
            for place, table in tables.items()
            if len(rows := table[table["panel"] == name])
        }
        text = "; ".join(_in_words(experiments[place].label, rows) for place, rows in shown.items())
        drawing = Markup(panel(curve, shown, f"{curve.name}{number}"))
        panels.append((name, drawing, text))
    missing = [
        (one.label, one.missing[curve.name]) for one in experiments if curve.name in one.missing
    ]
    every = [table.assign(experiment=experiments[p].label) for p, table in tables.items()]
    csv = _data_link(_first(pd.concat(every), "experiment")) if every else ""
    return Chart(curve, tuple(panels), tuple(missing), csv)


def _in_words(label: str, rows: pd.DataFrame) -> str:
    """The mean at the end of each line, for those who do not see it."""
    ends = []
    for series, of in rows.groupby("series", sort=False):
        last = of["x"].iloc[-1]
        mean = of[of["x"] == last]["y"].mean()
        ends.append(f"{START_TITLE.get(series, series).lower()} {mean:.3g} at {last}")
    return f"{label}: {', '.join(ends)}"


def _data_link(table: pd.DataFrame) -> str:
    """A table as CSV in a link, without a server."""
    return "data:text/csv;base64," + base64.b64encode(table.to_csv(index=False).encode()).decode()

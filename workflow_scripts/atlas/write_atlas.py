"""Write the atlas: all results of a model in one page."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from markupsafe import Markup

from workflow_scripts.atlas import facts, page, twins
from workflow_scripts.atlas.views import EXPLORED, shown_rows, views_of
from workflow_scripts.common.errors import UserError, one_line
from workflow_scripts.common.tables import read_json, read_table, write_text
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures.inputs import Surface
from workflow_scripts.figures.outcomes import point_word
from workflow_scripts.figures.style import START_TITLE
from workflow_scripts.rebuilds.records import is_damaged, versions
from workflow_scripts.rebuilds.step import run
from workflow_scripts.report.embedded import as_columns
from workflow_scripts.report.ledger import PAPERS, claim_summary, number_in_words

log = logging.getLogger("tunescape")

DIGITS = 5
# Places of their colours, as in the figures; failed runs have the same one everywhere.
PLACES = {
    **{"pretrained": 0, "scratch": 1},
    **{"successful": 0, "false": 0, "failed": 1, "true": 1},
}
# What the page calls values of a column.
WORDS = {
    "start": START_TITLE,
    "failed": {"true": "failed", "false": "did not fail"},
    "measure": {"svcca": "SVCCA", "cka": "CKA", "cka_unbiased": "unbiased CKA"},
    "quantity": {
        "train_loss": "training loss",
        "train_error": "training error",
        "dev_error": "dev error",
    },
    "outcome": {"pretrained": "pre-trained encoder"},
    "run": {"target": "the run", "continued": "continued"},
}
VERDICTS = (
    *("supported", "agrees", "inconclusive", "disagrees", "contradicted"),
    *("not applicable", "reported only"),
)  # in the order in which they are shown


@dataclass(frozen=True)
class Reader:
    """Reads result files, and remembers which of them are missing or damaged.

    Attributes
    ----------
    missing : list of str
        Paths of files that do not exist.
    damaged : list of str
        A line for each file that cannot be read, or whose checksum is not its record's.
    """

    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def read(self, path: Path, reading: Callable[[Path], Any]) -> Any:
        """What a function makes of a file; None where it cannot."""
        if not path.is_file():
            self.missing.append(str(path))
            return None
        try:
            if is_damaged(str(path)):
                raise UserError("its checksum differs from its record's")
            return reading(path)
        except Exception as error:  # whatever a broken file makes its reader raise
            what = one_line(error).removeprefix(f"{path}: ")[:200]
            self.damaged.append(f"{path}: damaged ({what})")
            log.warning(self.damaged[-1])
            return None


def write_atlas(
    card: Path,
    cards: list[Path],
    scores: list[Path],
    ledgers: list[Path],
    surfaces: list[Path],
    geometries: list[Path],
    trajectories: list[Path],
    images: list[Path],
    numbers: list[Path],
    atlas: Path,
    tasks: list[dict],
    pairs: list[dict],
    scored: list[dict],
    ledger_names: list[str],
    shown_surfaces: list[dict],
    traced: list[dict],
    sections: list[dict],
    figures: list[dict],
    left_out: list[str],
    deviations: list[list[str]],
    context: dict[str, Any],
) -> None:
    """Write the page; it names files that are missing or damaged, and shows the rest.

    Parameters
    ----------
    card : Path
        Card of the model.
    cards : list of Path
        Cards of the tasks.
    scores : list of Path
        ``scores.parquet`` of the runs in ``scored``.
    ledgers : list of Path
        Ledgers of the claims, in the order of ``ledger_names``.
    surfaces, geometries : list of Path
        ``surface.parquet`` and ``geometry.json`` of ``shown_surfaces``.
    trajectories : list of Path
        Of the runs in ``traced``.
    images, numbers : list of Path
        PNG and CSV files of the ``figures``.
    atlas : Path
        HTML file to write.
    tasks, pairs : list of dict
        Fields of a ``TaskTitle`` or ``PairTitle`` each.
    scored : list of dict
        ``task``, ``start`` and ``seeds`` of the runs.
    ledger_names : list of str
        Such as ``claims``.
    shown_surfaces : list of dict
        ``name``, ``task``, ``start`` and ``group`` of each.
    traced : list of dict
        ``surface`` (its name) and ``run`` of each trajectory.
    sections : list of dict
        ``name`` and ``title`` of the stages that have figures.
    figures : list of dict
        ``name``, ``title``, ``section``, ``claims`` and ``caption`` of each.
    left_out : list of str
        What the experiment leaves out, a line each.
    deviations : list of list of str
        What the papers did, what is done here, and why.
    context : dict
        ``experiment``, its name; ``settings`` of it, without those that never change a number;
        ``docs``, path from the page to the documentation, empty if there is none beside it.
    """
    reader = Reader()
    model_card = reader.read(card, read_json) or {"name": card.parts[-2]}
    task_cards = [reader.read(path, read_json) for path in cards]
    tables = {
        name: table
        for name, path in zip(ledger_names, ledgers, strict=True)
        if (table := reader.read(path, read_table)) is not None
    }
    drawn = read_surfaces(reader, surfaces, geometries, shown_surfaces, trajectories, traced)
    shown = [
        read_figure(reader, figure, image, csv)
        for figure, image, csv in zip(figures, images, numbers, strict=True)
    ]
    titles = {one["name"]: one for one in [*tasks, *pairs]}
    flat, surface_data = explorer(drawn, titles)
    word = point_word([TaskTitle(**task) for task in tasks])
    data = {
        "model": model_card["name"],
        "experiment": context["experiment"],
        "settings": context["settings"],
        "ledgers": {name: as_columns(table) for name, table in tables.items()},
        "tables": {one["name"]: one.pop("table") for one in shown},
        "views": {
            one["name"]: [
                {**view, "x_title": view["x_title"].replace("epoch", word)}
                for view in one.pop("views")
            ]
            for one in shown
        },
        "labels": {"": {name: one["title"] for name, one in titles.items()}, **WORDS},
        "places": {**{name: one["place"] for name, one in titles.items()}, **PLACES},
        **surface_data,
    }
    content = {
        "model": model_card,
        "experiment": context["experiment"],
        "tasks": tasks,
        "task_cards": [one for one in task_cards if one],
        "runs": outcomes(reader, scores, scored, titles),
        "ledgers": [summarised(name, table) for name, table in tables.items()],
        "twins": [{**one, "svg": Markup(one["svg"])} for one in flat],
        "sections": [
            {**section, "figures": [one for one in shown if one["section"] == section["name"]]}
            for section in sections
        ],
        "left_out": left_out,
        "missing": reader.missing,
        "damaged": reader.damaged,
        "durations": facts.durations(facts.BENCHMARKS),
        "in_words": facts.in_words,
        "machine": facts.machine(),
        "versions": versions(),
        "codes": facts.codes([*ledgers, *surfaces, *scores, *numbers, card, *cards]),
        "settings": yaml.safe_dump(
            context["settings"], sort_keys=False, allow_unicode=True, width=100
        ),
        "deviations": deviations,
        "docs": context["docs"],
    }
    write_text(page.written(data, content), atlas)


def read_surfaces(
    reader: Reader,
    surfaces: Sequence[Path],
    geometries: Sequence[Path],
    shown: Sequence[Mapping[str, Any]],
    trajectories: Sequence[Path],
    traced: Sequence[Mapping[str, str]],
) -> list[tuple[Surface, dict[str, Any], dict[str, pd.DataFrame]]]:
    """Surfaces that can be read, each with what it is and the trajectories on it.

    Parameters
    ----------
    reader : Reader
        Remembers the others.
    surfaces, geometries : sequence of Path
        Files of each.
    shown : sequence of mapping
        What each is.
    trajectories : sequence of Path
        Tables of the trajectories.
    traced : sequence of mapping
        Surface and run of each of them.
    """
    paths: dict[str, dict[str, pd.DataFrame]] = {}
    for which, path in zip(traced, trajectories, strict=True):
        table = reader.read(path, read_trajectory)
        if table is not None:
            paths.setdefault(which["surface"], {})[which["run"]] = table
    found = []
    for points, geometry, which in zip(surfaces, geometries, shown, strict=True):
        facts_of = reader.read(geometry, read_json)
        table = reader.read(points, read_points)
        if facts_of is not None and table is not None:
            found.append((Surface(facts_of, table), dict(which), paths.get(which["name"], {})))
    return found


def read_points(path: Path) -> pd.DataFrame:
    """Points of a surface; a column that is needed and missing is an error."""
    columns = ["alpha", "beta", "on_grid", "anchor", "precision", "precision_error"]
    return read_table(path, [*columns, *(one.column for one in twins.QUANTITIES)])


def read_trajectory(path: Path) -> pd.DataFrame:
    """A trajectory; a column that is needed and missing is an error."""
    losses = ["plane_train_loss", "plane_dev_error", "true_train_loss"]
    return read_table(path, ["epoch", "ls_alpha", "ls_beta", *losses])


def read_numbers(path: Path) -> pd.DataFrame:
    """Numbers of a figure; an empty field and NaN are missing."""
    return pd.read_csv(path, keep_default_na=False, na_values=["", "NaN"], low_memory=False)


def read_figure(
    reader: Reader, figure: Mapping[str, Any], image: Path, csv: Path
) -> dict[str, Any]:
    """A figure as the template and the scripts take it: images, numbers and views.

    Parameters
    ----------
    reader : Reader
        Remembers files that are missing or damaged.
    figure : mapping
        ``name`` and what else is known of it.
    image, csv : Path
        Its files.
    """
    images = reader.read(image, page.thumbnail)
    name = figure["name"]
    rows = reader.read(csv, lambda path: shown_rows(name, read_numbers(path)))
    table = {} if rows is None else as_columns(rows, DIGITS)
    views = views_of(name, list(table)) if rows is not None and len(rows) else []
    return {
        **figure,
        "thumbnail": images and images[0],
        "image": images and images[1],
        "ratio": images and images[2],
        "table": table,
        "rows": 0 if rows is None else len(rows),
        "views": [asdict(view) for view in views],
        "charts": len(views),
        "explored": name in EXPLORED,
    }


def explorer(
    drawn: Sequence[tuple[Surface, dict[str, Any], dict[str, pd.DataFrame]]],
    titles: Mapping[str, Mapping[str, Any]],
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Flat maps of all surfaces, and what the scripts draw them from.

    Parameters
    ----------
    drawn : sequence
        Of ``read_surfaces``.
    titles : mapping
        Fields of the title of each task.

    Returns
    -------
    twins : list of dict
        ``surface`` (its place), ``quantity`` and ``svg`` of each map.
    data : dict
        ``surfaces``, ``scales``, ``square`` (left, top and side of a map's square).
    """
    scale = twins.shared_scales(surface for surface, _, _ in drawn)
    # What the page shows first is what its script chooses first.
    task = drawn[0][1]["task"] if drawn else ""
    fine_tuned = [
        i for i, (_, w, _) in enumerate(drawn) if w["task"] == task and w["start"] == "pretrained"
    ]
    first = fine_tuned[0] if fine_tuned else 0
    flat = [
        {
            "surface": place,
            "quantity": quantity.column,
            "first": (place, quantity) == (first, twins.LOSS),
            "svg": twins.twin(
                surface,
                quantity,
                scale[quantity.column],
                paths,
                f"Map of the {quantity.label} of {titles[which['task']]['title']}, "
                f"{START_TITLE[which['start']].lower()}"
                + (f", {which['group']} layers" if which["group"] else ""),
            ),
        }
        for place, (surface, which, paths) in enumerate(drawn)
        for quantity in twins.QUANTITIES
    ]
    data = {
        "surfaces": [
            {
                **twins.surface_record(*one),
                "point": point_word([TaskTitle(**titles[one[1]["task"]])]),
            }
            for one in drawn
        ],
        "scales": {
            one.column: twins.scale_record(one, scale[one.column]) for one in twins.QUANTITIES
        },
        "square": [twins.LEFT, twins.TOP, twins.SIDE],
    }
    return flat, data


def outcomes(
    reader: Reader,
    scores: Sequence[Path],
    scored: Sequence[Mapping[str, str]],
    titles: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """How each run ended.

    Parameters
    ----------
    reader : Reader
        Remembers files that are missing or damaged.
    scores : sequence of Path
        Of the runs.
    scored : sequence of mapping
        Which they are.
    titles : mapping
        Fields of the title of each task.
    """
    found = []
    for path, which in zip(scores, scored, strict=True):
        table = reader.read(path, lambda p: read_table(p, ["accuracy", "majority", "failed"]))
        if table is not None and len(table):
            title, start = titles[which["task"]]["title"], START_TITLE[which["start"]]
            found.append({**which, "title": title, "words": start, **table.iloc[-1].to_dict()})
    return found


def summarised(name: str, table: pd.DataFrame) -> dict[str, Any]:
    """A ledger as the template takes it: its claims, each with verdicts, a sentence and rows.

    Parameters
    ----------
    name : str
        Of the ledger.
    table : DataFrame
        Its rows.
    """
    claims = []
    for claim, rows in table.groupby("claim", sort=False):
        text = rows["text"].iloc[0]
        verdicts = rows.drop_duplicates("task")["conclusion"].value_counts(sort=False)
        claims.append(
            {
                "name": claim,
                "text": text,
                "sentence": text.rpartition(" (")[0] or text,
                "source": text.rpartition(" (")[2].removesuffix(")"),
                "tasks": int(verdicts.sum()),
                "runs": int(rows.groupby("task")["runs"].max().sum()),
                "verdicts": [(word, int(verdicts[word])) for word in VERDICTS if word in verdicts],
                "summary": claim_summary(rows),
                "rows": [
                    {**row, "number": number_in_words(row)} for row in rows.to_dict("records")
                ],
            }
        )
    return {"name": name, "paper": PAPERS[name][0], "claims": claims}


if __name__ == "__main__":
    run(write_atlas, snakemake)

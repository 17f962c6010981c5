"""The page of what to expect: the figures of a finished default run, and what its ledgers say.

``python -m workflow_scripts.reference expect RESULTS`` fills docs/explanation/what_to_expect.md and
writes reduced copies of the figures beside it, so that no number on the page is typed by hand.
"""

import io
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from math import isfinite
from pathlib import Path

import pandas as pd
from PIL import Image

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.stage import Figure
from workflow_scripts.common.tables import read_json, read_record, read_table
from workflow_scripts.report import claims, dynamics_claims, probing_claims, stability_claims
from workflow_scripts.report.ledger import claim_summary
from workflow_scripts.stages import STAGES

LEDGERS = {
    "claims": "Hao et al. (2019)",
    "dynamics_claims": "Hao et al. (2020)",
    "stability_claims": "Mosbach et al. (2021)",
    "probing_claims": "Zhou and Srikumar (2022)",
}


def parts(results: Path) -> dict[str, str]:
    """The generated parts of the page: ``run``, ``claims`` and one per figure.

    Parameters
    ----------
    results : Path
        ``results/`` of a finished run with one model.

    Returns
    -------
    dict of str to str
        Markdown by the part's name.

    Raises
    ------
    UserError
        If the run has not drawn its figures, or has more than one model.
    """
    model = model_of(results)
    tables = {name: path for name in LEDGERS if (path := _ledger(results, model, name)).is_file()}
    ledgers = {name: read_table(path) for name, path in tables.items()}
    said = {figure.name: _figure(results, model, figure, ledgers) for figure in drawn(results)}
    return {"run": _run(results, model), "claims": _claims(ledgers), **said}


def model_of(results: Path) -> str:
    """The model of a run: the one folder of its figures.

    Raises
    ------
    UserError
        Unless there is exactly one.
    """
    models = [path.name for path in sorted((results / "figures").glob("*")) if path.is_dir()]
    if len(models) != 1:
        raise UserError(f"{results}: expected figures of one model, got {', '.join(models) or 0}")
    return models[0]


def drawn(results: Path) -> list[Figure]:
    """Figures that a run has drawn, in the order of the stages."""
    folder = results / "figures" / model_of(results)
    figures = [figure for stage in STAGES for figure in stage.figures]
    return [figure for figure in figures if (folder / f"{figure.name}.png").is_file()]


def images(results: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of the reduced copy of each figure that is not a table.

    Parameters
    ----------
    results : Path
        As for ``parts``.
    """
    for figure in drawn(results):
        if not figure.table:
            path = results / "figures" / model_of(results) / f"{figure.name}.png"
            yield f"{figure.name}.png", reduced(path.read_bytes())


def reduced(png: bytes) -> bytes:
    """A picture of the same size with 256 colours, as PNG.

    Parameters
    ----------
    png : bytes
        Any picture that Pillow reads.
    """
    # The colours are spread over all that occur, so that a small mark keeps its own.
    method = Image.Quantize.MAXCOVERAGE
    with Image.open(io.BytesIO(png)) as image:
        few = image.convert("RGB").quantize(256, method=method, dither=Image.Dither.NONE)
    out = io.BytesIO()
    few.save(out, "PNG", optimize=True)
    return out.getvalue()


def _ledger(results: Path, model: str, name: str) -> Path:
    return results / "report" / model / f"{name}.parquet"


def _figure(results: Path, model: str, figure: Figure, ledgers: dict[str, pd.DataFrame]) -> str:
    """The figure, or the table, and a line per claim that it is about."""
    if figure.table:
        text = (results / "figures" / model / f"{figure.name}.md").read_text(encoding="utf-8")
        lines = [line for line in text.splitlines() if not line.startswith("# ")]
        shown = "\n".join(lines).strip()
    else:
        shown = f"![{figure.title}](../images/{figure.name}.png)"
    table = ledgers.get(figure.ledger)
    rows = [] if table is None else [table[table["claim"] == name] for name in figure.claims]
    said = [f"- **{_text(one)}.** {claim_summary(one)}" for one in rows if len(one)]
    return "\n\n".join([shown, *(["\n".join(["What this run says:", "", *said])] if said else [])])


def _text(rows: pd.DataFrame) -> str:
    """A claim in the words that the code has now; in those of the ledger if it has none."""
    return sentences().get(rows["claim"].iloc[0], rows["text"].iloc[0])


def sentences() -> dict[str, str]:
    """All claims in words, with their sections, by name."""
    listed = (*claims.CLAIMS, *dynamics_claims.CLAIMS, *probing_claims.CLAIMS)
    said = {claim.name: f"{claim.sentence} ({claim.source})" for claim in listed}
    return {**said, **stability_claims.CLAIMS}


def _claims(ledgers: dict[str, pd.DataFrame]) -> str:
    """All claims on all tasks, a row each, with the verdict on each."""
    lines = ["| claim | verdicts of this run |", "|---|---|"]
    for name, table in ledgers.items():
        lines.append(f"| **{LEDGERS[name]}** | |")
        for _, rows in table.groupby("claim", sort=False):
            by_task = rows.drop_duplicates("task").groupby("conclusion", sort=False)["task"]
            verdicts = [f"{word} ({', '.join(tasks)})" for word, tasks in by_task]
            lines.append(f"| {_text(rows)} | {'; '.join(verdicts)} |")
    return "\n".join(lines)


def _run(results: Path, model: str) -> str:
    """Which run this is, what it took, and how its models ended."""
    ledger = _ledger(results, model, "claims")
    versions = read_record(ledger)["versions"]
    records = [
        json.loads(line)
        for path in sorted((results / "benchmarks").rglob("*.jsonl"))
        for line in path.read_text(encoding="utf-8").splitlines()[:1]
    ]
    seconds = sum(s for one in records if isfinite(s := float(one["cpu_time"] or 0)))
    card = read_json(results / "model" / model / "card.json")
    page = (results / "report" / model / "claims.md").read_text(encoding="utf-8")
    outcomes = [line for line in page.split("\n## ")[-1].splitlines() if line.startswith("|")]
    made = (
        "The figures and numbers below are those of one run of the default experiment, at "
        f"{_commit(results, ledger)}: Python {versions['python']}, PyTorch {versions['torch']}, "
        f"transformers {versions['transformers']}; {len(records)} jobs, {seconds / 60:.0f} minutes "
        f"of processor time. The model is `{card['source']}`. Its runs ended with:"
    )
    return "\n".join([made, "", *outcomes])


def _commit(results: Path, made: Path) -> str:
    """Commit and date of the checkout that a run was made in, when it made a file."""
    # The checkout may have moved on since: its log of moves knows where it was.
    when = datetime.fromtimestamp(made.stat().st_mtime, UTC).isoformat()
    command = ["git", "log", "-1", "--format=commit %h of %cs", f"HEAD@{{{when}}}", "--"]
    done = subprocess.run(command, cwd=results.parent, capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"{results}: expected a folder in a checkout, whose commit the page names")
    return done.stdout.strip()

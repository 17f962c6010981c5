"""A ledger of a paper's claims: numbers with their intervals, and a verdict on each."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isinf, isnan
from pathlib import Path
from typing import Any

import pandas as pd

from workflow_scripts.common.tables import atomic, read_table, write_table, write_text
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.landscape.radii import Bound
from workflow_scripts.report.statistics import Verdict, agreed, summary, verdict
from workflow_scripts.stability.intervals import Interval

NO_VERDICT = "no verdict rests on it."
# The paper whose claims a ledger holds, and its subject.
PAPERS = {
    "claims": ("Hao et al. (2019)", "loss landscapes"),
    "dynamics_claims": ("Hao et al. (2020)", "learning dynamics"),
    "stability_claims": ("Mosbach et al. (2021)", "stability over seeds"),
    "probing_claims": ("Zhou and Srikumar (2022)", "geometry of labels"),
}


@dataclass(frozen=True)
class LedgerRow:
    """A number that bears on a claim.

    Attributes
    ----------
    measure : str
        What the number is, with its unit.
    number : Interval
        With its 95 % interval.
    claimed : str
        Side of ``bound`` on which the paper puts the number: ``above`` or ``below``; empty if the
        paper claims nothing about it.
    bound : float
        In the number's unit.
    runs : int
        Runs behind the number.
    verdict : Verdict
        Of this number alone.
    limit : Bound
        Whether the number is only a bound.
    """

    measure: str
    number: Interval
    claimed: str
    bound: float
    runs: int
    verdict: Verdict
    limit: Bound = Bound.NONE


@dataclass(frozen=True)
class Conclusion:
    """What all numbers say together about a claim on one task (or pair of tasks).

    Attributes
    ----------
    title : TaskTitle
        The task.
    rows : list of LedgerRow
        The numbers.
    verdict : Verdict
        Of the numbers that decide together.
    """

    title: TaskTitle
    rows: list[LedgerRow]
    verdict: Verdict


@dataclass(frozen=True)
class Claim:
    """A claim of a paper and how it is evaluated.

    Attributes
    ----------
    name : str
        In the ledger.
    sentence : str
        The claim in words.
    source : str
        Section of the paper.
    reads : type
        Record of the evidence that it needs.
    evaluate : callable
        From such a record to conclusions.
    """

    name: str
    sentence: str
    source: str
    reads: type
    evaluate: Callable[[Any], list[Conclusion]]


def decided(
    measure: str,
    number: Interval,
    claimed: str,
    bound: float,
    runs: int,
    unmet: str = "",
    one_model: bool = False,
    limit: Bound = Bound.NONE,
) -> LedgerRow:
    """A number with its verdict; see ``LedgerRow`` and ``statistics.verdict``."""
    word = verdict(number, claimed, bound, runs, unmet, one_model)
    return LedgerRow(measure, number, claimed, bound, runs, word, limit)


def reported(measure: str, number: Interval, runs: int, limit: Bound = Bound.NONE) -> LedgerRow:
    """A number about which the paper claims nothing; see ``LedgerRow``."""
    return decided(measure, number, "", 0.0, runs, limit=limit)


def concluded(
    title: TaskTitle, deciding: Mapping[str, LedgerRow], others: Sequence[LedgerRow] = ()
) -> Conclusion:
    """Conclusion of the numbers that must agree, with others beside.

    Parameters
    ----------
    title : TaskTitle
        The task.
    deciding : mapping of str to LedgerRow
        By a short name of the measure, for the reason of a verdict that they do not share.
    others : sequence of LedgerRow
        Numbers that do not enter the verdict.
    """
    word = agreed({name: row.verdict for name, row in deciding.items()})
    return Conclusion(title, [*deciding.values(), *others], word)


def ledger_table(claims: Sequence[Claim], evidence: Iterable[Any]) -> pd.DataFrame:
    """Evaluate every claim on every record of evidence that it reads.

    Parameters
    ----------
    claims : sequence of Claim
        In their order in the ledger.
    evidence : iterable of records
        Each is let go before the next is read.

    Returns
    -------
    DataFrame
        ``claim`` (its name), ``text``, ``task`` (its title), ``synthetic``, ``measure``, ``value``,
        ``low``, ``high``, ``limit`` (``≥`` or ``≤`` if the value is a bound), ``claimed``,
        ``bound``, ``runs``, ``verdict`` and ``reason`` of the number; ``conclusion`` and ``why`` of
        the claim on the task.
    """
    found: dict[str, list[Conclusion]] = {claim.name: [] for claim in claims}
    for record in evidence:
        for claim in claims:
            if isinstance(record, claim.reads):
                found[claim.name] += claim.evaluate(record)
    texts = {claim.name: f"{claim.sentence} ({claim.source})" for claim in claims}
    rows = [
        {"claim": name, "text": texts[name], **fields}
        for name, conclusions in found.items()
        for conclusion in conclusions
        for fields in _as_rows(conclusion)
    ]
    return pd.DataFrame(rows, columns=["claim", "text", *COLUMNS]).astype(
        dict.fromkeys(["value", "low", "high", "bound"], float)
    )


COLUMNS = (
    *("task", "synthetic", "measure", "value", "low", "high", "limit", "claimed", "bound"),
    *("runs", "verdict", "reason", "conclusion", "why"),
)


def _as_rows(conclusion: Conclusion) -> list[dict[str, Any]]:
    return [
        {
            "task": conclusion.title.title,
            "synthetic": conclusion.title.synthetic,
            "measure": row.measure,
            "value": row.number.value,
            "low": row.number.low,
            "high": row.number.high,
            "limit": row.limit.value,
            "claimed": row.claimed,
            "bound": row.bound,
            "runs": row.runs,
            "verdict": row.verdict.word,
            "reason": row.verdict.reason,
            "conclusion": conclusion.verdict.word,
            "why": conclusion.verdict.reason,
        }
        for row in conclusion.rows
    ]


def read_outcomes(scores: Sequence[Path], scored: Sequence[dict[str, str]]) -> pd.DataFrame:
    """How runs ended.

    Parameters
    ----------
    scores : sequence of Path
        ``scores.parquet`` of each.
    scored : sequence of dict
        Which runs they are: ``name`` (of the task or pair of models that they belong to),
        ``task``, ``start``, ``seeds``.

    Returns
    -------
    DataFrame
        The keys of ``scored``, and of the last epoch ``accuracy``, ``majority`` (0 to 1) and
        ``failed``.

    Raises
    ------
    ValueError
        Unless there are as many of either.
    """
    columns = ["accuracy", "majority", "failed"]
    ends = [read_table(path, columns).iloc[-1].to_dict() for path in scores]
    return pd.DataFrame([which | end for which, end in zip(scored, ends, strict=True)])


def write_ledger(
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    ledger: Path,
    csv: Path,
    markdown: Path,
    failed: str = NO_VERDICT,
) -> None:
    """Write a ledger.

    Parameters
    ----------
    table : DataFrame
        From ``ledger_table``.
    outcomes : DataFrame
        From ``read_outcomes``.
    ledger, csv, markdown : Path
        Parquet, CSV and Markdown files to write; the first is named as in ``PAPERS``.
    failed : str
        What failed runs mean to the ledger, in a sentence.
    """
    write_table(table, ledger)
    with atomic(csv) as draft:
        table.to_csv(draft, index=False)
    title = f"Claims of {PAPERS[ledger.stem][0]}"
    write_text(as_markdown(table, outcomes, title, failed), markdown)


def claim_summary(rows: pd.DataFrame) -> str:
    """One line on a claim over all tasks, and the number that decides on one of them.

    Parameters
    ----------
    rows : DataFrame
        Of one claim, from ``ledger_table``.
    """
    line = verdict_line(rows)
    by_task = rows.drop_duplicates("task")
    kinds = ("contradicted", "supported", "disagrees", "agrees", "inconclusive", "not applicable")
    kind = next(word for word in (*kinds, "reported only") if (by_task["conclusion"] == word).any())
    shown = rows[rows["conclusion"] == kind].iloc[0]
    if kind == "not applicable":
        return f"{line} {shown['task']}: {shown['why']}."
    why = f" ({shown['why']})" if kind == "inconclusive" and shown["why"] else ""
    return f"{line} {shown['task']}: {shown['measure']}: {number_in_words(shown)}{why}."


def verdict_line(rows: pd.DataFrame) -> str:
    """On how many tasks a claim holds, and from how many runs, as a sentence.

    Parameters
    ----------
    rows : DataFrame
        Of one claim, from ``ledger_table``.
    """
    by_task = rows.drop_duplicates("task")
    verdicts = [Verdict(*pair) for pair in zip(by_task["conclusion"], by_task["why"], strict=True)]
    runs = int(rows.groupby("task")["runs"].max().sum())
    return f"{_capital(summary(verdicts, runs))}."


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def number_in_words(row: Any) -> str:
    """A value of a ledger with its interval, as one phrase."""
    interval = _interval(row["low"], row["high"])
    said = _value(row)
    return f"{said} [{interval}]" if interval else said


def _value(row: Any) -> str:
    """A value, with a sign in front if it is a bound."""
    if isnan(row["value"]):
        return "not defined"
    return f"{row['limit']} {row['value']:.3g}".strip()


def _interval(low: float, high: float) -> str:
    if not (isfinite(low) or isinf(low)):
        return ""
    ends = ("" if isinf(end) else f"{end:.3g}" for end in (low, high))
    return " to ".join(end or "…" for end in ends)


def as_markdown(
    table: pd.DataFrame, outcomes: pd.DataFrame, title: str, failed: str = NO_VERDICT
) -> str:
    """The ledger as a page: a summary line per claim, then the numbers of each.

    Parameters
    ----------
    table : DataFrame
        From ``ledger_table``.
    outcomes : DataFrame
        From ``read_outcomes``.
    title : str
        Of the page.
    failed : str
        What failed runs mean to the ledger, in a sentence.

    Returns
    -------
    str
    """
    groups = [rows for _, rows in table.groupby("claim", sort=False)]
    lines = [
        f"# {title}",
        "",
        "What the runs say about each claim. `supported` and `contradicted` need 3 runs; with "
        "fewer, a number `agrees` or `disagrees`.",
        "",
        "| claim | what the runs say |",
        "|---|---|",
        *(f"| {rows['text'].iloc[0]} | {claim_summary(rows)} |" for rows in groups),
        "",
        "Below, each number with its 95 % interval, what the paper claims, and the verdict; the "
        "last column is the verdict on the claim for the task.",
    ]
    for rows in groups:
        lines += ["", f"## {rows['text'].iloc[0]}", ""]
        lines += ["| task | number | value | interval | claimed | runs | verdict | claim |"]
        lines += ["|---" * 8 + "|"]
        before = None
        for r in rows.to_dict("records"):
            task = f"{r['task']} (synthetic)" if r["synthetic"] else r["task"]
            claimed = f"{r['claimed']} {r['bound']:.3g}" if r["claimed"] else ""
            value = _value(r)
            whole = str(Verdict(r["conclusion"], r["why"]))
            own = str(Verdict(r["verdict"], r["reason"]))
            lines.append(
                f"| {task} | {r['measure']} | {value} | {_interval(r['low'], r['high']) or 'none'} "
                f"| {claimed} | {r['runs']} | {r['verdict'] if own == whole else own} "
                f"| {'' if task == before else whole} |"
            )
            before = task
    lines += ["", "## Did the runs learn?", ""]
    lines += [
        "Accuracy on the dev set at the end, and that of always answering with its most frequent "
        f"label. A run that is no better has failed: {failed}",
        "",
        "| task | start | seeds | accuracy | majority class | |",
        "|---" * 6 + "|",
    ]
    runs = outcomes.drop(columns="name").drop_duplicates()
    lines += [
        f"| {r.task} | {r.start} | {r.seeds} | {100 * r.accuracy:.1f} % | {100 * r.majority:.1f} % "
        f"| {'failed' if r.failed else ''} |"
        for r in runs.itertuples()
    ]
    return "\n".join(lines) + "\n"

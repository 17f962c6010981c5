"""A ledger of a paper's claims: numbers with their intervals, and a verdict on each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from workflow_scripts.common.intervals import percentile_interval
from workflow_scripts.common.tables import atomic, read_table, write_table, write_text

Verdict = Literal["supported", "contradicted", "inconclusive", "not applicable", "reported only"]


@dataclass(frozen=True)
class LedgerRow:
    """A number that bears on a claim.

    Attributes
    ----------
    task : str
        The task or the pair of models that it belongs to.
    measure : str
        What the number is, with its unit.
    value : float
        The number.
    low, high : float
        Its 95 % interval; NaN for none.
    claimed : {"above", "below", ""}
        Side of ``bound`` on which the paper puts the number; empty if the paper claims nothing.
    bound : float
        In the number's unit.
    applicable : bool
        Whether all runs that the number rests on have learned.
    """

    task: str
    measure: str
    value: float
    low: float
    high: float
    claimed: Literal["above", "below", ""]
    bound: float
    applicable: bool = True

    @property
    def verdict(self) -> Verdict:
        """Whether the interval supports the claim; without one, the number itself is judged.

        It is ``supported`` if the whole interval lies on the claimed side of the bound,
        ``contradicted`` if it lies on the other side, and ``inconclusive`` if it contains the
        bound or is not a number. ``reported only`` : the paper claims nothing about the number.
        ``not applicable`` : a run that it rests on is no better than the majority class.
        """
        if not self.claimed:
            return "reported only"
        if not self.applicable:
            return "not applicable"
        low, high = (self.low, self.high) if np.isfinite(self.low) else (self.value, self.value)
        if np.isnan(low) or np.isnan(high):
            return "inconclusive"
        sign = 1 if self.claimed == "above" else -1
        ends = sorted((sign * (low - self.bound), sign * (high - self.bound)))
        if ends[0] > 0:
            return "supported"
        return "contradicted" if ends[1] < 0 else "inconclusive"


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
        From such a record to ledger rows.
    """

    name: str
    sentence: str
    source: str
    reads: type
    evaluate: Callable[[Any], list[LedgerRow]]


def finite_interval(draws: np.ndarray) -> tuple[float, float]:
    """95 % interval of a bootstrap sample; NaN without any finite value.

    Parameters
    ----------
    draws : ndarray of shape (resamples,)
        Values that are not finite are left out.
    """
    draws = np.asarray(draws)[np.isfinite(draws)]
    low, high = percentile_interval(draws) if len(draws) else (np.nan, np.nan)
    return float(low), float(high)


def ledger_table(claims: Sequence[Claim], evidence: Iterable[Any]) -> pd.DataFrame:
    """Evaluate every claim on every record of evidence that it reads.

    Parameters
    ----------
    claims : sequence of Claim
        In the order of the rows of one record.
    evidence : iterable of records
        Each is let go before the next is read.

    Returns
    -------
    DataFrame
        ``claim`` (its name), ``text``, the fields of ``LedgerRow``, and ``verdict``.
    """
    rows: list[dict[str, Any]] = []
    for record in evidence:
        for claim in claims:
            if isinstance(record, claim.reads):
                text = f"{claim.sentence} ({claim.source})"
                rows += [
                    {"claim": claim.name, "text": text, **asdict(row), "verdict": row.verdict}
                    for row in claim.evaluate(record)
                ]
    for row in rows:
        del row["applicable"]  # the verdict says it
    return pd.DataFrame(rows).astype(dict.fromkeys(["value", "low", "high", "bound"], float))


def without_verdict(rows: Iterable[LedgerRow], failed: bool) -> list[LedgerRow]:
    """These rows, without a verdict where a run that they rest on has failed."""
    return [replace(row, applicable=row.applicable and not failed) for row in rows]


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
    title: str,
    ledger: Path,
    csv: Path,
    markdown: Path,
) -> None:
    """Write a ledger.

    Parameters
    ----------
    table : DataFrame
        From ``ledger_table``.
    outcomes : DataFrame
        From ``read_outcomes``.
    title : str
        Of the Markdown page.
    ledger, csv, markdown : Path
        Parquet, CSV and Markdown files to write.
    """
    write_table(table, ledger)
    with atomic(csv) as draft:
        table.to_csv(draft, index=False)
    write_text(as_markdown(table, outcomes, title), markdown)


def as_markdown(table: pd.DataFrame, outcomes: pd.DataFrame, title: str) -> str:
    """The ledger as a page with a section per claim.

    Parameters
    ----------
    table : DataFrame
        From ``ledger_table``.
    outcomes : DataFrame
        From ``read_outcomes``.
    title : str
        Of the page.

    Returns
    -------
    str
    """
    lines = [
        f"# {title}",
        "",
        "Each number with its 95 % interval; what the paper claims; the verdict.",
    ]
    for _, group in table.groupby("claim", sort=False):
        lines += ["", f"## {group['text'].iloc[0]}", ""]
        lines += ["| task | measure | value | interval | claimed | verdict |", "|---" * 6 + "|"]
        for r in group.itertuples():
            interval = f"{r.low:.3g} to {r.high:.3g}" if np.isfinite(r.low) else "none"
            claimed = f"{r.claimed} {r.bound:.3g}" if r.claimed else ""
            lines.append(
                f"| {r.task} | {r.measure} | {r.value:.3g} | {interval} | {claimed} | {r.verdict} |"
            )
    lines += ["", "## Did the runs learn?", ""]
    lines += [
        "Accuracy on the dev set at the end, and that of always answering with its most frequent "
        "label. A run that is no better has failed: no verdict rests on it.",
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

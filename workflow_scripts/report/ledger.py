"""A ledger of a paper's claims: numbers with their intervals, and a verdict on each."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from workflow_scripts.common.intervals import percentile_interval
from workflow_scripts.common.tables import atomic, write_table, write_text

Verdict = Literal["supported", "contradicted", "inconclusive", "reported only"]


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
    """

    task: str
    measure: str
    value: float
    low: float
    high: float
    claimed: Literal["above", "below", ""]
    bound: float

    @property
    def verdict(self) -> Verdict:
        """Whether the interval supports the claim; without one, the number itself is judged.

        It is ``supported`` if the whole interval lies on the claimed side of the bound,
        ``contradicted`` if it lies on the other side, and ``inconclusive`` if it contains the
        bound or is not a number. ``reported only`` : the paper claims nothing about the number.
        """
        if not self.claimed:
            return "reported only"
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
                    {"claim": claim.name, "text": text, **vars(row), "verdict": row.verdict}
                    for row in claim.evaluate(record)
                ]
    return pd.DataFrame(rows).astype(dict.fromkeys(["value", "low", "high", "bound"], float))


def write_ledger(table: pd.DataFrame, title: str, ledger: Path, csv: Path, markdown: Path) -> None:
    """Write a ledger.

    Parameters
    ----------
    table : DataFrame
        From ``ledger_table``.
    title : str
        Of the Markdown page.
    ledger, csv, markdown : Path
        Parquet, CSV and Markdown files to write.
    """
    write_table(table, ledger)
    with atomic(csv) as draft:
        table.to_csv(draft, index=False)
    write_text(as_markdown(table, title), markdown)


def as_markdown(table: pd.DataFrame, title: str) -> str:
    """The ledger as a page with a section per claim.

    Parameters
    ----------
    table : DataFrame
        From ``ledger_table``.
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
    return "\n".join(lines) + "\n"

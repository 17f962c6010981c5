"""A ledger of claims: each a number with an interval, the side on which a paper puts it, a verdict.

A row has ``claim`` (its name), ``task``, ``measure`` (what the number is), ``value``, ``low``,
``high`` (95 % interval), and ``claimed``, the side of ``bound`` on which the paper puts the number
(``above`` or ``below``).
"""

from pathlib import Path

import numpy as np
import pandas as pd

from workflow_scripts.common.intervals import percentile_interval
from workflow_scripts.common.tables import atomic, write_table, write_text


def row(claim: str, task: str, measure: str, draws, value: float, claimed: str, bound: float):
    """A row of the ledger.

    Parameters
    ----------
    claim : its name.
    task, measure : whose number it is, and what it is, in words with its unit.
    draws : bootstrap sample of the number, whose 2.5th and 97.5th percentiles are the interval
        (NaN is left out); or the interval itself, (low, high), NaN for none.
    value : the number.
    claimed : side of ``bound`` on which the paper puts it, ``above`` or ``below``; empty if the
        paper says nothing about it.
    bound : in the number's unit.
    """
    if isinstance(draws, tuple):
        low, high = draws
    else:
        draws = np.asarray(draws)[np.isfinite(draws)]
        low, high = percentile_interval(draws) if len(draws) else (np.nan, np.nan)
    return {
        "claim": claim,
        "task": task,
        "measure": measure,
        "value": float(value),
        "low": float(low),
        "high": float(high),
        "claimed": claimed,
        "bound": float(bound),
    }


def with_verdicts(rows: list[dict], claims: dict[str, str]) -> pd.DataFrame:
    """The ledger with ``text`` (the paper's claim, from ``claims`` by its name) and ``verdict``.

    ``holds`` : the whole interval lies on the claimed side; ``contradicted`` : on the other;
    ``undecided`` : it straddles the bound, or cannot be told. A number without an interval is
    judged by itself. ``shown beside`` : the paper claims nothing about it.
    """
    table = pd.DataFrame(rows)
    table.insert(1, "text", table["claim"].map(claims))
    table["verdict"] = [_verdict(r) for r in rows]
    return table


def _verdict(r: dict) -> str:
    if not r["claimed"]:
        return "shown beside"
    low, high = (r["low"], r["high"]) if np.isfinite(r["low"]) else (r["value"], r["value"])
    if np.isnan(low) or np.isnan(high):
        return "undecided"
    sign = 1 if r["claimed"] == "above" else -1
    ends = sorted((sign * (low - r["bound"]), sign * (high - r["bound"])))
    if ends[0] > 0:
        return "holds"
    return "contradicted" if ends[1] < 0 else "undecided"


def write_ledger(table: pd.DataFrame, title: str, ledger: Path, csv: Path, markdown: Path) -> None:
    """Write a ledger (from ``with_verdicts``) as Parquet, CSV and, under a title, Markdown."""
    write_table(table, ledger)
    with atomic(csv) as draft:
        table.to_csv(draft, index=False)
    write_text(as_markdown(table, title), markdown)


def as_markdown(table: pd.DataFrame, title: str) -> str:
    """The ledger as a page: a section per claim, a line per number.

    ``table`` : from ``with_verdicts``.
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
            spread = f"{r.low:.3g} to {r.high:.3g}" if np.isfinite(r.low) else "none"
            claimed = f"{r.claimed} {r.bound:.3g}" if r.claimed else ""
            lines.append(
                f"| {r.task} | {r.measure} | {r.value:.3g} | {spread} | {claimed} | {r.verdict} |"
            )
    return "\n".join(lines) + "\n"

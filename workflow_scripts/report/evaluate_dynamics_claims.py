"""Weigh the claims on learning dynamics against the measured numbers."""

from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.rebuilds.step import run
from workflow_scripts.report import dynamics_claims as claims
from workflow_scripts.report.ledger import with_verdicts, write_ledger

AGREEMENT = {"seeds": "seeds_share_low_layers", "tasks": "tasks_share_low_layers"}


def evaluate_dynamics_claims(
    representations: list[Path],
    ledger: Path,
    csv: Path,
    markdown: Path,
    pairs: list[dict],
    resamples: int,
    attention: list[Path] | None = None,
    rollbacks: list[Path] | None = None,
) -> None:
    """Write the ledger of claims as Parquet (``ledger``), CSV and Markdown.

    Parameters
    ----------
    representations, attention : tables of all ``pairs``, in their order; without ``attention`` its
        claims are left out.
    rollbacks : tables of the pairs of kind ``change``, in their order; likewise.
    pairs : ``title`` and ``comparison`` (``change``, ``seeds`` or ``tasks``); of the pairs of tasks
        the most alike first.
    resamples : bootstrap samples of the examples, for attention.

    Raises
    ------
    UserError : for a model of fewer than 3 layers.
    ValueError : if a list is not as long as the pairs ask.
    """
    kinds = {"representations": [claims.likeness_curve(read_table(p)) for p in representations]}
    if attention:
        columns = ["example", "layer", "js"]
        kinds["attention"] = [
            claims.attention_curve(read_table(path, columns), resamples) for path in attention
        ]
    rows: list[dict] = []
    for kind, curves in kinds.items():
        compared = list(zip(pairs, curves, strict=True))
        for pair, curve in compared:
            title, comparison = pair["title"], pair["comparison"]
            if comparison in AGREEMENT:
                rows += claims.low_layers_agree(AGREEMENT[comparison], title, curve)
            elif kind == "attention":
                rows += claims.attention_changes_last(title, curve)
            else:
                rows += claims.representations_change_later(title, curve)
        rows += claims.unlike_tasks_differ_more(
            [(pair["title"], curve) for pair, curve in compared if pair["comparison"] == "tasks"]
        )
    changes = [pair for pair in pairs if pair["comparison"] == "change"]
    for pair, path in zip(changes if rollbacks else [], rollbacks or [], strict=True):
        rows += claims.low_layers_back(pair["title"], claims.likeness_curve(read_table(path)))
    rows.sort(key=lambda one: list(claims.CLAIMS).index(one["claim"]))
    table = with_verdicts(rows, claims.CLAIMS)
    write_ledger(table, "Claims of Hao et al. (2020)", ledger, csv, markdown)


if __name__ == "__main__":
    run(evaluate_dynamics_claims, snakemake)

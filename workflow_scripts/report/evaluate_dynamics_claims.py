"""Evaluate the claims of Hao et al. (2020) on the measured numbers."""

from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.common.titles import PairTitle
from workflow_scripts.rebuilds.step import run
from workflow_scripts.report.dynamics_claims import (
    CLAIMS,
    DynamicsEvidence,
    PairCurve,
    attention_curve,
    similarity_curve,
)
from workflow_scripts.report.ledger import ledger_table, read_outcomes, write_ledger


def evaluate_dynamics_claims(
    representations: list[Path],
    ledger: Path,
    csv: Path,
    markdown: Path,
    pairs: list[dict],
    resamples: int,
    scores: list[Path],
    scored: list[dict],
    attention: list[Path] | None = None,
    rollbacks: list[Path] | None = None,
) -> None:
    """Write the ledger of claims.

    Parameters
    ----------
    representations : list of Path
        Tables of all ``pairs``, in their order.
    ledger, csv, markdown : Path
        Parquet, CSV and Markdown files to write.
    pairs : list of dict
        Fields of a ``PairTitle`` each; of the pairs of tasks the most similar first.
    resamples : int
        Bootstrap samples of the examples, for attention.
    scores, scored : list of Path, of dict
        Scores of the fine-tuned models of all ``pairs``, and which they are; see
        ``ledger.read_outcomes``.
    attention : list of Path, optional
        Tables of all ``pairs``, in their order; without them their claims are left out.
    rollbacks : list of Path, optional
        Tables of the pairs that compare ``change``, in their order; likewise.

    Raises
    ------
    UserError
        For a model of fewer than 3 layers.
    ValueError
        If the number of files does not match the pairs.
    """
    titles = [PairTitle(**pair) for pair in pairs]
    changes = [title for title in titles if title.comparison == "change"]
    columns = ["example", "layer", "js"]
    outcomes = read_outcomes(scores, scored)
    failed = outcomes.groupby("name")["failed"].any()
    evidence = DynamicsEvidence(
        [
            PairCurve(title, similarity_curve(read_table(path)), failed[title.name])
            for title, path in zip(titles, representations, strict=True)
        ],
        [
            PairCurve(
                title, attention_curve(read_table(path, columns), resamples), failed[title.name]
            )
            for title, path in zip(titles if attention else [], attention or [], strict=True)
        ],
        [
            PairCurve(title, similarity_curve(read_table(path)), failed[title.name])
            for title, path in zip(changes if rollbacks else [], rollbacks or [], strict=True)
        ],
    )
    table = ledger_table(CLAIMS, [evidence])
    write_ledger(table, outcomes, "Claims of Hao et al. (2020)", ledger, csv, markdown)


if __name__ == "__main__":
    run(evaluate_dynamics_claims, snakemake)

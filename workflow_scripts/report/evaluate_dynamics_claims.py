"""Evaluate the claims of Hao et al. (2020) on the measured numbers."""

from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.common.titles import PairTitle
from workflow_scripts.rebuilds.step import run
from workflow_scripts.report.dynamics_claims import (
    ATTENTION,
    CLAIMS,
    SIMILARITIES,
    Curve,
    DynamicsEvidence,
    PairCurves,
    attention_curve,
    grouped,
    similarity_curve,
)
from workflow_scripts.report.ledger import ledger_table, read_outcomes, write_ledger


def evaluate_dynamics_claims(
    representations: list[Path],
    ledger: Path,
    csv: Path,
    markdown: Path,
    pairs: list[dict],
    drawn: list[str],
    models: list[list[str]],
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
    drawn : list of str
        For each pair the name of the one that differs from it in its seeds at most.
    models : list of [str, str]
        Seeds of each pair's two runs.
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
    titles = {pair["name"]: PairTitle(**pair) for pair in pairs}
    columns = ["example", "layer", "js"]
    outcomes = read_outcomes(scores, scored)
    failed = outcomes.groupby("name")["failed"].any()

    def curves(names: list[str], tables: list[dict[str, Curve]]) -> list[PairCurves]:
        places = {name: place for place, name in enumerate(titles)}
        return [
            PairCurves(
                titles[drawn[places[name]]],
                tuple(models[places[name]]),
                measures,
                bool(failed[name]),
            )
            for name, measures in zip(names, tables, strict=True)
        ]

    def similarities(path: Path) -> dict[str, Curve]:
        table = read_table(path)
        return {measure: similarity_curve(table, measure) for measure in SIMILARITIES}

    measured = [similarities(path) for path in representations]
    if attention:
        measured = [
            {**one, ATTENTION: attention_curve(read_table(path, columns), resamples)}
            for one, path in zip(measured, attention, strict=True)
        ]
    changes = [name for name, title in titles.items() if title.comparison == "change"]
    rolled_back = [similarities(path) for path in rollbacks or []]
    evidence = DynamicsEvidence(
        grouped(curves(list(titles), measured)),
        grouped(curves(changes if rollbacks else [], rolled_back)),
    )
    table = ledger_table(CLAIMS, [evidence])
    write_ledger(table, outcomes, ledger, csv, markdown)


if __name__ == "__main__":
    run(evaluate_dynamics_claims, snakemake)

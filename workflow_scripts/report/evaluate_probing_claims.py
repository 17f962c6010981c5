"""Evaluate the claims of Zhou and Srikumar (2022) on the measured numbers."""

from pathlib import Path

from workflow_scripts.common.tables import read_table
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.probing.tables import distances_of
from workflow_scripts.rebuilds.step import run
from workflow_scripts.report.ledger import ledger_table, read_outcomes, write_ledger
from workflow_scripts.report.probing_claims import CLAIMS, ProbingEvidence, RunGeometry


def evaluate_probing_claims(
    distances: list[Path],
    clusters: list[Path],
    probes: list[Path],
    scores: list[Path],
    ledger: Path,
    csv: Path,
    markdown: Path,
    tasks: list[dict],
    scored: list[dict],
) -> None:
    """Write the ledger of claims.

    Parameters
    ----------
    distances, clusters, probes : list of Path
        Of the runs that ``scored`` names, in their order.
    scores, scored : list of Path, of dict
        Scores of the runs, and which they are; see ``ledger.read_outcomes``.
    ledger, csv, markdown : Path
        Parquet, CSV and Markdown files to write.
    tasks : list of dict
        Fields of a ``TaskTitle`` each.

    Raises
    ------
    ValueError
        If the number of files does not match the runs.
    """
    outcomes = read_outcomes(scores, scored)
    runs: dict[str, list[RunGeometry]] = {}
    for place, (of_pairs, of_clusters, of_probes) in enumerate(
        zip(distances, clusters, probes, strict=True)
    ):
        by_place = read_table(of_pairs).groupby(["epoch", "layer", "split"])
        outcome = outcomes.iloc[place]
        geometry = RunGeometry(
            outcome["seeds"],
            bool(outcome["failed"]),
            {key: distances_of(table) for key, table in by_place},
            read_table(of_clusters),
            read_table(of_probes),
        )
        runs.setdefault(outcome["name"], []).append(geometry)
    titles = [TaskTitle(**task) for task in tasks]
    table = ledger_table(CLAIMS, [ProbingEvidence(title, runs[title.name]) for title in titles])
    write_ledger(table, outcomes, ledger, csv, markdown)


if __name__ == "__main__":
    run(evaluate_probing_claims, snakemake)

"""Where the time of a finished experiment went, by stage and rule.

    make bench BENCH=stages
    .venv/bin/python benchmarks/stages.py runs/NAME

Reads the records that Snakemake kept of every job (results/benchmarks): seconds of wall time,
summed over jobs that ran side by side, and the largest memory of one job.
"""

import sys
from pathlib import Path

import pandas as pd


def main(folder: Path) -> None:
    records = sorted((folder / "results" / "benchmarks").rglob("*.jsonl"))
    if not records:
        sys.exit(f"{folder}: no finished experiment here (no results/benchmarks)")
    rows = []
    for path in records:
        stage, rule = path.relative_to(folder / "results" / "benchmarks").parts[:2]
        record = pd.read_json(path, lines=True).iloc[0]
        rows.append(
            {
                "stage": stage,
                "rule": rule,
                "seconds": record["s"],
                "mb": pd.to_numeric(record["max_rss"], errors="coerce"),
            }
        )
    table = pd.DataFrame(rows)
    grouped = table.groupby(["stage", "rule"]).agg(
        jobs=("seconds", "size"), seconds=("seconds", "sum"), largest_mb=("mb", "max")
    )
    print(grouped.round(0).to_string())
    total = table["seconds"].sum()
    print(f"{len(table)} jobs, {total:.0f} s of job time, largest job {table['mb'].max():.0f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))

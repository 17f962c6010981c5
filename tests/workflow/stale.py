"""Which rules of a finished run many configurations would make stale.

    python -m tests.workflow.stale FOLDER CONFIG.yaml ... < overlays.json

Reads a list of dictionaries that are merged into the configuration, and prints for each the sorted
names of the rules, or why it was refused, as JSON. A rule whose files are only made again because
their inputs are does not count. In one process, since starting Snakemake takes longer than
planning.
"""

import json
import sys
from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.rebuilds.dag import planned_dag
from workflow_scripts.reference.rebuilds import script_rule


def answer(folder: Path, configfiles: list[Path], overlay: dict) -> list[str]:
    """Sorted names of the rules that a configuration makes stale, or why it is refused."""
    try:
        dag = planned_dag("results/figures/all", folder, configfiles, overlay)
    except UserError as error:
        return [f"refused: {error}"]
    # Asked of every job: Snakemake's own reasons say nothing of jobs after a stale one.
    known = dag.workflow.persistence
    return sorted(
        {
            script_rule(job.rule.name)
            for job in dag.jobs
            if any(not (folder / path).exists() for path in job.output)
            or known.params_changed(job)
            or any(known.input_changed(job))
        }
    )


if __name__ == "__main__":
    folder, *configfiles = map(Path, sys.argv[1:])
    answers = [answer(folder, configfiles, overlay) for overlay in json.load(sys.stdin)]
    print(json.dumps(answers))

"""Which rules of a finished run would run again of themselves, for many configurations.

    python -m tests.workflow.stale FOLDER CONFIG.yaml ... < overlays.json

Reads a list of dictionaries that are laid over the configuration, and prints for each the sorted
names of the rules, or why it was refused, as JSON. A rule whose files are only made again because
their inputs are does not count. In one process, since starting Snakemake takes longer than
planning.
"""

import contextlib
import io
import json
import sys
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.settings.enums import RerunTrigger
from snakemake.settings.types import (
    ConfigSettings,
    DAGSettings,
    OutputSettings,
    Quietness,
    ResourceSettings,
)

from workflow_scripts.reference.rebuilds import script_rule

ROOT = Path(__file__).resolve().parents[2]
TRIGGERS = ("MTIME", "PARAMS", "INPUT", "SOFTWARE_ENV")


def answer(folder: Path, configfiles: list[Path], overlay: dict) -> list[str]:
    try:
        return stale_rules(folder, configfiles, overlay)
    except (Exception, SystemExit) as error:
        return [f"refused: {error}"]


def stale_rules(folder: Path, configfiles: list[Path], overlay: dict) -> list[str]:
    quiet = OutputSettings(quiet={Quietness.ALL}, dryrun=True)
    with contextlib.redirect_stderr(io.StringIO()), SnakemakeApi(quiet) as api:
        workflow = api.workflow(
            ResourceSettings(cores=1),
            config_settings=ConfigSettings(configfiles=configfiles, config=overlay),
            snakefile=ROOT / "Snakefile",
            workdir=folder,
        )
        plan = workflow.dag(
            DAGSettings(
                targets={"results/figures/all"},
                rerun_triggers=frozenset(getattr(RerunTrigger, name) for name in TRIGGERS),
                max_checksum_file_size=20_000_000,
            )
        )
        plan.execute_workflow(executor="dryrun")
        # Asked of every job: Snakemake's own reasons say nothing of jobs after a stale one.
        known = workflow._workflow.persistence
        found = set()
        for job in workflow._workflow.dag.jobs:
            missing = any(not Path(path).exists() for path in job.output)
            if missing or known.params_changed(job) or any(known.input_changed(job)):
                name = job.rule.name
                found.add(script_rule(name))
    return sorted(found)


if __name__ == "__main__":
    folder, *configfiles = map(Path, sys.argv[1:])
    answers = [answer(folder, configfiles, overlay) for overlay in json.load(sys.stdin)]
    print(json.dumps(answers))

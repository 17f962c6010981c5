"""Snakemake's own plan, asked for in this process."""

import contextlib
import io
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.provenance import ROOT
from workflow_scripts.rebuilds.records import LARGEST_CHECKED

_MOST_CORES = 4096  # so that Snakemake leaves a job the threads that it asks for
_TRIGGERS = ("MTIME", "PARAMS", "INPUT", "SOFTWARE_ENV")  # as in profiles/


def planned_dag(
    target: str,
    folder: Path,
    configfiles: list[Path] = (),
    config: dict[str, Any] | None = None,
    snakefile: Path = ROOT / "Snakefile",
    forceall: bool = False,
) -> Any:
    """Snakemake's plan of what would make a target; nothing is run or downloaded.

    Parameters
    ----------
    target : str
        A file below ``folder``, or the name of a rule.
    folder : Path
        Of the run.
    configfiles : list of Path
        As given to ``--configfile``.
    config : dict, optional
        Merged into them, as given to ``--config``.
    snakefile : Path
        The workflow; that of this repository by default.
    forceall : bool
        Whether all is made from nothing.

    Returns
    -------
    snakemake.dag.DAG

    Raises
    ------
    UserError
        If the workflow refuses its configuration, or no rule makes the target. What Snakemake
        raised is its cause.
    """
    from snakemake.api import SnakemakeApi
    from snakemake.settings.enums import RerunTrigger
    from snakemake.settings.types import (
        ConfigSettings,
        DAGSettings,
        OutputSettings,
        Quietness,
        ResourceSettings,
    )

    output = io.StringIO()
    quiet = OutputSettings(quiet={Quietness.ALL}, dryrun=True)
    with (
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(output),
        SnakemakeApi(quiet) as api,
    ):
        try:
            workflow = api.workflow(
                ResourceSettings(cores=_MOST_CORES),
                config_settings=ConfigSettings(
                    configfiles=[Path(path) for path in configfiles], config=config or {}
                ),
                snakefile=snakefile,
                workdir=Path(folder),
            )
            plan = workflow.dag(
                DAGSettings(
                    targets={target},
                    rerun_triggers=frozenset(getattr(RerunTrigger, name) for name in _TRIGGERS),
                    max_checksum_file_size=LARGEST_CHECKED,
                    forceall=forceall,
                )
            )
            plan.execute_workflow(executor="dryrun")
        except (Exception, SystemExit) as error:
            text = " ".join(str(error).split()) or type(error).__name__
            raise UserError(text.removeprefix("Tunescape: ")) from error
        return workflow._workflow.dag

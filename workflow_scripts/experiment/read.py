"""Read an experiment's settings as the workflow does, for commands."""

from pathlib import Path

from workflow_scripts.common.errors import UserError
from workflow_scripts.experiment.checks import check_configfiles
from workflow_scripts.experiment.config import Config, validated

ROOT = Path(__file__).resolve().parents[2]


def read_settings(configfiles: list[Path]) -> Config:
    """The configuration as the workflow sees it: ``config.yaml``, with each file merged into it.

    Raises
    ------
    UserError
        If a file cannot be read, or something in it is wrong.
    """
    from snakemake.common.configfile import load_configfile
    from snakemake.utils import update_config

    check_configfiles(configfiles)
    merged: dict = {}
    written: dict = {}
    for path in (ROOT / "config.yaml", *configfiles):
        try:
            read = load_configfile(str(path))
        except Exception as error:  # what YAML, JSON or the file system make Snakemake raise
            text = " ".join(str(error).split())
            raise UserError(f"--configfile {path}: cannot be read ({text[:200]})") from None
        update_config(merged, read)
        if path in configfiles:
            update_config(written, read)
    return validated(merged, written)

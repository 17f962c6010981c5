"""Versions of the libraries that results were made with."""

import os
from collections.abc import Iterable
from functools import cache

from workflow_scripts.rebuilds.records import (
    LIBRARIES,
    read_output_record,
    recorded_outputs,
    versions,
)


@cache
def _installed_versions() -> dict[str, str]:
    return versions()


def made_with(libraries: Iterable[str], output: str, renew: bool) -> dict[str, str]:
    """Versions of the libraries that a script uses, for the params of the job of an output.

    Snakemake runs a job again if its params differ from those that made the output. So these are
    the versions in the output's record, though others may be installed now, unless the user asks
    for ``renew``.

    Parameters
    ----------
    libraries : iterable of str
        Libraries that the script uses, see ``CodeClosure``.
    output : str
        Path of one of the job's outputs, relative to the folder of the run.
    renew : bool
        Whether the versions installed now count.

    Returns
    -------
    dict of str to str
        Library and version.
    """
    installed = _installed_versions()
    used = set(libraries)
    used |= {"tokenizers"} if "transformers" in used else set()
    now = {name: installed[name] for name in LIBRARIES if name in used and name in installed}
    record = read_output_record(output)
    recorded = record.get("libraries")
    if recorded is None:
        return now
    # The versions among the params may be older than those the job ran with: it may have run for
    # another reason.
    ran_with = record.get("versions", {})
    if not renew or all(ran_with.get(name) == current for name, current in now.items()):
        return recorded
    # If today's versions are also those of the params, Snakemake still needs a difference.
    if now != recorded:
        return now
    return {name: f"{current} again" for name, current in now.items()}


def other_versions() -> dict[str, int]:
    """Libraries of which results were made with another version than the one installed.

    Returns
    -------
    dict of str to int
        Such as ``"torch 2.8 (now 2.9)"``, and the number of files.
    """
    now, found = versions(), {}
    for output in recorded_outputs():
        record = read_output_record(output)
        for name in record.get("libraries") or {}:
            ran_with = record.get("versions", {}).get(name)
            if name in now and ran_with not in (None, now[name]) and os.path.exists(output):
                what = f"{name} {ran_with} (now {now[name]})"
                found[what] = found.get(what, 0) + 1
    return found

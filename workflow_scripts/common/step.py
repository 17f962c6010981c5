"""What every script of the workflow does around its one function."""

import inspect
import logging
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import one_line
from workflow_scripts.common.tables import read_json, read_record, set_record

log = logging.getLogger("tunescape")

# Libraries whose version can change a number.
_VERSIONED = ("torch", "transformers", "tokenizers", "datasets", "numpy", "scipy", "pandas")


def run(function: Callable[..., None], snakemake) -> None:
    """Call ``function`` with the step's named inputs and outputs (paths) and its ``spec``.

    An input without a name is there for its digest, or to be noticed when it changes.

    ``context`` (experiment, device, threads, token budget: what never changes a number beyond
    the stated precision) goes to functions that have a parameter of that name. Every file the
    step writes through ``common.tables`` carries the step's provenance.

    Messages and tracebacks go to the step's log; the terminal gets one line that says what
    went wrong and where to read more. The exit status is 1 on any error.
    """
    started = time.monotonic()
    logging.basicConfig(
        filename=snakemake.log[0],
        filemode="w",
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    logging.captureWarnings(True)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    context = dict(snakemake.params.get("context", {}))
    arguments = {
        name: [Path(p) for p in paths] if _is_list(paths) else Path(paths)
        for files in (snakemake.input, snakemake.output)
        for name, paths in files.items()
        if paths  # an optional input that this job lacks is an empty list
    }
    arguments |= dict(snakemake.params.get("spec", {}))
    accepted = inspect.signature(function).parameters
    for name in ("context", "state"):  # parameters that never make an output stale
        if name in accepted and snakemake.params.get(name) is not None:
            arguments[name] = snakemake.params[name]
    try:
        set_record(_provenance(snakemake, context))
        function(**arguments)
    except Exception as error:
        log.exception("%s failed", snakemake.rule)
        sys.exit(f"{snakemake.rule}: {one_line(error)} (log: {snakemake.log[0]})")
    log.info("done in %.1f s", time.monotonic() - started)


def _is_list(paths: Any) -> bool:
    return not isinstance(paths, (str, os.PathLike))


def _provenance(snakemake, context: dict[str, Any]) -> dict[str, Any]:
    return {
        "experiment": context.get("experiment"),
        "rule": snakemake.rule,
        "code": snakemake.params.get("code"),
        "spec": dict(snakemake.params.get("spec", {})),
        "digests": _digests(str(path) for path in snakemake.input),
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Versions of the installed libraries that can change a number, and of Python."""
    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for name in _VERSIONED:
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # the figures' environment has no torch
            continue
    return found


def _digests(paths) -> dict[str, str]:
    """Digests of the models and tasks that the inputs come from, gathered through all stages."""
    found: dict[str, str] = {}
    for path in paths:
        if path.endswith("card.json"):
            card = read_json(Path(path))
            found[f"{Path(path).parts[-3]}/{card['name']}"] = card["digest"]
        elif path.startswith("results"):
            found |= read_record(Path(path)).get("digests", {})
    return found

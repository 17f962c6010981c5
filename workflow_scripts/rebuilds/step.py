"""The frame around the one function of every script: inputs, provenance, log and records."""

import functools
import inspect
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from workflow_scripts.common.errors import UserError, one_line
from workflow_scripts.common.tables import read_json, read_record, set_record, write_text
from workflow_scripts.common.wiring import is_bookkeeping
from workflow_scripts.rebuilds.cache import cache_key, keep, take
from workflow_scripts.rebuilds.records import (
    RESULTS,
    TRACKED,
    content_digest,
    digest_lines,
    file_digest,
    is_damaged,
    small_file_digest,
    versions,
    write_output_record,
)

log = logging.getLogger("tunescape")

# What is tracked but not part of a cache key: versions are added whole, inputs by their content.
_NOT_IN_KEY = ("libraries", "inputs")


def run(function: Callable[..., None], snakemake) -> None:
    """Call a script's function with the step's named inputs and outputs (paths) and its ``spec``.

    ``context`` (experiment, device, threads, token budget: what never changes a number beyond
    the stated precision) is passed to functions that have a parameter of that name. Inputs
    without a name, or named ``digest`` or ``NAME_digest``, are not passed: they only make the step
    run again when they change.

    Every file that the step writes through ``common.tables`` carries the step's provenance, and
    each output gets a record beside the results (``rebuilds.records``).

    An output named ``digest`` is written here: the digests of the content of the other outputs,
    for steps that run again only if that has changed; ``NAME_digest`` holds those of the output
    ``NAME`` alone.

    An input whose bytes differ from those that its job wrote is refused.

    If ``context`` names a ``cache``, the function is not called if the cache has the outputs of
    an identical job of another experiment (``rebuilds.cache``).

    Messages and tracebacks go to the step's log; the terminal gets one line that says what
    went wrong and where to read more. The exit status is 1 on any error.

    Parameters
    ----------
    function : callable
        Of the script.
    snakemake : object
        That Snakemake gives to the script.
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
        # An optional input that this job lacks is an empty list.
        if paths and not is_bookkeeping(name)
    }
    arguments |= dict(snakemake.params.get("spec", {}))
    for name in ("context", "state"):  # parameters that never make an output stale
        value = snakemake.params.get(name)
        if value is not None and name in inspect.signature(function).parameters:
            arguments[name] = value
    try:
        _refuse_damaged(map(str, snakemake.input))
        provenance = _provenance(snakemake, context)
        set_record(provenance)
        _call_or_take(functools.partial(function, **arguments), snakemake, context.get("cache"))
        _write_digests(snakemake.output)
        _write_records(snakemake, provenance)
    except KeyboardInterrupt:
        sys.exit(f"{snakemake.rule}: stopped by Ctrl-C")
    except Exception as error:
        log.exception("%s failed", snakemake.rule)
        sys.exit(f"{snakemake.rule}: {one_line(error)} (log: {snakemake.log[0]})")
    log.info("done in %.1f s", time.monotonic() - started)


def _call_or_take(function: Callable[[], None], snakemake, cache: str | None) -> None:
    """Make the outputs and keep them in the cache, or take them from it."""
    if cache is None:
        function()
        return
    outputs = [
        Path(path)
        for name, paths in snakemake.output.items()
        if not is_bookkeeping(name)
        for path in (paths if _is_list(paths) else [paths])
    ]
    key = cache_key(
        {
            **{name: snakemake.params.get(name) for name in TRACKED if name not in _NOT_IN_KEY},
            "inputs": {
                name: [content_digest(p) for p in (paths if _is_list(paths) else [paths])]
                for name, paths in snakemake.input.items()
            },
            "outputs": [path.name for path in outputs],
            "versions": versions(),
        }
    )
    if not take(Path(cache), key, outputs):
        function()
        keep(Path(cache), key, outputs)


def _refuse_damaged(inputs: Iterable[str]) -> None:
    for path in inputs:
        if Path(path).parts[0] == RESULTS and is_damaged(path):
            raise UserError(
                f"{path}: is damaged, its checksum differs from its record's; delete it with "
                f"python -m {__package__} check --delete --directory {os.getcwd()} "
                "and start again"
            )


def _is_list(paths: Any) -> bool:
    return not isinstance(paths, (str, os.PathLike))


def _write_digests(output) -> None:
    files = {
        name: [Path(p) for p in paths] if _is_list(paths) else [Path(paths)]
        for name, paths in output.items()
    }
    own = {name.removesuffix("_digest") for name in files if name.endswith("_digest")}
    for name, targets in files.items():
        if is_bookkeeping(name):
            digested = (
                files[name.removesuffix("_digest")]
                if name != "digest"
                else [
                    p
                    for n, ps in files.items()
                    if n not in own and not is_bookkeeping(n)
                    for p in ps
                ]
            )
            write_text(digest_lines(digested), targets[0])


def _write_records(snakemake, provenance: dict[str, Any]) -> None:
    outputs = [path for path in map(str, snakemake.output) if Path(path).parts[0] == RESULTS]
    if not outputs:
        return
    params = snakemake.params
    known = {
        **provenance,
        "libraries": params.get("libraries"),
        "sources": params.get("sources"),
        "named_inputs": params.get("inputs"),
        # As Snakemake keeps and compares them.
        "params": sorted(repr(params[name]) for name in TRACKED if name in params.keys()),  # noqa: SIM118
        "input": sorted(map(str, snakemake.input)),  # may repeat a file that has two names
        "inputs": {str(path): small_file_digest(path) for path in snakemake.input},
        "log": list(snakemake.log),
        "modules": _local_modules(),
    }
    for output in outputs:
        held = {
            "content": content_digest(output),
            "bytes": file_digest(output),
            "size": os.path.getsize(output),
        }
        write_output_record(output, {**known, **held})


def _local_modules() -> list[str]:
    """Modules of this repository that the job has imported, sorted."""
    package = __name__.partition(".")[0]
    return sorted(name for name in sys.modules if name.partition(".")[0] == package)


def _provenance(snakemake, context: dict[str, Any]) -> dict[str, Any]:
    return {
        "experiment": context.get("experiment"),
        "rule": snakemake.rule,
        "code": snakemake.params.get("code"),
        "spec": dict(snakemake.params.get("spec", {})),
        "digests": _digests(str(path) for path in snakemake.input),
        "versions": versions(),
    }


def _digests(paths) -> dict[str, str]:
    """Digests of the models and tasks that the inputs come from, through all stages."""
    found: dict[str, str] = {}
    for path in paths:
        if path.endswith("card.json"):
            card = read_json(Path(path))
            found[f"{Path(path).parts[-3]}/{card['name']}"] = card["digest"]
        elif path.startswith("results") and not path.endswith(".digest"):
            found |= read_record(Path(path)).get("digests", {})
    return found

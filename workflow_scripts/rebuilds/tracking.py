"""The params of a rule that make its outputs stale."""

from collections.abc import Callable, Mapping
from typing import Any

from workflow_scripts.common.files import Files, listed
from workflow_scripts.common.wiring import is_bookkeeping
from workflow_scripts.rebuilds.code_hashes import CodeHashes
from workflow_scripts.rebuilds.libraries import made_with

OfJob = Callable[[Any], Any]


def tracked(
    hashes: CodeHashes,
    script: str,
    inputs: Files | OfJob,
    spec: dict[str, Any] | OfJob,
    output: str,
    renew: bool,
) -> dict[str, Any]:
    """Params that make the outputs of a rule stale.

    Parameters
    ----------
    hashes : CodeHashes
        Of all scripts.
    script : str
        ``STAGE/NAME``, without ``.py``.
    inputs : dict of str to File, or callable
        Of ``needs``, or the rule's input function. Snakemake compares inputs as a set: their names
        and order are kept here.
    spec : dict, or callable
        The settings that the script uses, and no others; or a function of the wildcards.
    output : str
        Pattern of one of the rule's outputs, whose record names the libraries that made it.
    renew : bool
        Whether other versions of libraries make it stale.

    Returns
    -------
    dict of str to (dict or callable)
        ``spec``, ``code``, ``libraries`` and ``inputs``. A job computes the hash of its own rule's
        script only.
    """
    path = f"workflow_scripts/{script}.py"

    def libraries(wildcards: Any) -> dict[str, str]:
        made = output.format(**dict(wildcards.items()))
        return made_with(hashes.of(path).libraries, made, renew)

    def order(wildcards: Any) -> dict[str, list[str]]:
        return named_paths(inputs(wildcards) if callable(inputs) else inputs, wildcards)

    def in_order(wildcards: Any) -> dict[str, Any]:
        """Settings with their keys in order: Snakemake compares them as text."""
        return dict(sorted((spec(wildcards) if callable(spec) else spec).items()))

    return {
        "spec": in_order,
        "code": lambda wildcards: hashes.of(path).code,
        "libraries": libraries,
        "inputs": order,
    }


def named_paths(files: Mapping[str, Any], wildcards: Any) -> dict[str, list[str]]:
    """Names and order of the inputs of a job, below the folder of results.

    Parameters
    ----------
    files : mapping of str to File or list of File
        Of ``needs``.
    wildcards : mapping of str to str
        Of the job; they fill in what is open.
    """
    known = dict(wildcards.items())
    return {
        name: [path.format(**known) if path.startswith("results/") else path for path in paths]
        for name, paths in ((name, [*map(str, listed(of))]) for name, of in files.items())
        if not is_bookkeeping(name)
    }

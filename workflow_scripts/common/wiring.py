"""What connects rules, scripts and files: pure functions, so that tests reach them."""

from collections.abc import Callable, Iterable
from typing import Any

from workflow_scripts.common.files import File, Files, digests_of


def needs(**files: File | Iterable[File]) -> Files:
    """Inputs of a rule by name, and beside them the digests that they rest on.

    Parameters
    ----------
    **files : File or iterable of File
        By the names of the script's parameters.

    Returns
    -------
    dict of str to File or list of File
        The same; and ``rests_on_digest``, the digest files of all of them. A file with a digest of
        its own is ``ancient``: its time does not count.
    """
    from snakemake.io import ancient

    def timed(file: File) -> Any:
        return ancient(str(file)) if file.by_digest else str(file)

    named: dict[str, Any] = {}
    for name, of_name in files.items():
        one = isinstance(of_name, str)
        named[name] = timed(of_name) if one else [timed(file) for file in of_name]
    digests = digests_of(*files.values())
    return {**named, "rests_on_digest": digests} if digests else named


def needs_of_job(function: Callable[..., Files], *arguments: Any) -> Callable[[Any], Files]:
    """Input function of a rule, for ``unpack``.

    Parameters
    ----------
    function : callable
        Takes ``arguments`` and a job's wildcards; gives files by the names of the script's
        parameters.
    *arguments
        Its first arguments, such as the settings.
    """
    return lambda wildcards: needs(**function(*arguments, wildcards))


def in_report(
    files: dict[str, File], shown: Iterable[str], name: str, shows: str, category: str
) -> Files:
    """Outputs of a rule, some of which Snakemake's report shows with a caption and labels.

    Parameters
    ----------
    files : dict of str to File
        Outputs by name, with the wildcard ``{model}``.
    shown : iterable of str
        Names of those that the report shows.
    name : str
        Of the figure, table or page; its caption is ``rules/captions/NAME.rst``.
    shows : str
        What it shows, in a few words.
    category : str
        Of the report.
    """
    from snakemake.io import report

    def marked(file: File) -> Any:
        kind = file.rpartition(".")[2]
        labels = {"name": name, "shows": shows, "model": "{model}", "format": kind}
        return report(file, caption=f"captions/{name}.rst", category=category, labels=labels)

    return {key: marked(file) if key in shown else file for key, file in files.items()}


def is_bookkeeping(name: str) -> bool:
    """Whether an input or output is no argument of a script: digests, and records."""
    return name == "digest" or name.endswith(("_digest", "_record"))


def log_file(rule: str, name: str) -> str:
    """A job's log.

    Parameters
    ----------
    rule : str
        ``STAGE/RULE``.
    name : str
        Of the job among those of its rule, wildcards open.
    """
    return f"results/logs/{rule}/{name}.log"


def benchmark_file(rule: str, name: str) -> str:
    """Where Snakemake writes a job's time and memory; see ``log_file``."""
    return f"results/benchmarks/{rule}/{name}.jsonl"

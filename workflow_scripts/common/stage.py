"""What a stage declares about itself. Everything that lists stages is composed from this.

Scripts import neither this module's users (``STAGE/stage.py``) nor ``stages.py``, so that a new
declaration moves no code hash.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workflow_scripts.common.costs import Cost
from workflow_scripts.common.files import File, Files

Settings = Any  # the composed configuration, see experiment/config.py
Spec = dict[str, Any]


@dataclass(frozen=True)
class Reference:
    """Names in the configuration that must exist elsewhere in it.

    Parameters
    ----------
    key : str
        Where the names are, such as ``experiment.tasks``.
    names : iterable of str
        The names that are there.
    allowed : iterable of str
        The names that exist.
    """

    key: str
    names: Iterable[str]
    allowed: Iterable[str]


def duplicates(key: str, names: Iterable[Any]) -> Iterator[str]:
    """A line for each value that a list in the configuration holds more than once."""
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{key}: duplicate value {name!r}"


@dataclass(frozen=True)
class Column:
    """A column of a table, or a key of a JSON file.

    Parameters
    ----------
    names : str
        Its name, or several with the same meaning, separated by commas. A name with a capitalised
        part, such as ``gradient_norm_PART``, stands for several columns.
    meaning : str
        One sentence.
    unit : str
        Unit and range.
    optional : bool
        Whether a table may lack it.
    """

    names: str
    meaning: str = ""
    unit: str = ""
    optional: bool = False


@dataclass(frozen=True)
class Product:
    """Files that a stage makes, as ``docs/reference/outputs.md`` describes them.

    Parameters
    ----------
    files : str
        Their paths below ``results/``, separated by spaces; capitalised parts vary.
    about : str
        Markdown: what a file is, and what a row of it is.
    columns : tuple of Column
        Of a table, or the keys of a JSON file.
    notes : str
        Markdown after the table of columns.
    """

    files: str
    about: str = ""
    columns: tuple[Column, ...] = ()
    notes: str = ""


@dataclass(frozen=True)
class Figure:
    """A figure: data, from which its rule, its outputs and its documentation are made.

    Parameters
    ----------
    name : str
        Of the figure and its files; its rule is ``draw_NAME``.
    title : str
        What it shows, in a few words.
    script : str
        ``STAGE/NAME`` of the script that draws it, without ``.py``.
    inputs : callable
        settings -> files by name, as the script's parameters are called; ``{model}`` is open.
    spec : callable
        settings -> what the script takes besides files.
    numbers : str
        Markdown: rows and columns of its CSV file.
    drawn : callable
        settings -> whether the experiment has it.
    table : bool
        Whether it is a table, which has a Markdown file too.
    claims : tuple of str
        Names of the claims that it is about; what the runs say about them is written below it.
    ledger : str
        The ledger that has them: ``claims``, ``dynamics_claims``, ``stability_claims`` or
        ``probing_claims``.
    """

    name: str
    title: str
    script: str
    inputs: Callable[[Settings], Files]
    spec: Callable[[Settings], Spec]
    numbers: str
    drawn: Callable[[Settings], bool] = lambda settings: True
    table: bool = False
    claims: tuple[str, ...] = ()
    ledger: str = "claims"

    @property
    def kinds(self) -> tuple[str, ...]:
        """Endings of its files."""
        return ("pdf", "png", "csv", *(("md",) if self.table else ()))

    def outputs(self, model: str = "{model}") -> dict[str, File]:
        """Its files: vector, raster and the numbers behind it; a table's as text too."""
        return {kind: File(f"results/figures/{model}/{self.name}.{kind}") for kind in self.kinds}


@dataclass(frozen=True)
class Stage:
    """A folder of ``workflow_scripts``, with a rules file of the same name.

    Parameters
    ----------
    name : str
        Of the folder.
    title : str
        Of its figures in the report.
    sections : mapping of str to (type, pydantic field)
        Its sections of the configuration.
    derived : mapping of str to callable
        Key of the configuration, such as ``figures.group_tasks`` -> settings -> its value: the one
        that is set, completed, or where it is null the one that follows from other keys, which are
        as they were set or are derived before. Called before all checks, so that all else sees
        concrete values.
    left_out : callable
        settings -> what the experiment leaves out since its settings do not reach for it, and the
        key that it depends on, a line each.
    planned : callable
        settings -> what ``make plan`` says besides costs, a line each.
    references : callable
        settings -> names that must exist elsewhere in the configuration.
    problems : callable
        settings -> what else is wrong, a line each. Called where all references hold.
    figures : tuple of Figure
        That it contributes.
    runs : callable
        settings, model -> runs that it needs.
    whole_runs : callable
        settings, model -> those of them whose checkpoints it needs all.
    targets : callable
        settings, model -> its other files that ``results/figures/all`` makes.
    products : tuple of Product
        Its files, for the documentation.
    costs : mapping of str to callable
        rule -> (pricing, wildcards) -> cost of a job; see ``model/pricing.py``.
    local : tuple of str
        Rules that run where Snakemake runs, on a cluster too.
    numbered : tuple of str
        Common names of rules that differ in numbers alone, such as ``evaluate_rows_plane_0_3``.
    """

    name: str
    title: str = ""
    sections: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    derived: Mapping[str, Callable[[Settings], Any]] = field(default_factory=dict)
    left_out: Callable[[Settings], Iterable[str]] = lambda settings: ()
    planned: Callable[[Settings], Iterable[str]] = lambda settings: ()
    references: Callable[[Settings], Iterable[Reference]] = lambda settings: ()
    problems: Callable[[Settings], Iterable[str]] = lambda settings: ()
    figures: tuple[Figure, ...] = ()
    runs: Callable[[Settings, str], list[Any]] = lambda settings, model: []
    whole_runs: Callable[[Settings, str], list[Any]] = lambda settings, model: []
    targets: Callable[[Settings, str], list[File]] = lambda settings, model: []
    products: tuple[Product, ...] = ()
    costs: Mapping[str, Callable[..., Cost]] = field(default_factory=dict)
    local: tuple[str, ...] = ()
    numbered: tuple[str, ...] = ()

"""What the page draws from the numbers of each figure: data for its chart module."""

from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class View:
    """A chart, drawn by ``js/charts.mjs``; columns are those of the figure's numbers.

    Attributes
    ----------
    kind : {"line", "path", "bars", "points", "heat"}
        Lines over x, lines in the order of the rows, bars or points over categories, or a heat map.
    x, y : str
        Columns of the axes.
    series : tuple of str
        Columns whose values tell curves apart.
    choices : tuple of (str, str)
        Choices that the page offers: their name, which links them, and their column.
    value : str
        Column of the colours of a heat map.
    low, high : str
        Columns of an interval; empty for none.
    reference : str
        Column of a dashed line, such as a null; empty for none.
    x_title, y_title : str
        Of the axes.
    log : bool
        Whether y (or the value of a heat map) is logarithmic.
    where : tuple of (str, object)
        Columns and the values of the rows that are shown.
    """

    kind: str
    x: str
    y: str
    series: tuple[str, ...] = ()
    choices: tuple[tuple[str, str], ...] = ()
    value: str = ""
    low: str = ""
    high: str = ""
    reference: str = ""
    x_title: str = ""
    y_title: str = ""
    log: bool = False
    where: tuple[tuple[str, Any], ...] = ()


_TASK = (("task", "task"),)
_PAIR = (("pair", "pair"),)
_INTERVAL = {"low": "low", "high": "high"}
_TRAJECTORY = (("rows", "trajectory"),)
_ATTENTION = (
    View(
        *("line", "layer", "js", ("pair",)),
        **_INTERVAL,
        x_title="layer",
        y_title="JS divergence of attention (nats)",
    ),
)
_REPRESENTATIONS = (
    View(
        *("line", "layer", "value", ("pair",), (("measure", "measure"),)),
        **_INTERVAL,
        reference="null",
        x_title="layer (-1: embeddings)",
        y_title="distance; dashed: null",
    ),
)
_SCORES = (
    View(
        *("points", "sweep", "score", ("failed",), _TASK),
        x_title="recipe; colour: whether the run failed",
        y_title="score at the end, one point per run",
    ),
)


VIEWS: dict[str, tuple[View, ...]] = {
    "figure2": (
        View(
            *("line", "step", "smoothed", ("start",), _TASK),
            x_title="step",
            y_title="training loss (nats), smoothed",
        ),
    ),
    "figure3": (
        View(
            *("line", "epoch", "true_train_loss", ("start",), _TASK),
            x_title="epoch",
            y_title="loss of the checkpoint (nats)",
            where=_TRAJECTORY,
        ),
        View(
            *("line", "epoch", "outside", ("start",), _TASK),
            x_title="epoch",
            y_title="share of the way outside the plane",
            where=_TRAJECTORY,
        ),
    ),
    "figure4": (
        View(
            *("line", "epoch", "own_dev_error", ("run",)),
            x_title="epoch of the run",
            y_title="dev error (0 to 1)",
            where=_TRAJECTORY,
        ),
    ),
    "figure5": (
        View(
            *("line", "alpha", "train_loss", ("start",), _TASK),
            **_INTERVAL,
            x_title="α (units of δ₁): 0 is the start, 1 the end",
            y_title="training loss (nats)",
        ),
    ),
    "radii": (
        View(
            *("points", "direction", "radius", ("start",), _TASK),
            x_title="direction",
            y_title="radius of the optimum",
        ),
    ),
    "table1": (
        View(
            *("bars", "group", "accuracy", ("task",)),
            x_title="layers rolled back",
            y_title="accuracy (%)",
        ),
        View(
            *("bars", "group", "difference", ("task",)),
            **_INTERVAL,
            x_title="layers rolled back",
            y_title="change of the accuracy (points)",
        ),
    ),
    "dynamics3": (
        View(
            *("line", "layer", "value", ("task",), (("measure", "measure"),)),
            **_INTERVAL,
            x_title="layer rolled back",
            y_title="distance of the last layer",
        ),
    ),
    "dynamics1": _ATTENTION,
    "dynamics4": _ATTENTION,
    "dynamics6": _ATTENTION,
    "dynamics2": _REPRESENTATIONS,
    "dynamics5": _REPRESENTATIONS,
    "dynamics7": _REPRESENTATIONS,
    "dynamics_heads": (
        View(
            *("heat", "head", "layer", (), _PAIR, "js"),
            x_title="head",
            y_title="layer",
            log=True,
        ),
        View(
            *("bars", "head", "js", ("pair",), (("layer", "layer"),)),
            x_title="head of the chosen layer",
            y_title="JS divergence (nats)",
        ),
    ),
    "dynamics_svcca": (
        View(
            *("heat", "second", "first", (), _PAIR, "svcca"),
            x_title="layer of the second model",
            y_title="layer of the first",
        ),
        View(
            *("line", "second", "svcca", ("pair",), (("layer", "first"),)),
            x_title="layer of the second model",
            y_title="SVCCA distance to the chosen layer of the first",
        ),
    ),
    "dynamics_cka": (
        View(
            *("heat", "second", "first", (), _PAIR, "cka_unbiased"),
            x_title="layer of the second model",
            y_title="layer of the first",
        ),
        View(
            *("line", "second", "cka_unbiased", ("pair",), (("layer", "first"),)),
            x_title="layer of the second model",
            y_title="CKA to the chosen layer of the first",
        ),
    ),
    "stability1": _SCORES,
    "stability5": _SCORES,
    "stability2": (
        View(
            *("line", "step", "gradient_norm", ("outcome",)),
            (*_TASK, ("sweep", "sweep"), ("part", "part")),
            x_title="step",
            y_title="gradient norm",
            log=True,
        ),
    ),
    "stability3": (
        View(
            *("line", "epoch", "score", ("init", "order"), (*_TASK, ("sweep", "sweep"))),
            x_title="epoch",
            y_title="dev score, one line per run",
        ),
    ),
    "stability4": (
        View(
            *("line", "layers_reset", "perplexity", ("outcome", "init"), _TASK),
            x_title="layers reset, from the top",
            y_title="masked-LM perplexity",
            log=True,
        ),
    ),
    "stability6": (
        View(
            *("heat", "alpha", "beta", (), (*_TASK, ("head", "head")), "train_loss"),
            x_title="α (towards the failed run)",
            y_title="β (towards the successful run)",
            where=(("line", None), ("corner", None)),
        ),
    ),
    "probing_table": (
        View(
            *("bars", "task", "mlp_dev", ("state",)),
            x_title="task",
            y_title="accuracy of the probe (%)",
            reference="majority_dev",
        ),
    ),
    "probing1": (
        View(
            *("line", "epoch", "train", ("label",), (*_TASK, ("layer", "layer"))),
            x_title="epoch",
            y_title="distance to the nearest other label",
        ),
    ),
    "probing2": (
        View(
            *("path", "x", "y", ("name",), (*_TASK, ("kind", "kind"), ("layer", "layer"))),
            x_title="first axis",
            y_title="second axis",
        ),
    ),
    "probing3": (
        View(
            *("heat", "epoch", "layer", (), (*_TASK, ("kind", "kind"), ("seeds", "seeds"))),
            value="value",
            x_title="epoch",
            y_title="layer",
        ),
    ),
    "probing4": (
        View(
            *("bars", "label", "change", ("tuned",), (*_TASK, ("split", "split"))),
            x_title="label",
            y_title="change of the distance",
        ),
    ),
}
# Their numbers are those of the surfaces, which the explorer shows.
EXPLORED = ("figure1", "figure3", "figure4", "figure6", "figure7")


def shown_rows(figure: str, numbers: pd.DataFrame) -> pd.DataFrame:
    """The rows of a figure's numbers that its views show, without columns that are empty in them.

    Parameters
    ----------
    figure : str
        Name of the figure.
    numbers : DataFrame
        Its CSV file.
    """
    if figure in EXPLORED and figure not in VIEWS:
        return numbers.iloc[:0]
    for view in VIEWS.get(figure, ()):
        for column, value in view.where:
            held = numbers[column]
            numbers = numbers[held.isna() if value is None else held == value]
    return numbers.dropna(axis="columns", how="all") if len(numbers) else numbers


def views_of(figure: str, columns: list[str]) -> list[View]:
    """Views of a figure that these columns suffice for.

    Parameters
    ----------
    figure : str
        Name of the figure.
    columns : list of str
        Of its shown rows.
    """

    def needed(view: View) -> set[str]:
        chosen = [column for _, column in view.choices]
        return {view.x, view.y, *view.series, *chosen, *([view.value] if view.value else [])}

    return [view for view in VIEWS.get(figure, ()) if needed(view) <= set(columns)]

"""Scores, failed runs and gradients over many seeds: Mosbach et al. (2021), figures 1 to 8."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from workflow_scripts.common.tables import read_table
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures import style
from workflow_scripts.figures.inputs import labelled
from workflow_scripts.figures.layout import EDGE, Footer, text_width, wrap

METRIC_TITLE = {"accuracy": "accuracy", "f1": "F1", "mcc": "Matthews correlation"}
_FAILED, _SUCCESSFUL = style.VERMILLION, style.BLUE


@dataclass(frozen=True)
class SweepTable:
    """A table of the runs of a sweep.

    Attributes
    ----------
    task : TaskTitle
        Of the sweep.
    sweep : str
        Its name.
    metric : str
        Of its scores: accuracy, f1 or mcc.
    table : DataFrame
        ``runs.parquet``, or ``epochs.parquet``, …
    """

    task: TaskTitle
    sweep: str
    metric: str
    table: pd.DataFrame

    @property
    def columns(self) -> dict[str, str | bool]:
        """Columns that say in a figure's numbers whose they are."""
        return {**self.task.columns, "sweep": self.sweep}


def read_sweeps(
    paths: Sequence[Path], tasks: Sequence[dict], sweeps: Sequence[dict[str, str]]
) -> list[SweepTable]:
    """Tables of sweeps.

    Parameters
    ----------
    paths : sequence of Path
        A table each.
    tasks : sequence of dict
        Fields of a ``TaskTitle`` each.
    sweeps : sequence of dict
        ``task``, ``sweep`` and ``metric`` of each table.
    """
    titles = {task["name"]: TaskTitle(**task) for task in tasks}
    return [
        SweepTable(titles[which["task"]], which["sweep"], which["metric"], read_table(path))
        for path, which in zip(paths, sweeps, strict=True)
    ]


def _by_task(sweeps: Sequence[SweepTable]) -> list[list[SweepTable]]:
    names = dict.fromkeys(one.task.name for one in sweeps)
    return [[one for one in sweeps if one.task.name == name] for name in names]


def _page(
    heights: Sequence[float],
    columns: int,
    footer: Footer,
    left: float,
    right: float = EDGE,
    gap: float = 0.2,
    head: float = 0.3,
    foot: float = 0.42,
) -> tuple[Figure, list[list[Axes]]]:
    """A figure as wide as a page: rows of panels of these heights, with a title above each."""
    width = (style.DOUBLE - left - right - gap * (columns - 1)) / columns
    total = sum(heights) + len(heights) * (head + foot) + footer.height(style.DOUBLE)
    figure = Figure(figsize=(style.DOUBLE, total))
    FigureCanvasAgg(figure)
    rows, y = [], total
    for height in heights:
        y -= head + height
        rows.append(
            [
                figure.add_axes(
                    (
                        (left + column * (width + gap)) / style.DOUBLE,
                        y / total,
                        width / style.DOUBLE,
                        height / total,
                    )
                )
                for column in range(columns)
            ]
        )
        y -= foot
    footer.draw(figure)
    return figure, rows


def _heading(task: TaskTitle, more: str = "") -> str:
    title = f"{task.title} (synthetic)" if task.synthetic else task.title
    return f"{title}: {more}" if more else title


def _note(axes: Axes, words: str) -> None:
    """Say in an empty panel why it is empty."""
    axes.set_xticks([])
    axes.set_yticks([])
    width = axes.get_position().width * style.DOUBLE - 0.2
    axes.text(
        0.5,
        0.5,
        "\n".join(wrap(words, width)),
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=style.GREY,
    )


# Scores over seeds


@style.paper_style()
def seed_scores(sweeps: Sequence[SweepTable], about: str) -> tuple[Figure, pd.DataFrame]:
    """Scores of all runs, sweep by sweep, a panel per task.

    Parameters
    ----------
    sweeps : sequence of SweepTable
        ``runs.parquet`` of each.
    about : str
        What the sweeps are, for the caption.

    Returns
    -------
    figure : Figure
        A box (quartiles, median; whiskers to the farthest run within 1.5 of their distance), a
        cross for the mean, a dot for every run, and the majority class.
    numbers : DataFrame
        A row per run.

    References
    ----------
    Mosbach et al. (2021), figures 1, 4 and 5.
    """
    tasks = _by_task(sweeps)
    names = [wrap(one.sweep, 1.3)[0] for one in sweeps]
    left = EDGE + 0.1 + max(text_width(name) for name in names)
    keys = [
        _run_key("run", _SUCCESSFUL, "o"),
        _run_key("failed run", _FAILED, "x"),
        _run_key("mean of the runs", "black", "P"),
        Patch(facecolor="white", edgecolor=style.GREY, label="quartiles and median"),
        style.chance_key("majority class"),
    ]
    caption = (
        f"{about} A failed run is no better than always answering with the most frequent label, by "
        "accuracy, whatever the metric; on the right their number. Runs that diverged have no "
        "score and are not drawn."
    )
    heights = [0.26 * len(of_task) + 0.12 for of_task in tasks]
    figure, rows = _page(heights, 1, Footer(keys, caption), left, right=0.85)
    for of_task, (axes,) in zip(tasks, rows, strict=True):
        _score_panel(axes, of_task)
    numbers = pd.concat(
        [labelled(one.table, **one.columns, metric=one.metric) for one in sweeps],
        ignore_index=True,
    )
    return figure, numbers


def _run_key(label: str, colour: str, marker: str) -> Line2D:
    return Line2D([], [], color=colour, marker=marker, markersize=4, linestyle="none", label=label)


def _score_panel(axes: Axes, sweeps: Sequence[SweepTable]) -> None:
    metric = sweeps[0].metric
    for row, one in enumerate(sweeps):
        table = one.table
        scores, failed = table["score"].to_numpy(float), table["failed"].to_numpy(bool)
        known = np.isfinite(scores)
        if known.any():
            axes.boxplot(
                [scores[known]],
                positions=[row],
                orientation="horizontal",
                widths=0.6,
                showfliers=False,
                boxprops={"color": style.GREY, "linewidth": 0.8},
                whiskerprops={"color": style.GREY, "linewidth": 0.8},
                capprops={"color": style.GREY, "linewidth": 0.8},
                medianprops={"color": "black", "linewidth": 1.0},
                manage_ticks=False,
            )
            axes.plot(scores[known].mean(), row, "P", color="black", markersize=4, zorder=6)
        # Runs of equal scores side by side, in the order of their seeds.
        offsets = np.linspace(-0.26, 0.26, len(scores))[::-1]
        for chosen, colour, marker in (
            (known & ~failed, _SUCCESSFUL, "o"),
            (known & failed, _FAILED, "x"),
        ):
            axes.plot(
                scores[chosen],
                row + offsets[chosen],
                marker,
                color=colour,
                markersize=2.8,
                linestyle="none",
                zorder=5,
            )
        axes.annotate(
            f"{failed.sum()} of {len(failed)} failed",
            (1, row),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            annotation_clip=False,
        )
    baseline = majority_score(sweeps[0].table, metric)
    if isfinite(baseline):
        axes.axvline(
            baseline,
            color="black",
            linewidth=style.CHANCE_WIDTH,
            linestyle=style.CHANCE_DASH,
            zorder=1,
        )
    axes.set_yticks(range(len(sweeps)), [wrap(one.sweep, 1.3)[0] for one in sweeps])
    axes.set_ylim(len(sweeps) - 0.5, -0.5)
    axes.set_xlabel(f"{METRIC_TITLE[metric]} on the dev set at the end of training")
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_title(_heading(sweeps[0].task))


def majority_score(runs: pd.DataFrame, metric: str) -> float:
    """Score of always answering with the most frequent label; NaN for F1, which has two values."""
    known = {"accuracy": float(runs["majority"].iloc[0]), "mcc": 0.0}
    return known.get(metric, float("nan"))


# Gradients


@style.paper_style()
def gradient_norms(
    runs: Sequence[SweepTable], histories: Sequence[SweepTable]
) -> tuple[Figure, pd.DataFrame]:
    """Gradient norms of layers over the steps, failed against successful runs, a row per task.

    Parameters
    ----------
    runs, histories : sequence of SweepTable
        ``runs.parquet`` and ``history.parquet`` of one sweep of each task, in the same order.

    Returns
    -------
    figure : Figure
        Of up to six layers, the pooler and the head: geometric means over the runs.
    numbers : DataFrame
        A row per step, part and outcome with ``gradient_norm`` and the number of ``runs``.

    References
    ----------
    Mosbach et al. (2021), figures 3 and 6.
    """
    numbers = pd.concat(
        [
            labelled(mean_norms(ended.table, history.table), **ended.columns)
            for ended, history in zip(runs, histories, strict=True)
        ],
        ignore_index=True,
    )
    parts = list(dict.fromkeys(numbers["part"]))
    looks = {part: _part_look(part, parts) for part in parts}
    keys = [Line2D([], [], label=_part_title(part), **looks[part]) for part in parts]
    caption = (
        f"Recipe {runs[0].sweep}: norm of the gradient of each layer's parameters before clipping, "
        "geometric mean over the runs. Failed runs are optimisation failures if the gradients of "
        "the lower layers vanish in them, and not in the successful ones."
    )
    figure, rows = _page([1.7] * len(runs), 2, Footer(keys, caption), 0.55)
    shown = numbers["gradient_norm"][numbers["gradient_norm"] > 0]
    limits = (shown.min() * 0.7, shown.max() * 1.4) if len(shown) else (1e-5, 1e2)
    for ended, panels in zip(runs, rows, strict=True):
        of_task = numbers[numbers["task"] == ended.task.name]
        for axes, kind in zip(panels, ("failed", "successful"), strict=True):
            of_kind = of_task[of_task["outcome"] == kind]
            count = int((ended.table["failed"] == (kind == "failed")).sum())
            axes.set_title(_heading(ended.task, f"{count} {kind} runs"))
            if of_kind["gradient_norm"].notna().sum() == 0:
                _note(
                    axes, f"no run of {ended.sweep} {'failed' if kind == 'failed' else 'succeeded'}"
                )
                continue
            for part, curve in of_kind.groupby("part", sort=False):
                axes.plot(curve["step"], curve["gradient_norm"], **looks[part])
            axes.set_yscale("log")
            axes.set_ylim(*limits)
            axes.set_xlim(left=0)
            axes.set_xlabel("step")
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        panels[0].set_ylabel("gradient norm")
        panels[1].tick_params(labelleft=False)
    return figure, numbers


def mean_norms(runs: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Geometric means of the gradient norms over the failed, and over the successful runs.

    Parameters
    ----------
    runs, history : DataFrame
        ``runs.parquet`` and ``history.parquet`` of a sweep.

    Returns
    -------
    DataFrame
        ``outcome`` (failed or successful), ``part``, ``step``, ``gradient_norm`` (NaN at steps at
        which one of the runs has none that is finite) and ``runs``. At least one row per outcome
        and part.
    """
    prefix = "gradient_norm_"
    every = [column.removeprefix(prefix) for column in history if column.startswith(prefix)]
    layers = [part for part in every if part.startswith("layer")]
    chosen = np.unique(np.linspace(0, len(layers) - 1, min(6, len(layers))).round().astype(int))
    parts = [layers[i] for i in chosen] + [part for part in ("pooler", "head") if part in every]
    ends = runs.set_index(["init", "order"])["failed"]
    of_run = pd.MultiIndex.from_frame(history[["init", "order"]])
    failed = ends.reindex(of_run).to_numpy(bool)
    rows = []
    for outcome, which in (("failed", failed), ("successful", ~failed)):
        some = history[which]
        for part in parts:
            norms = some[f"{prefix}{part}"].to_numpy(float)
            with np.errstate(divide="ignore", invalid="ignore"):
                logs = pd.Series(np.where(norms > 0, np.log(norms), np.nan))
            mean = np.exp(logs.groupby(some["step"].to_numpy()).mean())
            count = len(some[["init", "order"]].drop_duplicates())
            steps = mean.index.to_numpy() if len(mean) else np.array([1])
            values = mean.to_numpy() if len(mean) else np.array([np.nan])
            rows.append(
                pd.DataFrame(
                    {
                        "outcome": outcome,
                        "part": part,
                        "step": steps,
                        "gradient_norm": values,
                        "runs": count,
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def _part_look(part: str, parts: Sequence[str]) -> dict:
    import matplotlib

    layers = [name for name in parts if name.startswith("layer")]
    if part in layers:
        shade = 0.9 * layers.index(part) / max(1, len(layers) - 1)
        return {"color": matplotlib.colormaps["viridis"](shade), "linewidth": 1.1}
    dash = "dashed" if part == "pooler" else "dotted"
    return {"color": "black", "linewidth": 1.0, "linestyle": dash}


def _part_title(part: str) -> str:
    return f"layer {int(part.removeprefix('layer'))}" if part.startswith("layer") else part


# Generalisation


@style.paper_style()
def generalisation(
    runs: Sequence[SweepTable], epochs: Sequence[SweepTable]
) -> tuple[Figure, pd.DataFrame]:
    """Dev scores against final training losses, and over the epochs, a row per task.

    Parameters
    ----------
    runs, epochs : sequence of SweepTable
        ``runs.parquet`` and ``epochs.parquet`` of the sweeps, in the same order.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        A row per run and epoch with ``score``; at the last epoch ``train_loss`` and ``failed``.

    References
    ----------
    Mosbach et al. (2021), figures 7 and 8.
    """
    numbers = pd.concat(
        [_by_epoch(ended, epoch) for ended, epoch in zip(runs, epochs, strict=True)],
        ignore_index=True,
    )
    names = list(dict.fromkeys(one.sweep for one in runs))
    looks = {name: style.curve_look(place) for place, name in enumerate(names)}
    keys = [
        Line2D([], [], label=name, **(looks[name] | {"linewidth": 1.0, "markersize": 3.5}))
        for name in names
    ]
    keys += [_run_key("failed run", "black", "x"), style.chance_key("majority class")]
    caption = (
        "Left: score on the dev set at the end of training against the mean training loss of the "
        "last epoch, every run. Where runs of the same training loss differ on the dev set, the "
        "loss does not explain it. Right: dev scores of the same runs over the epochs."
    )
    tasks = _by_task(runs)
    figure, rows = _page([1.8] * len(tasks), 2, Footer(keys, caption), 0.55)
    for of_task, (left, right) in zip(tasks, rows, strict=True):
        task, metric = of_task[0].task, of_task[0].metric
        here = numbers[numbers["task"] == task.name]
        for one in of_task:
            look = looks[one.sweep]
            of_sweep = here[here["sweep"] == one.sweep]
            last = of_sweep[of_sweep["train_loss"].notna() & (of_sweep["train_loss"] > 0)]
            for failed, marker in ((False, look["marker"]), (True, "x")):
                points = last[last["failed"] == failed]
                left.plot(
                    points["train_loss"],
                    points["score"],
                    marker,
                    color=look["color"],
                    markersize=3.5,
                    linestyle="none",
                )
            for _, curve in of_sweep.groupby(["init", "order"], sort=False):
                right.plot(
                    curve["epoch"],
                    curve["score"],
                    color=look["color"],
                    linestyle=look["linestyle"],
                    linewidth=0.7,
                    alpha=0.8,
                )
        baseline = majority_score(of_task[0].table, metric)
        for axes in (left, right):
            if isfinite(baseline):
                axes.axhline(
                    baseline,
                    color="black",
                    linewidth=style.CHANCE_WIDTH,
                    linestyle=style.CHANCE_DASH,
                )
        _log_axis(left)
        left.set_title(_heading(task))
        left.set_xlabel("final training loss (nats)")
        left.set_ylabel(METRIC_TITLE[metric])
        right.set_title(_heading(task))
        right.set_xlabel("epoch")
        right.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        limits = [axes.get_ylim() for axes in (left, right)]
        for axes in (left, right):
            axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
        right.tick_params(labelleft=False)
    return figure, numbers


def _log_axis(axes: Axes) -> None:
    """Make the horizontal axis logarithmic, a factor of 10 at least, with labels at 1, 2 and 5."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    if high < 10 * low:
        middle = (low * high) ** 0.5
        axes.set_xlim(middle / 10**0.5, middle * 10**0.5)
    axes.xaxis.set_major_locator(_log_ticks(*axes.get_xlim()))
    axes.xaxis.set_major_formatter(FuncFormatter(_short))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _log_ticks(low: float, high: float) -> LogLocator:
    """Ticks of a logarithmic axis: 1, 2 and 5 of each power of 10, on a long one its powers."""
    return LogLocator(subs=(1, 2, 5) if high < 1e3 * low else (1,))


def _by_epoch(runs: SweepTable, epochs: SweepTable) -> pd.DataFrame:
    """Scores of every epoch; at the last one how the run ended."""
    seeds = ["init", "order"]
    table = epochs.table[[*seeds, "epoch", runs.metric]].rename(columns={runs.metric: "score"})
    ends = runs.table[[*seeds, "epochs", "train_loss", "failed"]]
    merged = table.merge(
        ends, left_on=[*seeds, "epoch"], right_on=[*seeds, "epochs"], how="left"
    ).drop(columns="epochs")
    return labelled(merged, **runs.columns, metric=runs.metric)


# The table


def stability_table(
    spreads: Sequence[tuple[TaskTitle, str, pd.DataFrame]],
    tests: Sequence[pd.DataFrame],
    paper: dict[str, dict[str, list[float]]] | None = None,
) -> pd.DataFrame:
    """Spread and failed runs of all sweeps, with the tests against the first of their task.

    Parameters
    ----------
    spreads : sequence of (TaskTitle, str, DataFrame)
        Task, metric and ``spread.parquet``.
    tests : sequence of DataFrame
        ``tests.parquet`` of the same tasks.
    paper : dict, optional
        Task -> sweep -> the paper's standard deviation, mean, median and maximum, percent.

    Returns
    -------
    DataFrame
        A row per task and sweep: scores in percent, the columns of ``spread.parquet`` and, where
        there are any, of ``tests.parquet``; ``paper_std``, ``paper_mean``, ``paper_median`` and
        ``paper_largest``, NaN where unknown.
    """
    rows = []
    for (task, metric, spread), test in zip(spreads, tests, strict=True):
        merged = spread.merge(test, left_on="sweep", right_on="second", how="left")
        merged = merged.drop(columns=["first", "second"])
        percent = [
            column
            for column in merged
            if column.startswith(("std", "mean")) or column in ("median", "largest", "smallest")
        ]
        merged[percent] *= 100
        known = (paper or {}).get(task.name, {})
        unknown = [np.nan] * 4
        for place, name in enumerate(("std", "mean", "median", "largest")):
            merged[f"paper_{name}"] = [
                float(known.get(sweep, unknown)[place]) for sweep in merged["sweep"]
            ]
        rows.append(labelled(merged, **task.columns, title=task.title, metric=metric))
    return pd.concat(rows, ignore_index=True)


def table_cells(
    numbers: pd.DataFrame,
) -> tuple[list[str], list[list[list[str]]], list[str]]:
    """Heads, rows of cells and notes of the table, for ``tables.drawn_table``.

    Parameters
    ----------
    numbers : DataFrame
        Of ``stability_table``.
    """
    heads = ["Task", "Recipe", "Failed", "Std", "Mean", "Median", "Max"]
    heads += ["Brown–Forsythe", "Levene", "Boschloo"]
    body = []
    for row in numbers.to_dict("records"):
        task = [row["title"], *(["(synthetic)"] if row["synthetic"] else [])]
        body.append(
            [
                task,
                [row["sweep"]],
                [
                    f"{row['failures']} of {row['runs']}",
                    f"[{row['failure_rate_low']:.2f}, {row['failure_rate_high']:.2f}]",
                ],
                [_fixed(row["std"]), f"[{_fixed(row['std_low'])}, {_fixed(row['std_high'])}]"],
                [_fixed(row["mean"])],
                [_fixed(row["median"])],
                [_fixed(row["largest"])],
                *([_p_value(row.get(name))] for name in ("brown_forsythe", "levene", "boschloo")),
            ]
        )
        if isfinite(row["paper_mean"]):
            printed = (row[f"paper_{name}"] for name in ("std", "mean", "median", "largest"))
            body.append([["  paper"], [""], [""], *([_fixed(v)] for v in printed), *[[""]] * 3])
    notes = [
        "Scores in % at the end of training. Failed: runs no better than the majority class, and "
        "the 95 % interval of their rate (Wilson). Std: standard deviation (n − 1) with its 95 % "
        "interval (chi-square; conservative where scores are bimodal). Brown–Forsythe and Levene: "
        "p values of the same spread as the task's first recipe; Boschloo: of the same failure "
        "rate; not adjusted (the ledger's are, by Holm's method).",
    ]
    if numbers["paper_mean"].notna().any():
        notes.append("Paper: Mosbach et al. (2021), table 1.")
    return heads, body, notes


def _fixed(value: float) -> str:
    return f"{value:.1f}" if isfinite(value) else "–"


def _p_value(value: float | None) -> str:
    if value is None or not isfinite(value):
        return "–"
    return f"{value:.3f}" if value >= 0.001 else "<.001"


# Forgetting


@style.paper_style()
def forgetting_curves(
    tables: Sequence[tuple[TaskTitle, pd.DataFrame]], recipe: str
) -> tuple[Figure, pd.DataFrame]:
    """Masked-LM perplexity with the top layers reset, a panel per task, a curve per run.

    Parameters
    ----------
    tables : sequence of (TaskTitle, DataFrame)
        Task and ``forgetting.parquet``.
    recipe : str
        Of the runs.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        The tables' rows; one without a run, if there is none.

    References
    ----------
    Mosbach et al. (2021), figure 2.
    """
    numbers = pd.concat(
        [labelled(_at_least_a_row(table), **task.columns) for task, table in tables],
        ignore_index=True,
    )
    own = bool(tables[0][1]["own_head"].any())
    head = "the model's own masked-LM head" if own else "a masked-LM probe"
    keys = [
        Line2D([], [], label=f"{outcome} run", **_outcome_look(outcome))
        for outcome in ("failed", "successful")
    ]
    keys.append(style.chance_key("pre-trained encoder"))
    caption = (
        f"Perplexity of {head} on the encoders of recipe {recipe}, with their top layers reset to "
        "the pre-trained weights; with all of them the embeddings are reset, too."
    )
    if not own:
        caption += (
            " The model has no masked-LM head: the probe was trained on the frozen pre-trained "
            "encoder, and is the same for all runs."
        )
    caption += " If a few layers restore it, forgetting is confined to the top."
    columns = min(3, len(tables))
    rows = -(-len(tables) // columns)
    figure, grid = _page([1.7] * rows, columns, Footer(keys, caption), 0.6, gap=0.5)
    panels = [axes for row in grid for axes in row]
    for axes, (task, table) in zip(panels, tables, strict=False):
        axes.set_title(_heading(task))
        of_runs = table[table["outcome"] != "pretrained"]
        if of_runs.empty:
            _note(axes, f"no run of {recipe} ended with finite weights")
            continue
        missing = [kind for kind in ("failed", "successful") if kind not in set(of_runs["outcome"])]
        for (outcome, _, _), curve in of_runs.groupby(["outcome", "init", "order"]):
            axes.plot(
                curve["layers_reset"].astype(int), curve["perplexity"], **_outcome_look(outcome)
            )
        before = table[table["outcome"] == "pretrained"]["perplexity"]
        axes.axhline(
            before.iloc[0],
            color="black",
            linewidth=style.CHANCE_WIDTH,
            linestyle=style.CHANCE_DASH,
        )
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(_short))
        low, high = axes.get_ylim()
        axes.yaxis.set_major_locator(_log_ticks(low, high))
        axes.yaxis.set_minor_formatter(FuncFormatter(_short) if high < 5 * low else NullFormatter())
        axes.set_xlabel("layers reset, from the top")
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        for kind in missing:
            axes.text(
                0.97,
                0.93,
                f"no {kind} run",
                transform=axes.transAxes,
                ha="right",
                va="top",
                color=style.GREY,
            )
    for axes in panels[len(tables) :]:
        axes.set_visible(False)
    for row in grid:
        row[0].set_ylabel("perplexity")
    return figure, numbers


def _short(value: float, place: int) -> str:
    return f"{value:.4g}"


def _outcome_look(outcome: str) -> dict:
    colour, dash = (_FAILED, (0, (4, 1.4))) if outcome == "failed" else (_SUCCESSFUL, "solid")
    marker = "x" if outcome == "failed" else "o"
    return {
        "color": colour,
        "linestyle": dash,
        "marker": marker,
        "markersize": 3,
        "linewidth": 1.0,
    }


def _at_least_a_row(table: pd.DataFrame) -> pd.DataFrame:
    return table if len(table) else table.reindex([0])


# The loss plane

LINE_TITLE = {
    "pretrained-failed": "pre-trained – failed",
    "failed-successful": "failed – successful",
    "pretrained-successful": "pre-trained – successful",
}


@style.paper_style()
def loss_planes(
    planes: Sequence[tuple[TaskTitle, pd.DataFrame, pd.DataFrame]], recipe: str
) -> tuple[Figure, pd.DataFrame]:
    """Training loss on the plane through pre-trained, failed and successful weights.

    Parameters
    ----------
    planes : sequence of (TaskTitle, DataFrame, DataFrame)
        Task, ``plane.parquet`` and ``barriers.parquet``; a row of panels each.
    recipe : str
        Of the runs.

    Returns
    -------
    figure : Figure
        The plane with the head of either run, and the three lines with the head of the successful
        one.
    numbers : DataFrame
        A row per point, and per line its barriers (``rise``, ``rise_back``, ``excess``).

    References
    ----------
    Mosbach et al. (2021), figure 9.
    """
    numbers = pd.concat(
        [
            labelled(
                _at_least_a_row(plane.merge(barriers, on=["head", "line"], how="left")),
                **task.columns,
            )
            for task, plane, barriers in planes
        ],
        ignore_index=True,
    )
    levels = _levels(numbers["train_loss"])
    keys = [
        style.dot_key("pre-trained"),
        _run_key("failed run", _FAILED, "X"),
        style.star_key("successful run"),
        *(
            Line2D([], [], label=title, **style.curve_look(place) | {"marker": "none"})
            for place, title in enumerate(LINE_TITLE.values())
        ),
    ]
    caption = (
        f"Training loss (nats, log colours) of recipe {recipe} at pre-trained + α (failed − "
        "pre-trained) + β (successful − pre-trained); the encoder moves, and the head is that of "
        "the run in the title. The corners are the exact weights. Right: the loss along the three "
        f"lines.{_rises(planes)}"
    )
    figure, grid = _page([1.65] * len(planes), 3, Footer(keys, caption), 0.5, 0.16, 0.75)
    for (task, plane, _), row in zip(planes, grid, strict=True):
        for axes, head in zip(row, ("failed", "successful"), strict=False):
            _plane_panel(axes, plane, head, levels, recipe)
            axes.set_title(f"{head} run's head", fontsize=style.MEDIUM)
        _line_panel(row[2], plane, recipe)
        row[2].set_title(_heading(task), fontsize=style.MEDIUM)
    return figure, numbers


def _levels(losses: pd.Series) -> np.ndarray:
    finite = losses[np.isfinite(losses) & (losses > 0)]
    if finite.empty:
        return np.geomspace(0.01, 10, 13)
    low = max(finite.min(), 1e-4)
    return np.geomspace(low, max(finite.max(), 2 * low) * 1.0001, 13)


def _plane_panel(
    axes: Axes, plane: pd.DataFrame, head: str, levels: np.ndarray, recipe: str
) -> None:
    grid = plane[(plane["line"] == "") & (plane["head"] == head)]
    if grid.empty:
        _note(axes, f"no plane: {_missing(plane, recipe)}")
        return
    table = grid.pivot(index="beta", columns="alpha", values="train_loss")
    losses = np.clip(table.to_numpy(float), levels[0], levels[-1])
    losses = np.ma.masked_invalid(losses)
    shown = axes.contourf(
        table.columns, table.index, losses, levels=levels, norm=LogNorm(), cmap=style.LOSS_MAP
    )
    axes.contour(table.columns, table.index, losses, levels=levels, colors="white", linewidths=0.3)
    ticks = list(levels[:: len(levels) // 3])
    bar = axes.figure.colorbar(shown, ax=axes, fraction=0.06, pad=0.03, ticks=ticks)
    bar.ax.set_yticklabels([f"{tick:.2g}" for tick in ticks])
    bar.ax.minorticks_off()
    axes.plot(0, 0, **style.dot())
    axes.plot(0, 1, **style.star())
    axes.plot(
        1, 0, marker="X", color=_FAILED, markersize=6, markeredgecolor="white", linestyle="none"
    )
    axes.set_xlabel("α, to the failed run")
    axes.set_ylabel("β, to the successful run")


def _missing(plane: pd.DataFrame, recipe: str) -> str:
    lines = set(plane["line"])
    if "pretrained-failed" not in lines:
        return f"no run of {recipe} failed"
    return f"no run of {recipe} succeeded"


def _rises(planes: Sequence[tuple[TaskTitle, pd.DataFrame, pd.DataFrame]]) -> str:
    """Sentences on how far the loss rises along the lines that the figure shows."""
    said = ""
    for task, _, barriers in planes:
        head = _line_head(barriers)
        rows = barriers[barriers["head"] == head].set_index("line")
        words = [
            f"{title} {rows.loc[line, 'rise']:.2f} / {rows.loc[line, 'rise_back']:.2f}"
            for line, title in LINE_TITLE.items()
            if line in rows.index
        ]
        if words:
            said += (
                f" {task.title}, with the head of the {head} run, it rises on the way there / back "
                f"by, nats: {', '.join(words)}."
            )
    return said


def _line_head(table: pd.DataFrame) -> str:
    """Whose head the lines are drawn with: the successful run's, if there is one; or empty."""
    return next((head for head in ("successful", "failed") if head in set(table["head"])), "")


def _line_panel(axes: Axes, plane: pd.DataFrame, recipe: str) -> None:
    head = _line_head(plane)
    if not head:
        _note(axes, f"no run of {recipe} ended with finite weights")
        return
    of_head = plane[plane["head"] == head]
    for place, line in enumerate(LINE_TITLE):
        curve = of_head[of_head["line"] == line].sort_values("t")
        if curve.empty:
            continue
        look = style.curve_look(place) | {"marker": "none", "linewidth": 1.1}
        axes.plot(curve["t"], curve["train_loss"], **look)
    axes.set_xlabel("from corner to corner")
    axes.set_ylabel("training loss")
    axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_locator(MaxNLocator(4))

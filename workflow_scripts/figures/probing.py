"""Geometry of labels before and after fine-tuning (probing_table, probing1 to probing4)."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures import style
from workflow_scripts.figures.inputs import labelled
from workflow_scripts.figures.layout import (
    Footer,
    blocks_of,
    broken_titles,
    head_heights,
    set_title,
    sheet,
    text_width,
    width_of_panels,
)
from workflow_scripts.figures.outcomes import point_word, run_note
from workflow_scripts.figures.pairs import layer_name
from workflow_scripts.figures.tables import MINUS

# Labels that a panel shows: those whose distance grows most, and least.
SHOWN = 3


# probing_table


def table_rows(
    title: TaskTitle,
    seeds: str,
    about: dict[str, Any],
    clusters: pd.DataFrame,
    controls: pd.DataFrame,
    probes: pd.DataFrame,
    distances: pd.DataFrame,
    similarity: pd.DataFrame,
    paper: dict[str, Any] | None = None,
) -> pd.DataFrame:
    """Numbers of one run: a row for the pre-trained model, and one for the fine-tuned one.

    Parameters
    ----------
    title : TaskTitle
        The run's task.
    seeds : str
        The run's seeds.
    about : dict
        ``about.json`` of ``extract_vectors``.
    clusters, controls, distances : DataFrame
        Of ``measure_geometry``.
    probes : DataFrame
        Of ``train_probes``.
    similarity : DataFrame
        Of ``compare_geometry``, of all tasks.
    paper : dict, optional
        ``original`` and ``fine_tuned`` of the paper's table 7, and ``note``.

    Returns
    -------
    DataFrame
        See the figure's entry in ``probing/figures.py``.
    """
    last, width = about["layers"][-1], about["width"]
    epochs = about["epochs"]
    rows = []
    for state, epoch in (("original", epochs[0]), ("fine-tuned", epochs[-1])):
        row: dict[str, Any] = {"seeds": seeds, "state": state, "epoch": epoch, "layer": last}
        row |= {"labels": len(about["labels"]), "width": width, "cut": sum(about["cut"].values())}
        row |= _probe_cells(probes[probes["epoch"] == epoch])
        row |= _cluster_cells(clusters, epoch)
        for split in ("train", "dev"):
            measured = distances[
                (distances["epoch"] == epoch)
                & (distances["layer"] == last)
                & (distances["split"] == split)
            ]
            row |= {f"{split}_{k}": v for k, v in _pair_cells(measured, controls).items()}
        both = similarity[
            (similarity["kind"] == "train_dev")
            & (similarity["task"] == title.name)
            & (similarity["seeds"] == seeds)
            & (similarity["epoch"] == epoch)
            & (similarity["layer"] == last)
        ].iloc[0]
        row |= {"similarity": both["value"], "reason": both["reason"] or ""}
        printed = (paper or {}).get(state.replace("-", "_"), {})
        for key in ("accuracy", "deviation", "clusters", "linear", "similarity"):
            row[f"paper_{key}"] = printed.get(key)
        rows.append({**row, "paper_note": (paper or {}).get("note", "")})
    table = pd.DataFrame(rows).astype({"similarity": float})
    return labelled(table, **title.columns)


def _probe_cells(probes: pd.DataFrame) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for kind in ("mlp", "logistic"):
        own = probes[probes["kind"] == kind]
        for split in ("train", "dev"):
            scores = 100 * own[split].to_numpy(float)
            cells[f"{kind}_{split}"] = scores.mean() if len(scores) else np.nan
            if kind == "mlp":
                cells[f"mlp_{split}_std"] = scores.std(ddof=1) if len(scores) > 1 else np.nan
    return cells | {
        "majority_dev": 100 * float(probes["majority_dev"].iloc[0]),
        "unseen": int(probes["unseen"].iloc[0]),
    }


def _cluster_cells(clusters: pd.DataFrame, epoch: int) -> dict[str, Any]:
    own = clusters[clusters["epoch"] == epoch] if len(clusters) else clusters
    if own.empty:
        return {"clusters": np.nan, "undecided": np.nan, "nearest": np.nan}
    return {
        "clusters": int(own["clusters"].sum()),
        "undecided": int(own["undecided"].iloc[0]),
        "nearest": 100 * float(own["accuracy"].iloc[0]),
    }


def _pair_cells(measured: pd.DataFrame, controls: pd.DataFrame) -> dict[str, Any]:
    states = measured["state"]
    cells: dict[str, Any] = {
        "pairs": len(states),
        "separated": int((states == "separated").sum()),
        "linear": bool((states == "separated").all()),
    }
    keys = ["epoch", "layer", "split"]
    place = measured[keys].iloc[0]
    own = controls[(controls[keys] == place).all(axis=1)] if len(controls) else controls
    if own.empty:
        empty = dict.fromkeys(("shuffled", "vacuous", "smallest", "n_per_d"), np.nan)
        return cells | empty
    return cells | {
        "shuffled": float(own["shuffled"].mean()),
        "vacuous": int(own["vacuous"].sum()),
        "smallest": int(own["smaller"].min()),
        "n_per_d": float(own["n_per_d"].max()),
    }


HEADS = (
    "Task",
    "Model",
    "Probe (train)",
    "Probe (dev)",
    "Logistic (dev)",
    "Clusters",
    "Linear (train)",
    "Linear (dev)",
    "Pearson (train–dev)",
)


def table_cells(
    numbers: pd.DataFrame, titles: Sequence[TaskTitle]
) -> tuple[list[list[list[str]]], list[str]]:
    """Cells of the table (each a list of lines), and notes below it.

    Parameters
    ----------
    numbers : DataFrame
        Of ``table_rows``, the first run of each task.
    titles : sequence of TaskTitle
        Of the tasks, in the order of the rows.
    """
    body, notes = [], []
    for title in titles:
        for place, (_, row) in enumerate(numbers[numbers["task"] == title.name].iterrows()):
            name = [title.title, *(["(synthetic)"] if title.synthetic else [])]
            body.append(
                [
                    name if place == 0 else [""],
                    [row["state"]],
                    _percent(row["mlp_train"], row["mlp_train_std"]),
                    _percent(row["mlp_dev"], row["mlp_dev_std"]),
                    _percent(row["logistic_dev"]),
                    [f"{row['clusters']:.0f}" if np.isfinite(row["clusters"]) else "–"],
                    _linear(row, "train"),
                    _linear(row, "dev"),
                    [_similar(row["similarity"])],
                ]
            )
            if row["paper_accuracy"] is not None and np.isfinite(row["paper_accuracy"]):
                body.append(_printed(row))
                if row["paper_note"] and place == 0:
                    notes.append(f"{row['paper_note']}.")
    about = (
        "Last layer. Probe: small network, mean ± deviation of the initialisations; accuracies in "
        "%. Linear: pairs of labels that a hyperplane separates, of all; chance: the share of "
        "pairs with shuffled labels that one separates; near 100 %, “linear” says nothing; n: "
        "examples of the smaller label of a pair; n/d: of both over the width of a vector. "
        "Pearson: correlation of the distances of labels in both splits; – where labels overlap "
        "or are fewer than three."
    )
    if any(line[1][0] == "paper" for line in body):
        about += " Paper: Zhou and Srikumar (2022), table 7."
    unseen = numbers[numbers["state"] == "original"]
    left = [f"{row['task']} {row['cut']:.0f}" for _, row in unseen.iterrows() if row["cut"]]
    if left:
        notes.append(f"Words beyond the longest input, left out: {', '.join(left)}.")
    return body, [about, *notes]


def _percent(value: float, deviation: float = np.nan) -> list[str]:
    if not np.isfinite(value):
        return ["–"]
    return [f"{value:.1f}", *([f"± {deviation:.1f}"] if np.isfinite(deviation) else [])]


def _similar(value: Any) -> str:
    return f"{value:.2f}".replace("-", MINUS) if value is not None and np.isfinite(value) else "–"


def _linear(row: pd.Series, split: str) -> list[str]:
    shown = [f"{row[f'{split}_separated']:.0f} of {row[f'{split}_pairs']:.0f}"]
    if np.isfinite(row[f"{split}_shuffled"]):
        shown.append(f"chance {100 * row[f'{split}_shuffled']:.0f} %")
        shown += [f"n ≥ {row[f'{split}_smallest']:.0f}", f"n/d ≤ {row[f'{split}_n_per_d']:.1f}"]
    return shown


def _printed(row: pd.Series) -> list[list[str]]:
    cells = [[""] for _ in HEADS]
    cells[0], cells[1] = [" "], ["paper"]
    cells[3] = _percent(row["paper_accuracy"], row["paper_deviation"])
    cells[5] = [f"{row['paper_clusters']:.0f}"]
    cells[6] = ["linear" if row["paper_linear"] else "not linear"]
    cells[8] = [_similar(row["paper_similarity"])]
    return cells


# probing1


@style.paper_style()
def label_distances(
    distances: list[pd.DataFrame], labels: list[list[str]], titles: list[TaskTitle]
) -> tuple[Figure, pd.DataFrame]:
    """Distance of labels to the nearest other label over training, last layer; a panel per task.

    A panel shows the labels whose distance grows most and least among training examples.

    Parameters
    ----------
    distances : list of DataFrame
        ``distances.parquet`` of each task.
    labels : list of list of str
        Names of each task's labels.
    titles : list of TaskTitle
        In the same order.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        A row per task, epoch and label: ``epoch``, ``layer``, ``label``, ``train``, ``dev``
        (distances; NaN where a split lacks the label), ``shown``.

    References
    ----------
    Zhou & Srikumar (2022), section 4.2, figure 2.
    """
    numbers = [
        labelled(_nearest(table, names), **title.columns)
        for table, names, title in zip(distances, labels, titles, strict=True)
    ]
    blocks, columns = blocks_of(len(titles), most=2)
    caption = (
        "Distance of a label's convex hull to that of the nearest other label, in the last layer; "
        "0 where they overlap. Each panel has the labels whose distance grows most among training "
        f"examples and those whose grows least, {SHOWN} of either; two that are nearest to each "
        f"other share a curve.{run_note(titles)}"
    )
    widest = max(text_width(_short(name)) for names in labels for name in names)
    frame = {"left": 0.68, "gap": 0.95 + widest, "right": 0.3 + widest, "widest": 1.8}
    heads = broken_titles([title.heading for title in titles], width_of_panels(columns, **frame))
    page = sheet(
        columns,
        head_heights(heads, columns),
        [0.4] * blocks,
        Footer(_split_keys(), caption),
        **frame,
        aspect=0.8,
        narrowest=4.4,
        present=_present(len(titles), blocks, columns),
    )
    panels = [axes for row in page.panels for axes in row if axes is not None]
    for axes, table, head in zip(panels, numbers, heads, strict=True):
        shown = table[table["shown"]]
        keys = []
        for index, name in enumerate(dict.fromkeys(shown["label"])):
            own = shown[shown["label"] == name]
            look = style.curve_look(index)
            axes.plot(own["epoch"], own["train"], **{**look, "linestyle": "solid"}, markersize=3)
            axes.plot(
                own["epoch"], own["dev"], **{**look, "linestyle": (0, (1.2, 1.2))}, markersize=2
            )
            keys.append(Line2D([], [], **{**look, "linestyle": "solid"}, markersize=3,
                               label=_short(name)))  # fmt: skip
        axes.legend(
            handles=keys,
            loc="upper left",
            bbox_to_anchor=(1.01, 1.04),
            borderpad=0,
            handlelength=1.2,
            handletextpad=0.4,
            labelspacing=0.3,
        )
        set_title(axes, head)
        axes.set_xlabel(point_word(titles))
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=5))
    for row in page.panels:
        row[0].set_ylabel("distance")
    return page.figure, pd.concat(numbers, ignore_index=True)


def _short(name: str) -> str:
    return name if len(name) <= 14 else f"{name[:13]}…"


def _split_keys() -> list[Line2D]:
    look = {"color": "black", "linewidth": 1.2}
    return [
        Line2D([], [], linestyle="solid", label="training examples", **look),
        Line2D([], [], linestyle=(0, (1.2, 1.2)), label="dev examples", **look),
    ]


def _present(count: int, blocks: int, columns: int) -> list[list[bool]]:
    return [[row * columns + column < count for column in range(columns)] for row in range(blocks)]


def _nearest(table: pd.DataFrame, labels: list[str]) -> pd.DataFrame:
    """Distance of every label to the nearest other one, in the last layer."""
    last = table[table["layer"] == table["layer"].max()]
    ends = pd.concat([last.assign(label=last[side]) for side in ("first", "second")])
    nearest = ends.groupby(["epoch", "layer", "label", "split"])["distance"].min().unstack("split")
    nearest = nearest.reindex(columns=["train", "dev"]).reset_index()
    by_epoch = nearest.pivot(index="label", columns="epoch", values="train")
    growth = (by_epoch.iloc[:, -1] - by_epoch.iloc[:, 0]).dropna().sort_values(kind="stable")
    chosen = {*growth.index[:SHOWN], *growth.index[-SHOWN:]}
    nearest["shown"] = nearest["label"].isin(chosen)
    nearest["label"] = [labels[label] for label in nearest["label"]]
    nearest.columns.name = None
    return nearest.sort_values(["label", "epoch"], ignore_index=True)


# probing2


@style.paper_style()
def centroid_paths(paths: pd.DataFrame, titles: list[TaskTitle]) -> tuple[Figure, pd.DataFrame]:
    """Paths of centroids in planes of their largest variance: a row of three panels per task.

    The first layer and the last over training, on axes of one scale; and what fine-tuning adds to
    the centroids, over layers.

    Parameters
    ----------
    paths : DataFrame
        ``paths.parquet``.
    titles : list of TaskTitle
        Tasks, a row each.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        The rows of ``paths`` of these tasks; ``shown``: whether the label is drawn.

    References
    ----------
    Zhou & Srikumar (2022), section 4.3, figures 3 and 5.
    """
    numbers, names = [], []
    for title in titles:
        own = paths[paths["task"] == title.name]
        chosen = _moving_most(own)
        names.append(chosen)
        own = own.assign(shown=own["name"].isin(chosen))
        numbers.append(labelled(own.drop(columns="task"), **title.columns))
    widest = max(text_width(_short(name)) for chosen in names for name in chosen)
    caption = (
        "Centroids of training examples in the plane of their largest variance. Left and middle: "
        "the paths of one layer from the pre-trained model (dot) over the epochs to the fine-tuned "
        "one (star), at one scale. Right: what fine-tuning adds to a label's centroid, from the "
        "embeddings (dot) over the layers to the last one (star). Each row has the labels that "
        f"move farthest in the last layer, {2 * SHOWN} at most.{run_note(titles)}"
    )
    keys = [
        style.dot_key("pre-trained, or embeddings"),
        style.star_key("fine-tuned, or last layer"),
    ]
    page = sheet(
        3,
        [0.44] * len(titles),
        [0.42] * len(titles),
        Footer(keys, caption),
        left=0.62,
        gap=0.5,
        right=0.3 + widest,
        widest=1.5,
        narrowest=5.0,
    )
    for row, table, chosen, title in zip(page.panels, numbers, names, titles, strict=True):
        trained = table[table["kind"] == "training"]
        low, last = trained["layer"][trained["layer"] >= 0].min(), trained["layer"].max()
        panels = [trained[trained["layer"] == layer] for layer in (low, last)]
        panels.append(table[table["kind"] == "layers"])
        heads = [f"{title.title}:\nlayer {low}", f"layer {last}", "change by layer"]
        spans = [_span(panel[panel["shown"]]) for panel in panels]
        spans = [max(spans[:2]), max(spans[:2]), spans[2]]
        for axes, panel, head, span in zip(row, panels, heads, spans, strict=True):
            over = "layer" if head.startswith("change") else "epoch"
            _paths(axes, panel, chosen, over, span)
            axes.set_title(head, fontsize=style.MEDIUM)
        row[0].set_ylabel("second axis")
        keys = [
            Line2D([], [], color=style.CURVE_COLOURS[k % 8], label=_short(name))
            for k, name in enumerate(chosen)
        ]
        row[2].legend(
            handles=keys,
            loc="upper left",
            bbox_to_anchor=(1.01, 1.04),
            borderpad=0,
            handlelength=1.0,
            handletextpad=0.4,
        )
    for axes in page.panels[-1]:
        axes.set_xlabel("first axis")
    return page.figure, pd.concat(numbers, ignore_index=True)


def _moving_most(paths: pd.DataFrame) -> list[str]:
    """Names of the labels whose centroid moves farthest in the last layer, in their order."""
    last = paths[(paths["kind"] == "training") & (paths["layer"] == paths["layer"].max())]
    last = last.sort_values("epoch")
    ends = last.groupby("name")[["x", "y"]]
    moved = (ends.last() - ends.first()).pow(2).sum(axis=1).dropna()
    return sorted(moved.sort_values(kind="stable").index[-2 * SHOWN :])


def _span(panel: pd.DataFrame) -> float:
    """Half the side of a square that holds all points, with a margin."""
    sides = [panel[axis].max() - panel[axis].min() for axis in ("x", "y")]
    return 0.58 * max([*sides, 1e-9])


def _paths(axes: Axes, panel: pd.DataFrame, names: list[str], over: str, span: float) -> None:
    shown = panel[panel["shown"]]
    for index, name in enumerate(names):
        own = shown[shown["name"] == name].sort_values(over)
        colour = style.CURVE_COLOURS[index % 8]
        axes.plot(own["x"], own["y"], color=colour, linewidth=1.0, marker=".", markersize=2.5)
        if len(own):
            axes.plot(*own[["x", "y"]].iloc[0], **{**style.dot(), "markersize": 4,
                                                   "markerfacecolor": colour})  # fmt: skip
            axes.plot(*own[["x", "y"]].iloc[-1], **{**style.star(), "markersize": 7,
                                                    "markerfacecolor": colour})  # fmt: skip
    for axis, limit in (("x", axes.set_xlim), ("y", axes.set_ylim)):
        middle = (shown[axis].max() + shown[axis].min()) / 2
        if np.isfinite(middle):
            limit(middle - span, middle + span)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))


# probing3


@style.paper_style()
def geometry_similarity(
    similarity: pd.DataFrame, titles: list[TaskTitle]
) -> tuple[Figure, pd.DataFrame]:
    """Similarity of geometries by layer and epoch: two panels per task.

    Parameters
    ----------
    similarity : DataFrame
        ``similarity.parquet``.
    titles : list of TaskTitle
        Tasks, a row each; the first run of each is drawn.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        Their rows.

    References
    ----------
    Zhou & Srikumar (2022), sections 4.1 and 4.3, figure 4; table 7.
    """
    numbers, shown, without = [], [], []
    for title in titles:
        own = similarity[similarity["task"] == title.name]
        own = own[own["seeds"] == own["seeds"].iloc[0]]
        numbers.append(labelled(own.drop(columns="task"), **title.columns))
        if own["value"].notna().any():
            shown.append((numbers[-1], title))
        else:
            without.append(f"{title.title} ({own['reason'].iloc[-1]})")  # in the last layer
    shown = shown or list(zip(numbers, titles, strict=True))[:1]
    tables, titles_shown = zip(*shown, strict=True)
    absent = f" Nowhere defined: {'; '.join(without)}." if without else ""
    caption = (
        "Pearson correlation of the distances of labels. Left: in the pre-trained model and after "
        "each epoch (training examples). Right: of training and dev examples. Hatched: not "
        "defined, for labels overlap or are fewer than three; the numbers have each reason. emb.: "
        "the embeddings. Correlations below 0 have the colour of 0."
        f"{absent}{run_note(titles)}"
    )
    page = sheet(
        2,
        [0.32] * len(tables),
        [0.16] * (len(tables) - 1) + [0.4],
        Footer([style.missing_key("not defined")], caption),
        left=0.95,
        gap=0.25,
        bar=0.85,
        widest=2.0,
        aspect=0.5,
        narrowest=5.0,
    )
    drawn = None
    for row, table, title in zip(page.panels, tables, titles_shown, strict=True):
        for axes, kind, head in zip(
            row, ("before_during", "train_dev"), ("before – after", "train – dev"), strict=True
        ):
            drawn = _matrix(axes, table[table["kind"] == kind])
            axes.set_title(f"{title.title}: {head}", fontsize=style.MEDIUM)
        row[0].set_ylabel("layer")
        row[1].tick_params(labelleft=False)
    for row in page.panels[:-1]:
        for axes in row:
            axes.tick_params(labelbottom=False)
    for axes in page.panels[-1]:
        axes.set_xlabel(point_word(titles))
    below = any((table["value"] < 0).any() for table in tables)
    page.figure.colorbar(
        drawn, cax=page.bar, label="Pearson correlation", extend="min" if below else "neither"
    )
    return page.figure, pd.concat(numbers, ignore_index=True)


def _matrix(axes: Axes, table: pd.DataFrame):
    grid = table.pivot(index="layer", columns="epoch", values="value").astype(float)
    layers, epochs = grid.index.to_list(), grid.columns.to_list()
    axes.set_facecolor(style.MISSING_FACE)
    axes.patch.set(hatch="/////", edgecolor=style.MISSING_EDGE)
    shown = axes.imshow(
        np.ma.masked_invalid(grid.to_numpy()),
        cmap=matplotlib.colormaps[style.SIMILARITY_MAP],
        vmin=0,
        vmax=1,
        origin="lower",
        aspect="auto",
    )
    some = range(0, len(layers), max(1, -(-len(layers) // 5)))
    axes.set_yticks(list(some), [layer_name(layers[k]) for k in some])
    some = range(0, len(epochs), max(1, -(-len(epochs) // 6)))
    axes.set_xticks(list(some), [str(epochs[k]) for k in some])
    return shown


@style.paper_style()
def cross_tasks(cross: pd.DataFrame, titles: list[TaskTitle]) -> tuple[Figure, pd.DataFrame]:
    """How fine-tuning on each task moves the labels of one task apart: a panel per such task.

    Parameters
    ----------
    cross : DataFrame
        ``cross.parquet``.
    titles : list of TaskTitle
        All tasks, in the order of the rows of a panel.

    Returns
    -------
    figure : Figure
    numbers : DataFrame
        The rows of ``cross``.

    References
    ----------
    Zhou & Srikumar (2022), section 4.4, table 5.
    """
    by_name = {title.name: title for title in titles}
    measured = list(dict.fromkeys(cross["task"]))
    order = [title.name for title in titles]
    caption = (
        "Change of each label's distance to the nearest other label, in the last layer, from the "
        "pre-trained model to one fine-tuned on the task of the row: each label, and the mean of "
        f"all (line).{run_note(titles)}"
    )
    keys = [
        Line2D([], [], marker=mark, color=colour, linestyle="none", markersize=4, label=label)
        for mark, colour, label in (
            ("o", style.BLUE, "training examples"),
            ("^", style.VERMILLION, "dev examples"),
        )
    ]
    margin = 0.25 + max(text_width(title.title, style.SMALL) for title in titles)
    page = sheet(
        len(measured),
        [0.3],
        [0.42],
        Footer(keys, caption),
        left=margin,
        gap=0.3,
        right=0.15,
        widest=3.4,
        aspect=0.14 + 0.11 * len(order) / max(1, 2 / len(measured)),
        narrowest=4.2,
    )
    for axes, task in zip(page.panels[0], measured, strict=True):
        own = cross[cross["task"] == task]
        for place, name in enumerate(order):
            for shift, split, mark, colour in (
                (-0.17, "train", "o", style.BLUE),
                (0.17, "dev", "^", style.VERMILLION),
            ):
                values = own[(own["tuned"] == name) & (own["split"] == split)]["change"].dropna()
                where = np.full(len(values), place + shift)
                axes.plot(values, where, mark, color=colour, markersize=3, alpha=0.7, mew=0)
                if len(values):
                    axes.vlines(values.mean(), place + shift - 0.15, place + shift + 0.15,
                                color=colour, linewidth=1.8)  # fmt: skip
        axes.axvline(0, color=style.GREY, linewidth=0.7)
        axes.set_yticks(range(len(order)), [by_name[name].title for name in order])
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.set_title(by_name[task].title)
        axes.set_xlabel("change of the distance")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    for axes in page.panels[0][1:]:
        axes.tick_params(labelleft=False)
    return page.figure, labelled(
        cross, synthetic=[by_name[task].synthetic for task in cross["task"]]
    )

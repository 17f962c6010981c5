"""Accuracy on the dev sets with layer groups rolled back (table 1)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.titles import TaskTitle
from workflow_scripts.figures import style
from workflow_scripts.figures.layout import EDGE, Footer, height_of, text_width, wrap

MINUS = "−"


def rollback_table(
    tables: list[pd.DataFrame],
    tasks: list[TaskTitle],
    groups: list[str],
    paper: dict | None = None,
) -> pd.DataFrame:
    """Accuracies in percent, a row per task and group, ``none`` (the fine-tuned model) first.

    Parameters
    ----------
    tables : list of DataFrame
        ``{task}.parquet`` of the rollback stage, in the order of ``tasks``.
    tasks : list of TaskTitle
        In the order of the rows.
    groups : list of str
        Layer groups, in the order of the columns.
    paper : dict, optional
        Task to ``{"none": .., "low": .., ...}``, the paper's accuracies in percent, and perhaps
        ``note``; without tasks whose setting is not the paper's.

    Returns
    -------
    DataFrame
        ``task``, ``title``, ``synthetic``, ``group``, ``first``, ``last``, ``examples``,
        ``accuracy`` and ``majority`` (of the majority class; %), ``difference`` from the fine-tuned
        model with ``low`` and ``high`` (points, 95 % interval), ``paper_accuracy`` (%),
        ``paper_difference`` (points, from the paper's accuracies), ``from_paper`` (points, accuracy
        minus the paper's), ``paper_note``.

    Raises
    ------
    UserError
        If a table lacks a group.
    ValueError
        Unless there are as many tables as tasks.

    References
    ----------
    Hao et al. (2019), section 7 and table 1.
    """
    rows = []
    for table, task in zip(tables, tasks, strict=True):
        printed = (paper or {}).get(task.name, {})
        by_group = table.set_index("group")
        for group in ("none", *groups):
            if group not in by_group.index:
                raise UserError(f"the rollback table of {task.name} has no group {group!r}")
            row = by_group.loc[group]
            stated = printed.get(group, np.nan)
            rows.append(
                {
                    "task": task.name,
                    "title": task.title,
                    "synthetic": task.synthetic,
                    "group": group,
                    "first": row["first"],
                    "last": row["last"],
                    "examples": int(row["examples"]),
                    "accuracy": 100 * row["accuracy"],
                    "majority": 100 * task.outcomes[0].majority if task.outcomes else np.nan,
                    "difference": 0.0 if group == "none" else row["difference"],
                    "low": 0.0 if group == "none" else row["low"],
                    "high": 0.0 if group == "none" else row["high"],
                    "paper_accuracy": stated,
                    "paper_difference": stated - printed.get("none", np.nan),
                    "from_paper": 100 * row["accuracy"] - stated,
                    "paper_note": printed.get("note", ""),
                }
            )
    result = pd.DataFrame(rows)
    result[["first", "last"]] = result[["first", "last"]].astype("Int64")
    return result


def markdown(numbers: pd.DataFrame, more: Sequence[str] = ()) -> str:
    """The table, from ``rollback_table``, as Markdown with its notes and ``more`` below."""
    heads, body, notes = _cells(numbers)
    return markdown_table(heads, body, [*notes, *more])


def markdown_table(heads: list[str], body: list[list[list[str]]], notes: Sequence[str]) -> str:
    """A table as Markdown; the arguments are those of ``drawn_table``."""
    lines = [f"| {' | '.join(heads)} |", "|---|" + "--:|" * (len(heads) - 1)]
    lines += [f"| {' | '.join(' '.join(cell).strip() for cell in row)} |" for row in body]
    return "\n".join([*lines, "", *(f"{note}\n" for note in notes)]).rstrip() + "\n"


def table_figure(numbers: pd.DataFrame, more: Sequence[str] = ()) -> Figure:
    """The table, from ``rollback_table``, as a figure with three horizontal rules.

    Its notes and ``more`` are below.
    """
    heads, body, notes = _cells(numbers)
    return drawn_table(heads, body, [*notes, *more])


@style.paper_style()
def drawn_table(heads: list[str], body: list[list[list[str]]], notes: Sequence[str]) -> Figure:
    """A table as a figure.

    Parameters
    ----------
    heads : list of str
        Of the columns; a bracket after a space begins a new line.
    body : list of list of list of str
        Rows of cells of lines; a row whose first line begins with a space is grey, and near the row
        above.
    notes : sequence of str
        Below the table.
    """
    broken = [head.replace(" (", "\n(").split("\n") for head in heads]
    for row in body:
        row[0] = [line for part in row[0] for line in _wrapped(part)]
    room = style.DOUBLE - 2 * EDGE - 0.1
    if sum(_widths(broken, body)) + 0.12 * len(heads) > room:
        # The interval on a line of its own.
        body = [
            [[s for line in c for s in line.replace(" [", "\n[").split("\n")] for c in row]
            for row in body
        ]
    widths = _widths(broken, body)
    columns = range(len(heads))
    gap = min(0.22, max(0.08, (room - sum(widths)) / (len(widths) - 1)))
    inner = sum(widths) + gap * (len(widths) - 1)
    width = max(inner + 2 * EDGE + 0.1, 3.3)
    footer = Footer([], "\n".join(notes))
    head = height_of(max(len(h) for h in broken), style.MEDIUM) + 0.1
    # Rows of the paper's values are close to the task that they belong to.
    close = [index + 1 < len(body) and _is_sub(body[index + 1]) for index in range(len(body))]
    heights = [
        height_of(max(len(c) for c in row), style.MEDIUM) + (0.02 if near else 0.09)
        for row, near in zip(body, close, strict=True)
    ]
    total = 0.1 + head + 0.06 + sum(heights) + 0.08 + footer.height(width)
    figure = Figure(figsize=(width, total))
    FigureCanvasAgg(figure)
    left = (width - inner) / 2
    edges = [left + sum(widths[:c]) + gap * c for c in columns]

    def rule(y: float, weight: float) -> None:
        x = np.array([left - 0.04, left + inner + 0.04]) / width
        figure.add_artist(Line2D(x, [y / total] * 2, color="black", linewidth=weight))

    def cell(c: int, y: float, lines: list[str], bold: bool = False, sub: bool = False) -> None:
        x = edges[c] if c == 0 else edges[c] + widths[c]
        for line in lines:
            figure.text(
                x / width,
                y / total,
                line,
                ha="left" if c == 0 else "right",
                va="top",
                fontsize=style.MEDIUM,
                fontweight="bold" if bold else "normal",
                color=style.GREY if sub else "black",
            )
            y -= height_of(1, style.MEDIUM)

    y = total - 0.06
    rule(y, 1.0)
    for c in columns:
        cell(c, y - 0.06, broken[c], bold=True)
    y -= head
    rule(y, 0.6)
    y -= 0.06
    for row, high in zip(body, heights, strict=True):
        for c in columns:
            cell(c, y, row[c], sub=_is_sub(row))
        y -= high
    rule(y + 0.02, 1.0)
    footer.draw(figure)
    return figure


def _wrapped(title: str) -> list[str]:
    """A task's title in lines; the indent of a row below it is kept."""
    return [title] if title.startswith(" ") else wrap(title, 1.15, style.MEDIUM)


def _widths(heads: list[list[str]], body: list[list[list[str]]]) -> list[float]:
    """Width of each column in inches."""
    return [
        max(
            [text_width(line, style.MEDIUM, bold=True) for line in heads[c]]
            + [text_width(line, style.MEDIUM) for row in body for line in row[c]]
        )
        for c in range(len(heads))
    ]


def _is_sub(row: list[list[str]]) -> bool:
    """Whether a row has the paper's values for the task above it."""
    return row[0][0].startswith(" ")


def _cells(numbers: pd.DataFrame) -> tuple[list[str], list[list[list[str]]], list[str]]:
    """Heads, rows of cells (each a list of lines) and notes below the table."""
    groups = [group for group in numbers["group"].unique() if group != "none"]
    heads = ["Task", "Fine-tuned", *(_group_head(numbers, group) for group in groups)]
    body, notes = [], []
    for task in numbers["task"].unique():
        rows = numbers[numbers["task"] == task].set_index("group")
        first = rows.iloc[0]
        name = [first["title"]] + (["(synthetic)"] if first["synthetic"] else [])
        body.append([name, *(_measured(rows.loc[group], group) for group in ("none", *groups))])
        if rows["paper_accuracy"].notna().any():
            note = first["paper_note"]
            body.append(
                [["  paper" + ("*" if note else "")]]
                + [_printed(rows.loc[group], group) for group in ("none", *groups)]
            )
            body.append(
                [["  here − paper"]]
                + [[_signed(rows.loc[group, "from_paper"], 1)] for group in ("none", *groups)]
            )
            if note:
                notes.append(f"* {note.rstrip('.')}.")
    about = (
        "Accuracy on the dev set in %; below it, difference from the fine-tuned model in points "
        "with its 95 % interval (paired bootstrap over examples)."
    )
    if numbers["paper_accuracy"].notna().any():
        about += " Paper: Hao et al. (2019), table 1, with differences of its own accuracies."
    return heads, body, [about, *notes]


def _group_head(numbers: pd.DataFrame, group: str) -> str:
    row = numbers[numbers["group"] == group].iloc[0]
    first, last = row["first"], row["last"]
    layers = f"layer {first}" if first == last else f"layers {first}–{last}"
    return f"{group.replace('_', ' ').capitalize()} ({layers})"


def _measured(row: pd.Series, group: str) -> list[str]:
    if group == "none":
        return [_number(row["accuracy"], 1)]
    interval = f"[{_signed(row['low'], 1)}, {_signed(row['high'], 1)}]"
    return [_number(row["accuracy"], 1), f"{_signed(row['difference'], 1)} {interval}"]


def _printed(row: pd.Series, group: str) -> list[str]:
    text = _number(row["paper_accuracy"], 2)
    if group != "none" and np.isfinite(row["paper_difference"]):
        text += f" ({_signed(row['paper_difference'], 2)})"
    return [text]


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "NaN"


def _signed(value: float, digits: int) -> str:
    """A difference with its sign; one that rounds to zero has none."""
    if not np.isfinite(value):
        return "–"
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else ("+" if value > 0 else MINUS) + text

"""The reference page of outputs, from what the stages declare."""

from collections.abc import Iterator

from workflow_scripts.common.stage import Column, Product, Stage
from workflow_scripts.stages import STAGES


def tree() -> str:
    """Files of all stages by folder, as an indented block of Markdown."""
    folders: dict[str, list[str]] = {}
    for path in [
        path for stage in STAGES for product in stage.products for path in product.files.split()
    ]:
        folder, _, name = path.rpartition("/")
        names = folders.setdefault(f"{folder}/", [])
        if name not in names:
            names.append(name)
    for stage in STAGES:
        for figure in stage.figures:
            folders.setdefault("figures/MODEL/", []).append(
                f"{figure.name}.{{{','.join(figure.kinds)}}}"
            )
    lines = []
    for folder, names in folders.items():
        line = f"    {folder:<33}"
        for name in names:
            if len(line) + len(name) > 110:
                lines.append(line.rstrip())
                line = " " * 37
            line += f" {name}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def sections() -> str:
    """A section per stage: each file, and the columns of each table."""
    parts = [f"## {stage.name}\n\n{_section(stage)}" for stage in STAGES if stage.products]
    return "\n\n".join(parts)


def _section(stage: Stage) -> str:
    return "\n\n".join("\n\n".join(_product(product)) for product in stage.products)


def _product(product: Product) -> Iterator[str]:
    if product.about:
        yield product.about
    if product.columns:
        yield _columns(product.columns)
    if product.notes:
        yield product.notes


def _columns(columns: tuple[Column, ...]) -> str:
    units = any(column.unit for column in columns)
    head = ["column", "unit, range", "meaning"] if units else ["column", "meaning"]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for column in columns:
        names = ", ".join(f"`{name}`" for name in column.names.split(", "))
        cells = [names, column.unit, column.meaning] if units else [names, column.meaning]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def figures() -> str:
    """The numbers behind each figure, as a table."""
    lines = ["| file | shows | rows | columns |", "|---|---|---|---|"]
    for stage in STAGES:
        for figure in stage.figures:
            lines.append(f"| `{figure.name}.csv` | {figure.title} | {figure.numbers} |")
    return "\n".join(lines)

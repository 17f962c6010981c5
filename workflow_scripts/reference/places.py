"""The table of docs/howto/slurm.md: which rules run where, from the rules themselves."""

import re
from collections.abc import Iterator
from pathlib import Path

from workflow_scripts.stages import STAGES

RULES = Path(__file__).resolve().parents[2] / "rules"
# Rules whose script serves several, one per recipe.
SHARED = {"finetune": "finetune_RECIPE"}


def rules() -> Iterator[tuple[str, bool]]:
    """Each rule of the stages that make numbers, by its script, and whether it asks for a GPU."""
    for stage in STAGES:
        text = (RULES / f"{stage.name}.smk").read_text(encoding="utf-8")
        for block in re.split(r"(?m)^ *(?:rule|checkpoint)\b.*:$", text)[1:]:
            script = re.search(r"script:\s+\"\.\./workflow_scripts/\w+/(\w+)\.py\"", block)
            if script:
                yield SHARED.get(script[1], script[1]), "gpu=GPUS" in block


def table() -> str:
    """A row for each place: a GPU of the cluster, its other nodes, and where Snakemake runs."""
    local = {name for stage in STAGES for name in stage.local}
    on_gpu = [name for name, gpu in rules() if gpu]
    others = [name for name, gpu in rules() if not gpu and name not in local]
    rows = [
        ("where", "rules", "why"),
        ("the cluster, one GPU each", _listed(on_gpu), "they run a model"),
        (
            "the cluster, without a GPU",
            _listed(others),
            "they read checkpoints or many vectors, and take up to hours",
        ),
        (
            "where Snakemake runs, two at a time (`local-cores`)",
            "all others",
            "they take seconds; `prepare_task` and `fetch_model` need the network, which nodes "
            "often lack",
        ),
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---|---|---|", *lines[1:]])


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)

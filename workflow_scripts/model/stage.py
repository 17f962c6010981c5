"""The model stage: weights and tokenizer of pre-trained encoders, and random weights."""

from typing import Any

from pydantic import Field

from workflow_scripts.common.costs import HASHING, RUNTIME, START, Cost, Job
from workflow_scripts.common.settings import Name, Section
from workflow_scripts.common.stage import Stage
from workflow_scripts.model.products import PRODUCTS


class Model(Section):
    """A pre-trained encoder with its tokenizer."""

    source: str = Field(
        description="`package:NAME/FOLDER`, `hub:OWNER/NAME@COMMIT`, `dir:/PATH` or "
        "`random:ARCHITECTURE:key=value,…`"
    )
    sha256: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 that the source's `model.safetensors` must have (64 hex digits)",
    )


def _writing(pricing: Any, job: Job) -> Cost:
    weights = pricing.weights
    seconds = START["model"] + 5 * weights / HASHING
    return Cost(seconds, memory=3 * weights + RUNTIME["model"], disk=weights)


STAGE = Stage(
    "model",
    sections={"models": (dict[Name, Model], Field(description="pre-trained encoders by name"))},
    products=PRODUCTS,
    costs={"fetch_model": _writing, "draw_scratch": _writing},
    local=("fetch_model", "draw_scratch"),
)

"""Draw random encoder weights: where a run from scratch starts."""

from pathlib import Path

from workflow_scripts.common.step import run
from workflow_scripts.model.encoder import draw_encoder, read_config, write_weights


def draw_scratch(config: Path, weights: Path, init: int) -> None:
    write_weights(draw_encoder(read_config(config.parent), init), weights)


if __name__ == "__main__":
    run(draw_scratch, snakemake)

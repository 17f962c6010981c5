"""Draw the random encoder weights from which a run from scratch starts."""

from pathlib import Path

from workflow_scripts.model.encoder import draw_encoder, read_config, write_weights
from workflow_scripts.rebuilds.step import run


def draw_scratch(config: Path, weights: Path, init: int, truncated: bool = False) -> None:
    """Write random ``weights`` of the encoder that ``config`` describes, from seed ``init``.

    See ``encoder.draw_encoder``, also for ``truncated``. They do not depend on the task:
    directions of several tasks need the same start (Hao et al. 2019, section 3.2).

    Raises
    ------
    UserError
        If the configuration cannot be read or its architecture is not supported.
    """
    write_weights(draw_encoder(read_config(config.parent), init, truncated=truncated), weights)


if __name__ == "__main__":
    run(draw_scratch, snakemake)

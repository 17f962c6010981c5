"""Project a run's checkpoints onto its surface, and measure how faithful the projection is."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.progress import progress
from workflow_scripts.common.tables import write_table
from workflow_scripts.rebuilds.step import run


def project_trajectory(
    config: Path,
    tokens: Path,
    checkpoints: list[Path],
    trajectory: Path,
    run_name: str,
    context: dict[str, Any],
    start: Path | None = None,
    end: Path | None = None,
    second: Path | None = None,
    between: list[Path] | None = None,
    seed: int | None = None,
) -> None:
    """Write the coordinates of a run's checkpoints on a plane, and the losses at both.

    Parameters
    ----------
    config : Path
        The model's ``config.json``.
    tokens : Path
        The surface's examples (``encode_examples``).
    checkpoints : list of Path
        Of the run, after epoch 0, 1, …
    trajectory : Path
        To write: a row per checkpoint: ``run`` (``run_name``), ``epoch`` (from 0), the fields of
        ``projection.Coordinates``, and mean training loss (nats) and dev error (0 to 1) as
        ``…_train_loss`` and ``…_dev_error``: ``true`` with the checkpoint's encoder and the head
        of ``end``, ``plane`` at the least-squares coordinates, ``paper`` at the paper's
        coordinates, ``own`` with the checkpoint's own head.
    run_name : str
        Name of the run in the table.
    context : dict
        ``device``, ``threads``, ``token_budget``.
    start, end : Path, optional
        Span the plane; the trajectory's own ends by default.
    second, between, seed
        What gives the second direction, one of them: see ``setting.Checkpoints``.

    Raises
    ------
    UserError
        If a file cannot be read or does not fit the model, a run that spans the plane did not move
        the encoder, or the device is not available.

    References
    ----------
    Hao et al. (2019), section 3.3, equations 3 to 5.
    """
    from workflow_scripts.common.device import reproducible
    from workflow_scripts.landscape.plane import difference
    from workflow_scripts.landscape.projection import project
    from workflow_scripts.landscape.setting import (
        Checkpoints,
        load_directions,
        load_evaluator,
        make_plane,
    )
    from workflow_scripts.landscape.tokens import read_tokens
    from workflow_scripts.model.encoder import (
        encoder_names,
        load_classifier,
        load_weights,
        read_weights,
    )

    with reproducible(context) as device:
        span = Checkpoints(
            start or checkpoints[0], end or checkpoints[-1], second, between or (), seed
        )
        examples = read_tokens(tokens)
        module = load_classifier(config.parent, examples.labels, read_weights(span.end), device)
        evaluate = load_evaluator(module, examples, context["token_budget"])
        directions = load_directions(encoder_names(module), span)
        plane = make_plane(module, directions, rows=evaluate.rows)
        dev_labels = examples.splits["dev"].labels

        def measured(prefix: str) -> dict[str, float]:
            outcome = evaluate()
            loss = float(outcome["train"].loss.mean(dtype=np.float64))
            error = float((outcome["dev"].prediction != dev_labels).mean())
            return {f"{prefix}_train_loss": loss, f"{prefix}_dev_error": error}

        rows = []
        for epoch, path in enumerate(progress(checkpoints, "checkpoints")):
            weights = read_weights(path)
            delta = difference(weights, directions.start, directions.delta_1)
            place = project(delta, directions.delta_1, directions.delta_2)
            row = {"run": run_name, "epoch": epoch, **place.as_dict()}
            plane.put(weights)
            row |= measured("true")
            plane.move(place.ls_alpha, place.ls_beta)
            row |= measured("plane")
            plane.move(place.d_alpha, place.d_beta)
            row |= measured("paper")
            load_weights(module, weights)  # its own head too
            row |= measured("own")
            load_weights(module, directions.end)
            rows.append(row)
        write_table(pd.DataFrame(rows), trajectory)


if __name__ == "__main__":
    run(project_trajectory, snakemake)

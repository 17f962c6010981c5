"""Project a run's checkpoints onto its surface, and say how true the projection is."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workflow_scripts.common.progress import progress
from workflow_scripts.common.step import run
from workflow_scripts.common.tables import read_json, read_table, write_table


def project_trajectory(
    config: Path,
    tokenizer: Path,
    tokenizer_config: Path,
    card: Path,
    examples: Path,
    checkpoints: list[Path],
    second: Path,
    trajectory: Path,
    run_name: str,
    max_length: int,
    context: dict[str, Any],
    start: Path | None = None,
    end: Path | None = None,
) -> None:
    """``start`` and ``end`` span the plane; they are the trajectory's own ends by default."""
    from workflow_scripts.common.device import reproducible
    from workflow_scripts.landscape.plane import difference
    from workflow_scripts.landscape.projection import project
    from workflow_scripts.landscape.setting import (
        load_directions,
        load_evaluator,
        load_model,
        make_plane,
    )
    from workflow_scripts.model.encoder import load_weights, read_weights

    budget = context["token_budget"]
    with reproducible(context) as device:
        start, end = start or checkpoints[0], end or checkpoints[-1]
        labels = len(read_json(card)["labels"])
        module = load_model(config.parent, labels, read_weights(end), device)
        table = read_table(examples)
        evaluate = load_evaluator(module, config.parent, table, max_length, budget)
        directions = load_directions(module, start, end, second)
        plane = make_plane(module, directions)
        dev_labels = table.loc[table["split"] == "dev", "label"].to_numpy()

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

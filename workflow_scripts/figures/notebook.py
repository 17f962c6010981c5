"""The loss landscape of a run that was trained elsewhere, for a notebook."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib.figure
import pandas as pd

from workflow_scripts.common.errors import UserError, in_one_line
from workflow_scripts.common.tables import read_table, write_json, write_table
from workflow_scripts.common.titles import TaskTitle, checkpoint_words
from workflow_scripts.data.tasks import Task, read_task
from workflow_scripts.figures.inputs import Surface, read_surfaces
from workflow_scripts.figures.outcomes import with_outcomes
from workflow_scripts.figures.trajectories import loss_trajectories
from workflow_scripts.finetune.checkpoints import check_base, check_checkpoints, find_run
from workflow_scripts.finetune.import_run import import_run
from workflow_scripts.landscape.choose_examples import choose_examples
from workflow_scripts.landscape.encode_examples import encode_examples
from workflow_scripts.landscape.evaluate_rows import evaluate_rows
from workflow_scripts.landscape.grid import shards
from workflow_scripts.landscape.measure_directions import measure_directions
from workflow_scripts.landscape.merge_surface import merge_surface
from workflow_scripts.landscape.project_trajectory import project_trajectory
from workflow_scripts.model.checks import local_folder, parse_source
from workflow_scripts.model.fetch_model import fetch_model


@dataclass(frozen=True)
class Landscape:
    """A run's loss surface with its trajectory.

    Attributes
    ----------
    surface : Surface
        ``geometry``, ``points`` and ``trajectory``, as the workflow's files have them.
    scores : DataFrame
        A row per checkpoint, on the whole dev set: see ``finetune.finetune``.
    history : DataFrame
        What the Trainer logged: see ``trainer_log.history_of``.
    figure : matplotlib.figure.Figure
        The training-loss surface with the trajectory.
    numbers : DataFrame
        Behind the figure.
    """

    surface: Surface
    scores: pd.DataFrame
    history: pd.DataFrame
    figure: matplotlib.figure.Figure
    numbers: pd.DataFrame

    @property
    def trajectory(self) -> pd.DataFrame:
        """A row per checkpoint: coordinates on the surface, and losses."""
        return self.surface.trajectory


def landscape_of(
    base: str | Path,
    checkpoints: str | Path | Sequence[str | Path],
    data: str | Path | Task,
    points: int = 11,
    range: tuple[float, float] = (-2.5, 2.5),
    train_examples: int | None = 32,
    dev_examples: int | None = 30,
    max_length: int = 64,
    second: str = "pca",
    seed: int = 0,
    threads: int = 1,
) -> Landscape:
    """Loss surface and trajectory of a run of Hugging Face's Trainer.

    All numbers are those of the workflow with the same settings, whose steps this calls one after
    the other.

    Parameters
    ----------
    base : str or Path
        Folder of the base model, or a source as ``models.NAME.source``.
    checkpoints : str, Path or sequence of them
        The Trainer's output folder, or checkpoints' folders in their order.
    data : str, Path or Task
        Folder with a training and a dev file, a source as ``tasks.NAME.source``, or a task of
        ``read_task``.
    points : int
        Per axis.
    range : (float, float)
        Ends of both axes, in units of the directions; they hold 0 and 1.
    train_examples, dev_examples : int or None
        Examples at every point, a seeded subset; None for all.
    max_length : int
        Longest input in tokens; as in training, or the losses are others.
    second : str
        Second direction: ``pca``, in which the trajectory leaves the first one most, or ``random``
        (filter-normalised), which is taken for a run of one checkpoint too.
    seed : int
        Of the subset and of a random direction.
    threads : int
        Of the processor.

    Returns
    -------
    Landscape

    Raises
    ------
    UserError
        If the checkpoints are not of one run, or do not fit the model or the task.
    """
    if second not in ("pca", "random"):
        raise UserError(f"second: got {second!r}, allowed: pca, random")
    several = not isinstance(checkpoints, (str, Path))
    places = [str(Path(one).absolute()) for one in (checkpoints if several else [checkpoints])]
    with in_one_line("checkpoints: "):
        run = find_run(places if several else places[0])
        check_checkpoints(run)
    source = _source(base)
    with in_one_line():
        if (folder := local_folder(parse_source(source))) is not None:
            check_base(run, folder)
    task = data if isinstance(data, Task) else read_task(_source(data))
    title = Path(str(data)).name if not isinstance(data, Task) else "task"
    context = {"device": "auto", "threads": threads, "token_budget": None}
    spec = {"kind": "plane", "range": list(range), "points": points, "group": None, "groups": None}
    with tempfile.TemporaryDirectory() as name:
        at = Path(name).joinpath
        names = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
        fetch_model(*(at("model", one) for one in names), at("model/card.json"), "base", source)
        write_table(task.train, at("train.parquet"))
        write_table(task.dev, at("dev.parquet"))
        write_json({"name": title, **task.card}, at("card.json"))
        model = {
            "config": at("model/config.json"),
            "tokenizer": at("model/tokenizer.json"),
            "tokenizer_config": at("model/tokenizer_config.json"),
        }
        files = [at(f"epoch{number:02d}.safetensors") for number, _ in enumerate(run.steps)]
        import_run(
            dev=at("dev.parquet"),
            card=at("card.json"),
            **model,
            weights=at("model/model.safetensors"),
            checkpoints=files,
            history=at("history.parquet"),
            scores=at("scores.parquet"),
            folders=[str(saved.folder) for saved in run.every],
            steps=run.steps,
            starts_at_zero=run.start is not None,
            gradients=str(run.gradients) if run.gradients else None,
            max_length=max_length,
            context=context,
        )
        splits = [at(f"{split}.parquet") for split in ("train", "dev")]
        chosen = at("examples.parquet")
        choose_examples(*splits, at("card.json"), chosen, train_examples, dev_examples, seed)
        tokens = at("tokens.parquet")
        encode_examples(**model, card=at("card.json"), examples=chosen, tokens=tokens,
                        max_length=max_length)  # fmt: skip
        between = files[1:-1] if second == "pca" else []
        spec |= {} if between else {"seed": seed}
        surface = {**spec, "start": "pretrained", "second": "pca" if between else "random"}
        geometry = at("geometry.json")
        ends = {"start": files[0], "end": files[-1], "between": between}
        measure_directions(at("model/model.safetensors"), at("card.json"), **ends,
                           geometry=geometry, surface=surface)  # fmt: skip
        rows = shards("plane", *range, points, 1)
        rows = [at(f"rows/{first:03d}.parquet") for first, _ in rows]
        evaluate_rows(model["config"], tokens, **ends, rows=rows, surface=surface, context=context)
        merge_surface(rows, chosen, at("surface.parquet"), at("points.parquet"),
                      "plane", list(range), points)  # fmt: skip
        trajectory = at("trajectory.parquet")
        project_trajectory(model["config"], tokens, files, trajectory, "target", context,
                           between=between, seed=spec.get("seed"))  # fmt: skip
        found = read_surfaces([at("surface.parquet")], [geometry], [trajectory])
        shown = TaskTitle(
            name=title,
            title=title,
            synthetic=bool(task.card.get("synthetic")),
            imported=checkpoint_words(run.steps, run.start is not None),
        )
        which = {"name": title, "task": title, "start": "pretrained", "seeds": "init0_order0"}
        titles = with_outcomes([shown], [at("scores.parquet")], [which])
        figure, numbers = loss_trajectories(found, titles, ["pretrained"])
        scores, history = (read_table(at(f"{one}.parquet")) for one in ("scores", "history"))
    return Landscape(found[0], scores, history, figure, numbers)


def _source(place: str | Path) -> str:
    """A source as the configuration has it: a folder is ``dir:`` and its absolute path."""
    text = str(place)
    if text.partition(":")[0] in ("package", "hub", "dir", "random", "synthetic"):
        return text
    return f"dir:{Path(text).expanduser().absolute()}"

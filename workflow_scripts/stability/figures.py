"""Figures of the stability stage: Mosbach et al. (2021)."""

from typing import Any

from workflow_scripts.common.files import Files
from workflow_scripts.common.stage import Figure
from workflow_scripts.common.titles import task_titles
from workflow_scripts.stability.files import (
    forgetting_file,
    measured_file,
    merged_file,
    metric_of,
    plane_file,
)
from workflow_scripts.stability.paper import MOSBACH_2021_TABLE_1
from workflow_scripts.stability.sweeps import recipes_of, small_sweeps, whole_tasks

MODEL = "{model}"
Pairs = list[tuple[str, str]]


def _whole(settings: Any) -> Pairs:
    """Tasks and sweeps on whole training sets."""
    return [
        (task, recipe) for task in settings.stability.tasks for recipe in recipes_of(settings, task)
    ]


def _usual(settings: Any) -> Pairs:
    """Tasks and the usual recipe."""
    return [(task, settings.stability.recipes[0]) for task in whole_tasks(settings)]


def _small(settings: Any) -> Pairs:
    """Tasks with small training sets, and sweeps of the usual recipe: on all examples, on few."""
    return [
        (task, name)
        for task in settings.stability.tasks
        if (small := small_sweeps(settings, task))
        for name in [*recipes_of(settings, task)[:1], *(sweep.name for sweep in small)]
    ]


def _merged(pairs: Pairs, **names: str) -> Files:
    """Tables of sweeps, by the names of the script's parameters."""
    return {
        parameter: [merged_file(MODEL, task, sweep, name) for task, sweep in pairs]
        for parameter, name in names.items()
    }


def _spec(settings: Any, pairs: Pairs) -> dict[str, Any]:
    return {
        "tasks": task_titles(settings, dict.fromkeys(task for task, _ in pairs)),
        "sweeps": [
            {"task": task, "sweep": sweep, "metric": metric_of(settings, task)}
            for task, sweep in pairs
        ],
    }


def _about(settings: Any) -> str:
    stability = settings.stability
    if stability.orders is None:
        return f"Each recipe with {stability.inits} seeds, the same for all recipes."
    return (
        f"Each recipe with {stability.inits} initialisations of the head by {stability.orders} "
        "orders of the examples, the same for all recipes."
    )


def _about_small(settings: Any) -> str:
    return (
        f"Recipe {settings.stability.recipes[0]} on all training examples, and on "
        f"{settings.stability.small_examples:,} random ones with the same epochs and with the same "
        "steps."
    )


def _of_tasks(settings: Any) -> dict[str, Any]:
    return {
        "tasks": task_titles(settings, whole_tasks(settings)),
        "recipe": settings.stability.recipes[0],
    }


def _any(settings: Any) -> bool:
    return bool(settings.stability.tasks)


def _whole_any(settings: Any) -> bool:
    return bool(whole_tasks(settings))


_RUNS = "the columns of `runs.parquet`"

FIGURES = (
    Figure(
        "stability1",
        "scores over seeds, recipe by recipe",
        "figures/draw_seed_scores",
        inputs=lambda settings: _merged(_whole(settings), runs="runs"),
        spec=lambda settings: {**_spec(settings, _whole(settings)), "about": _about(settings)},
        numbers=f"runs | `task`, `synthetic`, `sweep`, `metric`; {_RUNS}",
        drawn=_whole_any,
        claims=("failed_runs_removed",),
        ledger="stability_claims",
    ),
    Figure(
        "stability2",
        "gradient norms per layer, failed against successful runs",
        "figures/draw_gradients",
        inputs=lambda settings: _merged(_usual(settings), runs="runs", histories="history"),
        spec=lambda settings: _spec(settings, _usual(settings)),
        numbers="steps, for each part and outcome | `task`, `synthetic`, `sweep`, `outcome`, "
        "`part`, `step`, `gradient_norm` (geometric mean over the runs), `runs`",
        drawn=_whole_any,
        claims=("vanishing_gradients",),
        ledger="stability_claims",
    ),
    Figure(
        "stability3",
        "dev score against training loss, and over the epochs",
        "figures/draw_generalisation",
        inputs=lambda settings: _merged(_whole(settings), runs="runs", epochs="epochs"),
        spec=lambda settings: _spec(settings, _whole(settings)),
        numbers="runs and epochs | `task`, `synthetic`, `sweep`, `metric`, `init`, `order`, "
        "`epoch`, `score`; at the last epoch `train_loss` and `failed`",
        drawn=_whole_any,
        claims=("same_loss_different_score",),
        ledger="stability_claims",
    ),
    Figure(
        "stability4",
        "masked-LM perplexity with the top layers reset",
        "figures/draw_forgetting",
        inputs=lambda settings: {
            "tables": [forgetting_file(MODEL, task) for task in whole_tasks(settings)]
        },
        spec=_of_tasks,
        numbers="runs and numbers of layers | `task`, `synthetic`; the columns of "
        "`forgetting.parquet`",
        drawn=lambda settings: bool(_whole_any(settings) and settings.stability.forgetting.runs),
        claims=("forgetting",),
        ledger="stability_claims",
    ),
    Figure(
        "stability5",
        "small training sets, the same epochs against the same steps",
        "figures/draw_seed_scores",
        inputs=lambda settings: _merged(_small(settings), runs="runs"),
        spec=lambda settings: {
            **_spec(settings, _small(settings)),
            "about": _about_small(settings),
        },
        numbers=f"runs | `task`, `synthetic`, `sweep`, `metric`; {_RUNS}",
        drawn=lambda settings: bool(_small(settings)),
        claims=("small_data",),
        ledger="stability_claims",
    ),
    Figure(
        "stability6",
        "loss plane through pre-trained, failed and successful weights",
        "figures/draw_loss_planes",
        inputs=lambda settings: {
            "planes": [plane_file(MODEL, task, "plane") for task in whole_tasks(settings)],
            "barriers": [plane_file(MODEL, task, "barriers") for task in whole_tasks(settings)],
        },
        spec=_of_tasks,
        numbers="points and heads | `task`, `synthetic`; the columns of `plane.parquet` and, of a "
        "point's line, of `barriers.parquet`",
        drawn=lambda settings: bool(_whole_any(settings) and settings.stability.plane.points),
    ),
    Figure(
        "stability_table",
        "spread over seeds and failed runs",
        "figures/draw_stability_table",
        inputs=lambda settings: {
            "spreads": [measured_file(MODEL, task, "spread") for task in settings.stability.tasks],
            "tests": [measured_file(MODEL, task, "tests") for task in settings.stability.tasks],
        },
        spec=lambda settings: {
            "tasks": task_titles(settings, settings.stability.tasks),
            "metrics": [metric_of(settings, task) for task in settings.stability.tasks],
            "paper": {
                task: MOSBACH_2021_TABLE_1[row]
                for task, row in settings.stability.paper_values.items()
            }
            or None,
        },
        numbers="tasks and sweeps, scores in percent | `task`, `synthetic`, `title`, `metric`; the "
        "columns of `spread.parquet` and `tests.parquet`; `paper_std`, `paper_mean`, "
        "`paper_median`, `paper_largest`",
        drawn=_any,
        table=True,
        claims=("spread_between_seeds",),
        ledger="stability_claims",
    ),
)

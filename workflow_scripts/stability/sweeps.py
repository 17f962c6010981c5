"""Sweeps of an experiment, by its settings: one recipe trained with many seeds."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Sweep:
    """Runs of one recipe that differ in their seeds alone.

    Parameters
    ----------
    name : str
        Of its folder: the recipe's name, and what is small about it.
    recipe : str
        Name in ``finetune.recipes``.
    examples : int, optional
        Size of the random subset of the training examples; all of them by default.
    same_steps : bool
        Whether a run on a subset takes as many steps as one on all examples, instead of as many
        epochs.
    """

    name: str
    recipe: str
    examples: int | None = None
    same_steps: bool = False


def whole_tasks(settings: Any) -> list[str]:
    """Tasks on whose whole training sets recipes are swept."""
    stability = settings.stability
    return [task for task in stability.tasks if task not in stability.small_only]


def recipes_of(settings: Any, task: str) -> list[str]:
    """Recipes that are swept on a task: those of all tasks, then its ablation's."""
    stability = settings.stability
    if task in stability.small_only:
        return []
    return list(dict.fromkeys([*stability.recipes, *stability.ablation.get(task, [])]))


def small_sweeps(settings: Any, task: str) -> list[Sweep]:
    """Sweeps of the first recipe on a subset: the same epochs, then the same steps; or none."""
    stability = settings.stability
    chosen = stability.tasks if stability.small_tasks is None else stability.small_tasks
    if stability.small_examples is None or task not in chosen:
        return []
    recipe = stability.recipes[0]
    return [
        Sweep(f"{recipe}_same_epochs", recipe, stability.small_examples),
        Sweep(f"{recipe}_same_steps", recipe, stability.small_examples, same_steps=True),
    ]


def sweeps_of(settings: Any, task: str) -> list[Sweep]:
    """All sweeps of a task, the usual recipe's first."""
    whole = [Sweep(recipe, recipe) for recipe in recipes_of(settings, task)]
    return [*whole, *small_sweeps(settings, task)]


def every_sweep(settings: Any) -> dict[str, Sweep]:
    """Sweeps of all tasks by name."""
    return {
        sweep.name: sweep
        for task in settings.stability.tasks
        for sweep in sweeps_of(settings, task)
    }


def seeds(settings: Any) -> list[str]:
    """Seeds of the runs of every sweep, such as ``init0_order0``, in order.

    With ``orders`` the two are crossed; without, a run's two seeds are equal.
    """
    inits, orders = settings.stability.inits, settings.stability.orders
    if orders is None:
        return [f"init{seed}_order{seed}" for seed in range(inits)]
    return [f"init{init}_order{order}" for init in range(inits) for order in range(orders)]


def blocks(settings: Any) -> list[tuple[int, int]]:
    """First and last place in ``seeds`` of every block that one job trains."""
    count, size = len(seeds(settings)), settings.stability.block
    return [(first, min(first + size, count) - 1) for first in range(0, count, size)]


def seeds_in(name: str) -> tuple[int, int]:
    """Seeds ``init`` and ``order`` in a name such as ``init0_order3``."""
    init, order = name.removeprefix("init").split("_order")
    return int(init), int(order)

"""Figures of the learning dynamics: Hao et al. (2020)."""

from typing import Any

from workflow_scripts.common.files import Files
from workflow_scripts.common.stage import Figure
from workflow_scripts.dynamics.files import pair_files
from workflow_scripts.dynamics.pairs import pair_titles, pairs_of, trained_runs
from workflow_scripts.finetune.files import outcome_files, scored

_PAIR = "`pair`, `comparison`, `first_model`, `second_model`, `synthetic`"
_WHOSE = {
    "change": "before and after fine-tuning",
    "seeds": "between two seeds",
    "tasks": "between tasks",
}


_OF_TASKS = "tasks_share_low_layers", "dissimilar_tasks_differ_more"
_CLAIMS = {
    ("change", "attention"): ("attention_changes_last",),
    ("change", "representations"): ("representations_change_later",),
    ("seeds", "attention"): ("seeds_share_low_layers",),
    ("seeds", "representations"): ("seeds_share_low_layers",),
    ("tasks", "attention"): _OF_TASKS,
    ("tasks", "representations"): _OF_TASKS,
}


def _figure(
    name: str,
    title: str,
    script: str,
    table: str,
    comparisons: tuple[str, ...],
    numbers: str,
    claims: tuple[str, ...] = (),
    **more: Any,
) -> Figure:
    """A figure of one table of all pairs of some comparisons; ``more`` joins its spec."""

    def spec(settings: Any) -> dict[str, Any]:
        of_settings = {key: of(settings) if callable(of) else of for key, of in more.items()}
        pairs = pairs_of(settings, "{model}", *comparisons)
        return {
            "pairs": pair_titles(settings, pairs),
            **of_settings,
            "scored": scored(trained_runs(pairs)),
        }

    def tables(settings: Any) -> list:
        return pair_files(settings, pairs_of(settings, "{model}", *comparisons), table)

    def inputs(settings: Any) -> Files:
        pairs = pairs_of(settings, "{model}", *comparisons)
        return {
            "tables": tables(settings),
            "scores": outcome_files(run for _, run in trained_runs(pairs)),
        }

    return Figure(
        name,
        title,
        f"figures/{script}",
        inputs=inputs,
        spec=spec,
        numbers=numbers,
        drawn=lambda settings: bool(tables(settings)),
        claims=claims,
        ledger="dynamics_claims",
    )


def _attention(name: str, comparison: str) -> Figure:
    return _figure(
        name,
        f"JS divergence of attention, {_WHOSE[comparison]}",
        "draw_attention_layers",
        "attention",
        (comparison,),
        f"layers of all pairs | {_PAIR}, `layer`, `js`, `low`, `high` (nats), `cls`, `sep`, "
        "`other`, `examples`",
        claims=_CLAIMS[comparison, "attention"],
        resamples=lambda settings: settings.dynamics.resamples,
    )


def _representations(name: str, comparison: str) -> Figure:
    return _figure(
        name,
        f"SVCCA and CKA distance of hidden states, {_WHOSE[comparison]}",
        "draw_representation_layers",
        "representations",
        (comparison,),
        f"layers of all pairs, for each measure drawn | {_PAIR}; the columns of "
        "`representations.parquet` but `left_out`",
        claims=_CLAIMS[comparison, "representations"],
    )


def _matrices(name: str, measure: str, title: str) -> Figure:
    return _figure(
        name,
        f"{title} of all pairs of layers",
        "draw_layer_matrices",
        "layers",
        ("change", "tasks"),
        f"pairs of layers of all pairs | {_PAIR}; the columns of `layers.parquet`",
        measure=measure,
    )


FIGURES = (
    _attention("dynamics1", "change"),
    _representations("dynamics2", "change"),
    _attention("dynamics4", "seeds"),
    _representations("dynamics5", "seeds"),
    _attention("dynamics6", "tasks"),
    _representations("dynamics7", "tasks"),
    _figure(
        "dynamics_heads",
        "JS divergence of every attention head",
        "draw_attention_heads",
        "attention",
        ("change", "tasks"),
        f"layers and heads of all pairs | {_PAIR}, `layer`, `head`, `js` (nats), `examples`",
    ),
    _matrices("dynamics_svcca", "svcca", "SVCCA distance"),
    _matrices("dynamics_cka", "cka", "CKA"),
)

"""The report stage: the papers' claims, each with a number and a verdict."""

from typing import Any

from workflow_scripts.common.costs import Cost, Job, table_cost
from workflow_scripts.common.files import File
from workflow_scripts.common.stage import Stage
from workflow_scripts.report.files import ledger_files, ledger_names
from workflow_scripts.report.products import PRODUCTS


def _evaluating(pricing: Any, job: Job) -> Cost:
    settings = pricing.settings
    resamples = settings.landscape.width.resamples * len(settings.experiment.tasks)
    return table_cost(1 + 1e-3 * resamples)


def _pages(settings: Any, model: str) -> list[File]:
    ledgers = [ledger_files(name, model) for name in ledger_names(settings)]
    return [ledger[kind] for ledger in ledgers for kind in ("csv", "markdown")]


STAGE = Stage(
    "report",
    targets=_pages,
    products=PRODUCTS,
    costs={
        "evaluate_claims": _evaluating,
        "evaluate_dynamics_claims": _evaluating,
        "evaluate_stability_claims": lambda pricing, job: table_cost(2.0),
        "evaluate_probing_claims": _evaluating,
    },
    local=(
        "evaluate_claims",
        "evaluate_dynamics_claims",
        "evaluate_stability_claims",
        "evaluate_probing_claims",
    ),
)

"""The claims of Mosbach et al. (2021), each turned into a number with an interval or a test.

Every function returns findings; ``decided`` gives all findings of a ledger their verdicts at once,
since the tests are adjusted for their number. Needs no PyTorch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan, nan

import numpy as np

from workflow_scripts.common import thresholds
from workflow_scripts.report.statistics import Verdict, verdict
from workflow_scripts.stability import statistics
from workflow_scripts.stability.intervals import Interval, of_mean, of_standard_deviation

CLAIMS = {
    "spread_between_seeds": "Scores differ more between seeds with the usual recipe than with the "
    "strong one (section 6)",
    "failed_runs_removed": "Bias correction, warm-up and more epochs remove failed runs "
    "(sections 5 and 6)",
    "vanishing_gradients": "Failed runs are optimisation failures: gradients vanish in the lower "
    "layers (section 5.1)",
    "forgetting": "Forgetting does not explain failed runs: a few top layers restore the masked "
    "language model (section 4.1)",
    "small_data": "Small training sets do not explain failed runs: the same number of steps "
    "removes them (section 4.2)",
    "same_loss_different_score": "Runs of the same training loss differ on the dev set "
    "(section 5.2)",
}


@dataclass(frozen=True)
class Sweep:
    """The runs of one recipe on one task, in the order of their seeds.

    Parameters
    ----------
    recipe : str
        Its name, for the words of a finding.
    scores : ndarray of shape (runs,)
        The task's metric at the end of training; NaN for a run that diverged.
    failed : ndarray of bool of shape (runs,)
        From ``failed_runs.is_failed``.
    train_losses : ndarray of shape (runs,)
        Final training loss, nats; NaN for a run that diverged.
    correct : ndarray of bool of shape (runs, examples)
        Whether each run is right on each dev example at the end of training.
    early_norms, late_norms : ndarray of shape (runs,)
        Gradient norms of the lowest third of the layers (``failed_runs.early_norm``,
        ``late_norm``).
    """

    recipe: str
    scores: np.ndarray
    failed: np.ndarray
    train_losses: np.ndarray
    correct: np.ndarray
    early_norms: np.ndarray
    late_norms: np.ndarray


@dataclass(frozen=True)
class Finding:
    """A number that a claim is measured by.

    Parameters
    ----------
    claim, task, measure : str
        Name of the claim, the task, and what the number is, in words with its unit.
    number : Interval
        With its 95 % interval.
    claimed : str
        Side of ``bound`` on which the paper puts it, ``above`` or ``below``; empty for a number
        that is reported only.
    bound : float
        In the unit of the number.
    runs, least_runs : int
        Runs behind the number, and those that a verdict needs.
    p_value : float
        Of the test that decides the claim; NaN where the interval does.
    unmet : str
        A precondition that does not hold, in words.
    """

    claim: str
    task: str
    measure: str
    number: Interval
    claimed: str = ""
    bound: float = 0.0
    runs: int = 0
    least_runs: int = thresholds.LEAST_RUNS
    p_value: float = nan
    unmet: str = ""


@dataclass(frozen=True)
class Decided:
    """A finding with its p value adjusted for all tests of the ledger (Holm), and its verdict."""

    finding: Finding
    p_value: float
    verdict: Verdict


def decided(findings: Sequence[Finding], alpha: float = 1 - thresholds.LEVEL) -> list[Decided]:
    """Verdicts of all findings of a ledger.

    Where a test decides, its adjusted p value must be below ``alpha`` and the number must lie on
    the claimed side; else the interval decides.

    Parameters
    ----------
    findings : sequence of Finding
        Of all tasks. Those that are reported only, or not applicable, count for no test.
    alpha : float
        Level of the tests together.
    """
    tested = [f.p_value if f.claimed and not f.unmet else nan for f in findings]
    decisions = []
    for finding, p_value in zip(findings, statistics.holm(tested), strict=True):
        number = finding.number
        if not isnan(p_value):
            value = number.value
            number = Interval(value, value, value)
        word = verdict(
            number,
            finding.claimed,
            finding.bound,
            finding.runs,
            finding.unmet,
            least_runs=finding.least_runs,
        )
        if p_value >= alpha and finding.runs >= finding.least_runs:
            word = Verdict("inconclusive", f"p = {p_value:.2g}")
        decisions.append(Decided(finding, float(p_value), word))
    return decisions


def spread_between_seeds(task: str, usual: Sweep, strong: Sweep) -> list[Finding]:
    """Difference of the standard deviations, decided by Brown and Forsythe's test.

    Levene's, as in the paper, and the spread of the successful runs alone are reported beside.
    """
    claim, runs = "spread_between_seeds", min(len(usual.scores), len(strong.scores))
    tests = statistics.compare_spread(usual.scores, strong.scores)
    words = f"standard deviation of the score, {usual.recipe} - {strong.recipe}"
    few = {"runs": runs, "least_runs": thresholds.LEAST_SEEDS}
    rows = [
        Finding(
            claim, task, words, tests.difference, "above", 0.0, p_value=tests.brown_forsythe, **few
        ),
        Finding(
            claim, task, f"{words} (Levene's p)", tests.difference, p_value=tests.levene, **few
        ),
    ]
    for sweep in (usual, strong):
        successful = sweep.scores[~sweep.failed]
        words = f"standard deviation of the score of successful runs, {sweep.recipe}"
        number = of_standard_deviation(successful)
        rows.append(Finding(claim, task, words, number, runs=len(successful)))
    return rows


def fewer_failed_runs(
    claim: str, task: str, first: Sweep, second: Sweep, paired: bool = True
) -> list[Finding]:
    """Difference of the failure rates, first minus second, decided by Boschloo's test.

    Parameters
    ----------
    claim : str
        ``failed_runs_removed`` (without and with a change of the recipe) or ``small_data`` (the
        same epochs and the same steps).
    task : str
        Its name.
    first, second : Sweep
        The one that is expected to fail more often first.
    paired : bool
        Whether both ran with the same seeds, in the same order.
    """
    tests = statistics.compare_failures(first.failed, second.failed, paired)
    counts = [f"{int(s.failed.sum())} of {len(s.failed)} failed" for s in (first, second)]
    words = f"failure rate, {first.recipe} ({counts[0]}) - {second.recipe} ({counts[1]})"
    return [
        Finding(
            claim,
            task,
            words,
            tests.difference,
            "above",
            0.0,
            min(len(first.failed), len(second.failed)),
            thresholds.LEAST_SEEDS,
            tests.boschloo,
        )
    ]


def vanishing_gradients(task: str, sweep: Sweep) -> list[Finding]:
    """Orders of magnitude between successful and failed runs' gradients, and the early sign."""
    claim = "vanishing_gradients"
    failed, runs = sweep.failed, len(sweep.failed)
    smaller = int(min(failed.sum(), runs - failed.sum()))
    unmet = ""
    if smaller == 0:
        unmet = f"{'no' if not failed.any() else 'every'} run of {sweep.recipe} failed"
    words = f"{sweep.recipe}: gradient norm of the lowest third of the layers"
    return [
        Finding(
            claim,
            task,
            f"{words}, second half of training, successful / failed runs, powers of 10",
            statistics.gradient_gap(sweep.late_norms, failed),
            "above",
            thresholds.VANISHING_ORDERS,
            smaller,
            unmet=unmet,
        ),
        Finding(
            claim,
            task,
            f"{words} at 10 % of the steps as a sign of failure, area under the ROC curve",
            statistics.early_sign(sweep.early_norms, failed),
            bound=thresholds.CHANCE_AUC,
            runs=runs,
        ),
    ]


def forgetting(
    task: str, losses: np.ndarray, tolerance: float = thresholds.RECOVERED_NATS
) -> list[Finding]:
    """Share of the layers, from the top, to reset until the masked-LM loss has recovered.

    Parameters
    ----------
    task : str
        Its name.
    losses : ndarray of shape (failed runs, layers + 1)
        Masked-LM loss, nats, with the top 0, 1, ... layers reset.
    tolerance : float
        Nats above the pre-trained encoder's loss.
    """
    losses = np.asarray(losses, dtype=float)
    layers = losses.shape[1] - 1
    shares = [statistics.layers_to_recover(one, tolerance) / layers for one in losses]
    words = f"share of the {layers} layers to reset until the masked-LM loss of failed runs is back"
    number = of_mean(np.array(shares)) if shares else Interval(nan, nan, nan)
    return [
        Finding(
            "forgetting",
            task,
            words,
            number.clipped(0, 1),
            "below",
            thresholds.RECOVERED_LAYERS,
            len(shares),
            unmet="" if shares else "no run failed",
        )
    ]


def same_loss_different_score(task: str, sweep: Sweep, chance: float) -> list[Finding]:
    """Spread of the dev accuracy of fitted runs that their training loss does not explain, points.

    Parameters
    ----------
    task : str
        Its name.
    sweep : Sweep
        Runs that failed, or whose training loss is above ``thresholds.FITTED`` of ``chance``, are
        left out.
    chance : float
        ln K, nats.
    """
    with np.errstate(invalid="ignore"):
        fitted = ~sweep.failed & (sweep.train_losses <= thresholds.FITTED * chance)
    runs = int(fitted.sum())
    words = f"{sweep.recipe}: standard deviation of the dev accuracy at equal training loss, points"
    claim, number, unmet = "same_loss_different_score", Interval(nan, nan, nan), ""
    if runs < 4:
        unmet = f"{runs} of {len(fitted)} runs fitted the training set, 4 needed"
    else:
        spread = statistics.same_loss_spread(sweep.train_losses[fitted], sweep.correct[fitted])
        number = spread.std.map(lambda std: 100 * std)
        words += f" ({100 * spread.noise:.2g} more from flips of single examples)"
    bound = thresholds.NOTICEABLE_POINTS
    return [Finding(claim, task, words, number, "above", bound, runs, unmet=unmet)]

"""Learning rate over the steps of a run."""

import math

RATIO = 32  # of the highest to the lowest learning rate of the slanted triangle


def warmup_steps(steps: int, warmup: float) -> int:
    """Steps with a rising learning rate: the share ``warmup`` of all ``steps``, rounded up."""
    return min(steps, math.ceil(warmup * steps - 1e-9))


def factor(step: int, steps: int, schedule: str, warmup: float) -> float:
    """Share of the highest learning rate that step ``step`` of ``steps`` uses.

    The learning rate rises in a straight line from 0 at the first step (which only fills Adam's
    moments, as in BERT's own code and in Hugging Face's schedules) over the first ``warmup`` of
    the steps, then:

    ``linear``    falls in a straight line; it would reach 0 at step ``steps`` + 1
    ``linear_from_start``  the same, but measured from the first step: 1 − step / ``steps`` after
        the warm-up, to which it drops at once, as in Devlin et al.'s code
    ``cosine``    falls along half a cosine, likewise
    ``constant``  does not change
    ``slanted_triangular``  rises from 1/32 instead of 0, then falls in a straight line towards
        1/32. The fall is stretched over the steps left when the cut is a whole number; the
        published formula undershoots, even below 0, when it is not.

    Parameters
    ----------
    step : int
        From 1 to ``steps``.
    steps : int
        Number of steps of the run.
    schedule : str
        One of the above.
    warmup : float
        Share of the steps, 0 to 1; the cut fraction of the slanted triangle.

    Returns
    -------
    float, 0 to 1.

    Raises
    ------
    ValueError
        If ``schedule`` is not one of the above; not raised during the warm-up.

    References
    ----------
    Howard and Ruder (2018), equation 3, for the slanted triangle; google-research/bert,
    ``optimization.py``, for ``linear_from_start``.
    """
    done = step - 1
    if schedule == "slanted_triangular":
        cut = math.floor(warmup * steps + 1e-9)
        part = done / cut if done < cut else 1 - (done - cut) / (steps - cut)
        return (1 + part * (RATIO - 1)) / RATIO
    rise = warmup_steps(steps, warmup)
    if done < rise:
        return done / rise
    if schedule == "linear_from_start":
        return 1 - done / steps
    part = (done - rise) / max(1, steps - rise)
    if schedule == "linear":
        return 1 - part
    if schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * part))
    if schedule == "constant":
        return 1.0
    raise ValueError(
        f"schedule: got {schedule!r}, allowed: linear, linear_from_start, constant, cosine, "
        "slanted_triangular"
    )

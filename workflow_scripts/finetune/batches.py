"""Order and batches of the training examples."""

import numpy as np


def epoch_batches(
    lengths: np.ndarray, batch_size: int, bucket_batches: int, order: int, epoch: int
) -> list[np.ndarray]:
    """Indices of the examples of each step of an epoch.

    The examples are shuffled. So that a batch needs little padding, ``bucket_batches`` batches at a
    time are sorted by length before they are cut, and the batches of the epoch are shuffled again;
    with 1 the shuffled examples are cut as they come. An incomplete batch is kept; which lengths it
    holds is drawn, too.

    Parameters
    ----------
    lengths : ndarray of shape (N,)
        Tokens of each example.
    batch_size : int
        Examples of a batch.
    bucket_batches : int
        Batches that are sorted together.
    order, epoch : int
        The order depends on these and ``lengths`` alone.

    Returns
    -------
    list of ceil(N / batch_size) ndarray, which together hold each of 0 … N-1 once.
    """
    random = np.random.default_rng([order, epoch, 0])
    shuffled = random.permutation(len(lengths))
    if bucket_batches == 1:
        return _cut(shuffled, batch_size)
    batches = []
    for pool in _cut(shuffled, batch_size * bucket_batches):
        by_length = pool[np.argsort(lengths[pool], kind="stable")]
        full, rest = divmod(len(pool), batch_size)
        # As the last of the sorted pool, the incomplete batch would always hold the longest.
        place = int(random.integers(full + 1)) if rest else full
        first = place * batch_size
        batches += _cut(by_length[:first], batch_size)
        if rest:
            batches.append(by_length[first : first + rest])
        batches += _cut(by_length[first + rest :], batch_size)
    return [batches[i] for i in random.permutation(len(batches))]


def dropout_seed(order: int, epoch: int) -> int:
    """Seed of an epoch's dropout masks, independent of the order of the examples."""
    return int(np.random.SeedSequence([order, epoch, 1]).generate_state(1, np.uint64)[0])


def _cut(indices: np.ndarray, size: int) -> list[np.ndarray]:
    return [indices[i : i + size] for i in range(0, len(indices), size)]

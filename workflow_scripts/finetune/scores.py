"""Loss and scores on a data set."""

import numpy as np
import torch

from workflow_scripts.finetune.packed import Forward
from workflow_scripts.model.text import Encoded, token_batches


def evaluate(
    forward: Forward, encoded: Encoded, token_budget: int
) -> tuple[np.ndarray, np.ndarray]:
    """Loss and prediction of every example, or of every word that has a label, in fp32.

    Parameters
    ----------
    forward : callable
        Of ``packed.forward_of``, for a classifier in ``eval()`` mode (no dropout).
    encoded : Encoded
        N examples, N > 0; where labels belong to words, N is the number of labels below.
    token_budget : int
        Tokens, with padding, in one forward pass; it changes a loss by rounding only.

    Returns
    -------
    losses : ndarray of shape (N,), float64
        Cross-entropy, nats.
    predictions : ndarray of shape (N,), int64
        Label ids; -1 where an output is not a number.

    Raises
    ------
    ValueError
        If there are no examples.
    """
    batches = token_batches(encoded.lengths, token_budget)
    with torch.inference_mode():
        logits = torch.cat([forward(encoded, batch).float() for batch in batches])
        # From the order of the batches to that of the data set.
        order = np.concatenate([encoded.labels_of(batch) for batch in batches])
        where = torch.from_numpy(np.argsort(order)).to(logits.device)
        logits = logits[where]
        labels = torch.tensor(encoded.labels, device=logits.device)
        losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
        predictions = logits.argmax(1).masked_fill(~logits.isfinite().all(1), -1)
        return losses.double().cpu().numpy(), predictions.cpu().numpy()


def classification_scores(
    labels: np.ndarray, predictions: np.ndarray, classes: int
) -> dict[str, float]:
    """Accuracy, F1 and Matthews correlation.

    F1 is label 1's where there are two classes, else the mean over the classes that occur among
    labels or predictions (scikit-learn's ``macro``); a class never predicted has F1 0. The
    correlation is 0 where labels or predictions are all the same. All three are NaN if any
    example has no prediction.

    Parameters
    ----------
    labels, predictions : ndarray of shape (N,)
        Label ids, N > 0; a prediction of -1 means none.
    classes : int
        Number of classes.

    Returns
    -------
    dict with ``accuracy`` (0 to 1), ``f1`` (0 to 1), ``mcc`` (-1 to 1).

    References
    ----------
    Gorodkin (2004) for the correlation of more than two classes.
    """
    if (predictions < 0).any():
        return {"accuracy": float("nan"), "f1": float("nan"), "mcc": float("nan")}
    counts = np.zeros((classes, classes), dtype=np.int64)  # rows: labels, columns: predictions
    np.add.at(counts, (labels, predictions), 1)
    n, right = int(counts.sum()), int(counts.trace())
    true, predicted = counts.sum(1), counts.sum(0)
    occurs = true + predicted > 0
    f1 = 2 * counts.diagonal() / np.maximum(true + predicted, 1)
    # Python's integers do not overflow.
    across = sum(int(t) * int(p) for t, p in zip(true, predicted, strict=True))
    spread_true = n * n - sum(int(t) ** 2 for t in true)
    spread_predicted = n * n - sum(int(p) ** 2 for p in predicted)
    spread = (spread_true * spread_predicted) ** 0.5
    return {
        "accuracy": right / n,
        "f1": float(f1[1] if classes == 2 else f1[occurs].mean()),
        "mcc": (right * n - across) / spread if spread else 0.0,
    }

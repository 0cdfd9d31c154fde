"""Confidence that can be believed: one temperature that all logits are divided by."""

from __future__ import annotations

import numpy as np

_RANGE = (0.05, 20.0)  # of the temperature
_STEPS = 60


def fit_temperature(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Return the temperature under which held-out pictures are most probable.

    Dividing logits by it changes no prediction, only how sure they are: above 1 they become less sure.

    Parameters
    ----------
    logits : ndarray of float, shape (n, k)
        Of pictures that were not trained on.
    labels : ndarray of int, shape (n,)
        Their classes, as positions 0..k-1.
    weights : ndarray of float, shape (n,), optional
        How much each picture counts.

    Returns
    -------
    float
        0.05 to 20.

    Notes
    -----
    As in Platt's method a share of 1 / (n + 2) of every truth is given to the other classes: where all held-out
    pictures are classified correctly, the likelihood alone would ask for infinite certainty.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger: "On calibration of modern neural networks", ICML 2017; Platt: "Probabilistic outputs
    for support vector machines", 1999.

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> logits = generator.normal(0, 2, (4000, 5))
    >>> labels = (logits + generator.gumbel(size=logits.shape)).argmax(1)  # drawn as the logits say
    >>> round(fit_temperature(3 * logits, labels), 1)
    3.0
    """
    logits = np.asarray(logits, np.float64)
    n, n_classes = logits.shape
    shares = np.full((n, n_classes), 1 / ((n + 2) * max(n_classes - 1, 1)))
    shares[np.arange(n), labels] = (n + 1) / (n + 2)
    told = (shares * logits).sum(1)
    low, high = 1 / _RANGE[1], 1 / _RANGE[0]  # of the inverse temperature, in which the loss is convex
    for _ in range(_STEPS):
        middle = (low + high) / 2
        slope = np.average((softmax(middle * logits) * logits).sum(1) - told, weights=weights)
        low, high = (low, middle) if slope > 0 else (middle, high)
    return float(2 / (low + high))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of logits, (n, k)."""
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)

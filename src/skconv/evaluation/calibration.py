"""Confidence that can be believed: one temperature that all logits are divided by, and a bias for each class."""

from __future__ import annotations

import numpy as np

_RANGE = (0.05, 20.0)  # of the temperature
_SPREAD = 0.3  # how far biases are expected from 0, as the standard deviation of a normal prior


def fit_calibration(
    logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None, *, with_biases: bool = True
) -> tuple[float, np.ndarray]:
    """Return temperature and biases under which held-out images are most probable: of ``logits / T + biases``.

    Above 1 the temperature makes answers less sure, below it surer. The biases mend what a network has for or against
    a class; the fewer held-out images speak for one, the nearer it stays to 0.

    Parameters
    ----------
    logits : ndarray of float, shape (n, k)
        Of images that were not trained on; each row to within a constant.
    labels : ndarray of int, shape (n,)
        Their classes, as positions 0..k-1.
    weights : ndarray of float, shape (n,), optional
        How much each image counts.
    with_biases : bool, default=True
        False leaves the biases at 0: then no answer changes, only how sure it is.

    Returns
    -------
    temperature : float
        0.05 to 20.
    biases : ndarray of float64, shape (k,)

    Notes
    -----
    As in Platt's method a share of 1 / (n + 2) of every truth is given to the other classes: where all held-out
    images are classified correctly, the likelihood alone would ask for infinite certainty.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger: "On calibration of modern neural networks", ICML 2017; Platt: "Probabilistic outputs
    for support vector machines", 1999; Alexandari, Kundaje, Shrikumar: "Maximum likelihood with bias-corrected
    calibration is hard-to-beat at label shift adaptation", ICML 2020 (the biases).

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> logits = generator.normal(0, 2, (4000, 3))
    >>> labels = (logits + generator.gumbel(size=logits.shape)).argmax(1)  # drawn as the logits say
    >>> temperature, biases = fit_calibration(3 * logits + [0, 3, -3], labels)
    >>> round(temperature, 1), biases.round()
    (3.0, array([ 0., -1.,  1.]))
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    logits = np.asarray(logits, np.float64)
    logits = logits - logits.mean(1, keepdims=True)
    n, n_classes = logits.shape
    shares = np.full((n, n_classes), 1 / ((n + 2) * max(n_classes - 1, 1)))
    shares[np.arange(n), labels] = (n + 1) / (n + 2)
    counts = np.ones((n, 1)) if weights is None else (weights / weights.mean())[:, None]

    def lose(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the loss, which is convex, and its gradient at (1 / temperature, biases)."""
        scale, biases = parameters[0], parameters[1:]
        log_told = log_softmax(scale * logits + biases, axis=1)
        wrong = counts * (np.exp(log_told) - shares)
        loss = -(counts * shares * log_told).sum() + (biases**2).sum() / (2 * _SPREAD**2)
        return loss / n, np.array([(wrong * logits).sum(), *(wrong.sum(0) + biases / _SPREAD**2)]) / n

    free = (None, None) if with_biases else (0.0, 0.0)
    bounds = [(1 / _RANGE[1], 1 / _RANGE[0])] + [free] * n_classes
    best = minimize(lose, [1.0] + [0.0] * n_classes, jac=True, method="L-BFGS-B", bounds=bounds, tol=1e-10).x
    return float(1 / best[0]), best[1:]


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return the probabilities of logits, (n, k)."""
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)

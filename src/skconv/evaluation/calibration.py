"""Calibration of probabilities: temperature scaling with a bias per class."""

from __future__ import annotations

import numpy as np

_TEMPERATURES = (0.05, 20.0)  # minimum and maximum
_PRIOR_DEVIATION = 0.3  # standard deviation of the normal prior on the biases


def fit_calibration(
    logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None, *, with_biases: bool = True
) -> tuple[float, np.ndarray]:
    """Return the temperature and biases that maximise the likelihood of held-out images with ``logits / T + biases``.

    `logits` are (n, k), `labels` (n,) in 0..k-1, `weights` (n,) optional. A temperature (0.05..20) above 1 lowers the
    confidence, one below 1 raises it. The biases, float64 (k,), correct the bias of the network for or against each
    class. A normal prior keeps them near 0 for classes with few held-out images. If `with_biases` is False, they are 0
    and no predicted label changes.

    References
    ----------
    Guo, Pleiss, Sun, Weinberger: "On calibration of modern neural networks", ICML 2017; Platt: "Probabilistic outputs
    for support vector machines", 1999; Alexandari, Kundaje, Shrikumar: "Maximum likelihood with bias-corrected
    calibration is hard-to-beat at label shift adaptation", ICML 2020 (the biases).

    Examples
    --------
    >>> generator = np.random.default_rng(0)
    >>> logits = generator.normal(0, 2, (4000, 3))
    >>> labels = (logits + generator.gumbel(size=logits.shape)).argmax(1)  # drawn from softmax(logits)
    >>> temperature, biases = fit_calibration(3 * logits + [0, 3, -3], labels)
    >>> round(temperature, 1), biases.round()
    (3.0, array([ 0., -1.,  1.]))
    """
    from scipy.optimize import minimize
    from scipy.special import log_softmax

    logits = np.asarray(logits, np.float64)
    logits = logits - logits.mean(1, keepdims=True)
    n, n_classes = logits.shape
    # As in Platt's method, the other classes get 1 / (n + 2) of the target probability. Otherwise the likelihood of
    # perfectly classified images has no maximum.
    targets = np.full((n, n_classes), 1 / ((n + 2) * max(n_classes - 1, 1)))
    targets[np.arange(n), labels] = (n + 1) / (n + 2)
    counts = np.ones((n, 1)) if weights is None else (weights / weights.mean())[:, None]

    def compute_loss(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the convex loss and its gradient at (1 / temperature, biases)."""
        scale, biases = parameters[0], parameters[1:]
        log_probabilities = log_softmax(scale * logits + biases, axis=1)
        errors = counts * (np.exp(log_probabilities) - targets)
        loss = -(counts * targets * log_probabilities).sum() + (biases**2).sum() / (2 * _PRIOR_DEVIATION**2)
        gradient = np.array([(errors * logits).sum(), *(errors.sum(0) + biases / _PRIOR_DEVIATION**2)])
        return loss / n, gradient / n

    bias_bounds = (None, None) if with_biases else (0.0, 0.0)
    bounds = [(1 / _TEMPERATURES[1], 1 / _TEMPERATURES[0])] + [bias_bounds] * n_classes
    start = [1.0] + [0.0] * n_classes
    best = minimize(compute_loss, start, jac=True, method="L-BFGS-B", bounds=bounds, tol=1e-10).x
    return float(1 / best[0]), best[1:]

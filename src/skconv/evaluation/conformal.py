"""Conformal prediction sets with a guaranteed coverage."""

from __future__ import annotations

import math

import numpy as np

from skconv.exceptions import ParameterError

_ROUNDING = 1e-8  # tolerance of floating-point arithmetic


def predict_sets(
    held_out: np.ndarray,
    held_out_labels: np.ndarray,
    probabilities: np.ndarray,
    coverage: float,
    *,
    average: str | None = None,
) -> np.ndarray:
    """Return prediction sets, bool (n, k), that contain the true class with a probability of at least `coverage`.

    `probabilities` (n, k) are predictions of the model that `held_out` is from; the other parameters and the guarantee
    are those of `find_threshold`. A set is empty if no class reaches the threshold.
    """
    return select_classes(probabilities, find_threshold(held_out, held_out_labels, coverage, average=average))


def find_threshold(
    held_out: np.ndarray, held_out_labels: np.ndarray, coverage: float, *, average: str | None = None
) -> float:
    """Return the min probability of the classes in a prediction set.

    The coverage is guaranteed for images from the distribution of the held-out images, for any model; a weak model gets
    large sets.

    `held_out` (m, k) are predictions of the model itself, with `average` None. If each held-out image was predicted by
    one member of an ensemble, `average` is the ensemble's average, "probabilities" or "logits". The sets are then
    larger than necessary and have at least the requested coverage.

    References
    ----------
    Sadinle, Lei, Wasserman: "Least ambiguous set-valued classifiers with bounded error levels", JASA 114, 2019;
    for means: Acerbi, Tasche: "On the coherence of expected shortfall", Journal of Banking and Finance 26, 2002.

    Examples
    --------
    >>> held_out = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
    >>> threshold = find_threshold(held_out, np.array([0, 1, 0, 1]), 0.6)
    >>> round(threshold, 3), select_classes(np.array([[0.75, 0.25], [0.5, 0.5]]), threshold).tolist()
    (0.7, [[True, False], [False, False]])
    """
    check_coverage(coverage)
    min_images = max(math.ceil(coverage / (1 - coverage) - _ROUNDING), 1)
    if len(held_out) < min_images:
        raise ParameterError(
            f"A coverage of {coverage:g} needs at least {min_images:,} held-out images; the model was saved with "
            f"{len(held_out):,}. Lower the coverage, or train with more validation images."
        )
    true_probabilities = _normalize(held_out)[np.arange(len(held_out)), held_out_labels]
    if average is not None:
        return _bound_quantile_of_mean(true_probabilities, 1 - coverage, average)
    rank = min(len(held_out), math.ceil((len(held_out) + 1) * coverage - _ROUNDING))
    return float(np.sort(true_probabilities)[-rank]) - _ROUNDING


def select_classes(probabilities: np.ndarray, threshold: float) -> np.ndarray:
    """Return which classes reach the probability `threshold`, bool (n, k)."""
    return np.asarray(_normalize(probabilities) >= threshold, bool)


def check_coverage(coverage: object) -> None:
    """Raise `ParameterError` unless `coverage` is a number above 0 and below 1."""
    if isinstance(coverage, bool) or not isinstance(coverage, int | float) or not 0 < coverage < 1:
        raise ParameterError(
            f"The 'coverage' parameter must be a fraction above 0 and below 1, such as 0.99. Got {coverage!r}."
        )


def _bound_quantile_of_mean(probabilities: np.ndarray, share: float, average: str) -> float:
    """Return a lower bound of the `share`-quantile of the probability of the true class, averaged over members.

    `probabilities` are from one member per image, so that the dependence between members is unknown. The quantile of
    single members does not bound that of the mean. Their expected shortfall does, because it is subadditive for any
    dependence.
    """
    lowest = np.sort(probabilities)[: math.floor(share * (len(probabilities) + 1) + _ROUNDING)]
    if average == "probabilities":
        return float(lowest.mean())
    # With averaged logits, each class gets at least the geometric mean of its probabilities.
    return float(np.exp(np.log(lowest.clip(np.finfo(np.float32).tiny)).mean()))


def _normalize(probabilities: np.ndarray) -> np.ndarray:
    """Return float64 probabilities whose rows sum to 1 exactly."""
    exact = np.asarray(probabilities, np.float64)
    return exact / exact.sum(1, keepdims=True)

"""Conformal prediction sets with a guaranteed coverage."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skconv.exceptions import ParameterError, missing_package


def predict_sets(
    held_out: np.ndarray,
    held_out_labels: np.ndarray,
    probabilities: np.ndarray,
    coverage: float,
    *,
    average: str | None = None,
) -> np.ndarray:
    """Return prediction sets, bool (n, k), that contain the true class with a probability of at least `coverage`.

    The coverage is guaranteed for images from the distribution of the held-out images, for any model; a weak model gets
    large sets. A set is empty if no class reaches the probability threshold.

    `held_out` (m, k) and `probabilities` (n, k) are predictions of the same model, with `average` None. If each
    held-out image was predicted by one member of an ensemble, `average` is the ensemble's average, "probabilities" or
    "logits". The sets are then larger than necessary and have at least the requested coverage.

    References
    ----------
    Sadinle, Lei, Wasserman: "Least ambiguous set-valued classifiers with bounded error levels", JASA 114, 2019;
    for means: Acerbi, Tasche: "On the coherence of expected shortfall", Journal of Banking and Finance 26, 2002.
    """
    check_coverage(coverage)
    min_images = math.ceil(coverage / (1 - coverage))
    if len(held_out) < min_images:
        raise ParameterError(
            f"A coverage of {coverage:g} needs at least {min_images:,} held-out images; the model was saved with "
            f"{len(held_out):,}. Lower the coverage, or train with more validation images."
        )
    if average is None:
        classifier = _make_classifier(probabilities.shape[1], coverage)  # raises if MAPIE is not installed
    if len(probabilities) == 0:
        return np.zeros(probabilities.shape, bool)
    if average is not None:
        true_probabilities = _normalize(held_out)[np.arange(len(held_out)), held_out_labels]
        threshold = _bound_quantile_of_mean(true_probabilities, 1 - coverage, average)
        return np.asarray(_normalize(probabilities) >= threshold, bool)
    classifier.conformalize(_normalize(held_out), held_out_labels)
    _, sets = classifier.predict_set(_normalize(probabilities))
    return np.asarray(sets[:, :, 0], bool)


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
    lowest = np.sort(probabilities)[: math.floor(share * (len(probabilities) + 1) + 1e-9)]
    if average == "probabilities":
        return float(lowest.mean())
    # With averaged logits, each class gets at least the geometric mean of its probabilities.
    return float(np.exp(np.log(lowest.clip(np.finfo(np.float32).tiny)).mean()))


def _make_classifier(n_classes: int, coverage: float) -> Any:
    """Return a conformal classifier of MAPIE that accepts probabilities instead of images."""
    try:
        from mapie.classification import SplitConformalClassifier
    except ImportError as error:
        raise missing_package("prediction sets", "MAPIE", "reliability") from error
    from sklearn.base import BaseEstimator, ClassifierMixin

    class IdentityClassifier(ClassifierMixin, BaseEstimator):
        def __init__(self) -> None:
            self.classes_ = np.arange(n_classes)
            self.n_features_in_ = n_classes

        def fit(self, X: np.ndarray, y: np.ndarray) -> Any:
            return self

        def predict_proba(self, X: np.ndarray) -> np.ndarray:
            return X

        def predict(self, X: np.ndarray) -> np.ndarray:
            return X.argmax(1)

    return SplitConformalClassifier(
        IdentityClassifier(), confidence_level=float(coverage), conformity_score="lac", prefit=True
    )


def _normalize(probabilities: np.ndarray) -> np.ndarray:
    """Return float64 probabilities that sum to 1 as exactly as MAPIE requires."""
    exact = np.asarray(probabilities, np.float64)
    return exact / exact.sum(1, keepdims=True)

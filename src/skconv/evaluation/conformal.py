"""Prediction sets that hold the true class with a probability chosen beforehand."""

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
    """Return which classes each image may be, so that the true one is among them with a probability of `coverage`.

    That holds for images drawn like the held-out ones, on average over both, however good the model is: a weak model
    gives large sets. A set is empty where no class is as probable as the true one nearly always is.

    Parameters
    ----------
    held_out : ndarray of float, shape (m, k)
        Probabilities of images that were not trained on.
    held_out_labels : ndarray of int, shape (m,)
        Their classes, as positions 0..k-1.
    probabilities : ndarray of float, shape (n, k)
        Of the images in question, by the same model.
    coverage : float
        Above 0 and below 1, as 0.99.
    average : {"probabilities", "logits"} or None, default=None
        None: all answers are one model's. Else `probabilities` are answers averaged in that way over the members of an
        ensemble, and each held-out image was answered by one member. The sets are then larger than they need be, and
        hold the true class at least as often as asked.

    Returns
    -------
    ndarray of bool, shape (n, k)

    Raises
    ------
    ParameterError
        A coverage outside 0..1, or too few held-out images for it; or MAPIE is not installed.

    References
    ----------
    Sadinle, Lei, Wasserman: "Least ambiguous set-valued classifiers with bounded error levels", JASA 114, 2019;
    of means: Acerbi, Tasche: "On the coherence of expected shortfall", Journal of Banking and Finance 26, 2002.
    """
    check_coverage(coverage)
    least = math.ceil(coverage / (1 - coverage))
    if len(held_out) < least:
        raise ParameterError(
            f"A coverage of {coverage:g} needs at least {least:,} held-out images; the model was saved with "
            f"{len(held_out):,}. Ask for less, or train with more validation images."
        )
    if len(probabilities) == 0:
        return np.zeros(probabilities.shape, bool)
    if average is not None:
        truths = _normalize(held_out)[np.arange(len(held_out)), held_out_labels]
        bound = _bound_mean(truths, 1 - coverage, average)
        return np.asarray(_normalize(probabilities) >= bound, bool)
    classifier = _make_classifier(probabilities.shape[1], coverage)
    classifier.conformalize(_normalize(held_out), held_out_labels)
    _, sets = classifier.predict_set(_normalize(probabilities))
    return np.asarray(sets[:, :, 0], bool)


def check_coverage(coverage: object) -> None:
    """Raise `ParameterError` unless `coverage` is a number between 0 and 1."""
    if isinstance(coverage, bool) or not isinstance(coverage, int | float) or not 0 < coverage < 1:
        raise ParameterError(f"coverage is {coverage!r}; expected a share above 0 and below 1, as 0.99 for 99 %.")


def _bound_mean(truths: np.ndarray, share: float, average: str) -> float:
    """Return what the mean of members' probabilities of the true class is below for at most a share of images.

    `truths` are these probabilities, each by one member for an image it did not see. They do not tell how the members'
    doubts go together, and their quantile is no bound: the mean is low as soon as one member is very low. Their
    expected shortfall is, the mean over the lowest share of them: that of a mean is never below the members' own, in
    whatever way they go together, and at most this share lies below it.
    """
    lowest = np.sort(truths)[: math.floor(share * (len(truths) + 1) + 1e-9)]
    if average == "probabilities":
        return float(lowest.mean())
    # The mean of logits gives every class at least the geometric mean of its probabilities.
    return float(np.exp(np.log(lowest.clip(np.finfo(np.float32).tiny)).mean()))


def _make_classifier(n_classes: int, coverage: float) -> Any:
    """Return MAPIE's classifier around one that takes probabilities for images: the model is not asked again."""
    try:
        from mapie.classification import SplitConformalClassifier
    except ImportError as error:
        raise missing_package("prediction sets", "MAPIE", "reliability") from error
    from sklearn.base import BaseEstimator, ClassifierMixin

    class AlreadyPredicted(ClassifierMixin, BaseEstimator):
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
        AlreadyPredicted(), confidence_level=float(coverage), conformity_score="lac", prefit=True
    )


def _normalize(probabilities: np.ndarray) -> np.ndarray:
    """Return probabilities that sum to 1 in float64, as MAPIE checks."""
    exact = np.asarray(probabilities, np.float64)
    return exact / exact.sum(1, keepdims=True)

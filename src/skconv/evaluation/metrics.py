"""How good predictions are: accuracy with an interval, probabilities, and each class by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from skconv.exceptions import DataError, ParameterError

_BINS = 15  # of the expected calibration error, as in the literature on networks
_MOST_ROWS = 30  # of the table a terminal shows


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 (fractions, 0 where nothing can be measured) and images of one class."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, eq=False)  # an array has no single truth value to compare by
class Scores:
    """Scores of one set of predictions; all are fractions but the negative log likelihood.

    Parameters
    ----------
    accuracy, low, high : float
        Share of right predictions with its 95 % Wilson interval.
    n : int
        Images scored.
    negative_log_likelihood : float
        Mean of -log of the probability of the true class, in nats, at least 0.
    brier : float
        Brier score in its multi-class sum form: mean over images of the sum over classes of
        (probability - truth)², from 0 to 2. For two classes this is twice the binary form.
    expected_calibration_error : float
        Mean distance of confidence from accuracy over 15 bins of equal width of the top label's probability.
    confusion : ndarray of int64, shape (k, k)
        Row: true class; column: predicted class.
    per_class : tuple of ClassScore
        In the order of the classes.
    """

    accuracy: float
    low: float
    high: float
    n: int
    negative_log_likelihood: float
    brier: float
    expected_calibration_error: float
    confusion: np.ndarray
    per_class: tuple[ClassScore, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values under the keys accuracy, low, high, n, nll, brier, ece, per_class."""
        return {
            "accuracy": self.accuracy,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "nll": self.negative_log_likelihood,
            "brier": self.brier,
            "ece": self.expected_calibration_error,
            "per_class": [asdict(score) for score in self.per_class],
        }


def wilson_interval(n_correct: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion.

    Unlike the textbook interval it stays inside 0..1 and is right for accuracies near 1, where classifiers
    of digits live.

    Parameters
    ----------
    n_correct : int
        Right answers, 0..n.
    n : int
        Answers, at least 1.
    level : float, default 0.95
        Confidence, above 0 and below 1.

    Returns
    -------
    (float, float)
        Low and high end, fractions; ``n_correct / n`` lies between them.

    Raises
    ------
    ParameterError
        A count or level outside its range.

    References
    ----------
    E. B. Wilson (1927). Probable inference, the law of succession, and statistical inference.
    JASA 22, 209-212.

    Examples
    --------
    >>> low, high = wilson_interval(9_957, 10_000)
    >>> round(low, 4), round(high, 4)
    (0.9942, 0.9968)
    """
    if n < 1 or not 0 <= n_correct <= n:
        raise ParameterError(f"{n_correct} right answers of {n}; expected 0..n of at least 1.")
    if not 0 < level < 1:
        raise ParameterError(f"level must be above 0 and below 1, got {level}. Use 0.95 for 95 %.")
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = n_correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # Rounding must not push an end past the proportion itself.
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


def score_predictions(
    labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str] | None = None
) -> Scores:
    """Score predicted probabilities against true labels.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        True classes as positions 0..k-1 of the columns of `probabilities`. A class may be absent.
    probabilities : ndarray of float, shape (n, k)
        Rows that sum to 1. The largest is the prediction, the first of them where several are equal.
    class_names : sequence of str or None, default None
        k names; None numbers the classes.

    Returns
    -------
    Scores
        Every score; a class that is absent, or never predicted, scores 0 where nothing can be measured.

    Raises
    ------
    DataError
        No images, shapes that do not fit, labels out of range, or rows that are not probabilities.

    Examples
    --------
    >>> scores = score_predictions(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
    >>> round(scores.accuracy, 3), scores.confusion.tolist()
    (0.667, [[1, 0], [1, 1]])
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    _check_predictions(labels, probabilities)
    n, n_classes = probabilities.shape
    names = [str(position) for position in range(n_classes)] if class_names is None else list(class_names)
    if len(names) != n_classes:
        raise DataError(f"{len(names)} class names came with probabilities of {n_classes} classes.")
    # A label of uint8 would overflow below, and float32 sums lose digits.
    labels, probabilities = labels.astype(np.int64), probabilities.astype(np.float64, copy=False)
    predicted = probabilities.argmax(1)
    confusion = np.bincount(labels * n_classes + predicted, minlength=n_classes**2)
    confusion = confusion.reshape(n_classes, n_classes).astype(np.int64, copy=False)
    n_correct = int(np.trace(confusion))
    low, high = wilson_interval(n_correct, n)
    of_truth = probabilities[np.arange(n), labels]
    # The sum over classes of (p - truth)², written so that no (n, k) array of truths is made.
    brier = float(np.mean((probabilities**2).sum(1) - 2 * of_truth + 1))
    return Scores(
        accuracy=n_correct / n,
        low=low,
        high=high,
        n=n,
        # A probability of exactly 0 would make one image outweigh all others.
        negative_log_likelihood=abs(float(np.log(of_truth.clip(np.finfo(np.float64).eps, 1)).mean())),
        brier=max(0.0, brier),
        expected_calibration_error=_measure_calibration(probabilities.max(1), predicted == labels),
        confusion=confusion,
        per_class=_score_classes(confusion, names),
    )


def format_scores(scores: Scores) -> str:
    """Return the scores as a table for a terminal; beyond 30 classes, the 30 of lowest F1.

    Examples
    --------
    >>> print(format_scores(score_predictions(np.array([0, 1]), np.eye(2), ["cat", "dog"])))
    accuracy             100.00 %  (95 % interval 34.24 to 100.00 %, n = 2)
    log loss              0.0000
    Brier score           0.0000
    calibration error     0.0000
    <BLANKLINE>
    class  precision  recall      F1  images
    cat       1.0000  1.0000  1.0000       1
    dog       1.0000  1.0000  1.0000       1
    """
    lines = [
        f"accuracy             {scores.accuracy:7.2%}  ".replace("%", " %")
        + f"(95 % interval {100 * scores.low:.2f} to {100 * scores.high:.2f} %, n = {scores.n:,})",
        f"log loss             {scores.negative_log_likelihood:7.4f}",
        f"Brier score          {scores.brier:7.4f}",
        f"calibration error    {scores.expected_calibration_error:7.4f}",
        "",
    ]
    shown = scores.per_class
    if len(shown) > _MOST_ROWS:
        shown = tuple(sorted(shown, key=lambda score: score.f1)[:_MOST_ROWS])
        lines.append(f"The {_MOST_ROWS} of {len(scores.per_class)} classes with the lowest F1:")
    names = [_shorten(score.name) for score in shown]
    width = max(len("class"), *map(len, names))
    lines.append(f"{'class':<{width}}  precision  recall      F1  images")
    for name, score in zip(names, shown, strict=True):
        figures = f"{score.precision:9.4f}  {score.recall:6.4f}  {score.f1:6.4f}  {score.support:6,}"
        lines.append(f"{name:<{width}}  {figures}")
    return "\n".join(lines)


def _check_predictions(labels: np.ndarray, probabilities: np.ndarray) -> None:
    if probabilities.ndim != 2 or 0 in probabilities.shape or probabilities.dtype.kind != "f":
        raise DataError(
            f"The probabilities are {probabilities.dtype} of shape {probabilities.shape}; "
            "expected float of shape (n, k) with at least one image."
        )
    n, n_classes = probabilities.shape
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise DataError(
            f"The labels are {labels.dtype} of shape {labels.shape}; expected {n} whole numbers, "
            "the positions of the classes."
        )
    if labels.min() < 0 or labels.max() >= n_classes:
        raise DataError(f"The labels span {labels.min()}..{labels.max()}; expected 0..{n_classes - 1}.")
    sums = probabilities.sum(1)
    if not (probabilities.min() >= 0 and np.abs(sums - 1).max() <= 1e-3):  # also refuses NaN
        wrong = int(np.flatnonzero(~((probabilities >= 0).all(1) & (np.abs(sums - 1) <= 1e-3)))[0])
        raise DataError(
            f"Row {wrong} is not a row of probabilities (sum {sums[wrong]:.4g}); expected values of at "
            "least 0 that sum to 1. Are these logits? Apply a softmax."
        )


def _measure_calibration(confidences: np.ndarray, correct: np.ndarray) -> float:
    bins = np.ceil(confidences * _BINS).astype(int).clip(1, _BINS) - 1  # a bin holds its upper edge
    gaps = np.bincount(bins, weights=confidences - correct, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(confidences))


def _score_classes(confusion: np.ndarray, names: Sequence[str]) -> tuple[ClassScore, ...]:
    hits = np.diag(confusion)
    support, predicted = confusion.sum(1), confusion.sum(0)
    # Where a divisor is 0 its dividend is 0 too: the score is 0, not NaN.
    precision = hits / np.maximum(predicted, 1)
    recall = hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(predicted + support, 1)
    return tuple(
        ClassScore(name, float(precision[k]), float(recall[k]), float(f1[k]), int(support[k]))
        for k, name in enumerate(names)
    )


def _shorten(name: str) -> str:
    name = " ".join(name.split())
    return name if len(name) <= 40 else name[:39] + "…"

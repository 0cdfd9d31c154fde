"""Classification metrics: accuracy with its interval, log loss, Brier score, calibration error, scores per class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from skconv.exceptions import DataError, ParameterError
from skconv.text import format_percent

_BINS = 15  # bins of the expected calibration error, as in Guo et al. 2017
MISTAKE_COLUMNS = ("input", "true", "predicted", "confidence")
_MAX_ROWS = 30  # rows of the printed table; with more classes, only those with the lowest F1 are shown


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 (fractions, 0 if undefined) and the number of images of one class."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


@dataclass(frozen=True, eq=False)  # because == of arrays does not return a bool
class Scores:
    """Scores of the predictions for a set of images, with the confusion matrix and the scores per class."""

    accuracy: float
    low: float  # 95 % Wilson interval of the accuracy
    high: float
    n: int  # images
    negative_log_likelihood: float  # mean of -log(probability of the true class), in nats, at least 0
    # 0..2: mean over images of the sum over classes of (probability - truth)²; twice the binary form for two classes.
    brier: float
    # Mean distance between confidence and accuracy over 15 bins of equal width of the confidence.
    expected_calibration_error: float
    confusion: np.ndarray  # int64 (k, k); row: true class; column: predicted class
    per_class: tuple[ClassScore, ...]  # in the order of the classes

    def to_json(self) -> dict[str, Any]:
        """Return JSON values with the keys accuracy, low, high, n, nll, brier, ece, per_class."""
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


def wilson_interval(n_correct: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a proportion, as fractions with ``low <= n_correct / n <= high``.

    Unlike the normal approximation it stays inside 0..1 and is accurate for proportions near 1. It is implemented here
    because importing `scipy.stats` takes about half a second.

    References
    ----------
    E. B. Wilson (1927). Probable inference, the law of succession, and statistical inference. JASA 22, 209-212.

    Examples
    --------
    >>> low, high = wilson_interval(9_957, 10_000)
    >>> round(low, 4), round(high, 4)
    (0.9942, 0.9968)
    """
    if n < 1 or not 0 <= n_correct <= n:
        raise ParameterError(f"n_correct is {n_correct} and n is {n}; expected 0 <= n_correct <= n and n >= 1.")
    z = NormalDist().inv_cdf(0.975)
    share = n_correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # Rounding must not move a limit past the proportion.
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


def score_predictions(
    labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str] | None = None
) -> Scores:
    """Score predicted probabilities, (n, k) with rows that sum to 1, against true labels 0..k-1.

    The prediction is the first class with the highest probability. Classes may be absent from the labels.
    Without `class_names` the classes are numbered.

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
        raise DataError(f"There are {len(names)} class names for {n_classes} classes. Pass one name per class.")
    # uint8 labels would overflow below, and float32 sums lose precision.
    labels, probabilities = labels.astype(np.int64), probabilities.astype(np.float64, copy=False)
    predicted = probabilities.argmax(1)
    confusion = np.bincount(labels * n_classes + predicted, minlength=n_classes**2)
    confusion = confusion.reshape(n_classes, n_classes).astype(np.int64, copy=False)
    n_correct = int(np.trace(confusion))
    low, high = wilson_interval(n_correct, n)
    true_probabilities = probabilities[np.arange(n), labels]
    # Equals the sum over classes of (p - truth)² without an (n, k) array of truths.
    brier = float(np.mean((probabilities**2).sum(1) - 2 * true_probabilities + 1))
    return Scores(
        accuracy=n_correct / n,
        low=low,
        high=high,
        n=n,
        # Avoids an infinite mean for probabilities of exactly 0.
        negative_log_likelihood=abs(float(np.log(true_probabilities.clip(np.finfo(np.float64).eps, 1)).mean())),
        brier=max(0.0, brier),
        expected_calibration_error=_measure_calibration(probabilities.max(1), predicted == labels),
        confusion=confusion,
        per_class=_score_classes(confusion, names),
    )


def list_mistakes(
    names: Sequence[str], labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]
) -> list[tuple[str, str, str, str]]:
    """Return input, true class, predicted class and confidence of each mistake, the most confident first.

    Parameters are those of `score_predictions`, and the name of each image.

    Examples
    --------
    >>> probabilities = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]])
    >>> list_mistakes(["a.png", "b.png", "c.png"], np.array([0, 0, 0]), probabilities, ["cat", "dog"])
    [('c.png', 'cat', 'dog', '0.800000'), ('b.png', 'cat', 'dog', '0.600000')]
    """
    predicted, confidence = probabilities.argmax(1), probabilities.max(1)
    wrong = np.flatnonzero(predicted != labels)
    return [
        (names[k], class_names[labels[k]], class_names[predicted[k]], f"{confidence[k]:.6f}")
        for k in wrong[np.argsort(-confidence[wrong], kind="stable")]
    ]


def format_scores(scores: Scores) -> str:
    """Return the scores as a table for a terminal, with at most the 30 classes of lowest F1.

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
        f"accuracy             {format_percent(scores.accuracy):>8}  "
        + f"(95 % interval {100 * scores.low:.2f} to {100 * scores.high:.2f} %, n = {scores.n:,})",
        f"log loss             {scores.negative_log_likelihood:7.4f}",
        f"Brier score          {scores.brier:7.4f}",
        f"calibration error    {scores.expected_calibration_error:7.4f}",
        "",
    ]
    shown = scores.per_class
    if len(shown) > _MAX_ROWS:
        shown = tuple(sorted(shown, key=lambda score: score.f1)[:_MAX_ROWS])
        lines.append(f"The {_MAX_ROWS} of {len(scores.per_class)} classes with the lowest F1:")
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
            f"The labels are {labels.dtype} of shape {labels.shape}; expected {n} integers, the indices of the classes."
        )
    if labels.min() < 0 or labels.max() >= n_classes:
        raise DataError(f"The labels are in {labels.min()}..{labels.max()}; expected 0..{n_classes - 1}.")
    sums = probabilities.sum(1)
    if not (probabilities.min() >= 0 and np.abs(sums - 1).max() <= 1e-3):  # also rejects NaN
        wrong = int(np.flatnonzero(~((probabilities >= 0).all(1) & (np.abs(sums - 1) <= 1e-3)))[0])
        raise DataError(
            f"Row {wrong} is not a row of probabilities (sum {sums[wrong]:.4g}); expected values of at "
            "least 0 that sum to 1. Are these logits? Apply a softmax."
        )


def _measure_calibration(confidences: np.ndarray, correct: np.ndarray) -> float:
    bins = np.ceil(confidences * _BINS).astype(int).clip(1, _BINS) - 1  # a bin includes its upper edge
    gaps = np.bincount(bins, weights=confidences - correct, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(confidences))


def _score_classes(confusion: np.ndarray, names: Sequence[str]) -> tuple[ClassScore, ...]:
    hits = np.diag(confusion)
    support, predicted = confusion.sum(1), confusion.sum(0)
    # If the divisor is 0, so is the dividend; the score is then 0.
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

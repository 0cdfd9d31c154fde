"""Classification metrics: accuracy, agreement, areas under curves, probability scores, scores per class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from skconv.evaluation.ordinal import ClassOrder, find_order
from skconv.evaluation.ranking import rank_class
from skconv.exceptions import DataError, ParameterError

Z = NormalDist().inv_cdf(0.975)  # half the width of a 95 % interval in standard errors
_BINS = 15  # bins of the expected calibration error, as in Guo et al. 2017
MISTAKE_COLUMNS = ("input", "true", "predicted", "confidence")


@dataclass(frozen=True)
class ClassScore:
    """Scores of one class against the rest as fractions, and its number of images.

    Precision, recall and F1 are 0 if undefined; the areas under the curves are None.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int
    roc_auc: float | None = None
    average_precision: float | None = None


@dataclass(frozen=True, eq=False)  # because == of arrays does not return a bool
class Scores:
    """Scores of the predictions for a set of images, with the confusion matrix and the scores per class."""

    accuracy: float
    low: float  # 95 % Wilson interval of the accuracy
    high: float
    n: int  # images
    balanced_accuracy: float  # mean recall of the classes with images
    macro_f1: float  # mean F1 of the classes with images or predictions
    cohen_kappa: float | None  # agreement beyond chance, at most 1; None if all images and predictions are of one class
    # Of the second of two classes, or the mean over more classes against the rest; None if only one class has images.
    roc_auc: float | None
    average_precision: float | None
    negative_log_likelihood: float  # mean of -log(probability of the true class), in nats, at least 0
    # 0..2: mean over images of the sum over classes of (probability - truth)²; twice the binary form for two classes.
    brier: float
    # Mean distance between confidence and accuracy over 15 bins of equal width of the confidence.
    expected_calibration_error: float
    confusion: np.ndarray  # int64 (k, k); row: true class; column: predicted class
    per_class: tuple[ClassScore, ...]  # in the order of the classes
    order: ClassOrder | None  # of classes whose names look ordered
    quadratic_kappa: float | None  # with squared distances of the ranks; None without order, or as `cohen_kappa`
    mean_absolute_error: float | None  # in the unit of the class names if they are numbers, else in ranks

    @property
    def class_size_range(self) -> tuple[int, int]:
        """Minimum and maximum number of images per class."""
        sizes = [score.support for score in self.per_class]
        return min(sizes), max(sizes)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values by name; values that are not defined are None."""
        return {
            "accuracy": self.accuracy,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "class_size_range": list(self.class_size_range),
            "balanced_accuracy": self.balanced_accuracy,
            "macro_f1": self.macro_f1,
            "cohen_kappa": self.cohen_kappa,
            "roc_auc": self.roc_auc,
            "average_precision": self.average_precision,
            "nll": self.negative_log_likelihood,
            "brier": self.brier,
            "ece": self.expected_calibration_error,
            "ordered_classes": None if self.order is None else list(self.order.names),
            "quadratic_kappa": self.quadratic_kappa,
            "mean_absolute_error": self.mean_absolute_error,
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
    share = n_correct / n
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
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
    per_class = _score_classes(confusion, labels, probabilities, names)
    order = None if class_names is None else find_order(names)
    true_probabilities = probabilities[np.arange(n), labels]
    # Equals the sum over classes of (p - truth)² without an (n, k) array of truths.
    brier = float(np.mean((probabilities**2).sum(1) - 2 * true_probabilities + 1))
    return Scores(
        accuracy=n_correct / n,
        low=low,
        high=high,
        n=n,
        **_summarize_classes(per_class, confusion),
        negative_log_likelihood=abs(float(measure_log_losses(labels, probabilities).mean())),
        brier=max(0.0, brier),
        expected_calibration_error=_measure_calibration(probabilities.max(1), predicted == labels),
        confusion=confusion,
        per_class=per_class,
        order=order,
        **_summarize_order(order, confusion),
    )


def measure_log_losses(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return -log(probability of the true class) of each image, in nats; parameters are those of `score_predictions`.

    Examples
    --------
    >>> measure_log_losses(np.array([0, 1]), np.array([[0.5, 0.5], [0.75, 0.25]])).round(3)
    array([0.693, 1.386])
    """
    true_probabilities = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    # Avoids an infinite mean for probabilities of exactly 0.
    return np.asarray(-np.log(true_probabilities.clip(np.finfo(np.float64).eps, 1)))


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


def _score_classes(
    confusion: np.ndarray, labels: np.ndarray, probabilities: np.ndarray, names: Sequence[str]
) -> tuple[ClassScore, ...]:
    hits = np.diag(confusion)
    support, predicted = confusion.sum(1), confusion.sum(0)
    # If the divisor is 0, so is the dividend; the score is then 0.
    precision = hits / np.maximum(predicted, 1)
    recall = hits / np.maximum(support, 1)
    f1 = 2 * hits / np.maximum(predicted + support, 1)
    scores = []
    for k, name in enumerate(names):
        curve = rank_class(labels == k, probabilities[:, k])
        figures = float(precision[k]), float(recall[k]), float(f1[k]), int(support[k])
        scores.append(ClassScore(name, *figures, curve.roc_auc, curve.average_precision))
    return tuple(scores)


def _summarize_classes(per_class: Sequence[ClassScore], confusion: np.ndarray) -> dict[str, Any]:
    """Return the scores of `Scores` that summarise the classes; absent classes are excluded, as in scikit-learn."""
    has_images, is_predicted = confusion.any(1), confusion.any(0)
    recalls, f1 = np.array([(score.recall, score.f1) for score in per_class]).T
    ranked = [(score.roc_auc, score.average_precision or 0) for score in per_class if score.roc_auc is not None]
    if len(per_class) == 2:
        ranked = ranked[1:]  # scikit-learn's positive class is the second
    roc_auc, average_precision = np.mean(ranked, axis=0).tolist() if ranked else (None, None)
    return {
        "balanced_accuracy": float(recalls[has_images].mean()),
        "macro_f1": float(f1[has_images | is_predicted].mean()),
        "cohen_kappa": _measure_kappa(confusion),
        "roc_auc": roc_auc,
        "average_precision": average_precision,
    }


def _summarize_order(order: ClassOrder | None, confusion: np.ndarray) -> dict[str, Any]:
    """Return the scores of `Scores` for ordered classes; without an order, they are None."""
    if order is None:
        return {"quadratic_kappa": None, "mean_absolute_error": None}
    distances = np.abs(np.subtract.outer(order.values, order.values))
    return {
        "quadratic_kappa": _measure_kappa(confusion, order.ranks),
        "mean_absolute_error": float((distances * confusion).sum() / confusion.sum()),
    }


def _measure_kappa(confusion: np.ndarray, ranks: np.ndarray | None = None) -> float | None:
    """Return Cohen's kappa, weighted by squared distances of the ranks, if any; None if no disagreement is possible."""
    if ranks is None:
        weights = 1.0 - np.eye(len(confusion))
    else:
        weights = np.subtract.outer(ranks, ranks).astype(np.float64) ** 2
    by_chance = float((weights * np.outer(confusion.sum(1), confusion.sum(0))).sum() / confusion.sum())
    return 1 - float((weights * confusion).sum()) / by_chance if by_chance else None

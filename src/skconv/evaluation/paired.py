"""Paired comparison of two classifiers on the same images: accuracy, McNemar's test, log loss, recall per class."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from skconv.evaluation.metrics import Z, measure_log_losses
from skconv.exceptions import DataError, ParameterError

SIGNIFICANCE = 0.05  # p values below it are significant
# Images that only one classifier predicts correctly: with fewer, the exact test is not significant (2 × 0.5^5 > 0.05).
MIN_DECISIVE = 6
DIFFERENCE_COLUMNS = ("input", "true", "first", "first_confidence", "second", "second_confidence")
_N_HALVINGS = 60  # of an interval of at most 2, down to the precision of a float


@dataclass(frozen=True)
class ClassDifference:
    """Recall of one class by two classifiers, 0..1, and the difference second - first with its 95 % interval.

    `p_value` is that of McNemar's test of the class, with Holm's correction for all classes with images.
    """

    name: str
    n: int  # images of the class
    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float


@dataclass(frozen=True)
class PairedScores:
    """Comparison of the predictions of two classifiers for the same images.

    Parameters
    ----------
    n : int
        Number of images.
    difference, low, high : float
        Accuracy of the second classifier minus that of the first, -1..1, with Tango's 95 % score interval.
    p_value : float
        McNemar's exact test of equal accuracy.
    n_only_first, n_only_second : int
        Number of images that only the first, or only the second, classifies correctly.
    n_different : int
        Number of images for which the predicted classes differ, including those that both classify wrongly.
    log_loss_difference : float
        Log loss of the second classifier minus that of the first, in nats.
    log_loss_low, log_loss_high : float or None
        Its 95 % interval, by the normal approximation; None for a single image.
    per_class : tuple of ClassDifference
        One record per class with images, in the order of the classes.
    """

    n: int
    difference: float
    low: float
    high: float
    p_value: float
    n_only_first: int
    n_only_second: int
    n_different: int
    log_loss_difference: float
    log_loss_low: float | None
    log_loss_high: float | None
    per_class: tuple[ClassDifference, ...]


def compare_predictions(
    labels: np.ndarray, first: np.ndarray, second: np.ndarray, class_names: Sequence[str]
) -> PairedScores:
    """Compare the probabilities of two classifiers, (n, k) each, for the same images with true labels 0..k-1.

    Examples
    --------
    >>> labels, first = np.zeros(100, int), np.tile([0.9, 0.1], (100, 1))
    >>> second = first.copy()
    >>> second[:10] = [0.2, 0.8]
    >>> scores = compare_predictions(labels, first, second, ["cat", "dog"])
    >>> scores.difference, scores.n_only_first, round(scores.p_value, 4)
    (-0.1, 10, 0.002)
    """
    if not len(labels) == len(first) == len(second) > 0 or not first.shape[1] == second.shape[1] == len(class_names):
        raise DataError(
            f"The probabilities have the shapes {first.shape} and {second.shape}; expected (n, k) for {len(labels)} "
            f"labels and {len(class_names)} classes, with at least one image."
        )
    predicted = first.argmax(1), second.argmax(1)
    gained = (predicted[1] == labels) & (predicted[0] != labels)
    lost = (predicted[0] == labels) & (predicted[1] != labels)
    low, high = paired_interval(int(gained.sum()), int(lost.sum()), len(labels))
    losses = measure_log_losses(labels, second) - measure_log_losses(labels, first)
    loss = float(losses.mean())
    margin = Z * float(losses.std(ddof=1)) / math.sqrt(len(losses)) if len(losses) > 1 else None
    return PairedScores(
        n=len(labels),
        difference=(int(gained.sum()) - int(lost.sum())) / len(labels),
        low=low,
        high=high,
        p_value=mcnemar_test(int(gained.sum()), int(lost.sum())),
        n_only_first=int(lost.sum()),
        n_only_second=int(gained.sum()),
        n_different=int((predicted[0] != predicted[1]).sum()),
        log_loss_difference=loss,
        log_loss_low=None if margin is None else loss - margin,
        log_loss_high=None if margin is None else loss + margin,
        per_class=_compare_classes(labels, predicted[0] == labels, gained, lost, class_names),
    )


def mcnemar_test(n_only_first: int, n_only_second: int) -> float:
    """Return the two-sided p value of McNemar's exact test.

    The arguments are the numbers of images that only one of two classifiers predicts correctly. The p value is the
    probability of numbers at least as unequal, if both have the same accuracy: each such image is then equally likely
    to be predicted correctly by either. It is implemented here because importing `scipy.stats` takes half a second.

    Examples
    --------
    >>> round(mcnemar_test(0, 6), 5), mcnemar_test(4, 4)
    (0.03125, 1.0)
    """
    n, smaller = n_only_first + n_only_second, min(n_only_first, n_only_second)
    k = np.arange(1, smaller + 1)
    # Logarithms, because the binomial coefficients of many images exceed the range of a float.
    log_coefficients = np.append(0.0, np.cumsum(np.log(n - k + 1) - np.log(k)))
    return min(1.0, 2 * float(np.exp(log_coefficients - n * math.log(2)).sum()))


def paired_interval(n_gained: int, n_lost: int, n: int) -> tuple[float, float]:
    """Return Tango's 95 % score interval of the difference of two paired proportions, ``(n_gained - n_lost) / n``.

    It contains the differences that a score test does not reject; for the difference 0, this is McNemar's test without
    correction. Unlike the normal approximation it is accurate for few gains and losses, and not empty without any.

    References
    ----------
    T. Tango (1998). Equivalence test and confidence interval for the difference in proportions for the paired-sample
    design. Statistics in Medicine 17, 891-908.

    Examples
    --------
    >>> [round(limit, 4) for limit in paired_interval(50, 20, 10_000)]
    [0.0014, 0.0048]
    >>> [round(limit, 4) for limit in paired_interval(0, 0, 10_000)]
    [-0.0004, 0.0004]
    """
    if min(n_gained, n_lost) < 0 or n_gained + n_lost > n or n < 1:
        raise ParameterError(
            f"n_gained is {n_gained}, n_lost {n_lost} and n {n}; expected numbers of at least 0 with a sum of at most "
            "n, and n >= 1."
        )

    def is_rejected(difference: float) -> bool:
        # The probability of a loss with maximum likelihood, given the difference; the root of a quadratic equation.
        linear = (2 * n - n_gained + n_lost) * difference - n_gained - n_lost
        constant = -n_lost * difference * (1 - difference)
        lost = (math.sqrt(max(0.0, linear**2 - 8 * n * constant)) - linear) / (4 * n)
        variance = n * (2 * lost + difference * (1 - difference))
        return (n_gained - n_lost - n * difference) ** 2 > Z**2 * variance

    observed = (n_gained - n_lost) / n
    return _find_limit(observed, -1.0, is_rejected), _find_limit(observed, 1.0, is_rejected)


def _find_limit(accepted: float, limit: float, is_rejected: Callable[[float], bool]) -> float:
    """Return the last value from `accepted` towards `limit` that is not rejected, by bisection."""
    if not is_rejected(limit):
        return limit
    rejected = limit
    for _ in range(_N_HALVINGS):
        middle = (accepted + rejected) / 2
        if is_rejected(middle):
            rejected = middle
        else:
            accepted = middle
    return accepted


def correct_p_values(p_values: Sequence[float]) -> list[float]:
    """Return p values with Holm's correction, which limits the probability of any false positive among all tests.

    References
    ----------
    S. Holm (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6.

    Examples
    --------
    >>> correct_p_values([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    factors = np.arange(len(order), 0, -1)
    corrected = np.empty(len(order))
    corrected[order] = np.minimum(1, np.maximum.accumulate(np.asarray(p_values)[order] * factors))
    return [float(each) for each in corrected]


def list_differences(
    names: Sequence[str], labels: np.ndarray, first: np.ndarray, second: np.ndarray, class_names: Sequence[str]
) -> list[tuple[str, ...]]:
    """Return a row with the columns of `DIFFERENCE_COLUMNS` per image for which the predicted classes differ.

    The prediction of highest confidence comes first. `names` are those of the images; the other parameters are those
    of `compare_predictions`.

    Examples
    --------
    >>> first, second = np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([[0.8, 0.2], [0.7, 0.3]])
    >>> list_differences(["a.png", "b.png"], np.array([0, 1]), first, second, ["cat", "dog"])
    [('b.png', 'dog', 'dog', '0.600000', 'cat', '0.700000')]
    """
    both = first.argmax(1), second.argmax(1)
    different = np.flatnonzero(both[0] != both[1])
    confidence = first.max(1), second.max(1)
    order = different[np.argsort(-np.maximum(*confidence)[different], kind="stable")]
    return [
        (
            names[k],
            class_names[labels[k]],
            *(text for p, c in zip(both, confidence, strict=True) for text in (class_names[p[k]], f"{c[k]:.6f}")),
        )
        for k in order
    ]


def _compare_classes(
    labels: np.ndarray, first: np.ndarray, gained: np.ndarray, lost: np.ndarray, class_names: Sequence[str]
) -> tuple[ClassDifference, ...]:
    """Return the comparison of each class with images; `first` marks the images that the first classifies correctly."""
    sizes, correct, gains, losses = (
        np.bincount(labels[chosen], minlength=len(class_names)).tolist()
        for chosen in (slice(None), first, gained, lost)
    )
    classes = [k for k, size in enumerate(sizes) if size]
    p_values = correct_p_values([mcnemar_test(losses[k], gains[k]) for k in classes])
    found = []
    for k, p_value in zip(classes, p_values, strict=True):
        recalls = correct[k] / sizes[k], (correct[k] + gains[k] - losses[k]) / sizes[k]
        interval = paired_interval(gains[k], losses[k], sizes[k])
        found.append(
            ClassDifference(class_names[k], sizes[k], *recalls, (gains[k] - losses[k]) / sizes[k], *interval, p_value)
        )
    return tuple(found)

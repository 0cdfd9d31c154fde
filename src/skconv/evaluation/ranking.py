"""ROC and precision-recall curves of one class against the rest, and the areas under them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class RankingCurve:
    """Number of accepted images at each threshold of the probability of a class, from the highest threshold down.

    Both arrays are int64 (t + 1,), begin with 0, and end with the number of images of the class and of all others.
    """

    true_positives: np.ndarray
    false_positives: np.ndarray

    @property
    def is_defined(self) -> bool:
        """Whether there are images of the class, and of others."""
        return bool(self.true_positives[-1] and self.false_positives[-1])

    @property
    def roc_auc(self) -> float | None:
        """Area under the ROC curve, 0..1; None if it is not defined."""
        if not self.is_defined:
            return None
        positives, negatives = self.true_positives, self.false_positives
        area = ((positives[1:] + positives[:-1]) * np.diff(negatives)).sum() / 2
        return float(area / (int(positives[-1]) * int(negatives[-1])))

    @property
    def average_precision(self) -> float | None:
        """Mean of the precision over the images of the class, 0..1, without interpolation; None if not defined."""
        if not self.is_defined:
            return None
        gains = np.diff(self.true_positives)
        precision = self.true_positives[1:] / (self.true_positives[1:] + self.false_positives[1:])
        return float((gains * precision).sum() / self.true_positives[-1])

    def roc_points(self) -> tuple[np.ndarray, np.ndarray]:
        """Return false and true positive rate, in ascending order, at the corners of the curve."""
        x, y = self.false_positives, self.true_positives
        turns = np.diff(x, 2).astype(bool) | np.diff(y, 2).astype(bool)
        corners = np.concatenate([[True], turns, [True]])
        return x[corners] / x[-1], y[corners] / y[-1]

    def precision_recall_points(self) -> tuple[np.ndarray, np.ndarray]:
        """Return recall, ascending and above 0, and the precision up to it from the previous recall."""
        gained = np.append(False, np.diff(self.true_positives) > 0)
        positives = self.true_positives[gained]
        return positives / self.true_positives[-1], positives / (positives + self.false_positives[gained])


def rank_class(is_positive: np.ndarray, scores: np.ndarray) -> RankingCurve:
    """Return the curve of a class; `is_positive`, bool (n,), marks its images, `scores` (n,) are its probabilities.

    It is implemented here because importing `sklearn.metrics` would slow down ``skconv evaluate``.

    Examples
    --------
    >>> curve = rank_class(np.array([True, False, True]), np.array([0.9, 0.6, 0.4]))
    >>> curve.roc_auc, round(curve.average_precision, 4)
    (0.5, 0.8333)
    """
    order = np.argsort(-scores)
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # equal scores have one threshold
    true_positives = np.cumsum(is_positive[order], dtype=np.int64)[ends]
    false_positives = ends + 1 - true_positives
    return RankingCurve(np.insert(true_positives, 0, 0), np.insert(false_positives, 0, 0))


def measure_auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """Return the AUROC of out-of-distribution scores, from those of in-distribution images (`inside`) and of others.

    Examples
    --------
    >>> measure_auroc(np.array([0.1, 0.2]), np.array([0.2, 0.3]))
    0.875
    """
    ordered = np.sort(inside)
    lower = np.searchsorted(ordered, outside, "left") + np.searchsorted(ordered, outside, "right")  # twice the rank
    return float(lower.mean() / 2 / len(inside))

"""The out-of-distribution score: what tells images of none of a model's classes from those it was made for."""

from __future__ import annotations

import numpy as np

NEIGHBOURS = 10
DEFINITION = f"distance of the logarithms of an image's probabilities to the {NEIGHBOURS}th nearest of held-out images"
_MOST_KNOWN = 5000  # held-out answers; more make it slower, and no better
_FLOOR = 1e-4  # added to probabilities: how far below it one lies tells little, and would outweigh the rest
_BATCH = 256  # images


def score_out_of_distribution(held_out: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return how far answers are from those to held-out images: large for images of none of the classes.

    A confidence alone says little of them: a network is sure of some images of noise. But it is sure in another way
    than of what it knows, and that shows in the probabilities of all the other classes.

    Parameters
    ----------
    held_out : ndarray of float, shape (m, k)
        Probabilities of images of the classes that were not trained on, at least one. Of many, 5,000 are taken.
    probabilities : ndarray of float, shape (n, k)
        Of the images in question, by the same model.

    Returns
    -------
    ndarray of float64, shape (n,)
        The Euclidean distance of the logarithms of p + 0.0001 to the tenth nearest held-out answer, at least 0.

    References
    ----------
    Sun, Ming, Zhu, Li: "Out-of-distribution detection with deep nearest neighbors", ICML 2022, of features; the
    logarithms of probabilities are logits but for a constant.

    Examples
    --------
    >>> sure = np.full((100, 3), 0.001) + 0.997 * np.eye(3)[np.arange(100) % 3]
    >>> strangeness = score_out_of_distribution(sure, np.array([[0.998, 0.001, 0.001], [0.4, 0.3, 0.3]]))
    >>> bool(strangeness[0] < 0.01 < strangeness[1])
    True
    """
    n_known = min(len(held_out), _MOST_KNOWN)
    known = _take_logarithms(held_out[np.arange(n_known) * len(held_out) // n_known])  # evenly spread
    position = min(NEIGHBOURS, len(known)) - 1
    found = np.empty(len(probabilities))
    for start in range(0, len(probabilities), _BATCH):
        answers = _take_logarithms(probabilities[start : start + _BATCH])
        squares = (answers**2).sum(1)[:, None] + (known**2).sum(1) - 2 * answers @ known.T
        found[start : start + _BATCH] = np.partition(squares, position, axis=1)[:, position]
    return np.sqrt(found.clip(0))  # rounding can leave a distance of 0 a little below


def measure_auroc(inside: np.ndarray, outside: np.ndarray) -> float:
    """Return how often an image of the one kind has a lower score than one of the other; equal ones count half.

    Parameters
    ----------
    inside, outside : ndarray of float, shapes (n,) and (m,)
        Scores that should be low and high; at least one each.

    Returns
    -------
    float
        The area under the receiver's operating characteristic: 1 where a bound parts the two kinds, 0.5 for chance.

    Examples
    --------
    >>> measure_auroc(np.array([0.1, 0.2]), np.array([0.2, 0.3]))
    0.875
    """
    ordered = np.sort(inside)
    below = np.searchsorted(ordered, outside, "left") + np.searchsorted(ordered, outside, "right")
    return float(below.mean() / 2 / len(ordered))


def _take_logarithms(probabilities: np.ndarray) -> np.ndarray:
    return np.log(probabilities.astype(np.float64) + _FLOOR)

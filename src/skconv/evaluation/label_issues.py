"""Images of a data set that deserve a look: probably wrong labels, duplicates, blanks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np

from skconv.exceptions import missing_package

_BLANK = 8  # grey levels between the darkest and the brightest pixel, at most
_COARSE = 7  # pixels a side, on which most pairs are already told apart
_ROWS, _COLUMNS = 1024, 8192  # images compared at a time: 32 MB


def find_blanks(images: np.ndarray) -> np.ndarray:
    """Return the positions of images that show nothing: all their pixels lie within 8 grey levels.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, height, width) or (n, height, width, 3)

    Examples
    --------
    >>> find_blanks(np.stack([np.full((4, 4), 9, np.uint8), np.arange(16, dtype=np.uint8).reshape(4, 4)])).tolist()
    [0]
    """
    axes = tuple(range(1, images.ndim))
    return np.flatnonzero(images.max(axes).astype(int) - images.min(axes) <= _BLANK)


def find_copies(images: np.ndarray) -> np.ndarray:
    """Return pairs of equal images, int64 (m, 2): each copy, second, with the first image it equals.

    Parameters
    ----------
    images : ndarray
        As in `find_blanks`.

    Examples
    --------
    >>> find_copies(np.array([[[1]], [[2]], [[1]], [[1]]], np.uint8)).tolist()
    [[0, 2], [0, 3]]
    """
    first: dict[bytes, int] = {}
    pairs = []
    for position, image in enumerate(images):
        known = first.setdefault(hashlib.blake2b(image.tobytes(), digest_size=16).digest(), position)
        if known != position:
            pairs.append((known, position))
    return np.array(pairs, np.int64).reshape(-1, 2)


def find_near_copies(images: np.ndarray, tolerance: float = 0.03) -> np.ndarray:
    """Return pairs of images that nearly are the same, as one saved anew with loss, int64 (m, 2), first the smaller.

    Each image is compared with every other: first coarsely, which can only make two images more alike, then pixel
    by pixel where that leaves them alike.

    Parameters
    ----------
    images : ndarray
        As in `find_blanks`.
    tolerance : float, default=0.03
        Root of the mean square of the differences of pixels, as a share of white, up to which two are a pair.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 250, (3, 8, 8), dtype=np.uint8)
    >>> find_near_copies(np.concatenate([images, images[1:2] + 3])).tolist()
    [[1, 3]]
    """
    coarse = _shrink(images)
    squares = (coarse**2).sum(1)
    most = coarse.shape[1] * (255 * tolerance) ** 2
    pairs = []
    for rows, columns in _tiles(len(images)):
        distances = squares[rows, None] + squares[columns] - 2 * coarse[rows] @ coarse[columns].T
        close = np.argwhere(distances <= most + 1e-5 * squares.max())  # float32 is not exact
        close += np.array([rows.start, columns.start])
        for one, other in close[close[:, 0] < close[:, 1]].tolist():
            difference = images[one].astype(np.float32) - images[other]
            if (difference**2).mean() <= (255 * tolerance) ** 2:
                pairs.append((one, other))
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def find_label_errors(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the positions of images that are probably labelled wrong, the most suspect first.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        As given, positions 0..k-1.
    probabilities : ndarray of float, shape (n, k)
        Each row by a model that had not seen the image.

    Raises
    ------
    ParameterError
        cleanlab is not installed.

    References
    ----------
    Northcutt, Jiang, Chuang: "Confident learning: estimating uncertainty in dataset labels", JAIR 70, 2021.
    """
    try:
        from cleanlab.filter import find_label_issues
    except ImportError as error:
        raise missing_package("finding label issues", "cleanlab", "reliability") from error
    exact = np.asarray(probabilities, np.float64)
    exact = exact / exact.sum(1, keepdims=True)
    # On MNIST with 1 % of its labels changed, this filter found more of them than the others, and was more often right.
    found = find_label_issues(
        labels, exact, return_indices_ranked_by="self_confidence", filter_by="prune_by_class", n_jobs=1
    )
    return np.asarray(found, np.int64)


def _shrink(images: np.ndarray) -> np.ndarray:
    """Return the means of up to 7×7 equal parts of each image, float32 (n, parts)."""
    grey = images if images.ndim == 3 else images.mean(3)
    height, width = grey.shape[1:]
    # Parts of equal size: only then is the coarse distance never above the true one.
    high, wide = max(1, height // _COARSE), max(1, width // _COARSE)
    rows, columns = height // high, width // wide
    if rows * high < height or columns * wide < width:
        return grey.reshape(len(grey), -1).astype(np.float32)
    parts = grey.reshape(len(grey), rows, high, columns, wide)
    return parts.mean((2, 4), dtype=np.float32).reshape(len(grey), -1)


def _tiles(n: int) -> Iterator[tuple[slice, slice]]:
    """Return blocks that hold every pair of `n` once, and some twice the other way round."""
    for row in range(0, n, _ROWS):
        for column in range(row - row % _COLUMNS, n, _COLUMNS):
            yield slice(row, min(row + _ROWS, n)), slice(column, min(column + _COLUMNS, n))

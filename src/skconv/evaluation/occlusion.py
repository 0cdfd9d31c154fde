"""`occlude`: which parts of an image an answer rests on, found by covering them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skconv.exceptions import DataError, ParameterError


def occlude(
    predict_proba: Callable[[np.ndarray], np.ndarray], image: np.ndarray, label: int, *, patch: int = 5
) -> np.ndarray:
    """Return how much the probability of a class falls where a part of the image is covered.

    A square is moved over the image pixel by pixel, filled with the image's own ground: its median at the rim.
    It needs the answers of a model only, no gradients, so it holds for whatever is deployed.

    Parameters
    ----------
    predict_proba : callable
        Takes images (n, h, w) or (n, h, w, c), returns probabilities (n, k).
    image : ndarray of uint8, shape (h, w) or (h, w, c)
        The image.
    label : int
        Position of the class among the probabilities' columns.
    patch : int, default=5
        Side of the square in pixels, 1 up to the image's shorter side.

    Returns
    -------
    ndarray of float, shape (h, w)
        For each pixel, by how much the probability falls, in the mean over the squares that cover it: -1 to 1. Positive
        where covering speaks against the class.

    Raises
    ------
    DataError
        Not one image.
    ParameterError
        `patch` outside its range.

    References
    ----------
    M. D. Zeiler, R. Fergus (2014). Visualizing and understanding convolutional networks. ECCV.

    Examples
    --------
    >>> image = np.zeros((8, 8), np.uint8)
    >>> image[2:4, 2:4] = 255
    >>> def brightest(images):
    ...     share = images.reshape(len(images), -1).max(axis=1) / 255
    ...     return np.stack([1 - share, share], axis=1)
    >>> drop = occlude(brightest, image, 1, patch=3)
    >>> bool(drop[2, 2] > 0), float(drop[7, 7])
    (True, 0.0)
    """
    if image.ndim not in (2, 3):
        raise DataError(f"The image has shape {image.shape}; expected one image, (h, w) or (h, w, c).")
    height, width = image.shape[:2]
    if not 1 <= patch <= min(height, width):
        raise ParameterError(f"patch must be from 1 to {min(height, width)}, got {patch}.")
    ground = find_ground(image)
    # Squares reach over the rim, so that each pixel is covered by as many.
    places = [(y, x) for y in range(1 - patch, height) for x in range(1 - patch, width)]
    covered = np.repeat(image[None], len(places) + 1, axis=0)
    for copy, (y, x) in zip(covered[1:], places, strict=True):
        copy[max(y, 0) : y + patch, max(x, 0) : x + patch] = ground
    probabilities = predict_proba(covered)[:, label].astype(float)
    drop = np.zeros((height, width))
    for (y, x), probability in zip(places, probabilities[1:], strict=True):
        drop[max(y, 0) : y + patch, max(x, 0) : x + patch] += probabilities[0] - probability
    return drop / patch**2


def find_ground(image: np.ndarray) -> np.ndarray:
    """Return the colour of an image's ground, its median at the rim: shape () or (c,), of the image's dtype.

    Examples
    --------
    >>> int(find_ground(np.pad(np.full((2, 2), 255, np.uint8), 1)))
    0
    """
    rim = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    ground: np.ndarray = np.median(rim, axis=0).astype(image.dtype)
    return ground

"""Any picture of one handwritten digit → 28×28, exactly as MNIST was made."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image
from scipy import ndimage

from skconv.pictures.cleaning import clean_strokes, stroke_width
from skconv.pictures.ground import find_strokes
from skconv.pictures.opening import open_picture

SIDE = 28
BOX = 20
THINNEST, THICKEST = 1.7, 4.2  # of 20 pixels: between these lie nearly all strokes of MNIST, and nothing is done
FINE = 80  # strokes are thickened and thinned at four times the size of the box
SOFTEST_INK = 0.04  # what is fainter does not make the bounding box larger


def normalize_digit(image: np.ndarray | str | os.PathLike[str]) -> np.ndarray:
    """Bring any picture of one handwritten digit into the form of MNIST.

    Phone photograph, scan or mouse drawing, dark on light or light on dark, grey or in colour: paper, shadows, ruled
    lines, frames and specks are taken away, very thin and very thick strokes are brought near the pens of MNIST, and
    then MNIST's own rule is followed: the ink fits into 20×20 pixels with its proportions kept, and its
    centre of mass lies in the middle of 28×28. A picture of MNIST comes back nearly unchanged.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w), (h, w, 1) or (h, w, 3), or path-like
        One digit, at any size from 1×1 to many megapixels, or the file it is in.

    Returns
    -------
    ndarray of uint8, shape (28, 28)
        Light ink, up to 255, on ground that is 0. All zeros where nothing is written.

    Raises
    ------
    DataError
        The array is not one uint8 picture, or the file is not a picture.
    SourceNotFoundError
        There is no such file.

    References
    ----------
    Y. LeCun, C. Cortes and C. J. C. Burges, *The MNIST database of handwritten digits*: "The original black and white
    (bilevel) images from NIST were size normalized to fit in a 20x20 pixel box while preserving their aspect ratio
    [...] the images were centered in a 28x28 image by computing the center of mass of the pixels".

    Examples
    --------
    >>> paper = np.full((300, 200), 230, np.uint8)
    >>> paper[60:180, 90:110] = 30
    >>> digit = normalize_digit(paper)
    >>> digit.shape, int(digit.max()), int((digit.max(axis=1) > 0).sum())
    ((28, 28), 255, 20)
    """
    picture = image if isinstance(image, np.ndarray) else open_picture(image)
    strokes = _crop(clean_strokes(find_strokes(picture)))
    if strokes.size == 0:
        return np.zeros((SIDE, SIDE), np.uint8)
    strokes = _crop(_bring_to_pen(strokes))
    return _centre(_fit(strokes, BOX))


def _crop(strokes: np.ndarray) -> np.ndarray:
    """Return the bounding box of the ink; an array without pixels where there is none."""
    ink = strokes >= SOFTEST_INK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if rows.size == 0:
        return strokes[:0]
    return strokes[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _fit(strokes: np.ndarray, longest: int) -> np.ndarray:
    """Resize, with antialiasing, until the longer side has that many pixels."""
    height, width = strokes.shape
    scale = longest / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return strokes
    image = Image.fromarray(np.ascontiguousarray(strokes, dtype=np.float32))
    resized = image.resize(size, Image.Resampling.BICUBIC)  # Pillow widens the filter when it makes smaller
    return np.clip(np.asarray(resized), 0, 1)


def _bring_to_pen(strokes: np.ndarray) -> np.ndarray:
    """Thicken strokes thinner, and thin strokes thicker, than the pens of MNIST; leave all others alone."""
    fine = _fit(strokes, FINE)
    # A hairline of a large picture is grey when it is made small; its core is ink all the same.
    fine = np.minimum(fine / np.percentile(fine[fine >= SOFTEST_INK * fine.max()], 75), 1)
    width = stroke_width(fine >= 0.5) * BOX / FINE
    if THINNEST <= width <= THICKEST:
        return strokes
    wanted = THINNEST + 0.8 if width < THINNEST else THICKEST - 0.5
    radius = round((wanted - width) / 2 * FINE / BOX)
    fine = np.pad(fine, abs(radius))
    grid = np.arange(-abs(radius), abs(radius) + 1)
    disk = np.hypot(*np.meshgrid(grid, grid)) <= abs(radius) + 0.3
    if radius > 0:
        return ndimage.grey_dilation(fine, footprint=disk)
    thinned = ndimage.grey_erosion(fine, footprint=disk)
    # What is thinner than the disk would vanish; it stays as it is, and the digit stays whole.
    return np.maximum(thinned, fine - ndimage.grey_dilation(thinned, footprint=disk))


def _centre(strokes: np.ndarray) -> np.ndarray:
    """Place strokes of at most 20×20 so that their centre of mass is pixel (14, 14), counted from 0."""
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    corner = []
    for axis, length in enumerate(strokes.shape):
        mass = strokes.sum(axis=1 - axis)
        centre = float((mass * np.arange(length)).sum() / mass.sum())
        # A very lopsided digit would leave the picture; it is moved as far as there is room.
        corner.append(min(max(round(SIDE / 2 - centre), 0), SIDE - length))
    top, left = corner
    height, width = strokes.shape
    canvas[top : top + height, left : left + width] = np.rint(255 * strokes / max(strokes.max(), 1e-6))
    return canvas

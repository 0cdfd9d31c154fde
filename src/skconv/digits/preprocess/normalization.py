"""Any image of one handwritten digit → 28×28, exactly as MNIST was made."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

from skconv.digits.preprocess.background import LONGEST_SIDE, find_strokes
from skconv.digits.preprocess.cleaning import clean_strokes, stroke_width
from skconv.digits.preprocess.morphology import dilate_disk, erode_disk
from skconv.digits.preprocess.ranks import upper_quartile
from skconv.images.opening import open_image

SIDE = 28
BOX = 20
THINNEST, THICKEST = 1.6, 4.6  # of 20 pixels: between these lie nearly all strokes of MNIST, and nothing is done
THIN_PEN, THICK_PEN = 2.0, 3.7  # what much thinner and all thicker strokes become
FINE = 80  # strokes are thickened and thinned at four times the size of the box
MIDDLE_WEIGHT = 1.2  # of the middle third of a pixel, its sides -0.1 each: enlargements and lenses have blurred
SOFTEST_INK = 0.04  # what is fainter does not make the bounding box larger

Region = tuple[float, float, float, float]  # left, top, right, bottom, in pixels


def normalize_digit(image: np.ndarray | str | os.PathLike[str]) -> np.ndarray:
    """Bring any image of one handwritten digit into the form of MNIST.

    Phone photograph, scan or mouse drawing, dark on light or light on dark, grey or in colour: paper, shadows, ruled
    lines, frames and specks are taken away, very thin and very thick strokes are brought near the pens of MNIST, and
    then MNIST's own rule is followed: the ink fits into 20×20 pixels with its proportions kept, and its
    centre of mass lies in the middle of 28×28. An image that is in this form already comes back as it was.

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
        The array is not one uint8 image, or the file is not an image.
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
    pixels = image if isinstance(image, np.ndarray) else open_image(image, longest=LONGEST_SIDE)
    if has_mnist_form(pixels):
        return pixels.reshape(SIDE, SIDE).copy()
    return normalize_strokes(clean_strokes(find_strokes(pixels)))


def normalize_strokes(strokes: np.ndarray, *, bring_to_pen: bool = True) -> np.ndarray:
    """Bring the strokes of one digit into the form of MNIST: what `normalize_digit` does after the paper is taken away.

    Parameters
    ----------
    strokes : ndarray of float32, shape (h, w)
        0 for paper, 1 for ink; all of it is taken for the digit.
    bring_to_pen : bool, default=True
        Whether very thin and very thick strokes are brought near the pens of MNIST.

    Returns
    -------
    ndarray of uint8, shape (28, 28)
        All zeros where there is no ink.
    """
    strokes = crop_strokes(strokes)
    if strokes.size == 0:
        return np.zeros((SIDE, SIDE), np.uint8)
    return _centre(_fit_box(_bring_to_pen(strokes) if bring_to_pen else strokes))


def has_mnist_form(image: np.ndarray) -> bool:
    """Tell whether an image is as `normalize_digit` returns it, so that nothing is left to do.

    Parameters
    ----------
    image : ndarray
        Any array.

    Returns
    -------
    bool
        True for uint8 (28, 28) or (28, 28, 1) with ink up to nearly 255 on ground that is 0, whose ink fills the
        box of 20×20 in one direction and has its centre of mass in the middle.
    """
    if image.dtype != np.uint8 or image.shape not in ((SIDE, SIDE), (SIDE, SIDE, 1)) or image.max() < 250:
        return False
    digit = image.reshape(SIDE, SIDE)
    lengths = []
    for axis in (0, 1):
        mass = digit.sum(axis=1 - axis)
        inked = np.flatnonzero(mass)
        first, last = int(inked[0]), int(inked[-1])
        lengths.append(last + 1 - first)
        off = SIDE / 2 - float(mass @ np.arange(SIDE)) / float(mass.sum())
        # A lopsided digit could only be moved as far as there was room.
        in_the_middle = abs(off) <= 0.6 or (off > 0 and last == SIDE - 1) or (off < 0 and first == 0)
        if not in_the_middle:
            return False
    return BOX - 2 <= max(lengths) <= BOX


def crop_strokes(strokes: np.ndarray) -> np.ndarray:
    """Return the bounding box of the ink (a view); an array without pixels where there is none."""
    ink = strokes >= SOFTEST_INK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if rows.size == 0:
        return strokes[:0]
    return strokes[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _resize(strokes: np.ndarray, size: tuple[int, int], box: Region | None, smooth: bool) -> np.ndarray:
    """Resize a box, or all, to a size (width, height): averaging areas, or smoothly."""
    image = Image.fromarray(np.ascontiguousarray(strokes, dtype=np.float32))
    filter_ = Image.Resampling.BICUBIC if smooth else Image.Resampling.BOX
    return np.asarray(image.resize(size, filter_, box))


def _fit_size(height: float, width: float, longest: int) -> tuple[int, int]:
    """Return the (width, height) with the longer side given and the proportions kept."""
    scale = longest / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _fit_box(strokes: np.ndarray) -> np.ndarray:
    """Make strokes fit into the box, with antialiasing: from edge to edge, where they are half as dark as inside."""
    top, bottom = _find_edges(strokes.max(axis=1), max(strokes.shape))
    left, right = _find_edges(strokes.max(axis=0), max(strokes.shape))
    width, height = _fit_size(bottom - top, right - left, BOX)
    enlarged = max(bottom - top, right - left) < BOX
    thirds = _resize(strokes, (3 * width, 3 * height), (left, top, right, bottom), enlarged)
    side = (1 - MIDDLE_WEIGHT) / 2
    weights = np.array([side, MIDDLE_WEIGHT, side], np.float32)
    fitted = np.einsum("iajb,a,b->ij", thirds.reshape(height, 3, width, 3), weights, weights)
    return np.clip(fitted, 0, 1)


def _find_edges(profile: np.ndarray, longest: int) -> tuple[float, float]:
    """Return where the ink of a profile begins and ends: where it is half as dark as a little farther inside."""
    within = int(0.7 * longest / BOX) + 1
    first = _find_first_edge(profile, within)
    last = len(profile) - _find_first_edge(profile[::-1], within)
    return (first, last) if last - first >= 1 else (0.0, float(len(profile)))


def _find_first_edge(profile: np.ndarray, within: int) -> float:
    half = float(profile[:within].max()) / 2
    after = int(np.argmax(profile >= half))
    before = float(profile[after - 1]) if after else 0.0
    # Values stand at the middles of pixels.
    return max(0.0, after - 0.5 + (half - before) / max(float(profile[after]) - before, 1e-6))


def _bring_to_pen(strokes: np.ndarray) -> np.ndarray:
    """Thicken strokes thinner, and thin strokes thicker, than the pens of MNIST; leave all others alone."""
    fine = np.clip(_resize(strokes, _fit_size(strokes.shape[0], strokes.shape[1], FINE), None, smooth=True), 0, 1)
    # A hairline of a large image is grey when it is made small; its core is ink all the same.
    fine = np.minimum(fine / upper_quartile(fine[fine >= SOFTEST_INK * fine.max()]), 1)
    width = stroke_width(fine >= 0.5) * BOX / FINE
    if THINNEST <= width <= THICKEST:
        return strokes
    # A little too thin becomes a little thicker: some of MNIST are so, and are to stay what they are.
    wanted = min(THIN_PEN, THINNEST + 0.7 * (THINNEST - width)) if width < THINNEST else THICK_PEN
    radius = round((wanted - width) / 2 * FINE / BOX)
    if radius == 0:
        return strokes
    fine = np.pad(fine, abs(radius))
    if radius > 0:
        return crop_strokes(dilate_disk(fine, radius))
    thinned = erode_disk(fine, -radius)
    # What is thinner than the disk would vanish; it stays as it is, and the digit stays whole.
    return crop_strokes(np.maximum(thinned, fine - dilate_disk(thinned, -radius)))


def _centre(strokes: np.ndarray) -> np.ndarray:
    """Place strokes of at most 20×20 so that their centre of mass is pixel (14, 14), counted from 0."""
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    if not strokes.any():  # specks far apart vanish when they are made so small
        return canvas
    corner = []
    for axis, length in enumerate(strokes.shape):
        mass = strokes.sum(axis=1 - axis)
        centre = float((mass * np.arange(length)).sum() / mass.sum())
        # A very lopsided digit would leave the image; it is moved as far as there is room.
        corner.append(min(max(round(SIDE / 2 - centre), 0), SIDE - length))
    top, left = corner
    height, width = strokes.shape
    canvas[top : top + height, left : left + width] = np.rint(255 * strokes / max(strokes.max(), 1e-6))
    return canvas

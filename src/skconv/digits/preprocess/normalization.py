"""Normalisation of handwritten digits to 28×28 pixels by the procedure of MNIST."""

from __future__ import annotations

import os

import numpy as np
from PIL import Image

from skconv.digits.preprocess.background import LONGEST_SIDE, find_strokes
from skconv.digits.preprocess.cleaning import clean_strokes
from skconv.digits.preprocess.morphology import dilate_disk, erode_disk, stroke_width
from skconv.images.opening import open_image
from skconv.images.spec import PREPROCESSING, PreprocessingStep
from skconv.signature import expand_paths

SIDE = 28
BOX = 20  # pixels of the longer side of a digit in MNIST
# Stroke widths in pixels of the box. Widths in MIN_PEN..MAX_PEN, such as nearly all in MNIST, are not changed; smaller
# and larger ones are changed to THIN_PEN and THICK_PEN.
MIN_PEN, MAX_PEN = 1.6, 4.6
THIN_PEN, THICK_PEN = 2.0, 3.7
WIDTH_SIDE = 80  # longer side in pixels while the stroke width is changed: four times the box
CENTRE_WEIGHT = 1.2  # weight of the middle third of a pixel (-0.1 for the outer thirds), to reduce blur
MIN_INK = 0.04  # fainter pixels do not extend the bounding box

Region = tuple[float, float, float, float]  # left, top, right, bottom in pixels


@expand_paths
def normalize_digit(image: np.ndarray | str | os.PathLike[str]) -> np.ndarray:
    """Normalise an image of one handwritten digit to the format of MNIST.

    Background, shadows, ruled lines, frames and specks are removed, and the width of very thin or thick strokes is
    changed to that of MNIST. The digit is then scaled to a box of 20×20 pixels, preserving its aspect ratio, and its
    centre of mass is placed at the centre of 28×28 pixels. Images in this form are returned unchanged.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w), (h, w, 1) or (h, w, 3), or path-like
        Photo, scan or drawing of one digit, dark on light or light on dark, of at least 1×1 pixels; or its path.

    Returns
    -------
    ndarray of uint8, shape (28, 28)
        Light ink, up to 255, on background 0. All zeros if there is no ink.

    Raises
    ------
    DataError
        If the array is not one uint8 image, or the file is not an image.
    SourceNotFoundError
        If the file does not exist.

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


def normalize_strokes(strokes: np.ndarray, *, normalize_width: bool = True) -> np.ndarray:
    """Normalise the strokes of one digit, float32 (h, w), to uint8 (28, 28); all zeros if there is no ink.

    These are the last steps of `normalize_digit`; `normalize_width` enables the correction of the stroke width.
    """
    strokes = crop_strokes(strokes)
    if strokes.size == 0:
        return np.zeros((SIDE, SIDE), np.uint8)
    return _centre(_fit_box(_normalize_width(strokes) if normalize_width else strokes))


def has_mnist_form(image: np.ndarray) -> bool:
    """Return whether an array has the size, box and centre of mass of a digit normalised by `normalize_digit`."""
    if image.dtype != np.uint8 or image.shape not in ((SIDE, SIDE), (SIDE, SIDE, 1)) or image.max() < 250:
        return False
    digit = image.reshape(SIDE, SIDE)
    lengths = []
    for axis in (0, 1):
        mass = digit.sum(axis=1 - axis)
        inked = np.flatnonzero(mass)
        first, last = int(inked[0]), int(inked[-1])
        lengths.append(last + 1 - first)
        offset = SIDE / 2 - float(mass @ np.arange(SIDE)) / float(mass.sum())
        # An asymmetric digit is also centred if the edge of the image limits its shift.
        is_centred = abs(offset) <= 0.6 or (offset > 0 and last == SIDE - 1) or (offset < 0 and first == 0)
        if not is_centred:
            return False
    return BOX - 2 <= max(lengths) <= BOX


def crop_strokes(strokes: np.ndarray) -> np.ndarray:
    """Return a view of the bounding box of the ink, with shape (0, w) if there is no ink."""
    ink = strokes >= MIN_INK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if rows.size == 0:
        return strokes[:0]
    return strokes[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _resize(strokes: np.ndarray, size: tuple[int, int], box: Region | None, smooth: bool) -> np.ndarray:
    """Resize an image, or a box of it, to (width, height): bicubic if `smooth`, otherwise by area averaging."""
    image = Image.fromarray(np.ascontiguousarray(strokes, dtype=np.float32))
    filter_ = Image.Resampling.BICUBIC if smooth else Image.Resampling.BOX
    return np.asarray(image.resize(size, filter_, box))


def _scale_to(height: float, width: float, longest: int) -> tuple[int, int]:
    """Return the (width, height) of an image scaled to a longer side of `longest`, with the same aspect ratio."""
    scale = longest / max(height, width)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _fit_box(strokes: np.ndarray) -> np.ndarray:
    """Resize strokes to the box of 20×20 with antialiasing; strokes end where their value is half of the maximum."""
    top, bottom = _find_edges(strokes.max(axis=1), max(strokes.shape))
    left, right = _find_edges(strokes.max(axis=0), max(strokes.shape))
    width, height = _scale_to(bottom - top, right - left, BOX)
    is_enlarged = max(bottom - top, right - left) < BOX
    thirds = _resize(strokes, (3 * width, 3 * height), (left, top, right, bottom), is_enlarged)
    outer = (1 - CENTRE_WEIGHT) / 2
    weights = np.array([outer, CENTRE_WEIGHT, outer], np.float32)
    fitted = np.einsum("iajb,a,b->ij", thirds.reshape(height, 3, width, 3), weights, weights)
    return np.clip(fitted, 0, 1)


def _find_edges(profile: np.ndarray, longest: int) -> tuple[float, float]:
    """Return start and end of the ink in a profile, with subpixel accuracy."""
    reach = int(0.7 * longest / BOX) + 1
    first = _find_first_edge(profile, reach)
    last = len(profile) - _find_first_edge(profile[::-1], reach)
    return (first, last) if last - first >= 1 else (0.0, float(len(profile)))


def _find_first_edge(profile: np.ndarray, reach: int) -> float:
    half = float(profile[:reach].max()) / 2
    after = int(np.argmax(profile >= half))
    before = float(profile[after - 1]) if after else 0.0
    # Interpolate between the centres of pixels.
    return max(0.0, after - 0.5 + (half - before) / max(float(profile[after]) - before, 1e-6))


def _normalize_width(strokes: np.ndarray) -> np.ndarray:
    """Dilate strokes thinner than those of MNIST, and erode thicker ones; return all other strokes unchanged."""
    size = _scale_to(strokes.shape[0], strokes.shape[1], WIDTH_SIDE)
    large = np.clip(_resize(strokes, size, None, smooth=True), 0, 1)
    # Scale the core of strokes to 1, because a hairline becomes grey when a large image is reduced.
    large = np.minimum(large / np.percentile(large[large >= MIN_INK * large.max()], 75), 1)
    width = stroke_width(large >= 0.5) * BOX / WIDTH_SIDE
    if MIN_PEN <= width <= MAX_PEN:
        return strokes
    # The change increases gradually from 0 at MIN_PEN, because some strokes of MNIST are slightly thinner.
    target = min(THIN_PEN, MIN_PEN + 0.7 * (MIN_PEN - width)) if width < MIN_PEN else THICK_PEN
    radius = round((target - width) / 2 * WIDTH_SIDE / BOX)
    if radius == 0:
        return strokes
    large = np.pad(large, abs(radius))
    if radius > 0:
        return crop_strokes(dilate_disk(large, radius))
    eroded = erode_disk(large, -radius)
    # Preserve parts thinner than the disk, because erosion would break the digit there.
    return crop_strokes(np.maximum(eroded, large - dilate_disk(eroded, -radius)))


def _centre(strokes: np.ndarray) -> np.ndarray:
    """Place strokes of at most 20×20 pixels in 28×28 pixels, with their centre of mass at pixel (14, 14)."""
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    if not strokes.any():  # resizing can remove specks that are far apart
        return canvas
    corner = []
    for axis, length in enumerate(strokes.shape):
        mass = strokes.sum(axis=1 - axis)
        centre = float((mass * np.arange(length)).sum() / mass.sum())
        corner.append(min(max(round(SIDE / 2 - centre), 0), SIDE - length))  # limited to the image
    top, left = corner
    height, width = strokes.shape
    canvas[top : top + height, left : left + width] = np.rint(255 * strokes / max(strokes.max(), 1e-6))
    return canvas


PREPROCESSING.register("digit", PreprocessingStep(normalize_digit, (SIDE, SIDE), LONGEST_SIDE))

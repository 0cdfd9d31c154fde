"""Ink against its ground: the strokes of any picture as values from 0 (paper) to 1 (ink)."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

from skconv.exceptions import DataError

LONGEST_SIDE = 1000
COARSE_SIDE = 250
FAINTEST_INK = 10.0  # grey levels of 255; less is the unevenness of a scanner, not a stroke


def find_strokes(image: np.ndarray) -> np.ndarray:
    """Take the paper away: return what is written as 1 on 0, whatever its colour, and whatever the light.

    The grey value is the colour direction in which ink and paper differ most. Clean paper is one value, that
    of the border; uneven paper is estimated by a grey closing, which follows shadows wider than any stroke.
    Ink is told from paper by Otsu's threshold, and its edges keep their grey.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w), (h, w, 1) or (h, w, 3)
        Grey or colour; dark on light or light on dark.

    Returns
    -------
    ndarray of float32, shape (h, w)
        0 for paper, 1 for ink; pictures with more than 1000 pixels a side come back smaller by a whole number.
        All zeros where nothing is written.

    Raises
    ------
    DataError
        The array is not uint8, is empty, or has another shape.

    References
    ----------
    N. Otsu, "A threshold selection method from gray-level histograms", IEEE Transactions on Systems, Man, and
    Cybernetics 9 (1979), 62-66. J. Serra, *Image Analysis and Mathematical Morphology* (1982), for the closing.

    Examples
    --------
    >>> paper = np.full((40, 30), 200, np.uint8)
    >>> paper[10:30, 14:17] = 40
    >>> strokes = find_strokes(paper)
    >>> float(strokes[20, 15]), float(strokes[5, 5])
    (1.0, 0.0)
    """
    grey = _to_grey(_shrink(_check(image)))
    even = _border_is_even(grey)
    paper = float(np.median(_border(grey))) if even else _coarse_median(grey)
    deviation = grey - paper
    # Ink is the minority and the extreme: cubes let its side win over the small waves of the paper.
    if (deviation**3).sum() > 0:
        grey, deviation = -grey, -deviation
    ink = -deviation if even else _coarse_closing(grey) - grey
    return _scale_ink(ink)


def threshold_otsu(values: np.ndarray) -> float:
    """Return the value that splits values into the two classes with the most variance between them."""
    counts, edges = np.histogram(values, bins=256)
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = sums / below - (sums[-1] - sums) / above
    variance = np.nan_to_num(below.astype(float) * above * distance**2)
    best = np.flatnonzero(variance >= variance.max() * (1 - 1e-9))
    # Between two clean levels every threshold is as good; the middle one keeps both ways of writing alike.
    return float(edges[1:][best].mean())


def _check(image: np.ndarray) -> np.ndarray:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        came = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise DataError(f"A picture of {came} came; expected an array of uint8, 0 to 255. Convert it with astype.")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise DataError(f"A picture of shape {image.shape} came; expected one picture, (h, w) or (h, w, 3).")
    return image


def _shrink(image: np.ndarray) -> np.ndarray:
    factor = -(-max(image.shape[:2]) // LONGEST_SIDE)
    if factor == 1:
        return image.astype(np.float32)
    return np.asarray(Image.fromarray(image).reduce(factor), dtype=np.float32)


def _to_grey(picture: np.ndarray) -> np.ndarray:
    """Project colours on the direction in which they differ most from the paper's."""
    if picture.ndim == 2:
        return picture
    step = max(1, max(picture.shape[:2]) // COARSE_SIDE)
    colours = picture[::step, ::step]
    difference = (colours - np.median(_border(colours), axis=0)).reshape(-1, 3)
    weights = (difference**2).sum(axis=1, keepdims=True)  # strong differences are ink, weak ones light and noise
    _, directions = np.linalg.eigh((difference * weights).T @ difference)
    direction = directions[:, -1] / np.abs(directions[:, -1]).sum()
    return picture @ direction.astype(np.float32)


def _border(picture: np.ndarray) -> np.ndarray:
    """Return the pixels of a frame, 3 % of the shorter side wide, as one row of values or of colours."""
    wide = max(1, round(0.03 * min(picture.shape[:2])))
    inside = np.zeros(picture.shape[:2], bool)
    inside[wide:-wide, wide:-wide] = True
    return picture[~inside]


def _border_is_even(grey: np.ndarray) -> bool:
    """Tell whether the border is one value, apart from strokes that touch it."""
    border = _border(grey)
    span = max(float(np.ptp(grey)), 1.0)
    distance = np.abs(border - np.median(border)) / span
    between = (distance > 0.04) & (distance < 0.4)
    return bool((distance <= 0.04).mean() >= 0.5 and between.mean() <= 0.1)


def _coarse(grey: np.ndarray) -> np.ndarray:
    factor = -(-max(grey.shape) // COARSE_SIDE)
    return np.asarray(Image.fromarray(grey).reduce(factor)) if factor > 1 else grey


def _enlarge(coarse: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if coarse.shape == shape:
        return coarse
    image = Image.fromarray(np.ascontiguousarray(coarse, dtype=np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def _coarse_median(grey: np.ndarray) -> np.ndarray:
    """Estimate the paper without knowing whether ink is darker: the median around, half the picture wide."""
    step = max(1, max(grey.shape) // 48)
    coarse = grey[::step, ::step]
    window = tuple(max(3, side // 2 | 1) for side in coarse.shape)
    return _enlarge(ndimage.median_filter(coarse, size=window), grey.shape)


def _coarse_closing(grey: np.ndarray) -> np.ndarray:
    """Estimate light paper under dark ink: nothing darker that is narrower than 0.4 of the picture survives."""
    coarse = ndimage.median_filter(_coarse(grey), size=3)
    window = max(3, round(0.4 * min(coarse.shape)) | 1)
    return _enlarge(ndimage.grey_closing(coarse, size=(window, window)), grey.shape)


def _scale_ink(ink: np.ndarray) -> np.ndarray:
    """Bring ink to 0..1: the paper's noise to 0, the core of the strokes to 1."""
    nothing = np.zeros(ink.shape, np.float32)
    paper = float(np.median(ink))
    noise = 1.4826 * float(np.median(np.abs(ink - paper)))
    floor = max(0.0, paper + 3 * noise) if noise > 0 else max(0.0, paper)
    above = ink[ink > floor + FAINTEST_INK / 2]
    if above.size == 0:
        return nothing
    # Of a thin stroke on a wide sheet the histogram of all pixels shows nothing; so only those above the noise.
    threshold = min(threshold_otsu(ink), threshold_otsu(above))
    core = float(np.percentile(above[above >= threshold], 90)) if (above >= threshold).any() else 0.0
    if core - paper < max(FAINTEST_INK, 5 * noise):
        return nothing
    return np.abs(np.clip((ink - floor) / (core - floor), 0, 1)).astype(np.float32)  # the abs of -0.0 is 0.0

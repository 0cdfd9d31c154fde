"""Ink against its ground: the strokes of any image as values from 0 (paper) to 1 (ink)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from skconv.digits.preprocess.morphology import close_grey
from skconv.digits.preprocess.ranks import median
from skconv.exceptions import DataError

LONGEST_SIDE = 1000
COLOUR_SIDE, CLOSING_SIDE, MEDIAN_SIDE = 250, 128, 24  # pixels that suffice for the colours, the light, the polarity
SMALL_SIDE = 40  # pixels; an image so small was cut out by a program, not photographed
STRONGEST_SHADOW = 8.0  # deeper ones are not light taken away but something black
MIDDLE_GREY = 115.0  # of 255; paper is lighter, and a blackboard darker
DEVIATION = 1.4826  # a standard deviation of noise, in medians of its size
FAINTEST_INK = 10.0  # grey levels of 255; less is the unevenness of a scanner, not a stroke
LEVELS = np.arange(257.0)  # edges of a histogram's bars


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
        0 for paper, 1 for ink; images with more than 1000 pixels a side come back smaller by a whole number.
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
    return _scale_ink(*_measure(image))


def measure_ink(image: np.ndarray) -> np.ndarray:
    """Return how far each pixel is from the paper around it, in grey levels: the first step of `find_strokes`.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w), (h, w, 1) or (h, w, 3)
        As for `find_strokes`, which also tells the errors.

    Returns
    -------
    ndarray of float32, shape (h, w)
        About 0 on paper, positive in ink, whether ink is dark or light.
    """
    return _measure(image)[0]


def threshold_otsu(values: np.ndarray) -> float:
    """Return the value that splits values into the two classes with the most variance between them."""
    return _threshold_sorted(np.sort(values, axis=None))


def _measure(image: np.ndarray) -> tuple[np.ndarray, float | None]:
    """Return ink as `measure_ink` does, and the noise of clean paper; None where the paper is not clean."""
    grey = _to_grey(_shrink(_check(image)))
    even = _find_even_paper(grey)
    if even is not None:
        deviation = grey - even[0]
        return deviation if _lean_to_light(deviation) > 0 else -deviation, even[1]
    # What was photographed is dark ink on light paper, or chalk on a dark board, unless it clearly is not.
    expected = np.clip((median(grey) - MIDDLE_GREY) / 100, -0.6, 0.6)
    if _lean_to_light(grey - _coarse_median(grey)) > expected:
        return _coarse_closing(-grey) + grey, None
    # Ink takes away a share of the light, in a shadow as in the sun; so it is measured as a share of the paper.
    light = _coarse_closing(grey)
    brightest = float(light.max())
    return (light - grey) * (brightest / np.maximum(light, brightest / STRONGEST_SHADOW)), None


def _lean_to_light(deviation: np.ndarray) -> float:
    """Return from -1 (dark ink) to 1 (light ink) what the deviations from the paper look like.

    Ink is the minority and the extreme: cubes let its side win over the small waves of the paper.
    """
    cubes = deviation * deviation * deviation
    return float(cubes.sum()) / max(float(np.abs(cubes).sum()), 1e-9)


def _check(image: np.ndarray) -> np.ndarray:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        came = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise DataError(f"An image of {came} came; expected an array of uint8, 0 to 255. Convert it with astype.")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise DataError(f"An image of shape {image.shape} came; expected one image, (h, w) or (h, w, 3).")
    return image


def _shrink(image: np.ndarray) -> np.ndarray:
    factor = -(-max(image.shape[:2]) // LONGEST_SIDE)
    if factor == 1:
        return image.astype(np.float32)
    return np.asarray(Image.fromarray(image).reduce(factor), dtype=np.float32)


def _to_grey(image: np.ndarray) -> np.ndarray:
    """Project colours on the direction in which they differ most from the paper's."""
    if image.ndim == 2:
        return image
    step = max(1, max(image.shape[:2]) // COLOUR_SIDE)
    colours = image[::step, ::step]
    paper = np.array([median(channel) for channel in _border(colours).T], np.float32)
    difference = (colours - paper).reshape(-1, 3)
    weights = (difference**2).sum(axis=1, keepdims=True)  # strong differences are ink, weak ones light and noise
    _, directions = np.linalg.eigh((difference * weights).T @ difference)
    direction = directions[:, -1] / np.abs(directions[:, -1]).sum()
    direction *= 1 if direction.sum() >= 0 else -1
    # Lighter colours are to have the greater values, and all of them values from 0 to 255.
    return image @ direction.astype(np.float32) - np.float32(255 * np.minimum(direction, 0).sum())


def _border(image: np.ndarray) -> np.ndarray:
    """Return the pixels of a frame, 3 % of the shorter side wide, as one row of values or of colours."""
    wide = max(1, round(0.03 * min(image.shape[:2])))
    if min(image.shape[:2]) <= 2 * wide:
        return image.reshape(-1, *image.shape[2:])
    sides = image[:wide], image[-wide:], image[wide:-wide, :wide], image[wide:-wide, -wide:]
    return np.concatenate([side.reshape(-1, *image.shape[2:]) for side in sides])


def _find_even_paper(grey: np.ndarray) -> tuple[float, float] | None:
    """Return the value of clean paper, that of the border apart from strokes that touch it, and its noise.

    None for uneven paper.
    """
    border = _border(grey)
    extremes = float(grey.min()), float(grey.max())
    span = max(extremes[1] - extremes[0], 1.0)
    paper = median(border)
    distance = np.abs(border - paper) / span
    between = (distance > 0.04) & (distance < 0.4)
    if (distance <= 0.04).mean() >= 0.5 and between.mean() <= 0.1:
        return paper, DEVIATION * span * median(distance)
    # Of a digit cut out tightly more ink than paper may touch the border; then the paper is the extreme in the corners.
    corners = grey[[0, 0, -1, -1], [0, -1, 0, -1]]
    clean = [(np.abs(border - extreme) <= 0.02 * span).mean() for extreme in extremes]
    inside = [np.count_nonzero(np.abs(corners - extreme) <= 0.05 * span) for extreme in extremes]
    high = int((inside[1], clean[1]) > (inside[0], clean[0]))
    paper = extremes[high]
    is_small = min(grey.shape) <= SMALL_SIDE and (inside[high] >= 3 or clean[high] >= 0.2)
    is_flat = inside[high] >= 3 and (np.abs(grey - paper) <= 0.01 * span).mean() >= 0.2
    return (paper, 0.0) if is_small or is_flat or sum(clean) >= 0.9 else None


def _reduce(grey: np.ndarray, side: int) -> np.ndarray:
    """Make smaller by a whole number, by averaging, until no side is longer."""
    factor = -(-max(grey.shape) // side)
    return np.asarray(Image.fromarray(grey).reduce(factor)) if factor > 1 else grey


def _enlarge(coarse: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if coarse.shape == shape:
        return coarse
    image = Image.fromarray(np.ascontiguousarray(coarse, dtype=np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def _coarse_median(grey: np.ndarray) -> np.ndarray:
    """Estimate the paper without knowing whether ink is darker: the median around, half the image wide."""
    coarse = _reduce(grey, MEDIAN_SIDE)
    window = tuple(max(3, side // 2 | 1) for side in coarse.shape)
    mirrored = np.pad(coarse, [(side // 2,) * 2 for side in window], mode="symmetric")
    around = np.lib.stride_tricks.sliding_window_view(mirrored, window).reshape(*coarse.shape, -1)
    middle = around.shape[2] // 2  # an odd number of values has one in the middle
    return _enlarge(np.partition(around, middle, axis=2)[:, :, middle], grey.shape)


def _coarse_closing(grey: np.ndarray) -> np.ndarray:
    """Estimate light paper under dark ink: nothing darker that is narrower than 0.4 of the image survives."""
    coarse = _reduce(grey, CLOSING_SIDE)
    window = max(3, round(0.4 * min(coarse.shape)) | 1)
    # Light that falls off goes on falling off beyond the border; a mirror there would make its end a step.
    wider = np.pad(coarse, min(window, *(side - 1 for side in coarse.shape)), mode="reflect", reflect_type="odd")
    beyond = (wider.shape[0] - coarse.shape[0]) // 2
    closed = close_grey(wider, window)
    return _enlarge(closed[beyond : beyond + coarse.shape[0], beyond : beyond + coarse.shape[1]], grey.shape)


def _scale_ink(ink: np.ndarray, noise: float | None) -> np.ndarray:
    """Bring ink to 0..1: the paper's noise to 0, the core of the strokes to 1."""
    values = np.sort(ink, axis=None)
    split = _threshold_sorted(values)
    paper, noise = _measure_paper(values, split) if noise is None else (0.0, noise)
    floor = max(0.0, paper + 3 * noise)
    above = values[np.searchsorted(values, floor + FAINTEST_INK / 2, side="right") :]
    if above.size == 0:
        return np.zeros(ink.shape, np.float32)
    # Of a thin stroke on a wide sheet the histogram of all pixels shows nothing; so only those above the noise.
    threshold = min(split, _threshold_sorted(above))
    strong = above[np.searchsorted(above, threshold) :]
    core = float(strong[int(0.9 * (len(strong) - 1))]) if strong.size else 0.0
    if core - paper < max(FAINTEST_INK, 6 * noise):
        return np.zeros(ink.shape, np.float32)
    return np.clip((ink - floor) * (1 / (core - floor)), 0, 1, dtype=np.float32) + np.float32(0)  # -0.0 becomes 0.0


def _measure_paper(values: np.ndarray, split: float) -> tuple[float, float]:
    """Return the middle and the noise (as a standard deviation) of the paper, of values in rising order."""
    low = values[: np.searchsorted(values, split)]
    high = values[len(low) :]
    # Where ink covers much, the middle of all values says nothing; two classes far apart are paper and ink.
    if low.size and high.size and float(high.mean() - low.mean()) > 4 * float(low.std()):
        values = low
    paper = float(values[len(values) // 2])
    # Ink and its soft edges lie above the middle; the noise alone lies on both sides.
    return paper, DEVIATION * (paper - float(values[len(values) // 4]))


def _threshold_sorted(values: np.ndarray) -> float:
    """Return Otsu's threshold of values in rising order."""
    low, high = float(values[0]), float(values[-1])
    edges = LEVELS * ((high - low) / 256) + low
    edges[-1] = high
    starts = np.searchsorted(values, edges)
    starts[-1] = len(values)
    below = starts[1:]
    above = len(values) - below
    sums = ((below - starts[:-1]) * ((edges[:-1] + edges[1:]) / 2)).cumsum()
    # Where all values are on one side, the variance between the sides is 0, whatever is divided by.
    distance = sums / np.maximum(below, 1) - (sums[-1] - sums) / np.maximum(above, 1)
    variance = below.astype(float) * above * distance**2
    best = variance >= variance.max() * (1 - 1e-9)
    # Between two clean levels every threshold is as good; the middle one keeps both ways of writing alike.
    return float(edges[1:][best].mean())

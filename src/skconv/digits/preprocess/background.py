"""Background removal: conversion of a photo or scan to stroke values from 0 (background) to 1 (ink)."""

from __future__ import annotations

import numpy as np
from PIL import Image

from skconv.digits.preprocess.morphology import blur, close_grey, open_grey
from skconv.exceptions import DataError

LONGEST_SIDE = 1000  # pixels; larger images are reduced, because 28×28 pixels do not need more detail
COLOUR_SIDE, CLOSING_SIDE, MEDIAN_SIDE = 250, 128, 24  # sides in pixels for colours, shading, polarity
MAX_CROP_SIDE = 40  # pixels; smaller images are tight crops, in which ink may cover the border
MAX_SHADOW = 8.0  # ratio of the brightest to the darkest background; darker areas are black, not in shadow
BOARD_GREY = 115.0  # grey level that separates blackboards (darker) from paper (lighter)
MAD_TO_SD = 1.4826  # ratio of standard deviation to median absolute deviation of a normal distribution
MIN_CONTRAST = 10.0  # grey levels; smaller differences are the unevenness of a scan
PATTERN_SIGMA = 1.0  # pixels; standard deviation of the blur that removes a printed pattern
MIN_SEPARATION = 3.3  # standard deviations of the background; Otsu's classes of pure noise are 2.7 apart
BIN_EDGES = np.arange(257.0)  # edges of the 256 bins of Otsu's histogram


def find_strokes(image: np.ndarray) -> np.ndarray:
    """Return the ink of a photo or scan as 1 and the background as 0, for any ink colour, polarity and light.

    Colours are projected onto the direction in which ink and background differ most. An even background has the value
    of the border; an uneven one is estimated by a grey closing, which preserves shadows wider than any stroke. Otsu's
    threshold separates ink from background, and the edges of strokes remain grey.

    The image is uint8 (h, w), (h, w, 1) or (h, w, 3); for other arrays, raise `DataError`. The strokes are float32 (h,
    w), all zeros if there is no ink. Images with a side above 1000 pixels are reduced by an integer factor.

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
    return _scale_contrast(*_subtract_background(image))


def find_printed_strokes(image: np.ndarray, max_width: int | None = None) -> np.ndarray:
    """Return the ink of a line or page as `find_strokes` does, without fine printed patterns, such as on cheques.

    A blur removes the pattern, and a threshold far above its variation separates the ink. Areas wider than
    `max_width`, in pixels of the result, are removed, because they are shadows.
    """
    contrast, _ = _subtract_background(image)
    if max_width is not None:
        contrast = contrast - open_grey(contrast, max_width)
    smooth = blur(contrast, PATTERN_SIGMA)
    threshold = find_otsu_threshold(np.sort(smooth, axis=None))
    background, ink = smooth[smooth <= threshold], smooth[smooth > threshold]
    if ink.size == 0:
        return np.zeros(contrast.shape, np.float32)
    mean, deviation = float(background.mean()), float(background.std())
    core = float(ink.mean())
    if core - mean < max(MIN_CONTRAST, MIN_SEPARATION * deviation):
        return np.zeros(contrast.shape, np.float32)
    mixed = (smooth + contrast) / 2  # the blurred image alone fills loops; the original alone shows the pattern
    floor = mean + deviation
    return np.clip((mixed - floor) / (core - floor), 0, 1).astype(np.float32)


def _subtract_background(image: np.ndarray) -> tuple[np.ndarray, float | None]:
    """Return the contrast of each pixel, and the noise of the background (None if the background is uneven)."""
    grey = to_grey(_reduce(check_image(image), LONGEST_SIDE).astype(np.float32))
    even = _find_even_background(grey)
    if even is not None:
        deviation = grey - even[0]
        return deviation if _measure_polarity(deviation) > 0 else -deviation, even[1]
    if has_light_ink(grey):
        return _estimate_by_closing(-grey) + grey, None
    # Divide by the background, because ink absorbs the same fraction of the light in any illumination.
    background = _estimate_by_closing(grey)
    brightest = float(background.max())
    return (background - grey) * (brightest / np.maximum(background, brightest / MAX_SHADOW)), None


def has_light_ink(grey: np.ndarray) -> bool:
    """Return whether ink is lighter, rather than darker, than the background in a grey image, float32 (h, w)."""
    # Bright images are more likely to show dark ink on paper, and dark images chalk on a board.
    expected = np.clip((float(np.median(grey)) - BOARD_GREY) / 100, -0.6, 0.6)
    return _measure_polarity(grey - _estimate_by_median(grey)) > expected


def _measure_polarity(deviation: np.ndarray) -> float:
    """Return the polarity of deviations from the background, from -1 (dark ink) to 1 (light ink).

    Ink covers few pixels, but deviates strongly; the cubes of the deviations give ink more weight than the background.
    """
    cubes = deviation * deviation * deviation
    return float(cubes.sum()) / max(float(np.abs(cubes).sum()), 1e-9)


def check_image(image: np.ndarray) -> np.ndarray:
    """Return an image as uint8 (h, w) or (h, w, 3); raise `DataError` for other arrays."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        got = image.dtype if isinstance(image, np.ndarray) else type(image).__name__
        raise DataError(f"The image is {got}; expected an array of uint8, 0..255. Convert the image with astype.")
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[:, :, 0]
    if image.size == 0 or not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)):
        raise DataError(f"The image has shape {image.shape}; expected (h, w) or (h, w, 3). Pass one image.")
    return image


def to_grey(image: np.ndarray) -> np.ndarray:
    """Project colours onto the principal axis of their differences from the background."""
    if image.ndim == 2:
        return image
    step = max(1, max(image.shape[:2]) // COLOUR_SIDE)
    colours = image[::step, ::step]
    background = np.median(_get_border(colours), axis=0)
    difference = (colours - background).reshape(-1, 3)
    weights = (difference**2).sum(axis=1, keepdims=True)  # reduces the influence of shading and noise
    _, axes = np.linalg.eigh((difference * weights).T @ difference)
    axis = axes[:, -1] / np.abs(axes[:, -1]).sum()
    axis *= 1 if axis.sum() >= 0 else -1  # lighter colours have greater values
    return image @ axis.astype(np.float32) - np.float32(255 * np.minimum(axis, 0).sum())  # values in 0..255


def _get_border(image: np.ndarray) -> np.ndarray:
    """Return the pixels of a border of 3 % of the shorter side, shape (n,) or (n, 3)."""
    width = max(1, round(0.03 * min(image.shape[:2])))
    if min(image.shape[:2]) <= 2 * width:
        return image.reshape(-1, *image.shape[2:])
    sides = image[:width], image[-width:], image[width:-width, :width], image[width:-width, -width:]
    return np.concatenate([side.reshape(-1, *image.shape[2:]) for side in sides])


def _find_even_background(grey: np.ndarray) -> tuple[float, float] | None:
    """Return the value of an even background and the standard deviation of its noise; None for an uneven background."""
    border = _get_border(grey)
    extremes = float(grey.min()), float(grey.max())
    span = max(extremes[1] - extremes[0], 1.0)
    background = float(np.median(border))
    distance = np.abs(border - background) / span
    between = (distance > 0.04) & (distance < 0.4)
    if (distance <= 0.04).mean() >= 0.5 and between.mean() <= 0.1:
        return background, MAD_TO_SD * span * float(np.median(distance))
    # In a tight crop, ink may cover most of the border. The background is then the extreme value of the corners.
    corners = grey[[0, 0, -1, -1], [0, -1, 0, -1]]
    on_border = [(np.abs(border - extreme) <= 0.02 * span).mean() for extreme in extremes]
    n_corners = [np.count_nonzero(np.abs(corners - extreme) <= 0.05 * span) for extreme in extremes]
    high = int((n_corners[1], on_border[1]) > (n_corners[0], on_border[0]))
    background = extremes[high]
    is_small = min(grey.shape) <= MAX_CROP_SIDE and (n_corners[high] >= 3 or on_border[high] >= 0.2)
    is_flat = n_corners[high] >= 3 and (np.abs(grey - background) <= 0.01 * span).mean() >= 0.2
    return (background, 0.0) if is_small or is_flat or sum(on_border) >= 0.9 else None


def _reduce(image: np.ndarray, side: int) -> np.ndarray:
    """Reduce an image by an integer factor, averaging pixels, so that no side is longer than `side`."""
    factor = -(-max(image.shape[:2]) // side)
    return np.asarray(Image.fromarray(image).reduce(factor)) if factor > 1 else image


def _enlarge(coarse: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if coarse.shape == shape:
        return coarse
    image = Image.fromarray(np.ascontiguousarray(coarse, dtype=np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def _estimate_by_median(grey: np.ndarray) -> np.ndarray:
    """Estimate the background of ink of any polarity by the local median in a window of half the image."""
    coarse = _reduce(grey, MEDIAN_SIDE)
    window = tuple(max(3, side // 2 | 1) for side in coarse.shape)
    mirrored = np.pad(coarse, [(side // 2,) * 2 for side in window], mode="symmetric")
    neighbours = np.lib.stride_tricks.sliding_window_view(mirrored, window).reshape(*coarse.shape, -1)
    middle = neighbours.shape[2] // 2  # of an odd number of values; np.median takes ten times as long
    return _enlarge(np.partition(neighbours, middle, axis=2)[:, :, middle], grey.shape)


def _estimate_by_closing(grey: np.ndarray) -> np.ndarray:
    """Estimate the light background of dark ink by a closing, which removes areas narrower than 0.4 of the image."""
    coarse = _reduce(grey, CLOSING_SIDE)
    window = max(3, round(0.4 * min(coarse.shape)) | 1)
    # Pad by odd reflection, which continues a gradient of the illumination; an even reflection would reverse it.
    padded = np.pad(coarse, min(window, *(side - 1 for side in coarse.shape)), mode="reflect", reflect_type="odd")
    margin = (padded.shape[0] - coarse.shape[0]) // 2
    closed = close_grey(padded, window)
    return _enlarge(closed[margin : margin + coarse.shape[0], margin : margin + coarse.shape[1]], grey.shape)


def _scale_contrast(contrast: np.ndarray, noise: float | None) -> np.ndarray:
    """Scale contrast to 0..1: 0 below the noise of the background, 1 in the core of the strokes."""
    values = np.sort(contrast, axis=None)
    threshold = find_otsu_threshold(values)
    background, noise = measure_background(values, threshold) if noise is None else (0.0, noise)
    floor = max(0.0, background + 3 * noise)
    above = values[np.searchsorted(values, floor + MIN_CONTRAST / 2, side="right") :]
    if above.size == 0:
        return np.zeros(contrast.shape, np.float32)
    # A thin stroke on a large sheet is visible only in the histogram of the pixels above the noise.
    threshold = min(threshold, find_otsu_threshold(above))
    ink = above[np.searchsorted(above, threshold) :]
    core = float(ink[int(0.9 * (len(ink) - 1))]) if ink.size else 0.0
    if core - background < max(MIN_CONTRAST, 6 * noise):
        return np.zeros(contrast.shape, np.float32)
    strokes = np.clip((contrast - floor) * (1 / (core - floor)), 0, 1, dtype=np.float32)
    return strokes + np.float32(0)  # converts -0.0 to 0.0


def measure_background(values: np.ndarray, threshold: float) -> tuple[float, float]:
    """Return the median and the standard deviation of the background, given sorted values."""
    low = values[: np.searchsorted(values, threshold)]
    high = values[len(low) :]
    # If Otsu's two classes are far apart, ink may cover much of the image; the overall median is then not background.
    if low.size and high.size and float(high.mean() - low.mean()) > 4 * float(low.std()):
        values = low
    background = float(values[len(values) // 2])
    # Estimate the noise from the lower quartile, because values above the median include ink and its soft edges.
    return background, MAD_TO_SD * (background - float(values[len(values) // 4]))


def find_otsu_threshold(values: np.ndarray) -> float:
    """Return Otsu's threshold of sorted values."""
    low, high = float(values[0]), float(values[-1])
    edges = BIN_EDGES * ((high - low) / 256) + low
    edges[-1] = high
    starts = np.searchsorted(values, edges)
    starts[-1] = len(values)
    below = starts[1:]
    above = len(values) - below
    sums = ((below - starts[:-1]) * ((edges[:-1] + edges[1:]) / 2)).cumsum()
    # If all values are on one side, the variance is 0 for any divisor.
    distance = sums / np.maximum(below, 1) - (sums[-1] - sums) / np.maximum(above, 1)
    variance = below.astype(float) * above * distance**2
    best = variance >= variance.max() * (1 - 1e-9)
    # All thresholds between two levels are optimal; their mean does not depend on the polarity.
    return float(edges[1:][best].mean())

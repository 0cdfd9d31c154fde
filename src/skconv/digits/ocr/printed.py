"""Writing on a printed ground, such as a cheque's: fine lines and ruled ones taken away, the ink kept."""

from __future__ import annotations

import numpy as np

from skconv.digits.preprocess.background import FAINTEST_INK, measure_ink, threshold_otsu
from skconv.digits.preprocess.morphology import blur, dilate, find_components, open_grey, open_runs

FINE_LINE = 1.0  # pixels, the standard deviation of the blur under which a printed ground becomes even
CLEAR_INK = 3.3  # deviations of the ground: in noise alone the two classes of any threshold are 2.7 apart
SHORTEST_RUN, LONGEST_RUN = 24, 36  # pixels of a ruled line that lie within three rows: it may rise by 4 degrees
LINE_SPAN = 0.5  # of the image's width that a ruled line reaches over
LINE_COVER = 0.95  # of its columns that have ink; the feet of digits in a row leave gaps
LINE_WAVE = 1.0  # pixels that half of it may stray from straight


def find_writing(image: np.ndarray, widest: int | None = None) -> np.ndarray:
    """Return what is written on a strip or page as 1 on 0, without the fine lines printed below it.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w), (h, w, 1) or (h, w, 3)
        Dark on light or light on dark.
    widest : int or None, default=None
        What is wider than so many pixels, in the size that is returned, is a shadow and no stroke.

    Returns
    -------
    ndarray of float32, shape (h, w)
        As `skconv.digits.preprocess.background.find_strokes` returns it.

    Raises
    ------
    DataError
        The array is not one uint8 image.

    Examples
    --------
    >>> paper = np.full((40, 90), 200, np.uint8)
    >>> paper[::4] = 170
    >>> paper[10:30, 14:18] = 40
    >>> writing = find_writing(paper)
    >>> bool(writing[20, 15] == 1), bool(writing[:, 30:].max() < 0.2)
    (True, True)
    """
    ink = measure_ink(image)
    if widest is not None:
        ink = ink - open_grey(ink, widest)
    smooth = blur(ink, FINE_LINE)
    threshold = threshold_otsu(smooth)
    ground, core = smooth[smooth <= threshold], smooth[smooth > threshold]
    if core.size == 0:
        return np.zeros(ink.shape, np.float32)
    middle, spread = float(ground.mean()), float(ground.std())
    dark = float(core.mean())
    if dark - middle < max(FAINTEST_INK, CLEAR_INK * spread):
        return np.zeros(ink.shape, np.float32)
    # Half of each: the blur closes loops, without it the ground is not even.
    mixed = (smooth + ink) / 2
    floor = middle + 1.0 * spread
    return np.clip((mixed - floor) / (dark - floor), 0, 1).astype(np.float32)


def find_ruled_lines(mask: np.ndarray, pen: float) -> np.ndarray:
    """Find ruled lines, level and thin; the strokes that cross them are no part of them.

    Other than `cleaning.remove_lines`, which looks at one digit, this finds lines that end inside the
    image, and never upright ones: in a strip a 1 is as tall as the image.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
        Where there is ink.
    pen : float
        Width of a stroke in pixels; a ruled line is thinner, or goes from edge to edge.

    Returns
    -------
    ndarray of bool, shape (h, w)
        The pixels to take away, a little wider than the lines.
    """
    length = int(np.clip(0.2 * mask.shape[1], SHORTEST_RUN, LONGEST_RUN))
    # Within three rows, because a line that rises by a pixel is still the same.
    runs = open_runs(dilate(mask, 3, 1), length, axis=1) & mask
    joined = find_components(dilate(runs, 3, length))
    lines = np.zeros_like(mask)
    for label, (left, top, right, bottom) in enumerate(joined.boxes.tolist(), start=1):
        inside = slice(top, bottom), slice(left, right)
        line = np.zeros((bottom - top, mask.shape[1]), bool)
        line[:, left:right] = runs[inside] & (joined.labels[inside] == label)
        found = _fit_ruled_line(line, pen)
        if found is not None:
            slope, level, thickness = found
            # The whole line, also where it is faint or ragged; a longer run upwards is a stroke that crosses it.
            course = top + level + slope * np.arange(mask.shape[1])
            band = np.abs(np.arange(mask.shape[0])[:, None] - course) <= thickness / 2 + 1.5
            lines |= band & ~open_runs(mask, round(thickness) + 3, axis=0)
    return lines


def _fit_ruled_line(line: np.ndarray, pen: float) -> tuple[float, float, float] | None:
    """Return slope, level and thickness of pixels that are one ruled line; None for strokes of digits."""
    along, width = line.sum(axis=0), line.shape[1]
    columns = np.flatnonzero(along)
    first, last = columns[0], columns[-1]
    span, edges = last + 1 - first, int(first <= 0.02 * width) + int(last >= 0.98 * width - 1)
    if span < LINE_SPAN * width or len(columns) < LINE_COVER * span or edges == 0:
        return None
    middles = (np.arange(len(line)) @ line)[columns] / along[columns]
    slope, level = np.polyfit(columns, middles, 1)
    off = np.abs(middles - slope * columns - level)
    # Where a stroke crosses, the middle is drawn aside; what is nearest to the line gives it again.
    near = off <= np.median(off)
    thickness = float(np.percentile(along[columns], 25))  # digits that stand on a line make it thicker, never thinner
    if off[near].max() > LINE_WAVE or thickness > (1.0 if edges == 2 else 0.75) * pen:
        return None
    slope, level = np.polyfit(columns[near], middles[near], 1)
    return float(slope), float(level), thickness

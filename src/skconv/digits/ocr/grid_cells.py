"""Detection of the closed cells between the rulings of forms, tables and puzzles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from skconv.digits.preprocess.morphology import dilate, find_components, find_dark_lines, open_runs, smooth_along

# Maximum thickness of a ruling, length over which it is smoothed, and minimum length of its straight runs, in pixels.
# Smoothing bridges the dots and breaks of a ruling; runs are longer than the strokes of most digits in a cell.
SCALES = ((15, 7, 24), (31, 15, 60))
MAX_BREAK = 1.5  # maximum gap between the parts of a broken ruling, as a multiple of the minimum length of a run
MIN_EXTENDED = 4  # minimum length of a ruling that is extended at its ends, as a multiple of that gap
MIN_LONG = 0.25  # minimum length of a long ruling, as a fraction of the longest in its direction
MIN_CONTRAST, NOISE_FACTOR = 4.0, 3.0  # of a ruling: grey levels, and multiple of the median contrast of all pixels
SAMPLE_STEP = 4  # pixels; the median is that of one pixel per square of this side
MIN_SIDE = 14  # pixels of a cell
MIN_FILL = 0.7  # area of a cell, as a fraction of its height and width through the middle
MAX_CELLS = 4000  # squared paper with more cells is not a form


@dataclass(frozen=True)
class Cells:
    """Closed cells between rulings.

    Parameters
    ----------
    sides : ndarray of float, shape (n, 4, 2, 2)
        Two points, x and y in pixels, on the left, top, right and bottom side of each cell.
    on_border : ndarray of bool, shape (n,)
        Whether the border of the image is a side of the cell.
    horizontal, vertical : ndarray of bool, shape (h, w)
        The pixels of the rulings.
    """

    sides: np.ndarray
    on_border: np.ndarray
    horizontal: np.ndarray
    vertical: np.ndarray


def find_cells(grey: np.ndarray) -> list[Cells]:
    """Return the closed cells between dark rulings in a grey image, uint8 (h, w), for several sets of rulings.

    Rulings are nearly horizontal or vertical, up to about 6 degrees. They may be dotted, faint or broken in places. A
    cell is a region of the background that they enclose.

    For each of `SCALES`, the sets are: all rulings, among them strokes of digits that may divide a cell; long ones,
    without the short rulings of a second grid; and long ones without breaks. The list is empty if no set of all rulings
    encloses a cell.
    """
    found = [_find_between(*(_find_rulings(grey, axis, *scale) for axis in (1, 0))) for scale in SCALES]
    if all(cells.on_border.all() for cells in found):
        return []
    for cells, (_, _, length) in zip(tuple(found), SCALES, strict=True):
        for gap in (1, round(MAX_BREAK * length)):
            horizontal, vertical = _select_long(cells.horizontal, gap), _select_long(cells.vertical.T, gap).T
            between = _find_between(horizontal, vertical)
            found.append(replace(between, horizontal=cells.horizontal, vertical=cells.vertical))
    return found


def _select_long(runs: np.ndarray, gap: int) -> np.ndarray:
    """Return the long ones among horizontal rulings, without breaks of up to `gap` pixels, bool (h, w).

    Rulings longer than several breaks are extended at both ends, because the corners of a frame may be broken.
    """
    joined = find_components(dilate(runs, 3, gap) if gap > 1 else runs)
    selected = np.zeros_like(runs)
    lengths = joined.boxes[:, 2] - joined.boxes[:, 0]
    for k in np.flatnonzero(lengths >= MIN_LONG * lengths.max(initial=0)):
        left, top, right, bottom = joined.boxes[k].tolist()
        inside = slice(top, bottom), slice(left, right)
        part = runs[inside] & (joined.labels[inside] == k + 1)
        selected[inside] |= part
        if gap == 1:
            continue
        along = part.sum(axis=0)
        columns = np.flatnonzero(along)
        rows = (np.arange(len(part)) @ part)[columns] / along[columns]
        missing = np.setdiff1d(np.arange(columns[0], columns[-1]), columns, assume_unique=True)
        _draw(selected, left + missing, top + np.interp(missing, columns, rows))
        if columns[-1] - columns[0] >= MIN_EXTENDED * gap:
            slope, intercept = np.polyfit(columns, rows, 1)
            for outside in (np.arange(columns[0] - gap, columns[0]), np.arange(columns[-1] + 1, columns[-1] + 1 + gap)):
                _draw(selected, left + outside, top + slope * outside + intercept)
    return selected


def _draw(mask: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> None:
    """Draw a line, three pixels thick, at one row per column; pixels outside the image are omitted."""
    for shift in (-1, 0, 1):
        shifted = rows.round().astype(int) + shift
        inside = (columns >= 0) & (columns < mask.shape[1]) & (shifted >= 0) & (shifted < len(mask))
        mask[shifted[inside], columns[inside]] = True


def _find_between(horizontal: np.ndarray, vertical: np.ndarray) -> Cells:
    """Return the cells between rulings."""
    regions = find_components(~(horizontal | vertical))
    sizes = regions.boxes[:, 2:] - regions.boxes[:, :2]
    is_cell = (sizes >= MIN_SIDE).all(axis=1) & (2 * regions.areas >= sizes.prod(axis=1))
    is_cell &= 2 * sizes.prod(axis=1) < horizontal.size
    found = np.flatnonzero(is_cell)
    sides, selected = [], []
    for k in found if len(found) <= MAX_CELLS else ():
        left, top, right, bottom = regions.boxes[k]
        measured = _measure_sides(regions.labels[top:bottom, left:right] == k + 1)
        if measured is not None:
            sides.append(measured + np.array([left, top]))
            selected.append(k)
    points = np.array(sides, float).reshape(-1, 4, 2, 2)
    return Cells(points, regions.touch_border()[selected], horizontal, vertical)


def _find_rulings(grey: np.ndarray, axis: int, thickness: int, smoothing: int, length: int) -> np.ndarray:
    """Return the pixels of dark rulings along an axis, bool (h, w), widened by one pixel on both sides."""
    contrast = find_dark_lines(smooth_along(grey, smoothing, axis), thickness, 1 - axis)
    typical = float(np.median(contrast[::SAMPLE_STEP, ::SAMPLE_STEP]))
    mask = contrast > max(MIN_CONTRAST, NOISE_FACTOR * typical)
    # A slanted ruling crosses several rows, so that its runs in one row are short.
    return open_runs(dilate(mask, 3, 1) if axis == 1 else dilate(mask, 1, 3), length, axis)


def _measure_sides(mask: np.ndarray) -> np.ndarray | None:
    """Return two points on each side of a region in its mask, (4, 2, 2); None if it is no rectangle."""
    left, right = _measure_ends(mask)
    top, bottom = (points[:, ::-1] for points in _measure_ends(mask.T))
    width, height = (right - left)[:, 0].mean(), (bottom - top)[:, 1].mean()
    if min(width, height) < MIN_SIDE or mask.sum() < MIN_FILL * width * height:
        return None
    return np.array([left, top, right, bottom])


def _measure_ends(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two points, (2, 2), on the left and on the right side of a region.

    They are medians over the rows of two parts of the region, because digits may interrupt a side.
    """
    n = len(mask)
    first, last = mask.argmax(axis=1), mask.shape[1] - mask[:, ::-1].argmax(axis=1)
    points = []
    for start, stop in ((n // 5, n // 2), (n // 2, n - n // 5)):
        middle, row = (stop - start) // 2, (start + stop) / 2
        points.append([(np.sort(ends[start:stop])[middle], row) for ends in (first, last)])
    left, right = np.array(points, float).transpose(1, 0, 2)
    return left, right

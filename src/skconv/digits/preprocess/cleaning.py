"""Cleaning of stroke images: removal of ruled lines, frames, specks and neighbouring characters."""

from __future__ import annotations

import numpy as np

from skconv.digits.preprocess.morphology import (
    Components,
    dilate,
    find_components,
    find_connected_ink,
    open_runs,
    stroke_width,
)

# Stroke values. Fainter pixels than MIN_INK, such as hairlines, are ink only if they are connected to strokes.
MIN_INK, MIN_CONNECTED_INK = 0.3, 0.22
MIN_RULED_SIDE = 64  # pixels of the shorter side; in smaller images, ruled lines are as thick as strokes
MIN_FRAMED_SIDE = 20  # pixels of the shorter side; in smaller images, a line along a side may be a stroke
MIN_RUN, MAX_RUN = 24, 36  # length in pixels of a ruled line within three rows; allows a slope of 4 degrees
MIN_SPAN = 0.5  # minimum length of a ruled line, as a fraction of the image's width
MIN_COVER = 0.95  # minimum fraction of a ruled line's columns with ink; the feet of a row of digits have gaps
MAX_DEVIATION = 1.0  # maximum distance in pixels of a ruled line from the straight line fitted to it


def clean_strokes(strokes: np.ndarray) -> np.ndarray:
    """Set ruled lines, frames, specks and neighbouring characters to 0 in strokes, float32 (h, w).

    Examples
    --------
    >>> strokes = np.zeros((40, 60), np.float32)
    >>> strokes[5:35, 20:26] = strokes[10:12, 50:52] = 1  # a digit and a speck
    >>> cleaned = clean_strokes(strokes)
    >>> float(cleaned[20, 22]), float(cleaned[10, 50])
    (1.0, 0.0)
    """
    mask = strokes >= MIN_INK / 2  # a printed line may be fainter than a stroke
    strokes = np.where(mask & ~remove_lines(mask), np.float32(0), strokes)
    components = find_connected_ink(strokes, MIN_CONNECTED_INK, MIN_INK)
    if components.areas.size == 0:
        return np.zeros_like(strokes)
    selected = select_digit(components)
    left, top = components.boxes[selected, :2].min(axis=0).tolist()
    right, bottom = components.boxes[selected, 2:].max(axis=0).tolist()
    # Preserve the soft edges of the digit, but not those of removed components.
    reach = max(1, round(0.04 * (max(bottom - top, right - left) - 1)))
    inside = slice(max(0, top - reach), bottom + reach), slice(max(0, left - reach), right + reach)
    digit, values = np.append(False, selected)[components.labels[inside]], strokes[inside]
    near = dilate(digit, 2 * reach + 1, 2 * reach + 1) & (digit | (values < MIN_CONNECTED_INK))
    cleaned = np.zeros_like(strokes)
    cleaned[inside] = np.where(near, values, np.float32(0))
    return cleaned


def remove_lines(mask: np.ndarray) -> np.ndarray:
    """Remove thin straight lines that cross the image of one digit, bool (h, w), horizontally or vertically.

    Strokes that cross a line are preserved, and so is a single line as thick as the other strokes.
    """
    if min(mask.shape) < MIN_RULED_SIDE:
        return _remove_side_lines(mask)
    horizontal, n_horizontal, thickness = _find_crossing_lines(mask)
    vertical, n_vertical, vertical_thickness = _find_crossing_lines(mask.T)
    count = n_horizontal + n_vertical
    if count == 0:
        return mask
    removed = horizontal | vertical.T
    rest = mask & ~removed
    if rest.sum() < 0.1 * removed.sum() / count:
        # The image contains only lines. Parallel lines are ruled paper, but a single line may be a stroke.
        return mask & ~(horizontal & (n_horizontal > 1)) & ~(vertical.T & (n_vertical > 1))
    # The thickness is 0 in a direction without lines, so the sum is the thickness of the only line.
    return mask if count == 1 and thickness + vertical_thickness > 0.6 * stroke_width(rest) else rest


def find_ruled_lines(mask: np.ndarray, pen: float) -> np.ndarray:
    """Return the thin horizontal lines in an image of several digits, bool (h, w), excluding crossing strokes.

    In contrast to `remove_lines`, a line may be slanted and may end inside the image. A line is thinner than the stroke
    width `pen`, in pixels, unless it extends from edge to edge. Vertical lines are not detected, because they could be
    a 1.
    """
    length = int(np.clip(0.2 * mask.shape[1], MIN_RUN, MAX_RUN))
    runs = open_runs(dilate(mask, 3, 1), length, axis=1) & mask  # three rows, because a slanted line crosses several
    joined = find_components(dilate(runs, 3, length))
    lines = np.zeros_like(mask)
    for label, (left, top, right, bottom) in enumerate(joined.boxes.tolist(), start=1):
        inside = slice(top, bottom), slice(left, right)
        line = np.zeros((bottom - top, mask.shape[1]), bool)
        line[:, left:right] = runs[inside] & (joined.labels[inside] == label)
        fit = _fit_line(line, pen)
        if fit is not None:
            slope, intercept, thickness = fit
            # The band includes faint and ragged parts of the line; longer vertical runs are strokes that cross it.
            rows = top + intercept + slope * np.arange(mask.shape[1])
            band = np.abs(np.arange(mask.shape[0])[:, None] - rows) <= thickness / 2 + 1.5
            lines |= band & ~open_runs(mask, round(thickness) + 3, axis=0)
    return lines


def select_digit(components: Components) -> np.ndarray:
    """Return a mask, bool (n,), of the main component and the broken-off parts of the same digit; n is at least 1."""
    if len(components.areas) == 1:
        return np.ones(1, bool)
    boxes, areas = components.boxes, components.areas.astype(float)
    # Components that touch the border have a lower weight, because they are usually neighbours, hands or table edges.
    on_border = components.touch_border()
    centres = (boxes[:, :2] + boxes[:, 2:]).T / 2 / np.array(components.labels.shape[::-1])[:, None]
    eccentricity = np.hypot(*(centres - 0.5))
    weights = areas * np.where(on_border, 0.3, 1) * np.exp(-((eccentricity / 0.4) ** 2))
    main = int(weights.argmax())
    intruding = on_border & ~on_border[main]
    shares = areas * np.where(intruding, 0.2, 1) / areas[main]
    selected = np.arange(len(areas)) == main
    box = boxes[main]
    candidates = np.flatnonzero(shares >= 0.005)
    while True:
        candidates = candidates[~selected[candidates]]
        parts = candidates[_are_parts(boxes[candidates], shares[candidates], intruding[candidates], box)]
        if parts.size == 0:
            return selected
        selected[parts] = True
        box = np.concatenate([boxes[selected, :2].min(axis=0), boxes[selected, 2:].max(axis=0)])


def _are_parts(boxes: np.ndarray, shares: np.ndarray, intruding: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return a mask of the parts of the digit in `box`; `shares` are areas relative to the main component."""
    widths, heights = (boxes[:, 2:] - boxes[:, :2]).T
    width, height = box[2:] - box[:2]
    size = max(height, width)
    gaps = np.hypot(*np.maximum(0, np.maximum(boxes[:, :2] - box[2:], box[:2] - boxes[:, 2:])).T)
    overlap = np.minimum(boxes[:, 2], box[2]) - np.maximum(boxes[:, 0], box[0])
    beside = overlap < 0.5 * np.minimum(widths, width)
    neighbour = beside & intruding
    full_stop = beside & (np.maximum(heights, widths) < 0.25 * size)
    # The minimum size of a part increases with its distance, because a dot outside the digit is a speck.
    return (shares >= 0.02 + 0.6 * gaps / size) & ~neighbour & ~full_stop


def _remove_side_lines(mask: np.ndarray) -> np.ndarray:
    """Remove table lines that cross a small image from edge to edge in its outer quarters."""
    if min(mask.shape) < MIN_FRAMED_SIDE:
        return mask
    rest = mask & ~(_find_side_lines(mask) | _find_side_lines(mask.T).T)
    return rest if 2 * rest.sum() >= mask.sum() else mask


def _find_side_lines(mask: np.ndarray) -> np.ndarray:
    """Return the thin vertical lines from edge to edge, tilted by at most 2 pixels, in the left and right quarters."""
    width = mask.shape[1]
    lines = np.zeros_like(mask)
    # A stroke is thicker than a printed line or ends before the edge.
    full = (mask[:, :-2] | mask[:, 1:-1] | mask[:, 2:]).mean(axis=0) >= 0.97
    full[width // 4 : width - width // 4 - 3] = False
    for left in np.flatnonzero(full).tolist():
        surroundings = mask[:, max(0, left - 2) : left + 5]
        if np.median(surroundings.sum(axis=1)) <= max(2, 0.08 * width):
            lines[:, left : left + 3] = True
    return lines & mask


def _find_crossing_lines(mask: np.ndarray) -> tuple[np.ndarray, int, float]:
    """Find thin horizontal lines from edge to edge; return their pixels without crossings, number and thickness."""
    height, width = mask.shape
    none = np.zeros_like(mask), 0, 0.0
    length = width // 12  # maximum gap in a worn line, and minimum run of a tilted line within one row
    if _find_longest_gap(mask) > length:
        return none
    runs = open_runs(mask, length, axis=1)
    joined = find_components(dilate(runs, 3, length))
    crosses = joined.boxes[:, 2] - joined.boxes[:, 0] == width
    lines = joined.make_mask(crosses) & runs
    along = lines.sum(axis=0)
    if not along.any():
        return none
    thickness = float(np.median(along[along > 0])) / crosses.sum()
    if thickness > max(2, 0.02 * height):
        return none
    reach = int(np.ceil(thickness)) + 1
    lines = dilate(lines, 2 * reach - 1, 1) & mask
    return lines & ~open_runs(mask, 2 * reach + 2, axis=0), int(crosses.sum()), thickness


def _find_longest_gap(mask: np.ndarray) -> int:
    """Return the length of the longest run of empty columns."""
    filled = np.flatnonzero(np.pad(mask.any(axis=0), 1, constant_values=True))
    return int(np.diff(filled).max()) - 1


def _fit_line(line: np.ndarray, pen: float) -> tuple[float, float, float] | None:
    """Return slope, intercept and thickness of a ruled line; None if the pixels are strokes of digits."""
    along, width = line.sum(axis=0), line.shape[1]
    columns = np.flatnonzero(along)
    first, last = columns[0], columns[-1]
    span, n_edges = last + 1 - first, int(first <= 0.02 * width) + int(last >= 0.98 * width - 1)
    if span < MIN_SPAN * width or len(columns) < MIN_COVER * span or n_edges == 0:
        return None
    centres = (np.arange(len(line)) @ line)[columns] / along[columns]
    slope, intercept = np.polyfit(columns, centres, 1)
    deviations = np.abs(centres - slope * columns - intercept)
    near = deviations <= np.median(deviations)  # excludes columns in which crossing strokes shift the centre
    thickness = float(np.percentile(along[columns], 25))  # a low quantile, because digits on the line only increase it
    if deviations[near].max() > MAX_DEVIATION or thickness > (1.0 if n_edges == 2 else 0.75) * pen:
        return None
    slope, intercept = np.polyfit(columns[near], centres[near], 1)
    return float(slope), float(intercept), thickness

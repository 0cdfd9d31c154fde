"""What belongs to one digit and what does not: ruled lines, frames, specks and neighbours."""

from __future__ import annotations

import numpy as np

from skconv.digits.preprocess.morphology import Components, dilate, find_components, open_runs
from skconv.digits.preprocess.ranks import median

FAINTEST = 0.3  # what is fainter neither joins two parts nor is one; a pen that skips is still above it
FAINT_PART = 0.22  # the hairline of a nib; it belongs to the digit where it hangs together with what is not faint
SMALLEST_RULED = 64  # in smaller images a ruled line is as wide as a stroke
SMALLEST_FRAMED = 20  # in smaller ones even the line at an image's side may be one of the digit's


def clean_strokes(strokes: np.ndarray) -> np.ndarray:
    """Keep the strokes of the one digit in an image.

    Parameters
    ----------
    strokes : ndarray of float32, shape (h, w)
        As `find_strokes` returns it.

    Returns
    -------
    ndarray of float32, shape (h, w)
        The same, with 0 wherever something else was drawn: the lines of ruled or squared paper, a frame, specks,
        neighbours.
    """
    # A printed line may be fainter than any stroke.
    inked = strokes >= FAINTEST / 2
    without_lines = remove_lines(inked)
    if without_lines is not inked:
        strokes = np.where(inked & ~without_lines, np.float32(0), strokes)
    components = _join_faint(strokes)
    if components.areas.size == 0:
        return np.zeros_like(strokes)
    chosen = choose_components(components)
    left, top = components.boxes[chosen, :2].min(axis=0).tolist()
    right, bottom = components.boxes[chosen, 2:].max(axis=0).tolist()
    # The soft edge of a stroke belongs to it, the edges of what was taken away do not.
    reach = max(1, round(0.04 * (max(bottom - top, right - left) - 1)))
    inside = slice(max(0, top - reach), bottom + reach), slice(max(0, left - reach), right + reach)
    digit, around = np.append(False, chosen)[components.labels[inside]], strokes[inside]
    near = dilate(digit, 2 * reach + 1, 2 * reach + 1) & (digit | (around < FAINT_PART))
    cleaned = np.zeros_like(strokes)
    cleaned[inside] = np.where(near, around, np.float32(0))
    return cleaned


def remove_lines(mask: np.ndarray) -> np.ndarray:
    """Take thin straight lines that cross the whole image out of a mask, upright and level ones.

    Where a stroke crosses a line, the stroke is whole afterwards. A line that may be a stroke itself stays: one
    alone, as thick as the other strokes.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)

    Returns
    -------
    ndarray of bool, shape (h, w)
    """
    if min(mask.shape) < SMALLEST_RULED:
        return _remove_side_lines(mask)
    level = _level_lines(mask)
    upright = _level_lines(mask.T)
    count = level[1] + upright[1]
    if count == 0:
        return mask
    taken = level[0] | upright[0].T
    rest = mask & ~taken
    if rest.sum() < 0.1 * taken.sum() / count:
        # Nothing else is there. Several parallel lines are paper all the same; one may be a stroke.
        paper = [lines for lines, number in ((level[0], level[1]), (upright[0].T, upright[1])) if number > 1]
        return mask & ~np.logical_or.reduce(paper) if paper else mask
    thickness = min(lines[2] for lines in (level, upright) if lines[1])
    if count == 1 and thickness > 0.6 * stroke_width(rest):
        return mask
    return rest


def choose_components(components: Components) -> np.ndarray:
    """Tell which components are the main one and the broken-off parts of the same digit.

    Parameters
    ----------
    components : Components
        At least one.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    if len(components.areas) == 1:
        return np.ones(1, bool)
    boxes, areas = components.boxes, components.areas.astype(float)
    # A hand, the table's edge or a neighbour comes in from outside; a digit drawn too large is alone.
    outside = components.find_outside()
    away = np.hypot(*((boxes[:, :2] + boxes[:, 2:]).T / 2 / np.array(components.labels.shape[::-1])[:, None] - 0.5))
    weights = areas * np.where(outside, 0.3, 1) * np.exp(-((away / 0.4) ** 2))
    main = int(weights.argmax())
    intruding = outside & ~outside[main]
    shares = areas * np.where(intruding, 0.2, 1) / areas[main]
    keep = np.arange(len(areas)) == main
    found = boxes[main]
    candidates = np.flatnonzero(shares >= 0.005)
    while True:
        candidates = candidates[~keep[candidates]]
        joining = candidates[_belongs(boxes[candidates], shares[candidates], intruding[candidates], found)]
        if joining.size == 0:
            return keep
        keep[joining] = True
        found = np.concatenate([boxes[keep, :2].min(axis=0), boxes[keep, 2:].max(axis=0)])


def _join_faint(strokes: np.ndarray) -> Components:
    """Return the parts that are not faint, each with the faint ink that hangs together with it."""
    components = find_components(strokes >= FAINT_PART)
    keep = np.zeros(len(components.areas) + 1, bool)
    keep[components.labels[strokes >= FAINTEST]] = True
    return components.select(keep[1:])


def _belongs(boxes: np.ndarray, shares: np.ndarray, intruding: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Tell which components, with that share of the main one's ink, are broken-off parts of the digit found so far."""
    widths, heights = (boxes[:, 2:] - boxes[:, :2]).T
    width, height = found[2:] - found[:2]
    size = max(height, width)
    gaps = np.hypot(*np.maximum(0, np.maximum(boxes[:, :2] - found[2:], found[:2] - boxes[:, 2:])).T)
    beside = np.minimum(boxes[:, 2], found[2]) - np.maximum(boxes[:, 0], found[0]) < 0.5 * np.minimum(widths, width)
    # A neighbour stands beside the digit and reaches the edge of the image; a full stop does, and is small.
    neighbour = beside & intruding
    full_stop = beside & (np.maximum(heights, widths) < 0.25 * size)
    # The farther away, the larger a part must be: a dot inside is a break, a dot outside is a speck.
    return (shares >= 0.02 + 0.6 * gaps / size) & ~neighbour & ~full_stop


def stroke_width(mask: np.ndarray) -> float:
    """Return the mean width of strokes in pixels, from their area and their outline (by Cauchy and Crofton).

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)

    Returns
    -------
    float
        0 for an empty mask.
    """
    if not mask.any():
        return 0.0
    # A stroke of width w and length l has the area w·l and the outline 2·l, counted by the lines that cross it.
    # With paper all around, what begins a row differs from what ends the one before in nothing: rows need no end.
    height, width = mask.shape[0] + 2, mask.shape[1] + 2
    cover = np.zeros(height * width, bool)
    cover.reshape(height, width)[1:-1, 1:-1] = mask
    level, slanted = (
        sum(np.count_nonzero(cover[step:] != cover[:-step]) for step in steps)
        for steps in ((1, width), (width + 1, width - 1))
    )
    outline = np.pi / 8 * (level + slanted / np.sqrt(2))
    return max(1.0, 2 * np.count_nonzero(mask) / outline)


def _remove_side_lines(mask: np.ndarray) -> np.ndarray:
    """Take the lines of a table, from edge to edge in the outer quarters of a small image, out of a mask."""
    if min(mask.shape) < SMALLEST_FRAMED:
        return mask
    rest = mask & ~(_side_lines(mask) | _side_lines(mask.T).T)
    return rest if 2 * rest.sum() >= mask.sum() else mask


def _side_lines(mask: np.ndarray) -> np.ndarray:
    """Find thin upright lines, from edge to edge, in the left and right quarter of a mask; they tilt by two pixels."""
    width = mask.shape[1]
    lines = np.zeros_like(mask)
    # A stroke is wider than a printed line, or ends before the edge.
    reaching = (mask[:, :-2] | mask[:, 1:-1] | mask[:, 2:]).mean(axis=0) >= 0.97
    reaching[width // 4 : width - width // 4 - 3] = False
    for left in np.flatnonzero(reaching).tolist():
        around = mask[:, max(0, left - 2) : left + 5]
        if median(around.sum(axis=1)) <= max(2, 0.08 * width):
            lines[:, left : left + 3] = True
    return lines & mask


def _level_lines(mask: np.ndarray) -> tuple[np.ndarray, int, float]:
    """Find thin level lines from edge to edge: their pixels apart from crossings, their number, their thickness."""
    height, width = mask.shape
    nothing = np.zeros_like(mask), 0, 0.0
    # A filled gap lets a worn line be one; a tilted line is a staircase of runs.
    run = width // 12
    if _longest_gap(mask) > run:
        return nothing
    runs = open_runs(mask, run, axis=1)
    joined = find_components(dilate(runs, 3, run))
    found = np.append(False, joined.boxes[:, 2] - joined.boxes[:, 0] == width)
    lines = found[joined.labels] & runs
    along = lines.sum(axis=0)
    if not along.any():
        return nothing
    thickness = median(along[along > 0]) / found.sum()
    if thickness > max(2, 0.02 * height):
        return nothing
    reach = int(np.ceil(thickness)) + 1
    lines = dilate(lines, 2 * reach - 1, 1) & mask
    return lines & ~open_runs(mask, 2 * reach + 2, axis=0), int(found.sum()), thickness


def _longest_gap(mask: np.ndarray) -> int:
    """Return the number of columns without a pixel between two that have one, or between one and an edge."""
    filled = np.flatnonzero(mask.any(axis=0))
    if filled.size == 0:
        return mask.shape[1]
    between = int((filled[1:] - filled[:-1]).max(initial=1)) - 1
    return max(between, int(filled[0]), mask.shape[1] - 1 - int(filled[-1]))

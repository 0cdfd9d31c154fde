"""What belongs to one digit and what does not: ruled lines, frames, specks and neighbours."""

from __future__ import annotations

import numpy as np

from skconv.pictures.morphology import dilate, find_components, open_runs

FAINTEST = 0.3  # what is fainter neither joins two parts nor is one; a pen that skips is still above it
FAINT_PART = 0.22  # the hairline of a nib; it belongs to the digit where it hangs together with what is not faint
SMALLEST_RULED = 64  # in smaller pictures a ruled line is as wide as a stroke
SMALLEST_FRAMED = 20  # in smaller ones even the line at a picture's side may be one of the digit's


def clean_strokes(strokes: np.ndarray) -> np.ndarray:
    """Keep the strokes of the one digit in a picture.

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
    strokes = np.where(inked & ~remove_lines(inked), np.float32(0), strokes)
    mask = _join_faint(strokes)
    if not mask.any():
        return np.zeros_like(strokes)
    digit = choose_components(mask)
    # The soft edge of a stroke belongs to it, the edges of what was taken away do not.
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    reach = max(1, round(0.04 * max(rows[-1] - rows[0], columns[-1] - columns[0])))
    inside = (
        slice(max(0, rows[0] - reach), rows[-1] + reach + 1),
        slice(max(0, columns[0] - reach), columns[-1] + reach + 1),
    )
    digit, around = digit[inside], strokes[inside]
    near = dilate(digit, 2 * reach + 1, 2 * reach + 1) & (digit | (around < FAINT_PART))
    cleaned = np.zeros_like(strokes)
    cleaned[inside] = np.where(near, around, np.float32(0))
    return cleaned


def remove_lines(mask: np.ndarray) -> np.ndarray:
    """Take thin straight lines that cross the whole picture out of a mask, upright and level ones.

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


def choose_components(mask: np.ndarray) -> np.ndarray:
    """Keep the main component of a mask and the broken-off parts of the same digit.

    Parameters
    ----------
    mask : ndarray of bool, shape (h, w)
        At least one pixel is set.

    Returns
    -------
    ndarray of bool, shape (h, w)
    """
    components = find_components(mask)
    boxes, areas = components.boxes, components.areas.astype(float)
    # A hand, the table's edge or a neighbour comes in from outside; a digit drawn too large is alone.
    outside = components.find_outside()
    away = np.hypot(*((boxes[:, :2] + boxes[:, 2:]).T / 2 / np.array(mask.shape[::-1])[:, None] - 0.5))
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
            return np.append(False, keep)[components.labels]
        keep[joining] = True
        found = np.concatenate([boxes[keep, :2].min(axis=0), boxes[keep, 2:].max(axis=0)])


def _join_faint(strokes: np.ndarray) -> np.ndarray:
    """Return the mask of the parts that are not faint, and of the faint ones that hang together with them."""
    components = find_components(strokes >= FAINT_PART)
    keep = np.zeros(len(components.areas) + 1, bool)
    keep[components.labels[strokes >= FAINTEST]] = True
    return keep[components.labels]


def _belongs(boxes: np.ndarray, shares: np.ndarray, intruding: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Tell which components, with that share of the main one's ink, are broken-off parts of the digit found so far."""
    widths, heights = (boxes[:, 2:] - boxes[:, :2]).T
    width, height = found[2:] - found[:2]
    size = max(height, width)
    gaps = np.hypot(*np.maximum(0, np.maximum(boxes[:, :2] - found[2:], found[:2] - boxes[:, 2:])).T)
    beside = np.minimum(boxes[:, 2], found[2]) - np.maximum(boxes[:, 0], found[0]) < 0.5 * np.minimum(widths, width)
    # A neighbour stands beside the digit and reaches the edge of the picture; a full stop does, and is small.
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
    cover = np.pad(mask, 1)
    level = np.count_nonzero(cover[:, 1:] != cover[:, :-1]) + np.count_nonzero(cover[1:] != cover[:-1])
    slanted = np.count_nonzero(cover[1:, 1:] != cover[:-1, :-1]) + np.count_nonzero(cover[1:, :-1] != cover[:-1, 1:])
    outline = np.pi / 8 * (level + slanted / np.sqrt(2))
    return max(1.0, 2 * np.count_nonzero(mask) / outline)


def _remove_side_lines(mask: np.ndarray) -> np.ndarray:
    """Take the lines of a table, from edge to edge in the outer quarters of a small picture, out of a mask."""
    if min(mask.shape) < SMALLEST_FRAMED:
        return mask
    rest = mask & ~(_side_lines(mask) | _side_lines(mask.T).T)
    return rest if 2 * rest.sum() >= mask.sum() else mask


def _side_lines(mask: np.ndarray) -> np.ndarray:
    """Find thin upright lines, from edge to edge, in the left and right quarter of a mask; they tilt by two pixels."""
    width = mask.shape[1]
    lines = np.zeros_like(mask)
    for left in (*range(width // 4), *range(width - width // 4 - 3, width - 2)):
        band = mask[:, left : left + 3]
        around = mask[:, max(0, left - 2) : left + 5]
        # A stroke is wider than a printed line, or ends before the edge.
        if band.any(axis=1).mean() >= 0.97 and np.median(around.sum(axis=1)) <= max(2, 0.08 * width):
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
    thickness = float(np.median(along[along > 0])) / found.sum()
    if thickness > max(2, 0.02 * height):
        return nothing
    reach = int(np.ceil(thickness)) + 1
    lines = dilate(lines, 2 * reach - 1, 1) & mask
    return lines & ~open_runs(mask, 2 * reach + 2, axis=0), int(found.sum()), thickness


def _longest_gap(mask: np.ndarray) -> int:
    """Return the number of columns without a pixel between two that have one, or between one and an edge."""
    filled = np.flatnonzero(mask.any(axis=0))
    return int(np.diff(filled, prepend=-1, append=mask.shape[1]).max()) - 1

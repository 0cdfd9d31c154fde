"""Where what is written stands: components of ink, gathered into rows that are read from left to right."""

from __future__ import annotations

import numpy as np

from skconv.digits.preprocess.cleaning import stroke_width
from skconv.digits.preprocess.morphology import Components

FAR = 4.0  # heights of a component that it may stand away from its row
HOLLOW = 0.1  # of the box of a frame is ink, at most
SOLID = 2.5  # widths of a stroke; what is thicker is an area
SMALLEST_AREA = 30  # pixels; less is not worth measuring
BROKEN_GAP = 0.12  # of the height of two halves, one above the other, that may be one digit
SMALLEST_SPECK = 0.1  # of a row's height, across and down: smaller ink is not even a dot


def find_areas(components: Components) -> np.ndarray:
    """Tell what was never written: a shadow's corner, a finger, the table's edge.

    Parameters
    ----------
    components : Components

    Returns
    -------
    ndarray of bool, shape (n,)
        True for components that are far thicker than the strokes of the others.
    """
    if len(components.areas) == 0:
        return np.zeros(0, bool)
    widths = np.ones(len(components.areas))
    for k in np.flatnonzero(components.areas >= SMALLEST_AREA):
        left, top, right, bottom = components.boxes[k]
        widths[k] = stroke_width(components.labels[top:bottom, left:right] == k + 1)
    # Weighed by length, because an area has much ink in few strokes; a frame, or the lines of a page, count little.
    sides = components.boxes[:, 2:] - components.boxes[:, :2]
    is_hollow = components.areas < HOLLOW * sides.prod(axis=1)  # digits that all touch fill their box far more
    is_frame = (sides > 0.6 * np.array(components.labels.shape[::-1])).all(axis=1) & is_hollow
    lengths = components.areas / widths * np.where(is_frame, 0.01, 1)
    return widths > SOLID * weighted_median(widths, lengths)


def find_rows(components: Components) -> list[list[int]]:
    """Gather components into the rows in which they were written.

    Neighbours that overlap by half their height are in one row, so a row may climb or fall across the page. Small
    parts, dots and broken-off strokes, go to the row nearest to them; specks belong to none.

    Parameters
    ----------
    components : Components
        Those that `find_areas` finds are left out.

    Returns
    -------
    list of list of int
        Positions of the components of each row, rows from top to bottom.
    """
    if len(components.areas) == 0:
        return []
    boxes, heights = components.boxes, components.heights
    written = ~find_areas(components)
    usual = weighted_median(heights[written], components.areas[written])
    is_tall = written & (heights >= 0.45 * usual) & (heights <= 3.5 * usual)
    rows = _merge_rows(_link_neighbours(boxes, [int(k) for k in np.argsort(boxes[:, 0]) if is_tall[k]]), boxes)
    owners = np.concatenate([np.full(len(row), number) for number, row in enumerate(rows)])
    tall = boxes[np.concatenate(rows)]
    for small in np.flatnonzero(written & (heights < 0.45 * usual)):
        nearest = _find_nearest(boxes[small], tall)
        if nearest is not None:
            rows[owners[nearest]].append(int(small))
    return sorted(rows, key=lambda row: float(np.median(boxes[row][:, [1, 3]])))


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the value below which half of the weight lies."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _link_neighbours(boxes: np.ndarray, tall: list[int]) -> list[list[int]]:
    """Chain components, given from left to right, each to the row whose end it continues best."""
    rows: list[list[int]] = []
    ends = np.empty((len(tall), 3), int)  # top and bottom of the last of each row, and the right end of all
    for k in tall:
        left, top, right, bottom = boxes[k]
        known = ends[: len(rows)]
        common = np.minimum(bottom, known[:, 1]) - np.maximum(top, known[:, 0])
        shares = common / np.minimum(bottom - top, known[:, 1] - known[:, 0])
        shares[left - known[:, 2] > FAR * (bottom - top)] = 0
        best = int(shares.argmax()) if rows else 0
        if rows and shares[best] >= 0.5:
            rows[best].append(k)
            right = max(right, known[best, 2])
        else:
            best = len(rows)
            rows.append([k])
        ends[best] = top, bottom, right
    return rows


def _merge_rows(rows: list[list[int]], boxes: np.ndarray) -> list[list[int]]:
    """Join rows that continue each other after a wide gap, and a half of a digit with the other half."""
    merged: list[list[int]] = []
    middles: list[np.ndarray] = []
    for row in sorted(rows, key=len, reverse=True):
        middle = np.median(boxes[row], axis=0)
        shares = _overlap(np.array(middles), middle) if middles else np.zeros(0)
        home = int(shares.argmax()) if middles and shares.max() >= 0.6 else None
        if home is None and len(row) == 1:
            home = next((n for n, other in enumerate(merged) if _is_half(boxes[row[0]], boxes[other])), None)
        if home is None:
            merged.append(list(row))
            middles.append(middle)
        else:
            merged[home].extend(row)
    return merged


def _is_half(part: np.ndarray, others: np.ndarray) -> bool:
    """Tell whether a box stands right above or below one of the others, as the half of a broken digit does."""
    gaps = np.maximum(part[1], others[:, 1]) - np.minimum(part[3], others[:, 3])
    heights = np.maximum(part[3], others[:, 3]) - np.minimum(part[1], others[:, 1])
    beside = _overlap(others[:, [1, 0, 3, 2]], part[[1, 0, 3, 2]])
    return bool(((gaps <= BROKEN_GAP * heights) & (beside >= 0.6)).any())


def _overlap(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return, for each box, the share of the lower one's height that it and another have in common."""
    common = np.minimum(boxes[:, 3], box[3]) - np.maximum(boxes[:, 1], box[1])
    return common / np.minimum(boxes[:, 3] - boxes[:, 1], box[3] - box[1])


def _find_nearest(box: np.ndarray, tall: np.ndarray) -> int | None:
    """Return which tall box a small part belongs to; None for specks, and where all are too far away."""
    apart = np.maximum(0, np.maximum(tall[:, :2] - box[2:], box[:2] - tall[:, 2:]))
    heights = tall[:, 3] - tall[:, 1]
    distances = np.maximum(apart[:, 0] / 2.5, apart[:, 1]) / heights
    nearest = int(distances.argmin())
    is_speck = max(box[2:] - box[:2]) < SMALLEST_SPECK * heights[nearest]
    return None if is_speck or distances[nearest] >= 0.6 else nearest

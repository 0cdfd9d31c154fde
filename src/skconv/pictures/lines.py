"""Where what is written stands: components of ink, gathered into rows that are read from left to right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from skconv.pictures.cleaning import EVERY_NEIGHBOUR, stroke_width

SOLID = 2.5  # widths of a stroke; what is thicker is an area
SMALLEST_AREA = 30  # pixels; less is not worth measuring
BROKEN_GAP = 0.12  # of the height of two halves, one above the other, that may be one digit
SMALLEST_SPECK = 0.1  # of a row's height, across and down: smaller ink is not even a dot


@dataclass(frozen=True)
class Components:
    """The connected parts of the ink of a picture.

    Parameters
    ----------
    labels : ndarray of int32, shape (h, w)
        0 for paper, k + 1 for component k.
    boxes : ndarray of int, shape (n, 4)
        Left, top, right, bottom of each, right and bottom exclusive.
    areas : ndarray of int, shape (n,)
        Pixels of each.
    """

    labels: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray

    @property
    def heights(self) -> np.ndarray:
        """Height of each component in pixels, shape (n,)."""
        return self.boxes[:, 3] - self.boxes[:, 1]


def find_components(mask: np.ndarray) -> Components:
    """Return the connected parts of a mask, bool (h, w); touching by a corner is connected."""
    labels, count = ndimage.label(mask, EVERY_NEIGHBOUR)
    boxes = [(x.start, y.start, x.stop, y.stop) for y, x in ndimage.find_objects(labels)]
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    return Components(labels, np.array(boxes, int).reshape(-1, 4), areas)


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
    # Weighed by length, because an area has much ink in few strokes.
    return widths > SOLID * weighted_median(widths, components.areas / widths)


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
    for small in np.flatnonzero(written & (heights < 0.45 * usual)):
        nearest = _find_nearest(boxes[small], rows, boxes)
        if nearest is not None:
            nearest.append(int(small))
    return sorted(rows, key=lambda row: float(np.median(boxes[row][:, [1, 3]])))


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the value below which half of the weight lies."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _link_neighbours(boxes: np.ndarray, tall: list[int]) -> list[list[int]]:
    """Chain components, given from left to right, each to the row whose end it continues best."""
    rows: list[list[int]] = []
    for k in tall:
        shares = [max(_overlap(boxes[k], boxes[other]) for other in row[-2:]) for row in rows]
        ends = [boxes[row][:, 2].max() for row in rows]
        far = 4 * (boxes[k][3] - boxes[k][1])
        fitting = [i for i, share in enumerate(shares) if share >= 0.5 and boxes[k][0] - ends[i] <= far]
        if fitting:
            rows[max(fitting, key=lambda i: shares[i])].append(k)
        else:
            rows.append([k])
    return rows


def _merge_rows(rows: list[list[int]], boxes: np.ndarray) -> list[list[int]]:
    """Join rows that continue each other after a wide gap, or that stand within each other's height."""
    merged: list[list[int]] = []
    for row in sorted(rows, key=len, reverse=True):
        home = next((other for other in merged if _is_same_row(row, other, boxes)), None)
        if home is None:
            merged.append(list(row))
        else:
            home.extend(row)
    return merged


def _is_same_row(row: list[int], other: list[int], boxes: np.ndarray) -> bool:
    """Tell whether two rows stand within each other's height, or one is a half broken off the other."""
    if _overlap(np.median(boxes[row], axis=0), np.median(boxes[other], axis=0)) >= 0.6:
        return True
    if len(row) > 1:
        return False
    part = boxes[row[0]]
    for box in boxes[other]:
        gap = max(part[1], box[1]) - min(part[3], box[3])
        tall = max(part[3], box[3]) - min(part[1], box[1])
        if gap <= BROKEN_GAP * tall and _overlap(part[[1, 0, 3, 2]], box[[1, 0, 3, 2]]) >= 0.6:
            return True
    return False


def _overlap(box: np.ndarray, other: np.ndarray) -> float:
    """Return the share of the smaller box's height that two boxes have in common."""
    common = min(box[3], other[3]) - max(box[1], other[1])
    return float(common / max(1, min(box[3] - box[1], other[3] - other[1])))


def _find_nearest(box: np.ndarray, rows: list[list[int]], boxes: np.ndarray) -> list[int] | None:
    """Return the row that a small part belongs to: a part of the nearest component's height away at most."""
    best, nearest = 0.6, None
    for row in rows:
        others = boxes[row]
        apart = np.maximum(0, np.maximum(others[:, :2] - box[2:], box[:2] - others[:, 2:]))
        heights = others[:, 3] - others[:, 1]
        distance = float((np.maximum(apart[:, 0] / 2.5, apart[:, 1]) / heights).min())
        if max(box[2:] - box[:2]) >= SMALLEST_SPECK * np.median(heights) and distance < best:
            best, nearest = distance, row
    return nearest

"""Page layout: connected components of the ink, without ruled lines and shadows, grouped into rows."""

from __future__ import annotations

import numpy as np

from skconv.digits.preprocess.background import find_printed_strokes
from skconv.digits.preprocess.cleaning import find_ruled_lines
from skconv.digits.preprocess.morphology import Components, dilate, find_components, find_connected_ink, stroke_width

MIN_INK, MIN_CORE = 0.4, 0.65  # stroke values: pixels of a component, and the max that each component must reach
MAX_SHADOW_WIDTH = 3.0  # stroke widths; wider structures are shadows
MIN_PAGE_HEIGHT = 250  # pixels; in a lower strip vertical lines are ones, not squared paper
MAX_ROW_GAP = 4.0  # component heights between neighbours of a row
MAX_FRAME_FILL = 0.1  # share of ink in the box of a frame
MAX_AREA_WIDTH = 2.5  # multiple of the median stroke width; thicker components are areas
MIN_AREA = 30  # pixels; smaller components are too small to measure the stroke width
MAX_BREAK_GAP = 0.12  # of the height of two halves of one digit, one above the other
MIN_MARK = 0.1  # of the row's height; smaller components are specks


def find_ink(image: np.ndarray) -> tuple[np.ndarray, Components]:
    """Return the strokes of a strip or page, as `find_strokes` does, and their connected components.

    Ruled lines and dark areas such as shadows are removed. Parameters and errors are those of `find_strokes`.
    """
    strokes = _erase_lines(find_printed_strokes(image))
    components = find_connected_ink(strokes, MIN_INK, MIN_CORE)
    areas = find_areas(components)
    if not areas.any():
        return strokes, components
    # Removing wide structures recovers strokes inside the areas; erase what remains of the areas.
    pen = stroke_width(components.make_mask(~areas))
    strokes = _erase_lines(find_printed_strokes(image, max_width=round(MAX_SHADOW_WIDTH * pen)))
    rest = find_components((strokes >= MIN_INK) & components.make_mask(areas))
    tips = rest.make_mask(rest.touch_border())  # the tips of a dark corner are as narrow as strokes
    strokes = np.where(dilate(tips, 3, 3), np.float32(0), strokes)
    return strokes, find_connected_ink(strokes, MIN_INK, MIN_CORE)


def find_areas(components: Components) -> np.ndarray:
    """Return which components are dark areas, such as a shadow, a finger or the edge of the table, bool (n,).

    Areas are far thicker than the strokes of the other components.
    """
    n = len(components.areas)
    if n == 0:
        return np.zeros(0, bool)
    widths = np.ones(n)
    for k in np.flatnonzero(components.areas >= MIN_AREA):
        left, top, right, bottom = components.boxes[k]
        widths[k] = stroke_width(components.labels[top:bottom, left:right] == k + 1)
    # Weighting by length reduces the influence of areas, which are short and thick; frames and the lines of a page are
    # long and get a small weight. Touching digits fill far more of their box than a frame.
    sizes = components.boxes[:, 2:] - components.boxes[:, :2]
    is_hollow = components.areas < MAX_FRAME_FILL * sizes.prod(axis=1)
    is_frame = (sizes > 0.6 * np.array(components.labels.shape[::-1])).all(axis=1) & is_hollow
    lengths = components.areas / widths * np.where(is_frame, 0.01, 1)
    return widths > MAX_AREA_WIDTH * weighted_median(widths, lengths)


def find_rows(components: Components) -> list[list[int]]:
    """Group components into rows of text, which may be slanted.

    Neighbours that overlap vertically by half of their height are in one row. Small components such as dots and
    broken-off strokes are added to the nearest row; areas and specks are left out.

    Returns
    -------
    list of list of int
        Indices of the components of each row, rows from top to bottom.
    """
    if len(components.areas) == 0:
        return []
    boxes, heights = components.boxes, components.heights
    is_written = ~find_areas(components)
    typical = weighted_median(heights[is_written], components.areas[is_written])
    is_tall = is_written & (heights >= 0.45 * typical) & (heights <= 3.5 * typical)
    rows = _merge_rows(_link_neighbours(boxes, [int(k) for k in np.argsort(boxes[:, 0]) if is_tall[k]]), boxes)
    row_numbers = np.concatenate([np.full(len(row), number) for number, row in enumerate(rows)])
    tall = boxes[np.concatenate(rows)]
    for small in np.flatnonzero(is_written & (heights < 0.45 * typical)):
        nearest = _find_nearest(boxes[small], tall)
        if nearest is not None:
            rows[row_numbers[nearest]].append(int(small))
    return sorted(rows, key=lambda row: float(np.median(boxes[row][:, [1, 3]])))


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the smallest value at which the cumulative weight reaches half of the total."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _erase_lines(strokes: np.ndarray) -> np.ndarray:
    mask = strokes >= MIN_INK
    lines = find_ruled_lines(mask, stroke_width(mask))
    if min(mask.shape) >= MIN_PAGE_HEIGHT:
        lines |= find_ruled_lines(mask.T, stroke_width(mask)).T
    return np.where(lines, np.float32(0), strokes)


def _link_neighbours(boxes: np.ndarray, tall: list[int]) -> list[list[int]]:
    """Append each component, from left to right, to the row whose end it overlaps most, or start a row with it."""
    rows: list[list[int]] = []
    ends = np.empty((len(tall), 3), int)  # top and bottom of the last component of each row, right end of the row
    for k in tall:
        left, top, right, bottom = boxes[k]
        row_ends = ends[: len(rows)]
        common = np.minimum(bottom, row_ends[:, 1]) - np.maximum(top, row_ends[:, 0])
        overlaps = common / np.minimum(bottom - top, row_ends[:, 1] - row_ends[:, 0])
        overlaps[left - row_ends[:, 2] > MAX_ROW_GAP * (bottom - top)] = 0
        best = int(overlaps.argmax()) if rows else 0
        if rows and overlaps[best] >= 0.5:
            rows[best].append(k)
            right = max(right, row_ends[best, 2])
        else:
            best = len(rows)
            rows.append([k])
        ends[best] = top, bottom, right
    return rows


def _merge_rows(rows: list[list[int]], boxes: np.ndarray) -> list[list[int]]:
    """Merge rows that continue each other after a wide gap, and single components that are half of a digit."""
    merged: list[list[int]] = []
    medians: list[np.ndarray] = []
    for row in sorted(rows, key=len, reverse=True):
        median = np.median(boxes[row], axis=0)
        overlaps = _measure_overlap(np.array(medians), median) if medians else np.zeros(0)
        target = int(overlaps.argmax()) if medians and overlaps.max() >= 0.6 else None
        if target is None and len(row) == 1:
            target = next((n for n, other in enumerate(merged) if _is_half(boxes[row[0]], boxes[other])), None)
        if target is None:
            merged.append(list(row))
            medians.append(median)
        else:
            merged[target].extend(row)
    return merged


def _is_half(part: np.ndarray, others: np.ndarray) -> bool:
    """Return whether a box is directly above or below one of the others, like the half of a broken digit."""
    gaps = np.maximum(part[1], others[:, 1]) - np.minimum(part[3], others[:, 3])
    heights = np.maximum(part[3], others[:, 3]) - np.minimum(part[1], others[:, 1])
    horizontal = _measure_overlap(others[:, [1, 0, 3, 2]], part[[1, 0, 3, 2]])
    return bool(((gaps <= MAX_BREAK_GAP * heights) & (horizontal >= 0.6)).any())


def _measure_overlap(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the vertical overlap of each box with another, as a share of the lower height."""
    common = np.minimum(boxes[:, 3], box[3]) - np.maximum(boxes[:, 1], box[1])
    return common / np.minimum(boxes[:, 3] - boxes[:, 1], box[3] - box[1])


def _find_nearest(box: np.ndarray, tall: np.ndarray) -> int | None:
    """Return the index of the tall box nearest to a small one; None for specks and if all are too far away."""
    gaps = np.maximum(0, np.maximum(tall[:, :2] - box[2:], box[:2] - tall[:, 2:]))
    heights = tall[:, 3] - tall[:, 1]
    distances = np.maximum(gaps[:, 0] / 2.5, gaps[:, 1]) / heights
    nearest = int(distances.argmin())
    is_speck = max(box[2:] - box[:2]) < MIN_MARK * heights[nearest]
    return None if is_speck or distances[nearest] >= 0.6 else nearest

"""Segmentation of handwritten numbers: lines of an image, cuts and candidate digits of each line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skconv.digits.ocr.cuts import MIN_INK, Box, Ink, cut_ink, extract_component
from skconv.digits.preprocess.background import find_printed_strokes
from skconv.digits.preprocess.cleaning import find_ruled_lines
from skconv.digits.preprocess.morphology import Components, dilate, find_components, find_connected_ink, stroke_width
from skconv.digits.preprocess.normalization import BOX, MAX_PEN, MIN_PEN, normalize_strokes

MIN_CORE = 0.65  # high threshold of the hysteresis; components without a pixel this dark are dropped
MAX_SHADOW_WIDTH = 3.0  # in stroke widths; wider structures are shadows
MIN_PAGE_HEIGHT = 250  # pixels; in images of smaller height, vertical lines are not removed, because they may be a 1
MAX_ROW_GAP = 4.0  # maximum gap between neighbours in a row, as a multiple of the component's height
MAX_FRAME_FILL = 0.1  # maximum fraction of ink in the box of a frame
MAX_AREA_WIDTH = 2.5  # multiple of the median stroke width; thicker components are dark areas
MIN_AREA = 30  # pixels; the stroke width of smaller components cannot be measured
MAX_BREAK_GAP = 0.12  # maximum gap between the upper and lower half of a broken digit, as a fraction of its height
MIN_MARK = 0.1  # fraction of the row's height; smaller components are specks
MAX_COMPONENTS = 100  # with more, stroke widths are not normalised, to save time; a page of numbers has fewer
MAX_PIECES = 6  # maximum number of pieces of a digit
MAX_PART_GAP = 0.15  # maximum gap between a digit and a broken-off part, as a fraction of the row's height
OVERLAP_BOND = 2.0  # added to the connection of two pieces, one above the other; in stroke widths
MIN_DIGIT_HEIGHT = 0.33  # fraction of the row's height; lower components are marks or broken-off parts
MAX_WIDTH = 1.5  # width of a candidate of several pieces, as a fraction of the row's height


@dataclass(frozen=True)
class Candidate:
    """Candidate digit: the ink between two cuts of a line."""

    start: int  # index of the cut on the left
    stop: int  # index of the cut on the right
    box: Box
    digit: np.ndarray  # uint8 (28, 28), normalised as by `normalize_digit`
    height: float  # relative to the digits of the line: about 1 for a digit, far less for a comma
    sink: float  # distance of the centre below that of the line, in digit heights: about 0 for a digit, 0.4 for a comma


@dataclass(frozen=True)
class Mark:
    """A comma, dot, dash or speck."""

    position: int  # number of preceding pieces (in a `Line`) or characters (in a `NumberReading`)
    box: Box


@dataclass(frozen=True)
class Line:
    """Line of handwritten numbers: cuts, and candidate digits between them."""

    cuts: tuple[int, ...]  # left end of each piece, and right end of the last piece, in pixels
    candidates: tuple[Candidate, ...]  # all sequences of neighbouring pieces that may be a digit
    marks: tuple[Mark, ...]  # components that are too small for a digit
    bonds: tuple[float, ...]  # bond of the pieces on both sides of each inner cut, see `_measure_bond`


def find_lines(image: np.ndarray) -> tuple[Line, ...]:
    """Return the lines of handwritten numbers in an image, from top to bottom, and the candidate digits of each.

    Image and errors are those of `find_strokes`.

    Examples
    --------
    >>> paper = np.full((60, 200), 230, np.uint8)
    >>> paper[10:50, 20:26] = paper[10:50, 60:66] = 30
    >>> (line,) = find_lines(paper)
    >>> [(candidate.start, candidate.stop, candidate.box) for candidate in line.candidates]
    [(0, 1, (20, 10, 26, 50)), (1, 2, (60, 10, 66, 50))]
    """
    strokes, components = find_ink(image)
    pen = stroke_width(components.labels > 0)
    factor = -(-image.shape[0] // strokes.shape[0])
    return tuple(make_line(strokes, components, row, pen, factor=factor) for row in find_rows(components))


def find_ink(image: np.ndarray) -> tuple[np.ndarray, Components]:
    """Return the strokes of a line or page, without ruled lines and shadows, and their connected components."""
    strokes = _erase_lines(find_printed_strokes(image))
    components = find_connected_ink(strokes, MIN_INK, MIN_CORE)
    areas = find_areas(components)
    if not areas.any():
        return strokes, components
    # Remove wide structures to recover the strokes inside the areas; then erase the rest of the areas.
    pen = stroke_width(components.make_mask(~areas))
    strokes = _erase_lines(find_printed_strokes(image, max_width=round(MAX_SHADOW_WIDTH * pen)))
    rest = find_components((strokes >= MIN_INK) & components.make_mask(areas))
    tips = rest.make_mask(rest.touch_border())  # the ends of a dark corner, which are as narrow as strokes
    strokes = np.where(dilate(tips, 3, 3), np.float32(0), strokes)
    return strokes, find_connected_ink(strokes, MIN_INK, MIN_CORE)


def find_areas(components: Components) -> np.ndarray:
    """Return a mask, bool (n,), of the components that are dark areas: a shadow, a finger or the edge of a table."""
    n = len(components.areas)
    if n == 0:
        return np.zeros(0, bool)
    widths = np.ones(n)
    for k in np.flatnonzero(components.areas >= MIN_AREA):
        left, top, right, bottom = components.boxes[k]
        widths[k] = stroke_width(components.labels[top:bottom, left:right] == k + 1)
    # The median width is weighted by length, because filled regions are short and thick. Frames and the lines of a page
    # are long, but have a small weight. Touching digits fill far more of their box than a frame.
    sizes = components.boxes[:, 2:] - components.boxes[:, :2]
    is_hollow = components.areas < MAX_FRAME_FILL * sizes.prod(axis=1)
    is_frame = (sizes > 0.6 * np.array(components.labels.shape[::-1])).all(axis=1) & is_hollow
    lengths = components.areas / widths * np.where(is_frame, 0.01, 1)
    return widths > MAX_AREA_WIDTH * _weighted_median(widths, lengths)


def find_rows(components: Components) -> list[list[int]]:
    """Return the indices of the components of each row of text, from top to bottom; rows may be slanted.

    Neighbours that overlap vertically by at least half of the smaller height belong to the same row. Small components,
    such as dots and broken-off strokes, are added to the nearest row. Dark areas and specks are excluded.
    """
    if len(components.areas) == 0:
        return []
    boxes, heights = components.boxes, components.heights
    is_written = ~find_areas(components)
    typical = _weighted_median(heights[is_written], components.areas[is_written])
    is_tall = is_written & (heights >= 0.45 * typical) & (heights <= 3.5 * typical)
    rows = _merge_rows(_link_neighbours(boxes, [int(k) for k in np.argsort(boxes[:, 0]) if is_tall[k]]), boxes)
    row_numbers = np.concatenate([np.full(len(row), number) for number, row in enumerate(rows)])
    tall = boxes[np.concatenate(rows)]
    for small in np.flatnonzero(is_written & (heights < 0.45 * typical)):
        nearest = _find_nearest(boxes[small], tall)
        if nearest is not None:
            rows[row_numbers[nearest]].append(int(small))
    return sorted(rows, key=lambda row: float(np.median(boxes[row][:, [1, 3]])))


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.quantile(values, 0.5, weights=weights, method="inverted_cdf"))


def _erase_lines(strokes: np.ndarray) -> np.ndarray:
    mask = strokes >= MIN_INK
    lines = find_ruled_lines(mask, stroke_width(mask))
    if min(mask.shape) >= MIN_PAGE_HEIGHT:
        lines |= find_ruled_lines(mask.T, stroke_width(mask)).T
    return np.where(lines, np.float32(0), strokes)


def _link_neighbours(boxes: np.ndarray, tall: list[int]) -> list[list[int]]:
    """Append components, from left to right, to the row whose last component overlaps most, or to a new row."""
    rows: list[list[int]] = []
    ends = np.empty((len(tall), 3), int)  # per row: top and bottom of its last component, right end of the row
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
    """Merge rows that are parts of one row with a wide gap, and single components that are half of a digit."""
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
    """Return whether a box is directly above or below one of the others, as half of a broken digit is."""
    gaps = np.maximum(part[1], others[:, 1]) - np.minimum(part[3], others[:, 3])
    heights = np.maximum(part[3], others[:, 3]) - np.minimum(part[1], others[:, 1])
    horizontal = _measure_overlap(others[:, [1, 0, 3, 2]], part[[1, 0, 3, 2]])
    return bool(((gaps <= MAX_BREAK_GAP * heights) & (horizontal >= 0.6)).any())


def _measure_overlap(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Return the vertical overlap of each box with another, as a fraction of the smaller height."""
    common = np.minimum(boxes[:, 3], box[3]) - np.maximum(boxes[:, 1], box[1])
    return common / np.minimum(boxes[:, 3] - boxes[:, 1], box[3] - box[1])


def _find_nearest(box: np.ndarray, tall: np.ndarray) -> int | None:
    """Return the index of the tall box nearest to a small box; None if the small box is a speck or too far away."""
    gaps = np.maximum(0, np.maximum(tall[:, :2] - box[2:], box[:2] - tall[:, 2:]))
    heights = tall[:, 3] - tall[:, 1]
    distances = np.maximum(gaps[:, 0] / 2.5, gaps[:, 1]) / heights
    nearest = int(distances.argmin())
    is_speck = max(box[2:] - box[:2]) < MIN_MARK * heights[nearest]
    return None if is_speck or distances[nearest] >= 0.6 else nearest


def make_line(
    strokes: np.ndarray,
    components: Components,
    row: list[int],
    pen: float,
    *,
    height: float | None = None,
    factor: int = 1,
) -> Line:
    """Return the cuts and candidates of one line: the components `row` of the strokes, float32 (h, w).

    The stroke width `pen` and the `height` of the digits, by default their median, are in pixels. The image was reduced
    by `factor` to the strokes.
    """
    if height is None:
        height = _weighted_median(components.heights[row], components.areas[row])
    is_tall = components.heights[row] >= MIN_DIGIT_HEIGHT * height
    inks = [extract_component(strokes, components, k) for k in row]
    pieces = [piece for ink, tall in zip(inks, is_tall, strict=True) if tall for piece in cut_ink(ink, pen, height)]
    pieces.sort(key=lambda piece: piece.centre_of_mass)
    small = [ink for ink, tall in zip(inks, is_tall, strict=True) if not tall and min(ink.strokes.shape) >= pen / 2]
    centres = np.array([piece.centre_of_mass for piece in pieces])
    marks = [Mark(int((centres < ink.centre_of_mass).sum()), ink.scale_box(factor)) for ink in small]
    normalize_width = not MIN_PEN <= BOX * pen / height <= MAX_PEN and len(components.areas) <= MAX_COMPONENTS
    centre_line = _fit_centre_line(pieces, height)
    candidates = []
    for start, stop, ink in _join_pieces(pieces, height):
        parts = [part for part in small if _is_part(part, ink, height)]
        for whole in [ink, *([ink.join(*parts)] if parts else [])]:
            digit = normalize_strokes(whole.strokes, normalize_width=normalize_width)
            column, centre = whole.centre
            sink = float((centre - np.polyval(centre_line, column)) / height)
            relative_height = len(whole.strokes) / height
            candidates.append(Candidate(start, stop, whole.scale_box(factor), digit, relative_height, sink))
    edges = [piece.left for piece in pieces] + [max(piece.right for piece in pieces)]
    bonds = [_measure_bond(piece, other, pen, height) for piece, other in pairwise(pieces)]
    return Line(tuple(edge * factor for edge in edges), tuple(candidates), tuple(marks), tuple(bonds))


def _fit_centre_line(pieces: list[Ink], height: float) -> np.ndarray:
    """Fit a constant or linear polynomial to the vertical centres of a row's tall pieces."""
    tall = [piece for piece in pieces if len(piece.strokes) >= 0.7 * height] or pieces
    columns, centres = np.array([piece.centre for piece in tall]).T
    if len(tall) < 4 or np.ptp(columns) < 3 * height:
        return np.array([np.median(centres)])
    return np.polyfit(columns, centres, 1)


def _join_pieces(pieces: list[Ink], height: float) -> Iterator[tuple[int, int, Ink]]:
    """Yield all sequences of neighbouring pieces that may be one digit, as (start, stop, ink) with indices of cuts."""
    for start, piece in enumerate(pieces):
        yield start, start + 1, piece
        ink = piece
        for stop in range(start + 2, min(len(pieces), start + MAX_PIECES) + 1):
            following = pieces[stop - 1]
            both_tall = min(len(pieces[stop - 2].strokes), len(following.strokes)) > 0.6 * height
            if ink.measure_gap(following) > (0.12 if both_tall else 0.25) * height:
                break
            ink = ink.join(following)
            if ink.strokes.shape[1] > MAX_WIDTH * height:
                break
            yield start, stop, ink


def _measure_bond(piece: Ink, other: Ink, pen: float, height: float) -> float:
    """Return the strength of the connection between two neighbouring pieces.

    For touching pieces, it is their contact in stroke widths, plus a term if one piece is above the other. For separate
    pieces, it is the negative gap in row heights.
    """
    gap = piece.measure_gap(other)
    contact = piece.measure_contact(other) if gap == 0 else 0.0
    if contact <= 0.5:
        return -gap / height
    overlap = min(piece.right, other.right) - max(piece.left, other.left)
    narrower = min(piece.right - piece.left, other.right - other.left)
    return contact / pen + OVERLAP_BOND * max(0.0, overlap / narrower - 0.3)


def _is_part(part: Ink, ink: Ink, height: float) -> bool:
    """Return whether a small component may be part of a digit: close to it, but not beside its foot like a comma."""
    below = part.centre[1] > ink.top + 0.75 * len(ink.strokes)
    beside = part.left >= ink.right or part.right <= ink.left
    return ink.measure_gap(part) <= MAX_PART_GAP * height and not (below and beside)

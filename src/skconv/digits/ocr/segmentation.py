"""A strip or a page with numbers → lines; a line → places to cut, and every candidate between them as 28×28."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skconv.digits.ocr.cuts import cut_component
from skconv.digits.ocr.lines import find_areas, find_rows, weighted_median
from skconv.digits.ocr.printed import find_ruled_lines, find_writing
from skconv.digits.preprocess.cleaning import stroke_width
from skconv.digits.preprocess.morphology import Components, dilate, find_components
from skconv.digits.preprocess.normalization import BOX, THICKEST, THINNEST, normalize_strokes

Box = tuple[int, int, int, int]

INK = 0.4  # what is fainter neither joins two parts nor is one
CLEAR_INK = 0.65  # that a stroke reaches somewhere
SHADOW = 3.0  # widths of a stroke; what is wider is taken for a shadow
SMALLEST_PAGE = 250  # pixels; in a lower strip what is upright is a 1, not squared paper
MOST_COMPONENTS = 100  # in an image whose pen is thickened or thinned
MOST_PIECES = 6  # that one digit may be broken or cut into
BROKEN_GAP = 0.15  # of the row's height, between a digit and what may be broken off it
ABOVE = 2.0  # widths of the pen that it counts, in a bond, if one piece stands wholly above the other
SMALLEST_DIGIT = 0.33  # of the row's height; what is lower is a mark, or broken off a digit
WIDEST = 1.5  # widths of a candidate of several pieces, in heights of the row
SMALLEST_PIECE = 0.03  # of a component's ink; less is cut off with its neighbour


@dataclass(frozen=True)
class Candidate:
    """Ink between two cuts that may be one digit.

    Parameters
    ----------
    start, stop : int
        The cuts, of the line's, between which it lies.
    box : (int, int, int, int)
        Left, top, right, bottom in pixels of the image, right and bottom exclusive.
    digit : ndarray of uint8, shape (28, 28)
        Normalised as `normalize_digit` does it.
    height : float
        Its height in heights of the line's digits: about 1 for a digit, far less for a comma.
    sink : float
        How much lower its middle is than the line's, in the same unit: about 0 for a digit, 0.4 for a comma.
    """

    start: int
    stop: int
    box: Box
    digit: np.ndarray
    height: float
    sink: float


@dataclass(frozen=True)
class Mark:
    """Ink that is no digit: a comma, a dot, a dash, a speck.

    Parameters
    ----------
    position : int
        How many of the line's cuts stand before it; in a `Reading`, how many characters of its text.
    box : (int, int, int, int)
        Left, top, right, bottom in pixels of the image.
    """

    position: int
    box: Box


@dataclass(frozen=True)
class Line:
    """One row of an image: pieces of ink in reading order, and what they may be together.

    Parameters
    ----------
    cuts : tuple of int
        Where the pieces begin, in pixels from the left, and where the last one ends.
    candidates : tuple of Candidate
        Every run of pieces that may be a digit.
    marks : tuple of Mark
        What is too small for a digit.
    bonds : tuple of float
        For each cut between two pieces how much holds them together: the ink that joins them in widths of the pen,
        more where one stands above the other; where there is none, the gap in heights of the row, negative.
    """

    cuts: tuple[int, ...]
    candidates: tuple[Candidate, ...]
    marks: tuple[Mark, ...]
    bonds: tuple[float, ...]


def find_lines(image: np.ndarray) -> tuple[Line, ...]:
    """Find the lines of an image of handwritten numbers, and in each the candidates for its digits.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w), (h, w, 1) or (h, w, 3)
        A strip or a page, dark on light or light on dark.

    Returns
    -------
    tuple of Line
        From top to bottom; empty where nothing is written.

    Raises
    ------
    DataError
        The array is not one uint8 image.

    Examples
    --------
    >>> paper = np.full((60, 200), 230, np.uint8)
    >>> paper[10:50, 20:26] = paper[10:50, 60:66] = 30
    >>> (line,) = find_lines(paper)
    >>> [(candidate.start, candidate.stop, candidate.box) for candidate in line.candidates]
    [(0, 1, (20, 10, 26, 50)), (1, 2, (60, 10, 66, 50))]
    """
    strokes = _take_lines_away(find_writing(image))
    components = _find_inked(strokes)
    areas = find_areas(components)
    if areas.any():
        strokes = _take_areas_away(image, components, areas)
        components = _find_inked(strokes)
    pen = stroke_width(components.labels > 0)
    factor = -(-image.shape[0] // strokes.shape[0])
    return tuple(_make_line(strokes, components, row, pen, factor) for row in find_rows(components))


def _find_inked(strokes: np.ndarray) -> Components:
    """Return the components of the ink; what is faint all over, as the lines of a page, is none."""
    components = find_components(strokes >= INK)
    inked = np.zeros(len(components.areas) + 1, bool)
    inked[components.labels[strokes >= CLEAR_INK]] = True
    inked[0] = False
    return components if inked[1:].all() else find_components(inked[components.labels])


def _take_areas_away(image: np.ndarray, components: Components, areas: np.ndarray) -> np.ndarray:
    """Look for strokes again, also inside what was found to be areas; nothing is left of the areas themselves."""
    pen = stroke_width(np.append(False, ~areas)[components.labels])
    strokes = _take_lines_away(find_writing(image, widest=round(SHADOW * pen)))
    # The tips of a corner are as narrow as a stroke; they touch the border.
    again = find_components((strokes >= INK) & np.append(False, areas)[components.labels])
    tips = np.append(False, again.find_outside())[again.labels]
    return np.where(dilate(tips, 3, 3), np.float32(0), strokes)


def _take_lines_away(strokes: np.ndarray) -> np.ndarray:
    mask = strokes >= INK
    lines = find_ruled_lines(mask, stroke_width(mask))
    if min(mask.shape) >= SMALLEST_PAGE:
        lines |= find_ruled_lines(mask.T, stroke_width(mask)).T
    return np.where(lines, np.float32(0), strokes)


def _make_line(strokes: np.ndarray, components: Components, row: list[int], pen: float, factor: int) -> Line:
    height = weighted_median(components.heights[row], components.areas[row])
    is_tall = components.heights[row] >= SMALLEST_DIGIT * height
    inks = [_take_ink(strokes, components, k) for k in row]
    pieces = [piece for ink, tall in zip(inks, is_tall, strict=True) if tall for piece in _cut(ink, pen, height)]
    pieces.sort(key=_find_middle)
    small = [ink for ink, tall in zip(inks, is_tall, strict=True) if not tall and min(ink.strokes.shape) >= pen / 2]
    middles = np.array([_find_middle(piece) for piece in pieces])
    marks = [Mark(int((middles < _find_middle(ink)).sum()), ink.scale_box(factor)) for ink in small]
    # Of a page full of ink no digit is brought to another pen: that takes long, and it is no page of numbers.
    unusual = not THINNEST <= BOX * pen / height <= THICKEST and len(components.areas) <= MOST_COMPONENTS
    row_middle = _fit_middle(pieces, height)
    candidates = []
    for start, stop, ink in _join_pieces(pieces, height):
        parts = [part for part in small if _belongs(part, ink, height)]
        for whole in [ink, *([ink.join(*parts)] if parts else [])]:
            digit = normalize_strokes(whole.strokes, bring_to_pen=unusual)
            low = ((whole.top + whole.bottom) / 2 - np.polyval(row_middle, (whole.left + whole.right) / 2)) / height
            tall = len(whole.strokes) / height
            candidates.append(Candidate(start, stop, whole.scale_box(factor), digit, tall, float(low)))
    edges = [piece.left for piece in pieces] + [max(piece.right for piece in pieces)]
    bonds = [_measure_bond(piece, other, pen, height) for piece, other in pairwise(pieces)]
    return Line(tuple(edge * factor for edge in edges), tuple(candidates), tuple(marks), tuple(bonds))


def _fit_middle(pieces: list[_Ink], height: float) -> np.ndarray:
    """Return the polynomial, level or straight, on which the middles of a row's tall pieces lie."""
    tall = [piece for piece in pieces if len(piece.strokes) >= 0.7 * height] or pieces
    columns = [(piece.left + piece.right) / 2 for piece in tall]
    middles = [(piece.top + piece.bottom) / 2 for piece in tall]
    if len(tall) < 4 or np.ptp(columns) < 3 * height:
        return np.array([np.median(middles)])
    return np.polyfit(columns, middles, 1)


def _join_pieces(pieces: list[_Ink], height: float) -> Iterator[tuple[int, int, _Ink]]:
    """Yield every run of neighbouring pieces that may be one digit, with the numbers of its cuts."""
    for start, piece in enumerate(pieces):
        yield start, start + 1, piece
        ink = piece
        for stop in range(start + 2, min(len(pieces), start + MOST_PIECES) + 1):
            following = pieces[stop - 1]
            both_tall = min(len(pieces[stop - 2].strokes), len(following.strokes)) > 0.6 * height
            if ink.measure_gap(following) > (0.12 if both_tall else 0.25) * height:
                break
            ink = ink.join(following)
            if ink.strokes.shape[1] > WIDEST * height:
                break
            yield start, stop, ink


def _measure_bond(piece: _Ink, other: _Ink, pen: float, height: float) -> float:
    gap = piece.measure_gap(other)
    if gap == 0:
        frame = piece.join(other)
        left, top = piece.left - frame.left, piece.top - frame.top
        around = np.zeros_like(frame.strokes)
        around[top : top + piece.strokes.shape[0], left : left + piece.strokes.shape[1]] = piece.strokes
        around = dilate(around, 3, 3)
        left, top = other.left - frame.left, other.top - frame.top
        around = around[top : top + other.strokes.shape[0], left : left + other.strokes.shape[1]]
        contact = float(np.minimum(around, other.strokes).sum())
        if contact > 0.5:
            common = min(piece.right, other.right) - max(piece.left, other.left)
            narrower = min(piece.right - piece.left, other.right - other.left)
            return contact / pen + ABOVE * max(0.0, common / narrower - 0.3)
    return -gap / height


def _belongs(part: _Ink, ink: _Ink, height: float) -> bool:
    """Tell whether a small part may be broken off a digit: near it, and not on the ground line as a comma is."""
    below = (part.top + part.bottom) / 2 > ink.top + 0.75 * len(ink.strokes)
    beside = part.left >= ink.right or part.right <= ink.left
    return ink.measure_gap(part) <= BROKEN_GAP * height and not (below and beside)


@dataclass(frozen=True)
class _Ink:
    """Some ink, alone, in the box around it."""

    left: int
    top: int
    strokes: np.ndarray

    @property
    def right(self) -> int:
        return self.left + self.strokes.shape[1]

    @property
    def bottom(self) -> int:
        return self.top + self.strokes.shape[0]

    def scale_box(self, factor: int) -> Box:
        return self.left * factor, self.top * factor, self.right * factor, self.bottom * factor

    def join(self, *others: _Ink) -> _Ink:
        inks = (self, *others)
        left, top = min(ink.left for ink in inks), min(ink.top for ink in inks)
        shape = (max(ink.bottom for ink in inks) - top, max(ink.right for ink in inks) - left)
        strokes = np.zeros(shape, np.float32)
        for ink in inks:
            part = strokes[ink.top - top : ink.bottom - top, ink.left - left : ink.right - left]
            np.maximum(part, ink.strokes, out=part)
        return _Ink(left, top, strokes)

    def measure_gap(self, other: _Ink) -> int:
        """Return how many pixels of paper lie between two boxes, across or along."""
        across = max(self.left, other.left) - min(self.right, other.right)
        along = max(self.top, other.top) - min(self.bottom, other.bottom)
        return max(across, along, 0)


def _take_ink(strokes: np.ndarray, components: Components, k: int) -> _Ink:
    """Return the ink of a component alone, with the soft edge of its strokes."""
    left, top, right, bottom = (int(side) for side in components.boxes[k])
    left, top = max(0, left - 1), max(0, top - 1)  # the soft edge lies outside the mask
    labels = components.labels[top : bottom + 1, left : right + 1]
    own = labels == k + 1
    own = dilate(own, 3, 3) & (own | (labels == 0))
    return _crop(left, top, np.where(own, strokes[top : bottom + 1, left : right + 1], np.float32(0)))


def _cut(ink: _Ink, pen: float, height: float) -> list[_Ink]:
    parts = cut_component(ink.strokes, pen, height)
    masks = _join_slivers(parts, ink.strokes)
    return [_crop(ink.left, ink.top, np.where(mask, ink.strokes, np.float32(0))) for mask in masks]


def _join_slivers(parts: np.ndarray, ink: np.ndarray) -> list[np.ndarray]:
    """Return the mask of each part; what has hardly any ink goes with the part before it."""
    masks: list[np.ndarray] = []
    least = SMALLEST_PIECE * float(ink.sum())
    for number in range(parts.max() + 1):
        mask = parts == number
        if masks and (ink[mask].sum() < least or ink[masks[-1]].sum() < least):
            masks[-1] |= mask
        else:
            masks.append(mask)
    return masks


def _crop(left: int, top: int, strokes: np.ndarray) -> _Ink:
    inked = strokes >= INK
    rows, columns = np.flatnonzero(inked.any(axis=1)), np.flatnonzero(inked.any(axis=0))
    inside = strokes[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _Ink(left + int(columns[0]), top + int(rows[0]), inside)


def _find_middle(piece: _Ink) -> float:
    mass = piece.strokes.sum(axis=0)
    return piece.left + float((mass * np.arange(len(mass))).sum() / mass.sum())

"""Segmentation of numbers: an image to lines, and each line to cuts and candidate digits of 28×28."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skconv.digits.ocr.cuts import cut_component
from skconv.digits.ocr.layout import MIN_INK, find_ink, find_rows, weighted_median
from skconv.digits.preprocess.morphology import Components, dilate, stroke_width
from skconv.digits.preprocess.normalization import BOX, MAX_PEN, MIN_PEN, normalize_strokes

Box = tuple[int, int, int, int]

MAX_COMPONENTS = 100  # in an image whose stroke width is normalised; with more it is no page of numbers and takes long
MAX_PIECES = 6  # of one digit
MAX_PART_GAP = 0.15  # of the row's height, between a digit and a broken-off part
OVERLAP_BOND = 2.0  # stroke widths of contact that equal the bond of two pieces one above the other
MIN_DIGIT_HEIGHT = 0.33  # of the row's height; lower components are marks or broken-off parts
MAX_WIDTH = 1.5  # of the row's height, candidate of several pieces
MIN_PIECE = 0.03  # of a component's ink; a smaller piece is joined to its neighbour


@dataclass(frozen=True)
class Candidate:
    """Ink between two cuts that may be a digit.

    Parameters
    ----------
    start, stop : int
        Indices of the cuts on the left and the right.
    box : (int, int, int, int)
        Left, top, right, bottom in pixels of the image; right and bottom are exclusive.
    digit : ndarray of uint8, shape (28, 28)
        Normalised as by `normalize_digit`.
    height : float
        Relative to the digits of the line: about 1 for a digit, much less for a comma.
    sink : float
        Distance of the centre below the centre of the line, in heights of its digits: about 0 for a digit, 0.4 for a
        comma.
    """

    start: int
    stop: int
    box: Box
    digit: np.ndarray
    height: float
    sink: float


@dataclass(frozen=True)
class Mark:
    """A comma, dot, dash or speck.

    Parameters
    ----------
    position : int
        Number of cuts before the mark in a `Line`; number of characters before it in a `NumberReading`.
    box : (int, int, int, int)
        Left, top, right, bottom in pixels of the image; right and bottom are exclusive.
    """

    position: int
    box: Box


@dataclass(frozen=True)
class Line:
    """A row of pieces of ink, and the candidates made of them.

    Parameters
    ----------
    cuts : tuple of int
        Start of each piece and end of the last one, in pixels from the left.
    candidates : tuple of Candidate
        All runs of pieces that may be a digit.
    marks : tuple of Mark
        Components that are too small for a digit.
    bonds : tuple of float
        Per cut between two pieces, how closely they are connected: contact in stroke widths, plus a term if one is
        above the other; without contact the negative gap in row heights.
    """

    cuts: tuple[int, ...]
    candidates: tuple[Candidate, ...]
    marks: tuple[Mark, ...]
    bonds: tuple[float, ...]


def find_lines(image: np.ndarray) -> tuple[Line, ...]:
    """Find the lines of handwritten numbers in an image, and the candidate digits of each.

    Parameters
    ----------
    image : ndarray of uint8, shape (h, w), (h, w, 1) or (h, w, 3)
        A strip or a page, dark on light or light on dark.

    Returns
    -------
    tuple of Line
        From top to bottom; empty if there is no ink.

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
    strokes, components = find_ink(image)
    pen = stroke_width(components.labels > 0)
    factor = -(-image.shape[0] // strokes.shape[0])
    return tuple(_make_line(strokes, components, row, pen, factor) for row in find_rows(components))


@dataclass(frozen=True)
class _Ink:
    """A piece of ink, cropped to its bounding box."""

    left: int
    top: int
    strokes: np.ndarray

    @property
    def right(self) -> int:
        return self.left + self.strokes.shape[1]

    @property
    def bottom(self) -> int:
        return self.top + self.strokes.shape[0]

    @property
    def centre_of_mass(self) -> float:
        """Column of the centre of mass."""
        mass = self.strokes.sum(axis=0)
        return self.left + float((mass * np.arange(len(mass))).sum() / mass.sum())

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
        """Return the horizontal or vertical gap between two boxes in pixels, whichever is larger."""
        horizontal = max(self.left, other.left) - min(self.right, other.right)
        vertical = max(self.top, other.top) - min(self.bottom, other.bottom)
        return max(horizontal, vertical, 0)


def _make_line(strokes: np.ndarray, components: Components, row: list[int], pen: float, factor: int) -> Line:
    height = weighted_median(components.heights[row], components.areas[row])
    is_tall = components.heights[row] >= MIN_DIGIT_HEIGHT * height
    inks = [_extract_component(strokes, components, k) for k in row]
    pieces = [piece for ink, tall in zip(inks, is_tall, strict=True) if tall for piece in _cut(ink, pen, height)]
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
            row_centre = np.polyval(centre_line, (whole.left + whole.right) / 2)
            sink = float(((whole.top + whole.bottom) / 2 - row_centre) / height)
            relative_height = len(whole.strokes) / height
            candidates.append(Candidate(start, stop, whole.scale_box(factor), digit, relative_height, sink))
    edges = [piece.left for piece in pieces] + [max(piece.right for piece in pieces)]
    bonds = [_measure_bond(piece, other, pen, height) for piece, other in pairwise(pieces)]
    return Line(tuple(edge * factor for edge in edges), tuple(candidates), tuple(marks), tuple(bonds))


def _fit_centre_line(pieces: list[_Ink], height: float) -> np.ndarray:
    """Return the polynomial, constant or linear, of the vertical centres of a row's tall pieces."""
    tall = [piece for piece in pieces if len(piece.strokes) >= 0.7 * height] or pieces
    columns = [(piece.left + piece.right) / 2 for piece in tall]
    centres = [(piece.top + piece.bottom) / 2 for piece in tall]
    if len(tall) < 4 or np.ptp(columns) < 3 * height:
        return np.array([np.median(centres)])
    return np.polyfit(columns, centres, 1)


def _join_pieces(pieces: list[_Ink], height: float) -> Iterator[tuple[int, int, _Ink]]:
    """Yield all runs of neighbouring pieces that may be one digit, with the indices of their cuts."""
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


def _measure_bond(piece: _Ink, other: _Ink, pen: float, height: float) -> float:
    """Return the bond of two neighbouring pieces, as in `Line`."""
    gap = piece.measure_gap(other)
    if gap == 0:
        # Contact is the ink of one piece within the other piece, dilated by a pixel.
        frame = piece.join(other)
        left, top = piece.left - frame.left, piece.top - frame.top
        dilated = np.zeros_like(frame.strokes)
        dilated[top : top + piece.strokes.shape[0], left : left + piece.strokes.shape[1]] = piece.strokes
        dilated = dilate(dilated, 3, 3)
        left, top = other.left - frame.left, other.top - frame.top
        dilated = dilated[top : top + other.strokes.shape[0], left : left + other.strokes.shape[1]]
        contact = float(np.minimum(dilated, other.strokes).sum())
        if contact > 0.5:
            overlap = min(piece.right, other.right) - max(piece.left, other.left)
            narrower = min(piece.right - piece.left, other.right - other.left)
            return contact / pen + OVERLAP_BOND * max(0.0, overlap / narrower - 0.3)
    return -gap / height


def _is_part(part: _Ink, ink: _Ink, height: float) -> bool:
    """Return whether a small component may be broken off a digit: near it, and not beside its foot like a comma."""
    below = (part.top + part.bottom) / 2 > ink.top + 0.75 * len(ink.strokes)
    beside = part.left >= ink.right or part.right <= ink.left
    return ink.measure_gap(part) <= MAX_PART_GAP * height and not (below and beside)


def _extract_component(strokes: np.ndarray, components: Components, k: int) -> _Ink:
    """Return the ink of one component, with the soft edge of its strokes, which is outside the mask."""
    left, top, right, bottom = (int(side) for side in components.boxes[k])
    left, top = max(0, left - 1), max(0, top - 1)
    labels = components.labels[top : bottom + 1, left : right + 1]
    own = labels == k + 1
    own = dilate(own, 3, 3) & (own | (labels == 0))
    return _crop(left, top, np.where(own, strokes[top : bottom + 1, left : right + 1], np.float32(0)))


def _cut(ink: _Ink, pen: float, height: float) -> list[_Ink]:
    numbers = cut_component(ink.strokes, pen, height)
    masks = _join_slivers(numbers, ink.strokes)
    return [_crop(ink.left, ink.top, np.where(mask, ink.strokes, np.float32(0))) for mask in masks]


def _join_slivers(numbers: np.ndarray, strokes: np.ndarray) -> list[np.ndarray]:
    """Return the mask of each piece, after pieces with little ink are joined to the one before."""
    masks: list[np.ndarray] = []
    min_ink = MIN_PIECE * float(strokes.sum())
    for number in range(numbers.max() + 1):
        mask = numbers == number
        if masks and (strokes[mask].sum() < min_ink or strokes[masks[-1]].sum() < min_ink):
            masks[-1] |= mask
        else:
            masks.append(mask)
    return masks


def _crop(left: int, top: int, strokes: np.ndarray) -> _Ink:
    ink = strokes >= MIN_INK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    inside = strokes[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return _Ink(left + int(columns[0]), top + int(rows[0]), inside)

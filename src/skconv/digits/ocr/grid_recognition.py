"""Recognition of the numbers in the cells of a ruled grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from skconv.digits.ocr.cuts import MIN_INK, extract_component
from skconv.digits.ocr.grid_ink import GridInk, Rectification, find_grid_ink, rectify
from skconv.digits.ocr.grids import Grid
from skconv.digits.ocr.readings import CellReading, DigitReading, GridReading
from skconv.digits.ocr.recognition import (
    CandidateScores,
    Edge,
    classify_candidates,
    find_best_path,
    make_edges,
    read_path,
)
from skconv.digits.ocr.segmentation import MIN_CORE, MIN_DIGIT_HEIGHT, MIN_MARK, Candidate, Line, Mark, make_line
from skconv.digits.preprocess.morphology import Components, find_connected_ink, stroke_width
from skconv.digits.preprocess.normalization import normalize_strokes
from skconv.inference import OnnxClassifier

CORE_QUANTILE = 75  # percentile of the ink in a cell that becomes 1; some writers press less than others
MIN_OWN_HEIGHT = 0.6  # of the digits in a cell, relative to those of the grid
MIN_TYPICAL = 0.25  # minimum height of a digit, as a fraction of the cell's height
MAX_SPREAD = 0.5  # fraction of the ink in components that extend over several cells; more is writing across rulings
MIN_OPEN_FILLED = 0.5  # fraction of the cells with a number; squared paper with fewer is not a form
MIN_TWO_DIGITS = 1.4  # width of two digits, in heights of the digits of the grid
N_PRIOR = 3  # estimates of the fraction of cells with one digit


@dataclass(frozen=True)
class _CellLine:
    """Candidate digits of a cell, in pixels of its window, whose origin is `left`, `top` of the rectified image."""

    row: int
    column: int
    left: int
    top: int
    line: Line
    is_narrow: bool  # whether two digits of typical height would not fit in the cell


def read_grid(model: OnnxClassifier, image: np.ndarray, grid: Grid) -> GridReading | None:
    """Recognise the numbers in the cells of a grid; return None if it is paper for writing rather than a form.

    Each cell contains at most one number, of any number of digits. The fraction of cells with one digit is estimated
    from all cells and decides whether ink that may be one digit or several is one.
    """
    mapping = rectify(grid, (image.shape[0], image.shape[1]))
    ink = find_grid_ink(image, mapping)
    if ink.spread > MAX_SPREAD:
        return None
    lines = _make_lines(ink, grid)
    cells = {(row, column): _make_empty_cell(grid, row, column) for row, column in np.ndindex(grid.rows, grid.columns)}
    if any(each.line.candidates for each in lines):
        scores = classify_candidates(model, [each.line for each in lines])
        for cell in _read_lines(lines, scores, model.class_names, mapping):
            cells[cell.row, cell.column] = cell
    reading = GridReading(grid.rows, grid.columns, grid.box, tuple(cells.values()))
    return None if grid.is_open and reading.n_filled < MIN_OPEN_FILLED * len(cells) else reading


def _make_empty_cell(grid: Grid, row: int, column: int) -> CellReading:
    return CellReading(row, column, 1.0, grid.find_cell_box(row, column))


def _make_lines(ink: GridInk, grid: Grid) -> list[_CellLine]:
    """Return the candidate digits of each cell that contains ink."""
    found = []
    for row, column in np.ndindex(grid.rows, grid.columns):
        left, top, strokes = ink.select_cell(row, column)
        if not strokes.any():
            continue
        strokes = np.minimum(strokes / np.percentile(strokes[strokes > 0], CORE_QUANTILE), np.float32(1))
        components = find_connected_ink(strokes, MIN_INK, MIN_CORE)
        if len(components.areas):
            found.append((row, column, left, top, strokes, components))
    if not found:
        return []
    heights = np.array([components.heights.max() for *_, components in found])
    is_tall = heights >= MIN_TYPICAL * float(np.median(np.diff(ink.rows)[::2]))
    height = float(np.median(heights[is_tall])) if is_tall.any() else float(np.diff(ink.rows)[::2].min())
    pen = stroke_width(ink.owners >= 0)
    lines = []
    for row, column, left, top, strokes, components in found:
        line = _make_cell_line(strokes, components, pen, height)
        if line is not None:
            is_narrow = ink.columns[2 * column + 1] - ink.columns[2 * column] < MIN_TWO_DIGITS * height
            lines.append(_CellLine(row, column, left, top, line, bool(is_narrow)))
    return lines


def _make_cell_line(strokes: np.ndarray, components: Components, pen: float, height: float) -> Line | None:
    """Return the candidate digits of a cell, one of them with all of its ink; None if there are only specks."""
    own = float(components.heights.max())
    sizes = (components.boxes[:, 2:] - components.boxes[:, :2]).max(axis=1)
    row = np.flatnonzero(sizes >= MIN_MARK * height).tolist()
    if not row:
        return None
    line_height = max(own, MIN_OWN_HEIGHT * height)
    whole = extract_component(strokes, components, row[0])
    whole = whole.join(*(extract_component(strokes, components, k) for k in row[1:]))
    digit = normalize_strokes(whole.strokes)
    box = whole.scale_box(1)
    if own < MIN_DIGIT_HEIGHT * line_height:
        candidate = Candidate(0, 1, box, digit, len(whole.strokes) / line_height, 0.0)
        return Line((box[0], box[2]), (candidate,), (), ())
    line = make_line(strokes, components, row, pen, height=line_height)
    n_pieces = len(line.cuts) - 1
    if any(each.start == 0 and each.stop == n_pieces and each.box == box for each in line.candidates):
        return line
    candidate = Candidate(0, n_pieces, box, digit, len(whole.strokes) / line_height, 0.0)
    return replace(line, candidates=(*line.candidates, candidate))


def _read_lines(
    lines: Sequence[_CellLine], scores: Sequence[CandidateScores], names: tuple[str, ...], mapping: Rectification
) -> list[CellReading]:
    """Return the most probable number in each cell with ink."""
    lattices = [make_edges(each.line, part, names) for each, part in zip(lines, scores, strict=True)]
    best = [find_best_path(edges, len(each.line.cuts) - 1) for each, edges in zip(lines, lattices, strict=True)]
    singles = [_find_single(each.line, edges) for each, edges in zip(lines, lattices, strict=True)]
    log_odds = 0.0
    is_single = np.zeros(len(lines), bool)
    for _ in range(N_PRIOR):
        is_single = np.array(
            [
                _count_digits(path) > 1
                and single is not None
                and (each.is_narrow or single.score + log_odds >= _sum_scores(path))
                for each, (path, _), single in zip(lines, best, singles, strict=True)
            ]
        )
        n_digits = np.array([_count_digits(path) for path, _ in best])
        n_one = np.count_nonzero(is_single | (n_digits == 1))
        n_several = np.count_nonzero(~is_single & (n_digits > 1))
        log_odds = math.log((n_one + 1) / (n_several + 1))
    readings = []
    for each, (path, posterior), single, chosen in zip(lines, best, singles, is_single, strict=True):
        if chosen and single is not None:
            probability = 1 / (1 + math.exp(min(50.0, _sum_scores(path) - single.score - log_odds)))
            readings.append(_make_cell(each, [single], probability, names, mapping))
        else:
            readings.append(_make_cell(each, path, posterior, names, mapping))
    return readings


def _find_single(line: Line, edges: Sequence[Edge]) -> Edge | None:
    """Return the most probable interpretation of the ink of a cell as one digit."""
    n_pieces = len(line.cuts) - 1
    whole = [
        edge
        for edge in edges
        if edge.probabilities is not None and edge.candidate.start == 0 and edge.candidate.stop == n_pieces
    ]
    return max(whole, key=lambda edge: edge.score, default=None)


def _count_digits(path: Sequence[Edge]) -> int:
    return sum(edge.probabilities is not None for edge in path)


def _sum_scores(path: Sequence[Edge]) -> float:
    return sum(edge.score for edge in path)


def _make_cell(
    cell: _CellLine, path: list[Edge], posterior: float, names: tuple[str, ...], mapping: Rectification
) -> CellReading:
    """Return the reading of a cell, with boxes in pixels of the image."""
    reading = read_path(cell.line, path, posterior, names)

    def place(item: DigitReading | Mark) -> tuple[int, int, int, int]:
        left, top, right, bottom = item.box
        return mapping.map_box((left + cell.left, top + cell.top, right + cell.left, bottom + cell.top))

    digits = tuple(replace(digit, box=place(digit)) for digit in reading.digits)
    marks = tuple(replace(mark, box=place(mark)) for mark in reading.marks)
    box = mapping.grid.find_cell_box(cell.row, cell.column)
    return CellReading(cell.row, cell.column, reading.confidence, box, digits, marks)

"""Comparison of a grid with the rulings in an image: support, false and missing rulings, rulings outside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skconv.digits.ocr.grid_cells import Cells
from skconv.digits.ocr.grid_layout import Nodes, is_valid
from skconv.digits.preprocess.morphology import dilate

REACH = 7  # pixels across a ruling in which its pixels are searched
N_SAMPLES = 15  # points along the side of a cell
MIN_SUPPORT = 0.6  # support of a ruling that neither improves nor impairs a grid
MIN_RELATIVE = 0.8  # minimum support of a ruling, relative to the median of those in the same direction
MIN_INSERTED = 0.4  # minimum support of a ruling that is added in the middle of a cell of twice the typical size
MIN_GAP_SUPPORT = 0.6  # of the rulings along a column; below, it is a gap between separate boxes
MIN_ADDED = 0.65  # minimum support of the rulings of a column that is added at a side
DOUBLE = 1.75, 2.25  # size of such a cell, in typical sizes
MIN_REGULAR, MAX_IRREGULAR = 0.6, 0.15  # fraction of cells of typical size, and their maximum relative deviation
OUTSIDE, MIN_OUTSIDE = 0.4, 0.2  # distance at which rulings may continue outside a grid, as a fraction of a cell


@dataclass(frozen=True)
class RulingMasks:
    """Masks of the rulings in both directions, widened across, bool (h, w)."""

    horizontal: np.ndarray
    vertical: np.ndarray

    @property
    def T(self) -> RulingMasks:
        """The masks of the transposed image."""
        return RulingMasks(self.vertical.T, self.horizontal.T)

    def measure(self, nodes: Nodes) -> tuple[np.ndarray, np.ndarray]:
        """Return the support of rulings: horizontal, (rows + 1, columns), and vertical, (columns + 1, rows).

        The support is the fraction of the side of a cell at which the image has a ruling.
        """
        x, y = nodes
        return _measure(x, y, self.horizontal), _measure(y.T, x.T, self.vertical.T)


def widen_rulings(cells: Cells) -> RulingMasks:
    """Return the masks of the rulings that were found with the cells."""
    return RulingMasks(dilate(cells.horizontal, REACH, 1), dilate(cells.vertical, 1, REACH))


def _measure(along: np.ndarray, across: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the support of horizontal rulings: the largest of three positions, because boxes may be separate."""
    start, stop = _find_rulings(len(along))
    t = (np.arange(N_SAMPLES) + 0.5) / N_SAMPLES
    supports = []
    for part in (0.0, 0.5, 1.0):
        rulings = [values[start] * (1 - part) + values[stop] * part for values in (along, across)]
        columns, rows = ((each[:, ::2, None] * (1 - t) + each[:, 1::2, None] * t).astype(int) for each in rulings)
        inside = (columns >= 0) & (columns < mask.shape[1]) & (rows >= 0) & (rows < len(mask))
        found = mask[np.clip(rows, 0, len(mask) - 1), np.clip(columns, 0, mask.shape[1] - 1)]
        supports.append((found & inside).mean(axis=2))
    return np.max(supports, axis=0)


def _find_rulings(n_sides: int) -> tuple[list[int], list[int]]:
    """Return the indices of the sides before and after each ruling."""
    last = n_sides - 1
    return [0, *range(1, last, 2), last], [0, *range(2, n_sides, 2), last]


def score_grid(nodes: Nodes, masks: RulingMasks) -> float:
    """Return a score of a grid: the length of its rulings in pixels, those without support counted as negative."""
    x, y = nodes
    total = 0.0
    for support, lengths in zip(masks.measure(nodes), (np.diff(x, axis=1), np.diff(y, axis=0).T), strict=True):
        start, stop = _find_rulings(len(lengths))
        total += float(((support - MIN_SUPPORT) * (lengths[start, ::2] + lengths[stop, ::2]) / 2).sum())
    return total


def correct_rulings(nodes: Nodes, masks: RulingMasks) -> Nodes:
    """Return a grid without false rulings, and with missing ones.

    A false ruling, such as the stroke of a digit from one ruling to the next, has less support than the others. A
    missing one is in the middle of a cell that is twice as long as the others. The result is empty if no cell has
    rulings on all sides.
    """
    x, y = _correct_direction(*nodes, masks)
    if x.size == 0:
        return x, y
    y, x = _correct_direction(y.T, x.T, masks.T)
    return x.T, y.T


def _correct_direction(x: np.ndarray, y: np.ndarray, masks: RulingMasks) -> Nodes:
    """Correct the vertical rulings of a grid."""
    support = masks.measure((x, y))[1].mean(axis=1)
    false = np.flatnonzero(support[1:-1] < MIN_RELATIVE * float(np.median(support)))
    removed = np.concatenate([2 * false + 1, 2 * false + 2])
    x, y = np.delete(x, removed, axis=1), np.delete(y, removed, axis=1)
    x, y = _remove_gaps(x, y, masks)
    if x.size == 0:
        return x, y
    widths = np.diff(x, axis=1)[:, ::2].mean(axis=0)
    typical = float(np.median(widths))
    if np.mean(np.abs(widths / typical - 1) <= MAX_IRREGULAR) < MIN_REGULAR:
        return x, y
    x, y = _extend(x, y, masks)
    widths = np.diff(x, axis=1)[:, ::2].mean(axis=0)
    for column in np.flatnonzero((widths >= DOUBLE[0] * typical) & (widths <= DOUBLE[1] * typical))[::-1].tolist():
        inserted = _insert(x, column), _insert(y, column)
        if is_valid(*inserted) and masks.measure(inserted)[1][column + 1].mean() >= MIN_INSERTED:
            x, y = inserted
    return x, y


def _remove_gaps(x: np.ndarray, y: np.ndarray, masks: RulingMasks) -> Nodes:
    """Remove columns without rulings above and below, which are gaps between separate boxes."""
    support = masks.measure((x, y))[0].mean(axis=0)
    gaps = np.flatnonzero(support < MIN_GAP_SUPPORT)
    removed = np.concatenate([2 * gaps, 2 * gaps + 1])
    return np.delete(x, removed, axis=1), np.delete(y, removed, axis=1)


def _extend(x: np.ndarray, y: np.ndarray, masks: RulingMasks) -> Nodes:
    """Add columns at both sides, as wide as the outer ones, whose rulings the image supports."""
    for _ in range(2):
        x, y = x[:, ::-1], y[:, ::-1]  # twice, to extend the other side and to restore the order
        while x.shape[1] >= 4:
            added = [np.concatenate([2 * values[:, :2] - values[:, 2:4], values], axis=1) for values in (x, y)]
            level, upright = masks.measure((added[0], added[1]))
            if min(level[:, 0].mean(), upright[0].mean()) < MIN_ADDED:
                break
            x, y = added
    return x, y


def _insert(values: np.ndarray, column: int) -> np.ndarray:
    """Return the nodes with two sides in the middle of a column."""
    before, after = values[:, 2 * column], values[:, 2 * column + 1]
    middle = [before + part * (after - before) for part in (0.48, 0.52)]
    return np.insert(values, [2 * column + 1] * 2, np.stack(middle, axis=1), axis=1)


def is_open(nodes: Nodes, cells: Cells) -> bool:
    """Return whether rulings continue on a side of a grid."""
    x, y = nodes
    directions = ((x, y, cells.horizontal), (y.T, x.T, cells.vertical.T))
    sides = [(across[:, ::step], along[:, ::step], mask) for across, along, mask in directions for step in (1, -1)]
    return any(np.mean(_continues(*side)) > 0.5 for side in sides)


def _continues(across: np.ndarray, along: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return whether each ruling that ends at the first side of a grid continues outside, bool (n,).

    `across` and `along` are the positions where sides cross, with one ruling between two rows. The `mask` contains the
    rulings of this direction.
    """
    width = across[:, 1] - across[:, 0]
    outside = np.clip(across[:, 0] - OUTSIDE * width, 0, mask.shape[1] - 1)
    is_far = np.abs(outside - across[:, 0]) >= MIN_OUTSIDE * np.abs(width)
    start, stop = _find_rulings(len(along))
    rows = ((along[start, 0] + along[stop, 0]) / 2).round().astype(int)
    columns = outside[start].round().astype(int)
    found = [mask[max(0, row - 3) : row + 4, column].any() for row, column in zip(rows, columns, strict=True)]
    return np.array(found) & is_far[start]

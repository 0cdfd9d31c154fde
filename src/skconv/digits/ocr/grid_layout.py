"""Arrangement of closed cells in rows and columns, and positions of their sides."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

MIN_CELLS = 3  # fewer boxes side by side are a box around a number, with a line in it
MIN_FOUND = 0.5  # fraction of closed cells in a grid, and in its outer rows and columns
MAX_RATIO = 1.35  # of the heights of cells in a row, and of the widths of cells in a column
MAX_SHIFT = 0.4  # of the centres of such cells, as a fraction of the smaller side
MAX_GAP = 0.85  # between neighbouring cells, as a fraction of the smaller side; boxes of a form may be separate
MAX_RULING = 12.0  # pixels; neighbouring cells may be this far apart in any case
MAX_MISSING = 1.5  # maximum gap with one missing cell, in cells
MIN_CURVED = 6  # cells; edges along fewer cells are straight
N_INTERSECTIONS = 4  # iterations; edges are nearly straight and perpendicular
MAX_RESIDUAL = 3.0  # multiple of the median deviation; points farther from an edge have a small weight

Nodes = tuple[np.ndarray, np.ndarray]  # x and y, (2 * rows, 2 * columns), where the sides of cells cross
Links = tuple[np.ndarray, np.ndarray]  # index of the next cell, or -1, and the number of steps to it, int (n,)


def arrange_cells(sides: np.ndarray) -> list[Nodes]:
    """Arrange cells in grids; return where the sides of the cells in each row and column cross.

    `sides` are two points on each side of each cell, as in `Cells`. Neighbours are linked and numbered, and the sides
    of a row or column are fitted together, so that cells may be missing.
    """
    if len(sides) < MIN_CELLS:
        return []
    left, top, right, bottom = (sides[:, k, :, axis].mean(axis=1) for k, axis in ((0, 0), (1, 1), (2, 0), (3, 1)))
    beside = _link(left, top, right, bottom)
    below = _link(top, left, bottom, right)
    grids = []
    for members in _find_connected(beside, below):
        layout = _trim(_number_cells(members, beside, below))
        if layout is not None and layout.size >= MIN_CELLS:
            nodes = _fit_grid(layout, sides)
            if nodes is not None:
                grids.append(nodes)
    return grids


def _link(start: np.ndarray, low: np.ndarray, stop: np.ndarray, high: np.ndarray) -> Links:
    """Return the next cell in the same row of each cell: the neighbour, or beyond one missing cell of the same size.

    For rows, the arguments are the left, top, right and bottom sides; for columns, top, left, bottom and right.
    """
    centre, side, length = (low + high) / 2, high - low, stop - start
    following, steps = np.full(len(start), -1), np.ones(len(start), int)
    for k in range(len(start)):
        gaps = start - stop[k]
        smaller, shorter = np.minimum(side, side[k]), np.minimum(length, length[k])
        same_row = (gaps > -2) & (np.abs(centre - centre[k]) <= MAX_SHIFT * smaller)
        same_row &= np.maximum(side, side[k]) <= MAX_RATIO * smaller
        same_row[k] = False
        near = same_row & (gaps <= np.maximum(MAX_RULING, MAX_GAP * np.minimum(smaller, shorter)))
        if not near.any():
            longer = np.maximum(length, length[k])
            near = same_row & (gaps >= longer) & (gaps <= MAX_MISSING * longer) & (longer <= MAX_RATIO * shorter)
            steps[k] = 2
        if near.any():
            following[k] = int(np.where(near, gaps, np.inf).argmin())
    return following, steps


def _find_connected(beside: Links, below: Links) -> list[list[int]]:
    """Return the groups of linked cells, without cells that have no neighbour in a direction in which others have one.

    Such a cell consists of several cells, because a part of a ruling was not found.
    """
    in_row, in_column = (_is_linked(following) for following, _ in (beside, below))
    groups = []
    for members in _walk(beside, below, np.arange(len(beside[0]))):
        group = np.array(list(members))
        selected = np.ones(len(group), bool)
        for linked in (in_row[group], in_column[group]):
            if linked.mean() > MIN_FOUND:
                selected &= linked
        groups += [list(each) for each in _walk(beside, below, group[selected])]
    return groups


def _is_linked(following: np.ndarray) -> np.ndarray:
    linked = following >= 0
    linked[following[linked]] = True
    return linked


def _walk(beside: Links, below: Links, allowed: np.ndarray) -> list[dict[int, tuple[int, int]]]:
    """Return the groups of linked cells among those allowed: row and column, relative to the first, of each cell."""
    steps: dict[int, list[tuple[int, int, int]]] = {int(k): [] for k in allowed}
    for (following, counts), vertical in ((beside, 0), (below, 1)):
        for k in steps:
            other, count = int(following[k]), int(counts[k])
            if other in steps:
                down, across = count * vertical, count * (1 - vertical)
                steps[k].append((other, down, across))
                steps[other].append((k, -down, -across))
    groups: list[dict[int, tuple[int, int]]] = []
    visited: set[int] = set()
    for start in steps:
        if start in visited:
            continue
        positions, queue = {start: (0, 0)}, deque([start])
        while queue:
            k = queue.popleft()
            row, column = positions[k]
            for other, down, across in steps[k]:
                if other not in positions:
                    positions[other] = row + down, column + across
                    queue.append(other)
        visited.update(positions)
        groups.append(positions)
    return groups


def _number_cells(members: list[int], beside: Links, below: Links) -> dict[tuple[int, int], int]:
    """Return the cells by row and column; of two cells at one position, the first."""
    (positions,) = _walk(beside, below, np.array(members))
    cells: dict[tuple[int, int], int] = {}
    for k, position in positions.items():
        cells.setdefault(position, k)
    return cells


def _trim(cells: dict[tuple[int, int], int]) -> np.ndarray | None:
    """Return the index of the cell at each row and column, -1 if missing; None if too many are missing.

    Outer rows and columns of which most cells are missing are removed.
    """
    positions = np.array(list(cells))
    positions -= positions.min(axis=0)
    layout = np.full(positions.max(axis=0) + 1, -1)
    layout[tuple(positions.T)] = list(cells.values())
    while layout.size:
        found = layout >= 0
        outer = (
            (found[0], np.s_[1:]),
            (found[-1], np.s_[:-1]),
            (found[:, 0], np.s_[:, 1:]),
            (found[:, -1], np.s_[:, :-1]),
        )
        sparse = [rest for line, rest in outer if line.mean() < MIN_FOUND]
        if not sparse:
            return layout if found.mean() >= MIN_FOUND else None
        layout = layout[sparse[0]]
    return None


def _fit_grid(layout: np.ndarray, sides: np.ndarray) -> Nodes | None:
    """Fit the sides of the cells in each row and column; return where they cross, or None if they are no grid."""
    row, column = np.nonzero(layout >= 0)
    left, top, right, bottom = sides[layout[row, column]].transpose(1, 0, 2, 3)
    rows, columns = layout.shape
    vertical = _fit_edges(np.concatenate([2 * column, 2 * column + 1]), np.concatenate([left, right])[..., ::-1], rows)
    level = _fit_edges(np.concatenate([2 * row, 2 * row + 1]), np.concatenate([top, bottom]), columns)
    x = np.repeat(vertical.intercepts[None], 2 * rows, axis=0)
    for _ in range(N_INTERSECTIONS):
        y = level.evaluate(x.T).T
        x = vertical.evaluate(y)
    return (x, y) if is_valid(x, y) else None


def is_valid(x: np.ndarray, y: np.ndarray) -> bool:
    """Return whether the sides of cells are in order."""
    gaps = np.diff(x, axis=1), np.diff(y, axis=0).T
    return all((gap[:, ::2] >= 2).all() and (gap[:, 1::2] >= -1).all() for gap in gaps)


@dataclass(frozen=True)
class _EdgeFit:
    """Nearly parallel edges, fitted together: intercepts, and slopes and curvatures that change from edge to edge."""

    intercepts: np.ndarray  # (n,)
    shape: np.ndarray  # (4,): slope, its change, curvature, its change
    centre: float
    half: float

    def evaluate(self, along: np.ndarray) -> np.ndarray:
        """Return the position across of each edge, (..., n), at positions along it, (..., n)."""
        return (
            self.intercepts
            + _make_terms((along - self.centre) / self.half, np.linspace(-1, 1, len(self.intercepts))) @ self.shape
        )


def _make_terms(t: np.ndarray, number: np.ndarray) -> np.ndarray:
    t, number = np.broadcast_arrays(t, number)
    return np.stack([t, t * number, t * t, t * t * number], axis=-1)


def _fit_edges(number: np.ndarray, points: np.ndarray, n_along: int) -> _EdgeFit:
    """Fit edges to points (m, 2, 2), position along and across, on the edges `number`, (m,), of `n_along` cells."""
    along, across = points.reshape(-1, 2).T
    number = np.repeat(number, 2)
    n = int(number.max()) + 1
    centre, half = (along.max() + along.min()) / 2, max(1.0, float(np.ptp(along)) / 2)
    terms = _make_terms((along - centre) / half, 2 * number / (n - 1) - 1)
    if n_along < MIN_CURVED:
        terms[:, 2:] = 0
    design = np.concatenate([np.eye(n)[number], terms], axis=1)
    weights = np.ones(len(across))
    for _ in range(3):
        weighted = design.T * weights
        # The small diagonal decides terms that the points do not determine.
        solution = np.linalg.solve(weighted @ design + 1e-6 * np.eye(n + 4), weighted @ across)
        residuals = np.abs(across - design @ solution)
        weights = np.where(residuals > max(1.5, MAX_RESIDUAL * float(np.median(residuals))), 0.01, 1.0)
    return _EdgeFit(solution[:n], solution[n:], centre, half)

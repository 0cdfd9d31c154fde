"""Cuts through touching digits: paths along little ink, and straight lines between notches of the outline."""

from __future__ import annotations

import numpy as np

MIN_WIDTH = 0.35  # of the row's height; a narrower component is at most one digit
# Max ink along a cut in stroke widths: a path may cross both walls of a 0, two round digits may share a long wall.
MAX_PATH_INK, MAX_NOTCH_INK = 3.0, 6.0
BACKGROUND_COST = 0.02  # per pixel of background; keeps paths short where there is no ink
DIAGONAL_COST = 0.1  # per diagonal step; keeps paths vertical where there is nothing to gain
MIN_RISE = 0.35  # ink (1 = one full pixel) that separates two local minima of the path cost
MAX_PATHS = 8
MIN_NOTCH = 0.08  # of the row's height, depth of a notch
MAX_NOTCH_SHIFT = 0.4  # of the row's height, horizontal distance between two notches


def cut_component(strokes: np.ndarray, pen: float, height: float) -> np.ndarray:
    """Over-segment a component into pieces that may be digits or parts of digits.

    There are two kinds of cuts. Thin joins are crossed by a path from top to bottom that moves by at most one pixel per
    row and is a local minimum of the ink it crosses. Round digits that share a wall have a notch above and one below
    it, which are joined by a straight line. A classifier later chooses among the pieces.

    Parameters
    ----------
    strokes : ndarray of float32, shape (h, w)
        Ink of the component alone, 0 to 1, cropped to its box.
    pen : float
        Stroke width in pixels.
    height : float
        Height of the row's digits in pixels.

    Returns
    -------
    ndarray of int, shape (h, w)
        Number of the piece of each pixel, from left to right; all 0 if there are no cuts.

    References
    ----------
    R. G. Casey and E. Lecolinet, "A survey of methods and strategies in character segmentation", IEEE Transactions on
    Pattern Analysis and Machine Intelligence 18 (1996), 690-706. H. Fujisawa, Y. Nakano and K. Kurino, "Segmentation
    methods for character recognition", Proceedings of the IEEE 80 (1992), 1079-1092, for cuts between notches.

    Examples
    --------
    >>> ring = np.zeros((20, 15), np.float32)
    >>> ring[[0, 1, -2, -1]] = ring[:, [0, 1, -2, -1]] = 1
    >>> chain = np.hstack([ring, np.zeros((20, 4), np.float32), ring])
    >>> chain[9:11, 13:21] = 1
    >>> pieces = cut_component(chain, pen=2, height=20)
    >>> bool(pieces[0, 5] < pieces[0, -5])
    True
    """
    pieces = np.zeros(strokes.shape, int)
    if strokes.shape[1] < MIN_WIDTH * height or strokes.shape[0] < 3:
        return pieces
    paths = _find_shortest_paths(strokes, pen, height) + _join_notches(strokes, pen, height)
    columns = np.arange(strokes.shape[1])
    border = np.zeros(strokes.shape[0], int)
    for path in sorted(paths, key=lambda path: float(path.mean())):
        border = np.maximum(border, path)  # cuts do not cross
        pieces += columns > border[:, None]
    return pieces


def _find_shortest_paths(strokes: np.ndarray, pen: float, height: float) -> list[np.ndarray]:
    """Return the paths, one column per row, that are local minima of the ink they cross."""
    down, up = _accumulate_cost(strokes), _accumulate_cost(strokes[::-1])[::-1]
    middle = strokes.shape[0] // 2
    through = down[middle] + up[middle] - strokes[middle] - BACKGROUND_COST
    minima = _find_minima(through, MAX_PATH_INK * pen, round(0.1 * height))
    return [_trace_path(down, up, middle, start) for start in minima]


def _accumulate_cost(strokes: np.ndarray) -> np.ndarray:
    """Return the cost of the shortest path from the top to each pixel, shape (h, w)."""
    cost = strokes + BACKGROUND_COST
    total = np.empty_like(cost)
    total[0] = cost[0]
    padded = np.full(cost.shape[1] + 2, np.inf, np.float32)
    for row in range(1, len(cost)):
        padded[1:-1] = total[row - 1]
        diagonal = np.minimum(padded[:-2], padded[2:]) + DIAGONAL_COST
        total[row] = cost[row] + np.minimum(padded[1:-1], diagonal)
    return total


def _find_minima(through: np.ndarray, max_cost: float, distance: int) -> list[int]:
    """Return the columns of the local minima, cheapest first, separated from each other by a rise and a distance."""
    # Outside the ink a path costs nothing: a minimum needs a rise on both sides.
    max_left, max_right = np.maximum.accumulate(through), np.maximum.accumulate(through[::-1])[::-1]
    is_inside = np.minimum(max_left, max_right) > through + MIN_RISE
    minima: list[int] = []
    for x in np.argsort(through, kind="stable").tolist():
        if through[x] > max_cost or len(minima) == MAX_PATHS:
            break
        if is_inside[x] and all(abs(x - other) > distance and _rises_between(through, x, other) for other in minima):
            minima.append(x)
    return minima


def _rises_between(through: np.ndarray, x: int, other: int) -> bool:
    between = through[min(x, other) : max(x, other) + 1]
    return bool(between.max() > through[x] + MIN_RISE)


def _trace_path(down: np.ndarray, up: np.ndarray, middle: int, start: int) -> np.ndarray:
    """Return the column per row of the shortest path through a pixel of the middle row."""
    path = np.empty(len(down), int)
    path[middle] = start
    for rows, total in ((range(middle - 1, -1, -1), down), (range(middle + 1, len(down)), up)):
        x = start
        for row in rows:
            left = max(0, x - 1)
            costs = total[row, left : x + 2].copy()
            costs[x - left] -= DIAGONAL_COST
            x = left + int(costs.argmin())
            path[row] = x
    return path


def _join_notches(strokes: np.ndarray, pen: float, height: float) -> list[np.ndarray]:
    """Return straight cuts from each notch of the upper outline to the nearest one of the lower, and vice versa."""
    ink = strokes >= 0.5
    last = len(strokes) - 1
    filled = ink.any(axis=0)
    upper = np.where(filled, ink.argmax(axis=0), last)
    lower = np.where(filled, last - ink[::-1].argmax(axis=0), 0)
    above, below = _find_notches(upper, MIN_NOTCH * height), _find_notches(last - lower, MIN_NOTCH * height)
    pairs = set()
    for x in above:
        pairs.add((x, min(below, key=lambda other: abs(other - x), default=x)))
    for x in below:
        pairs.add((min(above, key=lambda other: abs(other - x), default=x), x))
    paths = []
    for top, bottom in sorted(pairs):
        if abs(top - bottom) > MAX_NOTCH_SHIFT * height:
            continue
        path = np.interp(np.arange(last + 1), [upper[top], max(lower[bottom], upper[top] + 1)], [top, bottom])
        path = path.round().astype(int)
        if strokes[np.arange(last + 1), path].sum() <= MAX_NOTCH_INK * pen:
            paths.append(path)
    return paths


def _find_notches(depth: np.ndarray, min_depth: float) -> list[int]:
    """Return the columns where an outline is deeper than on both sides by at least `min_depth` pixels."""
    notches: list[int] = []
    x, end = 1, len(depth) - 1
    while x < end:
        stop = x
        while stop < end and depth[stop] == depth[x]:
            stop += 1
        is_deeper = depth[x - 1] < depth[x] > depth[stop]
        if is_deeper and min(_measure_rise(depth[: x + 1][::-1]), _measure_rise(depth[x:])) >= min_depth:
            notches.append((x + stop - 1) // 2)
        x = stop
    return notches


def _measure_rise(depth: np.ndarray) -> int:
    """Return how far an outline rises above its first column before it becomes deeper again."""
    deeper = np.flatnonzero(depth > depth[0])
    before = depth[: deeper[0]] if deeper.size else depth
    return int(depth[0] - before.min())

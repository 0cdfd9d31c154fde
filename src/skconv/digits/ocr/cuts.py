"""Where two digits that touch may be cut apart: through little ink, and between the notches of their outline."""

from __future__ import annotations

import numpy as np

NARROWEST = 0.35  # of the row's height; what is narrower is one digit at most
MOST_INK = 3.0  # widths of a stroke that the cheapest path may cross: through both walls of a 0 it is still tried
MOST_CONTACT = 6.0  # the same for a cut between two notches: two round digits share a wall that long
PAPER_COST = 0.02  # a step over paper; keeps a path short where there is no ink
ASIDE_COST = 0.1  # a step to the side; keeps a path upright where nothing is gained
CLEAR_RISE = 0.35  # of a full pixel of ink: less lies between two places for the same cut
MOST_CUTS = 8
NOTCH = 0.08  # of the row's height, the depth of a notch
NOTCH_ASIDE = 0.4  # of the row's height, how far aside of the upper notch the lower one may be


def cut_component(strokes: np.ndarray, pen: float, height: float) -> np.ndarray:
    """Cut a component into the pieces that may be digits, or parts of digits, of their own.

    There are two kinds of cuts. A thin join is crossed by a path from the top to the bottom, at most one pixel
    aside a row, that is cheaper than its neighbours. Round digits that share a wall have a notch above and one below
    it: a straight cut joins them. There are too many cuts on purpose; a classifier chooses among the pieces.

    Parameters
    ----------
    strokes : ndarray of float32, shape (h, w)
        The ink of the component alone, 0 to 1, cropped to its box.
    pen : float
        Width of a stroke in pixels.
    height : float
        Height of the row's digits in pixels.

    Returns
    -------
    ndarray of int, shape (h, w)
        The piece that each pixel is in, counted from the left, 0 first. All 0 where nothing is to be cut.

    References
    ----------
    Casey, Lecolinet: "A survey of methods and strategies in character segmentation", IEEE Transactions on Pattern
    Analysis and Machine Intelligence 18 (1996), 690-706. Fujisawa, Nakano, Kurino: "Segmentation methods for character
    recognition", Proceedings of the IEEE 80 (1992), 1079-1092, for cuts from notch to notch.

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
    if strokes.shape[1] < NARROWEST * height or strokes.shape[0] < 3:
        return pieces
    paths = _find_thin_places(strokes, pen, height) + _join_notches(strokes, pen, height)
    columns = np.arange(strokes.shape[1])
    border = np.zeros(strokes.shape[0], int)
    for path in sorted(paths, key=lambda path: float(path.mean())):
        border = np.maximum(border, path)  # cuts do not cross
        pieces += columns > border[:, None]
    return pieces


def _find_thin_places(strokes: np.ndarray, pen: float, height: float) -> list[np.ndarray]:
    """Return the paths, a column for each row, that cross less ink than those beside them."""
    down, up = _cheapest(strokes), _cheapest(strokes[::-1])[::-1]
    middle = strokes.shape[0] // 2
    through = down[middle] + up[middle] - strokes[middle] - PAPER_COST
    minima = _find_minima(through, MOST_INK * pen, round(0.1 * height))
    return [_follow(down, up, middle, start) for start in minima]


def _cheapest(strokes: np.ndarray) -> np.ndarray:
    """Return the cost of the cheapest path from the top to each pixel, shape (h, w)."""
    cost = strokes + PAPER_COST
    total = np.empty_like(cost)
    total[0] = cost[0]
    padded = np.full(cost.shape[1] + 2, np.inf, np.float32)
    for row in range(1, len(cost)):
        padded[1:-1] = total[row - 1]
        aside = np.minimum(padded[:-2], padded[2:]) + ASIDE_COST
        total[row] = cost[row] + np.minimum(padded[1:-1], aside)
    return total


def _find_minima(through: np.ndarray, most: float, apart: int) -> list[int]:
    """Return the places of the least cost, each clearly lower than what lies around it."""
    # Beside the ink, towards either side, a path costs nothing; a place that does not rise again is outside.
    highest_left, highest_right = np.maximum.accumulate(through), np.maximum.accumulate(through[::-1])[::-1]
    inside = np.minimum(highest_left, highest_right) > through + CLEAR_RISE
    found: list[int] = []
    for x in np.argsort(through, kind="stable").tolist():
        if through[x] > most or len(found) == MOST_CUTS:
            break
        # A place on the slope of a cut that is there already is the same cut.
        if inside[x] and all(abs(x - other) > apart and _rises_between(through, x, other) for other in found):
            found.append(x)
    return found


def _rises_between(through: np.ndarray, x: int, other: int) -> bool:
    between = through[min(x, other) : max(x, other) + 1]
    return bool(between.max() > through[x] + CLEAR_RISE)


def _follow(down: np.ndarray, up: np.ndarray, middle: int, start: int) -> np.ndarray:
    """Return the column, in each row, of the cheapest path through one pixel of the middle row."""
    path = np.empty(len(down), int)
    path[middle] = start
    for rows, total in ((range(middle - 1, -1, -1), down), (range(middle + 1, len(down)), up)):
        x = start
        for row in rows:
            left = max(0, x - 1)
            near = total[row, left : x + 2].copy()
            near[x - left] -= ASIDE_COST
            x = left + int(near.argmin())
            path[row] = x
    return path


def _join_notches(strokes: np.ndarray, pen: float, height: float) -> list[np.ndarray]:
    """Return straight cuts from each notch of the upper outline to the nearest notch of the lower one, and back."""
    inked = strokes >= 0.5
    last = len(strokes) - 1
    filled = inked.any(axis=0)
    upper = np.where(filled, inked.argmax(axis=0), last)
    lower = np.where(filled, last - inked[::-1].argmax(axis=0), 0)
    above, below = _find_notches(upper, NOTCH * height), _find_notches(last - lower, NOTCH * height)
    pairs = set()
    for x in above:
        pairs.add((x, min(below, key=lambda other: abs(other - x), default=x)))
    for x in below:
        pairs.add((min(above, key=lambda other: abs(other - x), default=x), x))
    paths = []
    for top, bottom in sorted(pairs):
        if abs(top - bottom) > NOTCH_ASIDE * height:
            continue
        path = np.interp(np.arange(last + 1), [upper[top], max(lower[bottom], upper[top] + 1)], [top, bottom])
        path = path.round().astype(int)
        if strokes[np.arange(last + 1), path].sum() <= MOST_CONTACT * pen:
            paths.append(path)
    return paths


def _find_notches(depth: np.ndarray, least: float) -> list[int]:
    """Return where an outline is deeper than on both sides, by so many pixels at least."""
    found: list[int] = []
    x, end = 1, len(depth) - 1
    while x < end:
        stop = x
        while stop < end and depth[stop] == depth[x]:
            stop += 1
        deeper = depth[x - 1] < depth[x] > depth[stop]
        if deeper and min(_measure_rise(depth[: x + 1][::-1]), _measure_rise(depth[x:])) >= least:
            found.append((x + stop - 1) // 2)
        x = stop
    return found


def _measure_rise(depth: np.ndarray) -> int:
    """Return how far an outline rises from its first place before it is deeper again."""
    deeper = np.flatnonzero(depth > depth[0])
    before = depth[: deeper[0]] if deeper.size else depth
    return int(depth[0] - before.min())

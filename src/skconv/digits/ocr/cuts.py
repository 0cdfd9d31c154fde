"""Cuts through touching digits, and the pieces of ink between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from skconv.digits.preprocess.morphology import Components, dilate

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; right and bottom are exclusive

MIN_INK = 0.4  # minimum stroke value of the pixels of a component
MIN_PIECE = 0.03  # fraction of a component's ink; smaller pieces are joined to their neighbours
MIN_WIDTH = 0.35  # fraction of the row's height; narrower components are not cut, because they are one digit at most
# Maximum ink along a cut, in stroke widths. A path may cross both sides of a 0; round digits may share a long stroke.
MAX_PATH_INK, MAX_NOTCH_INK = 3.0, 6.0
BACKGROUND_COST = 0.02  # per pixel of a path; shortens paths through the background
DIAGONAL_COST = 0.1  # per diagonal step; favours vertical paths
MIN_RISE = 0.35  # rise of the path cost between two local minima, in pixels of full ink
MAX_PATHS = 8
MIN_NOTCH = 0.08  # minimum depth of a notch, as a fraction of the row's height
MAX_NOTCH_SHIFT = 0.4  # maximum horizontal distance between two joined notches, as a fraction of the row's height


@dataclass(frozen=True)
class Ink:
    """Piece of ink: strokes, float32 (h, w), cropped to their bounding box, and the position of the box."""

    left: int
    top: int
    strokes: np.ndarray

    @property
    def right(self) -> int:
        """Right end of the box, exclusive."""
        return self.left + self.strokes.shape[1]

    @property
    def bottom(self) -> int:
        """Bottom of the box, exclusive."""
        return self.top + self.strokes.shape[0]

    @property
    def centre(self) -> tuple[float, float]:
        """Column and row of the centre of the box."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    @property
    def centre_of_mass(self) -> float:
        """Column of the centre of mass of the ink."""
        mass = self.strokes.sum(axis=0)
        return self.left + float((mass * np.arange(len(mass))).sum() / mass.sum())

    def scale_box(self, factor: int) -> Box:
        """Return the box in pixels of the original image, which was reduced by `factor`."""
        return self.left * factor, self.top * factor, self.right * factor, self.bottom * factor

    def join(self, *others: Ink) -> Ink:
        """Return one piece that contains the ink of this one and the others."""
        inks = (self, *others)
        left, top = min(ink.left for ink in inks), min(ink.top for ink in inks)
        shape = (max(ink.bottom for ink in inks) - top, max(ink.right for ink in inks) - left)
        joined = Ink(left, top, np.zeros(shape, np.float32))
        for ink in inks:
            part = joined._select(joined.strokes, ink)
            np.maximum(part, ink.strokes, out=part)
        return joined

    def measure_gap(self, other: Ink) -> int:
        """Return the larger of the horizontal and the vertical gap between two boxes, in pixels."""
        horizontal = max(self.left, other.left) - min(self.right, other.right)
        vertical = max(self.top, other.top) - min(self.bottom, other.bottom)
        return max(horizontal, vertical, 0)

    def measure_contact(self, other: Ink) -> float:
        """Return the amount of ink in another piece that is at most one pixel away from this one."""
        frame = self.join(other)
        dilated = np.zeros_like(frame.strokes)
        frame._select(dilated, self)[:] = self.strokes
        return float(np.minimum(frame._select(dilate(dilated, 3, 3), other), other.strokes).sum())

    def _select(self, values: np.ndarray, other: Ink) -> np.ndarray:
        """Crop `values`, which cover the box of this piece, to the smaller box of another; return a view."""
        top, left = other.top - self.top, other.left - self.left
        return values[top : top + other.strokes.shape[0], left : left + other.strokes.shape[1]]


def extract_component(strokes: np.ndarray, components: Components, k: int) -> Ink:
    """Return the ink of one component, including the soft edges of its strokes outside the mask."""
    left, top, right, bottom = (int(side) for side in components.boxes[k])
    left, top = max(0, left - 1), max(0, top - 1)
    labels = components.labels[top : bottom + 1, left : right + 1]
    mask = labels == k + 1
    mask = dilate(mask, 3, 3) & (mask | (labels == 0))
    return _crop(left, top, np.where(mask, strokes[top : bottom + 1, left : right + 1], np.float32(0)))


def cut_ink(ink: Ink, pen: float, height: float) -> list[Ink]:
    """Cut a component with `cut_component` and return its pieces; tiny pieces are joined to their neighbours."""
    strokes, numbers = ink.strokes, cut_component(ink.strokes, pen, height)
    masks: list[np.ndarray] = []
    min_ink = MIN_PIECE * float(strokes.sum())
    for number in range(numbers.max() + 1):
        mask = numbers == number
        if masks and (_is_tiny(strokes[mask], min_ink) or _is_tiny(strokes[masks[-1]], min_ink)):
            masks[-1] |= mask
        else:
            masks.append(mask)
    return [_crop(ink.left, ink.top, np.where(mask, strokes, np.float32(0))) for mask in masks]


def _is_tiny(strokes: np.ndarray, min_ink: float) -> bool:
    """Return whether the pixels of a piece, (n,), have too little ink, or none that is visible."""
    return bool(strokes.sum() < min_ink or not (strokes >= MIN_INK).any())


def _crop(left: int, top: int, strokes: np.ndarray) -> Ink:
    ink = strokes >= MIN_INK
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    inside = strokes[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Ink(left + int(columns[0]), top + int(rows[0]), inside)


def cut_component(strokes: np.ndarray, pen: float, height: float) -> np.ndarray:
    """Cut a component; return the piece number of each pixel, int (h, w), from left to right, all 0 without cuts.

    `strokes` contains one component. The stroke width `pen` and the `height` of the row's digits are in pixels. Thin
    joins are cut along a path from top to bottom that moves by at most one pixel per row and crosses a local minimum of
    ink. Round digits that share a stroke have notches above and below it; they are cut along the straight line between
    the notches.

    References
    ----------
    R. G. Casey and E. Lecolinet, "A survey of methods and strategies in character segmentation", IEEE Transactions on
    Pattern Analysis and Machine Intelligence 18 (1996), 690-706. H. Fujisawa, Y. Nakano and K. Kurino, "Segmentation
    methods for character recognition", Proceedings of the IEEE 80 (1992), 1079-1092, for cuts between notches.
    """
    pieces = np.zeros(strokes.shape, int)
    if strokes.shape[1] < MIN_WIDTH * height or strokes.shape[0] < 3:
        return pieces
    paths = _find_shortest_paths(strokes, pen, height) + _join_notches(strokes, pen, height)
    columns = np.arange(strokes.shape[1])
    border = np.zeros(strokes.shape[0], int)
    for path in sorted(paths, key=lambda path: float(path.mean())):
        border = np.maximum(border, path)  # prevents cuts from crossing each other
        pieces += columns > border[:, None]
    return pieces


def _find_shortest_paths(strokes: np.ndarray, pen: float, height: float) -> list[np.ndarray]:
    """Return the paths from top to bottom that cross a local minimum of ink, as one column per row."""
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
    """Return the columns of local minima by increasing cost; two minima are more than `distance` and a rise apart."""
    # Require a rise on both sides, because paths beside the ink cost almost nothing.
    max_left, max_right = np.maximum.accumulate(through), np.maximum.accumulate(through[::-1])[::-1]
    risen = through + MIN_RISE
    is_inside = np.minimum(max_left, max_right) > risen
    minima: list[int] = []
    for x in np.argsort(through, kind="stable").tolist():
        if through[x] > max_cost or len(minima) == MAX_PATHS:
            break
        between = [through[min(x, other) : max(x, other) + 1] for other in minima]
        if is_inside[x] and all(len(costs) > distance + 1 and costs.max() > risen[x] for costs in between):
            minima.append(x)
    return minima


def _trace_path(down: np.ndarray, up: np.ndarray, middle: int, start: int) -> np.ndarray:
    """Return the shortest path through column `start` of the middle row, as one column per row."""
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
    """Return straight cuts from each notch of the upper or lower outline to the nearest notch of the other outline."""
    ink = strokes >= 0.5
    last = len(strokes) - 1
    filled = ink.any(axis=0)
    upper = np.where(filled, ink.argmax(axis=0), last)
    lower = np.where(filled, last - ink[::-1].argmax(axis=0), 0)
    above, below = _find_notches(upper, MIN_NOTCH * height), _find_notches(last - lower, MIN_NOTCH * height)
    pairs = {(x, min(below, key=lambda other: abs(other - x), default=x)) for x in above}
    pairs |= {(min(above, key=lambda other: abs(other - x), default=x), x) for x in below}
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
    """Return how far `depth` falls below `depth[0]` before it first exceeds it (one side of the peak's prominence)."""
    deeper = np.flatnonzero(depth > depth[0])
    before = depth[: deeper[0]] if deeper.size else depth
    return int(depth[0] - before.min())

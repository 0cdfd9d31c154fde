"""Detection of ruled grids: cells of a form, table or puzzle, arranged in rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from skconv.digits.ocr.cuts import Box
from skconv.digits.ocr.grid_cells import Cells, find_cells
from skconv.digits.ocr.grid_layout import MIN_CELLS, Nodes, arrange_cells
from skconv.digits.ocr.grid_rulings import RulingMasks, correct_rulings, is_open, score_grid, widen_rulings
from skconv.digits.preprocess.background import has_light_ink

LONGEST_SIDE = 1600  # pixels of the image in which grids are detected
POLARITY_SIDE = 500  # pixels of the image from which the polarity is determined
MAX_ENLARGEMENT = 2.0  # of small images, so that thin cells are wide enough
# Strokes and printed lines may enclose a few cells by chance, but hardly with straight rulings from end to end.
MIN_CERTAIN_CELLS, MIN_CERTAIN_SUPPORT = 6, 0.9
MAX_OVERLAP = 0.2  # of the boxes of two grids, as a fraction of the smaller one
MIN_OPEN_SIDE = 3  # minimum number of rows and columns of squared paper, whose rulings have no outer frame


@dataclass(frozen=True)
class Grid:
    """A ruled grid.

    Parameters
    ----------
    x, y : ndarray of float, shape (2 * rows, 2 * columns)
        Positions in pixels of the image where the sides of cells cross: top and bottom side of the cells in each row,
        left and right side of those in each column. Rulings are between the sides of neighbouring cells.
    is_light : bool
        Whether rulings and ink are lighter than the paper.
    is_open : bool
        Whether rulings continue outside the grid, as on squared paper.
    """

    x: np.ndarray
    y: np.ndarray
    is_light: bool = False
    is_open: bool = False

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.x) // 2

    @property
    def columns(self) -> int:
        """Number of columns."""
        return self.x.shape[1] // 2

    @property
    def box(self) -> Box:
        """Left, top, right, bottom of the grid in pixels of the image."""
        return _enclose(self.x, self.y)

    def find_cell_box(self, row: int, column: int) -> Box:
        """Return left, top, right, bottom of a cell in pixels of the image."""
        cell = slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2)
        return _enclose(self.x[cell], self.y[cell])


def _enclose(x: np.ndarray, y: np.ndarray) -> Box:
    return int(np.floor(x.min())), int(np.floor(y.min())), int(np.ceil(x.max())), int(np.ceil(y.max()))


def find_grids(image: np.ndarray) -> tuple[Grid, ...]:
    """Return the ruled grids in an image, uint8 (h, w) or (h, w, 3), from top to bottom; empty if there are none.

    A grid has at least three cells, enclosed by rulings that are thinner than its digits are high. It may be rotated by
    about 5 degrees, seen in perspective, slightly curved, and light on dark.

    Examples
    --------
    >>> paper = np.full((120, 170), 250, np.uint8)
    >>> paper[10:112:50, 10:161] = paper[10:111, 10:162:50] = 90
    >>> (grid,) = find_grids(paper)
    >>> grid.rows, grid.columns
    (2, 3)
    """
    factor = min(LONGEST_SIDE / max(image.shape[:2]), MAX_ENLARGEMENT)
    is_light = _has_light_ink(image)
    grey = _to_dark_lines(image, is_light)
    size = max(1, round(grey.shape[1] * factor)), max(1, round(grey.shape[0] * factor))
    cells = find_cells(np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BILINEAR)))
    if not cells:
        return ()
    grids = [_scale_grid(nodes, factor, image.shape, is_light, is_open) for nodes, is_open in _select_grids(cells)]
    return tuple(sorted(grids, key=lambda grid: (grid.box[1], grid.box[0])))


def _has_light_ink(image: np.ndarray) -> bool:
    grey = Image.fromarray(image).convert("L")
    return has_light_ink(np.asarray(grey.reduce(max(1, max(grey.size) // POLARITY_SIDE)), np.float32))


def _scale_grid(nodes: Nodes, factor: float, shape: tuple[int, ...], is_light: bool, is_open: bool) -> Grid:
    """Return a grid in pixels of the image from its position in the resized image."""
    x, y = nodes
    return Grid(np.clip(x / factor, 0, shape[1]), np.clip(y / factor, 0, shape[0]), is_light, is_open)


def _to_dark_lines(image: np.ndarray, is_light: bool) -> np.ndarray:
    """Return a grey image in which lines of any colour are dark, uint8 (h, w)."""
    channels = 255 - image if is_light else image
    if channels.ndim == 2:
        return channels
    grey = channels[:, :, 0]
    for k in range(1, channels.shape[2]):
        grey = np.minimum(grey, channels[:, :, k])
    return grey


def _arrange(sides: np.ndarray, masks: RulingMasks) -> list[Nodes]:
    """Return the grids of cells with the given sides; of overlapping ones, the largest."""
    corrected = [correct_rulings(nodes, masks) for nodes in arrange_cells(sides)]
    selected: list[Nodes] = []
    for nodes in sorted(corrected, key=lambda nodes: -nodes[0].size):
        if nodes[0].size and not any(_overlap(nodes, other) for other in selected):
            selected.append(nodes)
    return selected


def _overlap(nodes: Nodes, other: Nodes) -> bool:
    """Return whether the boxes of two grids overlap by more than a part of the smaller one."""
    common, sizes = 1.0, np.ones(2)
    for a, b in zip(nodes, other, strict=True):
        common *= max(0.0, min(a.max(), b.max()) - max(a.min(), b.min()))
        sizes *= np.ptp(a), np.ptp(b)
    return bool(common > MAX_OVERLAP * sizes.min())


def _is_certain(nodes: Nodes, masks: RulingMasks) -> bool:
    """Return whether a grid has enough cells, and, if they are few, rulings without gaps."""
    n_cells = nodes[0].size // 4
    weakest = min(float(support.mean(axis=1).min()) for support in masks.measure(nodes))
    return n_cells >= MIN_CELLS and (n_cells >= MIN_CERTAIN_CELLS or weakest >= MIN_CERTAIN_SUPPORT)


def _select_grids(variants: Sequence[Cells]) -> list[tuple[Nodes, bool]]:
    """Return the grids of the cells that agree best with the rulings, and whether they are open."""
    masks = widen_rulings(variants[0])
    found = [_arrange(cells.sides[~cells.on_border], masks) for cells in variants]
    closed = [[nodes for nodes in grids if not is_open(nodes, variants[0])] for grids in found]
    best = max(closed, key=lambda grids: sum(score_grid(nodes, masks) for nodes in grids))
    best = [nodes for nodes in best if _is_certain(nodes, masks)]
    if best or not any(found):
        return [(nodes, False) for nodes in best]
    # On paper without an outer frame, the border of the image cuts the outer cells.
    whole = [_arrange(cells.sides, masks) for cells in variants]
    best = max(whole, key=lambda grids: sum(score_grid(nodes, masks) for nodes in grids))
    return [(nodes, True) for nodes in best if min(nodes[0].shape) >= 2 * MIN_OPEN_SIDE]

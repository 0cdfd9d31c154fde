"""Generated pages of numbers on paper without a grid, such as lined and squared paper, with a fixed seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from grid_pages import (
    CELL,
    CONDITIONS,
    Page,
    draw_ink,
    draw_rule,
    find_edges,
    make_canvas,
    photograph,
    start_page,
    write_number,
)


def draw_lined_paper(page: Page) -> np.ndarray:
    """Draw rulings from edge to edge, and sometimes one or two margins."""
    cover = make_canvas(page)
    for y in range(page.margin, len(cover) - 5, CELL):
        draw_rule(page, cover, [(0, y), (cover.shape[1], y)], 0)
    for x in page.random.choice([30, cover.shape[1] - 30], int(page.random.integers(0, 3)), replace=False):
        draw_rule(page, cover, [(int(x), 0), (int(x), len(cover))], 0)
    return cover


def draw_small_squares(page: Page) -> np.ndarray:
    """Draw squared paper from edge to edge, with squares of half the height of a digit."""
    cover, side = make_canvas(page), int(page.random.uniform(0.3, 0.5) * CELL)
    for y in range(side, len(cover) - 5, side):
        draw_rule(page, cover, [(0, y), (cover.shape[1], y)], 0)
    for x in range(side, cover.shape[1] - 5, side):
        draw_rule(page, cover, [(x, 0), (x, len(cover))], 0)
    return cover


def draw_large_squares(page: Page) -> np.ndarray:
    """Draw squared paper from edge to edge, with squares as large as a digit."""
    cover = make_canvas(page)
    for y in range(page.margin, len(cover) - 5, CELL):
        draw_rule(page, cover, [(0, y), (cover.shape[1], y)], 0)
    for x in range(page.margin % CELL + 5, cover.shape[1] - 5, CELL):
        draw_rule(page, cover, [(x, 0), (x, len(cover))], 0)
    return cover


def draw_box(page: Page) -> np.ndarray:
    """Draw a box around each line."""
    cover = make_canvas(page)
    for top, bottom in find_edges(page.heights, 0, page.margin)[:1]:
        for y in (top - 4, bottom + 4):
            draw_rule(page, cover, [(8, y), (cover.shape[1] - 8, y)], 0)
        for x in (8, cover.shape[1] - 8):
            draw_rule(page, cover, [(x, top - 4), (x, bottom + 4)], 0)
    return cover


def draw_nothing(page: Page) -> np.ndarray:
    return make_canvas(page)


PAPERS_WITHOUT_GRID: dict[str, Callable[[Page], np.ndarray]] = {
    "plain": draw_nothing,
    "lined": draw_lined_paper,
    "small squares": draw_small_squares,
    "large squares": draw_large_squares,
    "box": draw_box,
}


def make_other_page(
    kind: str, conditions: list[str], digits: np.ndarray, labels: np.ndarray, seed: list[int]
) -> tuple[np.ndarray, str]:
    """Return the image of numbers on paper without a grid, one number per line, and their text."""
    page = start_page(digits, labels, seed)
    random = page.random
    page.thickness = float(random.uniform(1.2, 2.0))
    page.scale, page.margin = float(random.uniform(0.6, 0.9)), CELL
    for condition in conditions:
        CONDITIONS[condition](page)
    n = 1 if kind == "box" else int(random.integers(1, 6))
    page.cells = [[write_number(page, int(random.integers(2, 8)))] for _ in range(n)]
    page.widths, page.heights = [8 * CELL], [CELL] * n
    return photograph(page, PAPERS_WITHOUT_GRID[kind](page), draw_ink(page)), "\n".join(line[0] for line in page.cells)

"""Generated pages of ruled grids with MNIST digits in their cells, with a fixed seed.

The code is not shared with the generators of training data.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image

CELL = 64  # pixels of a cell while a page is drawn
INKS = ((25, 25, 30), (30, 40, 120), (60, 60, 65), (15, 15, 15))
RULES = ((150, 150, 155), (120, 160, 215), (60, 60, 60), (30, 30, 30), (200, 140, 120), (185, 185, 190))
PAPERS = ((250, 250, 250), (238, 236, 226), (222, 222, 224), (245, 240, 215))


@dataclass
class Page:
    """Description of a page to draw; lengths in pixels of a page with cells of 64 pixels."""

    random: np.random.Generator
    digits: np.ndarray  # uint8 (n, 28, 28)
    labels: np.ndarray  # int (n,)
    cells: list[list[str]] = field(default_factory=list)  # the truth, "" for an empty cell
    widths: list[int] = field(default_factory=list)
    heights: list[int] = field(default_factory=list)
    thickness: float = 2.0
    thick_every: int = 0  # every third ruling of a sudoku is thick
    gap: int = 0  # between separate boxes
    dotted: bool = False
    breaks: float = 0.0  # fraction of the rulings that is missing
    ink: tuple[int, int, int] = INKS[0]
    rule: tuple[int, int, int] = RULES[0]
    paper: tuple[int, int, int] = PAPERS[0]
    scale: float = 0.7  # pixels of the image per pixel of the page
    rotation: float = 0.0
    perspective: float = 0.0
    noise: float = 1.5
    blur: float = 0.0  # pixels of the image
    shade: float = 0.0
    quality: int | None = None
    inverted: bool = False
    margin: int = 48
    size: float = 0.66  # of the digits, in cell heights
    jitter: float = 0.06
    next_digit: int = 0


# Kinds of grids ------------------------------------------------------------------------------------------------------


def fill_page(page: Page) -> None:
    """Fill 25 rows of 46 cells."""
    set_cells(page, 25, 46, [CELL] * 46, lambda: write_number(page, 1))


def fill_sudoku(page: Page) -> None:
    """Fill a third to two thirds of 9 rows of 9 cells; every third ruling is thick."""
    share = page.random.uniform(0.3, 0.65)
    set_cells(page, 9, 9, [CELL] * 9, lambda: write_number(page, 1) if page.random.random() < share else "")
    page.thick_every, page.thickness = 3, float(page.random.uniform(1.5, 3))


def fill_form(page: Page) -> None:
    """Fill the fields of a form: one row of 4 to 12 cells, solid or dotted."""
    n = int(page.random.integers(4, 13))
    n_filled = int(page.random.integers(max(2, n - 3), n + 1))
    page.cells = [[write_number(page, 1) if k < n_filled else "" for k in range(n)]]
    page.widths, page.heights = [int(page.random.uniform(0.7, 1.1) * CELL)] * n, [CELL]
    page.dotted = bool(page.random.random() < 0.4)


def fill_boxes(page: Page) -> None:
    """Fill a row of 4 to 10 separate boxes."""
    fill_form(page)
    page.dotted, page.gap = False, int(page.random.uniform(0.1, 0.35) * CELL)


def fill_small_form(page: Page) -> None:
    """Fill 2 to 4 rows of 2 to 5 cells."""
    rows, columns = (int(n) for n in (page.random.integers(2, 5), page.random.integers(2, 6)))

    def write() -> str:
        return write_number(page, 1) if page.random.random() < 0.85 else ""

    set_cells(page, rows, columns, [CELL] * columns, write)


def fill_table(page: Page) -> None:
    """Fill 3 to 10 rows of 3 to 6 wide cells with numbers of one to four digits."""
    rows, columns = (int(n) for n in (page.random.integers(3, 11), page.random.integers(3, 7)))
    widths = [int(page.random.uniform(1.8, 3.2) * CELL) for _ in range(columns)]

    def write() -> str:
        return "" if page.random.random() < 0.15 else write_number(page, int(page.random.integers(1, 5)))

    set_cells(page, rows, columns, widths, write)


GRIDS: dict[str, Callable[[Page], None]] = {
    "page of 25 × 46": fill_page,
    "sudoku": fill_sudoku,
    "form of one row": fill_form,
    "separate boxes": fill_boxes,
    "small form": fill_small_form,
    "table of numbers": fill_table,
}


def set_cells(page: Page, rows: int, columns: int, widths: list[int], write: Callable[[], str]) -> None:
    page.cells = [[write() for _ in range(columns)] for _ in range(rows)]
    page.widths, page.heights = widths, [CELL] * rows


def write_number(page: Page, n: int) -> str:
    """Take the next n digits; return their labels."""
    chosen = [(page.next_digit + k) % len(page.labels) for k in range(n)]
    page.next_digit += n
    return "".join(str(page.labels[k]) for k in chosen)


# Conditions ----------------------------------------------------------------------------------------------------------


def rotate(page: Page) -> None:
    page.rotation = float(page.random.uniform(2, 5) * page.random.choice([-1, 1]))


def tilt(page: Page) -> None:
    page.perspective = 0.05


def add_noise(page: Page) -> None:
    page.noise = float(page.random.uniform(5, 10))


def add_blur(page: Page) -> None:
    page.blur = float(page.random.uniform(0.8, 1.4))


def add_shade(page: Page) -> None:
    page.shade = float(page.random.uniform(0.35, 0.6))


def reduce(page: Page) -> None:
    page.scale = float(page.random.uniform(0.38, 0.45))  # 24 to 29 pixels per cell


def enlarge(page: Page) -> None:
    page.scale = 1.3


def invert(page: Page) -> None:
    page.inverted = True


def break_rulings(page: Page) -> None:
    page.breaks = 0.12


def use_jpeg(page: Page) -> None:
    page.quality = 30


def use_dark_rulings(page: Page) -> None:
    page.rule, page.thickness = RULES[3], 3.0


def write_freely(page: Page) -> None:
    page.size, page.jitter = 0.8, 0.12  # many digits touch or cross a ruling


CONDITIONS: dict[str, Callable[[Page], None]] = {
    "rotated": rotate,
    "perspective": tilt,
    "noise": add_noise,
    "blur": add_blur,
    "uneven light": add_shade,
    "low resolution": reduce,
    "high resolution": enlarge,
    "inverted": invert,
    "broken rulings": break_rulings,
    "JPEG quality 30": use_jpeg,
    "dark rulings": use_dark_rulings,
    "digits on rulings": write_freely,
}


def start_page(digits: np.ndarray, labels: np.ndarray, seed: list[int]) -> Page:
    """Return the description of a page with random digits and colours."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(digits))
    page = Page(random, digits[order], labels[order])
    page.ink, page.rule, page.paper = (group[random.integers(len(group))] for group in (INKS, RULES, PAPERS))
    return page


def make_page(
    kind: str, conditions: list[str], digits: np.ndarray, labels: np.ndarray, seed: list[int]
) -> tuple[np.ndarray, list[list[str]]]:
    """Return the image of a page, uint8 (h, w, 3), and the number in each cell, "" if it is empty."""
    page = start_page(digits, labels, seed)
    random = page.random
    page.thickness = float(random.uniform(1.2, 2.5))
    page.scale, page.size = float(random.uniform(0.6, 0.9)), float(random.uniform(0.5, 0.72))
    page.margin = int(random.uniform(0.2, 1.2) * CELL)
    for condition in conditions:
        CONDITIONS[condition](page)
    GRIDS[kind](page)
    rules, ink = draw_rules(page), draw_ink(page)
    return photograph(page, rules, ink), page.cells


# Drawing -------------------------------------------------------------------------------------------------------------


def find_edges(sizes: list[int], gap: int, margin: int) -> list[tuple[int, int]]:
    """Return start and end of each cell along an axis."""
    edges, start = [], margin
    for size in sizes:
        edges.append((start, start + size))
        start += size + gap
    return edges


def make_canvas(page: Page) -> np.ndarray:
    columns, rows = find_edges(page.widths, page.gap, page.margin), find_edges(page.heights, 0, page.margin)
    return np.zeros((rows[-1][1] + page.margin, columns[-1][1] + page.margin), np.float32)


def draw_rules(page: Page) -> np.ndarray:
    """Return the cover of the rulings, float32 (h, w)."""
    cover = make_canvas(page)
    columns, rows = find_edges(page.widths, page.gap, page.margin), find_edges(page.heights, 0, page.margin)
    for number, x in enumerate(sorted({edge for pair in columns for edge in pair})):
        draw_rule(page, cover, [(x, rows[0][0]), (x, rows[-1][1])], number)
    for number, y in enumerate(sorted({edge for pair in rows for edge in pair})):
        spans = columns if page.gap else [(columns[0][0], columns[-1][1])]
        for start, stop in spans:
            draw_rule(page, cover, [(start, y), (stop, y)], number)
    return cover


def draw_rule(page: Page, cover: np.ndarray, ends: list[tuple[int, int]], number: int) -> None:
    (x0, y0), (x1, y1) = ends
    length = max(x1 - x0, y1 - y0)
    thick = 2.2 if page.thick_every and number % page.thick_every == 0 else 1.0
    half = page.thickness * thick / 2
    along = np.arange(length) + 0.5
    drawn = np.ones(length, np.float32)
    if page.dotted:
        drawn = (along % 6 < 3).astype(np.float32)
    if page.breaks:
        for _ in range(int(page.breaks * length / 14) + 1):
            start = int(page.random.integers(length))
            drawn[start : start + 14] *= 0 if page.random.random() < page.breaks * 6 else 1
    for k in range(-4, 5):
        value = float(np.clip(half + 0.5 - abs(k + 0.5), 0, 1))
        if value == 0:
            continue
        if x0 == x1:
            cover[y0:y1, x0 + k] = np.maximum(cover[y0:y1, x0 + k], value * drawn)
        else:
            cover[y0 + k, x0:x1] = np.maximum(cover[y0 + k, x0:x1], value * drawn)


def draw_ink(page: Page) -> np.ndarray:
    """Return the cover of the digits, float32 (h, w)."""
    cover = make_canvas(page)
    page.next_digit = 0
    columns, rows = find_edges(page.widths, page.gap, page.margin), find_edges(page.heights, 0, page.margin)
    for (top, bottom), line in zip(rows, page.cells, strict=True):
        for (left, right), text in zip(columns, line, strict=True):
            draw_number(page, cover, (left + right) / 2, (top + bottom) / 2, right - left, len(text))
    return cover


def draw_number(page: Page, cover: np.ndarray, x: float, y: float, width: float, n: int) -> None:
    """Draw the next n digits, centred at x and y, in a cell of a width."""
    images = []
    for _ in range(n):
        digit = page.digits[page.next_digit]
        page.next_digit += 1
        digit = digit[np.ix_(digit.any(axis=1), digit.any(axis=0))]
        height = page.size * CELL * page.random.uniform(0.9, 1.1)
        scale = height / max(20, digit.shape[0])
        size = max(3, round(digit.shape[1] * scale)), max(3, round(digit.shape[0] * scale))
        images.append(np.asarray(Image.fromarray(digit).resize(size, Image.Resampling.BICUBIC)) / np.float32(255))
    gap = 0.1 * CELL
    total = sum(image.shape[1] for image in images) + gap * (n - 1)
    factor = min(1.0, 0.92 * width / max(total, 1))
    slack = max(0.0, width - total * factor) if n > 1 else 0.0
    start = x - total * factor / 2 + page.random.uniform(-0.3, 0.3) * slack
    start += page.random.normal(0, page.jitter) * CELL if n == 1 else 0
    for image in images:
        if factor < 1:
            size = max(3, round(image.shape[1] * factor)), max(3, round(image.shape[0] * factor))
            image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
        top = round(y - image.shape[0] / 2 + page.random.normal(0, page.jitter) * CELL)
        left = max(0, round(start))
        top = min(max(0, top), cover.shape[0] - image.shape[0])
        left = min(left, cover.shape[1] - image.shape[1])
        part = cover[top : top + image.shape[0], left : left + image.shape[1]]
        np.maximum(part, np.clip(image * 1.1, 0, 1), out=part)
        start += image.shape[1] + gap * factor


def photograph(page: Page, rules: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Return the image of a page, uint8 (h, w, 3): projection, colours, light, blur, noise, JPEG."""
    height, width = rules.shape
    corners = np.float32([(0, 0), (width, 0), (width, height), (0, height)])
    moved = corners * page.scale
    if page.rotation or page.perspective:
        angle = np.deg2rad(page.rotation)
        matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        moved = (moved - moved.mean(axis=0)) @ matrix.T
        moved = moved + page.random.uniform(-1, 1, (4, 2)) * page.perspective * moved.std(axis=0)
        moved -= moved.min(axis=0)
    size = tuple(int(np.ceil(side)) for side in moved.max(axis=0))
    projection = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    blurred = [cv2.GaussianBlur(each, (0, 0), 0.35 / page.scale) if page.scale < 1 else each for each in (rules, ink)]
    rules, ink = (cv2.warpPerspective(each, projection, size, flags=cv2.INTER_LINEAR) for each in blurred)
    image = np.empty((*rules.shape, 3), np.float32)
    for k in range(3):
        paper = page.paper[k] + (min(page.rule[k], page.paper[k]) - page.paper[k]) * rules
        image[:, :, k] = paper + (page.ink[k] - paper) * ink
    if page.shade:
        rows, columns = np.mgrid[: image.shape[0], : image.shape[1]] / np.reshape(image.shape[:2], (2, 1, 1))
        a, b = page.random.uniform(-1, 1, 2)
        wave = 0.5 + 0.5 * np.tanh(2 * (a * (rows - 0.5) + b * (columns - 0.5)) / max(abs(a) + abs(b), 0.2) * 2)
        image *= (1 - page.shade * wave)[:, :, None]
    if page.blur:
        image = cv2.GaussianBlur(image, (0, 0), page.blur)
    image += page.random.normal(0, page.noise, (*image.shape[:2], 1))
    result = np.clip(image, 0, 255).astype(np.uint8)
    if page.inverted:
        result = 255 - result
    if page.quality:
        stream = io.BytesIO()
        Image.fromarray(result).save(stream, "JPEG", quality=page.quality)
        result = np.asarray(Image.open(stream))
    return result

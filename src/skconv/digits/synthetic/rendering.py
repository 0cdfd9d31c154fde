"""Rendering of synthetic handwriting: strokes, glyphs of fonts, and paper as it is scanned or photographed."""

from __future__ import annotations

import importlib.util
import io
import math
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIDE = 80  # pixels of the unit square in which lines are drawn, and font size of glyphs
TREMOR = 0.03  # standard deviation of the displacement of lines, as a share of the unit square

# Fonts of matplotlib, which skconv depends on; their licences permit any use.
_FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Bold",
    "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmr10", "cmss10", "cmtt10", "cmb10",
)  # fmt: skip

Line = list[tuple[float, float]]
Lines = list[Line]


def draw_glyph(text: str, rng: np.random.Generator) -> np.ndarray:
    """Draw a character in a random font and width: strokes float32 (h, w), 0..1."""
    font = _load_font(_FONTS[int(rng.integers(len(_FONTS)))])
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8))
    ImageDraw.Draw(image).text((4 - left, 4 - top), text, fill=255, font=font)
    stretched = image.resize((max(4, round(image.width * rng.uniform(0.75, 1.25))), image.height))
    return np.asarray(stretched, np.float32) / 255


def draw_lines(lines: Lines, rng: np.random.Generator, *, thickness: float) -> np.ndarray:
    """Draw lines with random slant, width and tremor: strokes float32 (160, 240), 0..1.

    Points are (x, y) of about 0..1, y downwards; `thickness` is the stroke width in the same unit.
    """
    slant, widening = rng.normal(0.1, 0.2), rng.uniform(0.7, 1.3)
    canvas = Image.new("L", (3 * SIDE, 2 * SIDE))
    draw = ImageDraw.Draw(canvas)
    pen = max(2, round(thickness * SIDE))
    for line in lines:
        points = np.array(line)
        between = [np.linspace(a, b, max(2, int(8 * np.hypot(*(b - a)))), endpoint=False) for a, b in pairwise(points)]
        dense = np.concatenate([*between, points[-1:]])
        drift = np.cumsum(rng.normal(0, TREMOR / 3, dense.shape), axis=0) + rng.normal(0, TREMOR, (1, 2))
        x, y = (dense + drift - np.linspace(0, 1, len(dense))[:, None] * drift[-1] * 0.5).T
        path = np.stack([(x + slant * (1 - y)) * widening + 1, y + 0.5], axis=1) * SIDE
        flat = [tuple(point) for point in path.tolist()]
        draw.line(flat, fill=255, width=pen, joint="curve")
        for end in (flat[0], flat[-1]):
            draw.ellipse((end[0] - pen / 2, end[1] - pen / 2, end[0] + pen / 2, end[1] + pen / 2), fill=255)
    return np.asarray(canvas, np.float32) / 255


def arc(centre: tuple[float, float], radii: tuple[float, float], start: float, stop: float) -> Line:
    """Return points of an elliptical arc; angles in degrees, 0 to the right and 90 downwards."""
    angles = np.radians(np.linspace(start, stop, 16)).tolist()
    return [(centre[0] + radii[0] * math.cos(angle), centre[1] + radii[1] * math.sin(angle)) for angle in angles]


def curve(*points: tuple[float, float]) -> Line:
    """Return points of a Catmull-Rom spline through the given points; a repeated point is a corner."""
    knots = np.array([points[0], *points, points[-1]])
    steps = np.linspace(0, 1, 6, endpoint=False)[:, None]
    dense = []
    for before, start, stop, after in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        leave, arrive = (stop - before) / 2, (after - start) / 2  # tangents
        if (start == before).all() or (start == stop).all():
            leave = stop - start
        if (stop == after).all():
            arrive = stop - start
        quadratic = 3 * (stop - start) - 2 * leave - arrive
        cubic = 2 * (start - stop) + leave + arrive
        dense.append(start + leave * steps + quadratic * steps**2 + cubic * steps**3)
    line: Line = [*map(tuple, np.concatenate(dense).tolist()), points[-1]]
    return line


def draw_on_paper(strokes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw strokes on synthetic paper.

    Random parameters are the grey of paper and ink, uneven light, worn ink, ruled lines, blur, noise, inverted polarity
    and JPEG compression.

    Parameters
    ----------
    strokes : ndarray of float32, shape (h, w)
        0 for background, 1 for ink, at least 8 pixels per side.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of uint8, shape (h, w)

    Examples
    --------
    >>> strokes = np.zeros((40, 30), np.float32)
    >>> strokes[10:30, 14:17] = 1
    >>> draw_on_paper(strokes, np.random.default_rng(0)).shape
    (40, 30)
    """
    shape = strokes.shape
    paper = rng.uniform(130, 250) * (1 + rng.choice([0, 0.1, 0.3]) * wave(shape, rng, knots=2))
    depth = rng.uniform(0.3, 0.95)
    ink = strokes * depth * (1 - rng.choice([0, 0.25]) * np.abs(wave(shape, rng, knots=6)))
    if rng.random() < 0.15:
        ink = np.maximum(ink, _draw_ruled_lines(shape, rng) * rng.uniform(0.2, 0.7) * depth)
    pixels = np.clip(paper * (1 - ink), 0, 255)
    if rng.random() < 0.25:
        pixels = 255 - pixels
    image = Image.fromarray(np.rint(pixels).astype(np.uint8))
    if rng.random() < 0.3:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 0.03 * min(shape) + 0.3)))
    noisy = np.asarray(image, np.float32) + rng.normal(0, rng.choice([0, 2, 5]), shape)
    image = Image.fromarray(np.clip(np.rint(noisy), 0, 255).astype(np.uint8))
    if rng.random() < 0.2:
        with io.BytesIO() as stream:
            image.save(stream, "JPEG", quality=int(rng.integers(20, 80)))
            image = Image.open(stream)
            image.load()
    return np.asarray(image)


def wave(shape: tuple[int, int], rng: np.random.Generator, *, knots: int) -> np.ndarray:
    """Return smooth random values, about -1..1, float32 (h, w): `knots`×`knots` random values, interpolated."""
    values = rng.uniform(-1, 1, (knots, knots)).astype(np.float32)
    return np.asarray(Image.fromarray(values).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def resize(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize float32 values of 0..1 with antialiasing."""
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.clip(np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)), 0, 1)


def _draw_ruled_lines(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw the thin horizontal or vertical lines of ruled paper, or both."""
    rows = np.zeros(max(shape), np.float32)
    distance = int(rng.integers(max(8, min(shape) // 4), max(shape) + 9))
    for first in range(int(rng.integers(distance)), len(rows), distance):
        rows[first : first + max(1, min(shape) // 60)] = 1
    horizontal = np.broadcast_to(rows[: shape[0], None], shape)
    vertical = np.broadcast_to(rows[None, : shape[1]], shape)
    kind = rng.random()
    return horizontal if kind < 0.5 else vertical if kind < 0.75 else np.maximum(horizontal, vertical)


@lru_cache(maxsize=len(_FONTS))
def _load_font(name: str) -> ImageFont.FreeTypeFont:
    spec = importlib.util.find_spec("matplotlib")  # locates the package without the second that its import takes
    assert spec is not None and spec.origin is not None
    return ImageFont.truetype(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf", SIDE)

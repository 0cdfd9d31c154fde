"""Strokes drawn with a seed: lines and curves by a hand that trembles, and characters of fonts."""

from __future__ import annotations

import importlib.util
import math
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 80  # pixels of a drawing's shorter frame; it is made smaller by MNIST's rule

# matplotlib, which skconv needs for its figures, brings these; their licences allow any use.
_FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Bold",
    "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmr10", "cmss10", "cmtt10", "cmb10",
)  # fmt: skip

Line = list[tuple[float, float]]
Lines = list[Line]


def draw_glyph(text: str, rng: np.random.Generator) -> np.ndarray:
    """Draw a character in one of the fonts, sometimes stretched: strokes float32 (h, w) of 0..1."""
    font = _load_font(_FONTS[int(rng.integers(len(_FONTS)))])
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8))
    ImageDraw.Draw(image).text((4 - left, 4 - top), text, fill=255, font=font)
    stretched = image.resize((max(4, round(image.width * rng.uniform(0.75, 1.25))), image.height))
    return np.asarray(stretched, np.float32) / 255


def draw_lines(lines: Lines, rng: np.random.Generator, *, thickness: float, tremor: float = 0.03) -> np.ndarray:
    """Draw lines through points (x, y) of about 0..1 with a pen of that thickness and a hand that trembles."""
    slant, widening = rng.normal(0.1, 0.2), rng.uniform(0.7, 1.3)
    canvas = Image.new("L", (3 * SIDE, 2 * SIDE))
    draw = ImageDraw.Draw(canvas)
    pen = max(2, round(thickness * SIDE))
    for line in lines:
        points = np.array(line)
        between = [np.linspace(a, b, max(2, int(8 * np.hypot(*(b - a)))), endpoint=False) for a, b in pairwise(points)]
        dense = np.concatenate([*between, points[-1:]])
        drift = np.cumsum(rng.normal(0, tremor / 3, dense.shape), axis=0) + rng.normal(0, tremor, (1, 2))
        x, y = (dense + drift - np.linspace(0, 1, len(dense))[:, None] * drift[-1] * 0.5).T
        path = np.stack([(x + slant * (1 - y)) * widening + 1, y + 0.5], axis=1) * SIDE
        flat = [tuple(point) for point in path.tolist()]
        draw.line(flat, fill=255, width=pen, joint="curve")
        for end in (flat[0], flat[-1]):
            draw.ellipse((end[0] - pen / 2, end[1] - pen / 2, end[0] + pen / 2, end[1] + pen / 2), fill=255)
    return np.asarray(canvas, np.float32) / 255


def arc(centre: tuple[float, float], radii: tuple[float, float], start: float, stop: float) -> Line:
    """Return points of an ellipse from one angle in degrees to another; 0 is to the right, 90 is below."""
    angles = np.radians(np.linspace(start, stop, 16)).tolist()
    return [(centre[0] + radii[0] * math.cos(angle), centre[1] + radii[1] * math.sin(angle)) for angle in angles]


def curve(*points: tuple[float, float]) -> Line:
    """Return points of a smooth curve through those given (a Catmull-Rom spline); a point given twice is a corner."""
    knots = np.array([points[0], *points, points[-1]])
    steps = np.linspace(0, 1, 6, endpoint=False)[:, None]
    dense = []
    for before, start, stop, after in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        leave, arrive = (stop - before) / 2, (after - start) / 2
        if (start == before).all() or (start == stop).all():
            leave = stop - start
        if (stop == after).all():
            arrive = stop - start
        bend = 3 * (stop - start) - 2 * leave - arrive
        turn = 2 * (start - stop) + leave + arrive
        dense.append(start + leave * steps + bend * steps**2 + turn * steps**3)
    line: Line = [*map(tuple, np.concatenate(dense).tolist()), points[-1]]
    return line


@lru_cache(maxsize=len(_FONTS))
def _load_font(name: str) -> ImageFont.FreeTypeFont:
    found = importlib.util.find_spec("matplotlib")  # found, not imported: that takes a second
    assert found is not None and found.origin is not None
    return ImageFont.truetype(Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf", SIDE)

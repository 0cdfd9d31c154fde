"""Digits that MNIST lacks, drawn with a seed: the European 1 and 7, the slashed and the dotted 0, printed digits."""

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


def draw_styled_digit(rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Draw a digit in a way that MNIST's writers did not: returns strokes float32 (h, w) of 0..1, and its value."""
    styles = ((_european_one, 1, 0.4), (_crossed_seven, 7, 0.3), (_marked_zero, 0, 0.2), (_flat_three, 3, 0.1))
    style, value, _ = styles[rng.choice(len(styles), p=[share for _, _, share in styles])]
    return draw_lines(style(rng), rng, thickness=rng.uniform(0.05, 0.14)), value


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


def _european_one(rng: np.random.Generator) -> Lines:
    """A long upstroke, half of them with a foot."""
    reach, low = rng.uniform(0.15, 0.55), rng.uniform(0.15, 0.65)
    lines: Lines = [[(0.5 - reach, low), (0.5, 0.0), (0.5, 1.0)]]
    if rng.random() < 0.5:
        lines.append([(0.5 - rng.uniform(0.15, 0.4), 1.0), (0.5 + rng.uniform(0.15, 0.4), 1.0)])
    return lines


def _crossed_seven(rng: np.random.Generator) -> Lines:
    """A bar through the stem, often a serif at the beginning, now and then a bent stem."""
    foot, middle = rng.uniform(0.15, 0.45), rng.uniform(0.4, 0.6)
    begin = [(0.0, rng.uniform(0.08, 0.25)), (0.0, 0.0)] if rng.random() < 0.5 else [(0.0, 0.0)]
    stem_x = 0.75 + (foot - 0.75) * middle
    bend = (stem_x + rng.uniform(-0.08, 0.02), middle)
    bar = [(stem_x - rng.uniform(0.15, 0.35), middle + rng.uniform(-0.05, 0.1)),
           (stem_x + rng.uniform(0.15, 0.35), middle + rng.uniform(-0.1, 0.05))]  # fmt: skip
    return [[*begin, (0.75, 0.0), bend, (foot, 1.0)], bar]


def _marked_zero(rng: np.random.Generator) -> Lines:
    """A slash within or beyond the oval, or a dot in its middle."""
    width = rng.uniform(0.25, 0.42)
    start = rng.uniform(220, 320)
    lines: Lines = [arc((0.5, 0.5), (width, 0.5), start, start + 360)]
    if rng.random() < 0.75:
        beyond = rng.uniform(0.6, 1.25)
        lines.append(
            [(0.5 + 0.8 * width * beyond, 0.5 - 0.42 * beyond), (0.5 - 0.8 * width * beyond, 0.5 + 0.42 * beyond)]
        )
    else:
        lines.append([(0.5, 0.48), (0.5, 0.53)])
    return lines


def _flat_three(rng: np.random.Generator) -> Lines:
    """A straight top, a slanted stroke back, a round belly."""
    knee = rng.uniform(0.35, 0.45)
    belly = arc((0.38, 0.5 * (knee + 1)), (0.42, 0.5 * (1 - knee)), -90, 150)
    return [[(0.02, 0.0), (0.75, 0.0), (0.35, knee), *belly]]


@lru_cache(maxsize=len(_FONTS))
def _load_font(name: str) -> ImageFont.FreeTypeFont:
    found = importlib.util.find_spec("matplotlib")  # found, not imported: that takes a second
    assert found is not None and found.origin is not None
    return ImageFont.truetype(Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf", SIDE)

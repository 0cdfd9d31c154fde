"""Synthetic digits drawn with a pen or a font, including styles that are rare in MNIST, such as crossed sevens."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 80  # pixels: side of the unit square for lines, and font size of glyphs
TREMOR = 0.03  # standard deviation of the displacement of lines, as a fraction of the unit square

# Fonts included in matplotlib, which is a dependency of skconv; their licences permit any use.
_FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSansMono", "DejaVuSerif", "DejaVuSerif-Bold",
    "DejaVuSerif-Italic", "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "cmr10", "cmss10", "cmtt10", "cmb10",
)  # fmt: skip

Line = list[tuple[float, float]]
Lines = list[Line]


def draw_styled_digit(rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """Return a digit drawn in a random style, as strokes float32 (h, w), 0..1, and its value."""
    style, value, _ = _STYLES[rng.choice(len(_STYLES), p=[share for _, _, share in _STYLES])]
    return draw_lines(style(rng), rng, thickness=rng.uniform(0.05, 0.14)), value


def draw_glyph(text: str, rng: np.random.Generator) -> np.ndarray:
    """Return a character drawn in a random font and width, as strokes float32 (h, w), 0..1."""
    font = _load_font(_FONTS[int(rng.integers(len(_FONTS)))])
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8))
    ImageDraw.Draw(image).text((4 - left, 4 - top), text, fill=255, font=font)
    stretched = image.resize((max(4, round(image.width * rng.uniform(0.75, 1.25))), image.height))
    return np.asarray(stretched, np.float32) / 255


def draw_lines(lines: Lines, rng: np.random.Generator, *, thickness: float) -> np.ndarray:
    """Return lines drawn with random slant, width and tremor, as strokes float32 (160, 240), 0..1.

    The coordinates (x, y) of points are about 0..1, with y downwards; `thickness` is the stroke width in the same unit.
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
    """Return the points of an elliptical arc; angles are in degrees, 0 to the right and 90 downwards."""
    angles = np.radians(np.linspace(start, stop, 16)).tolist()
    return [(centre[0] + radii[0] * math.cos(angle), centre[1] + radii[1] * math.sin(angle)) for angle in angles]


def curve(*points: tuple[float, float]) -> Line:
    """Return the points of a Catmull-Rom spline through the given points; a repeated point is a corner."""
    knots = np.array([points[0], *points, points[-1]])
    steps = np.linspace(0, 1, 6, endpoint=False)[:, None]
    dense = []
    for before, start, stop, after in zip(knots, knots[1:], knots[2:], knots[3:], strict=False):
        leave, arrive = (stop - before) / 2, (after - start) / 2  # tangents at both ends
        if (start == before).all() or (start == stop).all():
            leave = stop - start
        if (stop == after).all():
            arrive = stop - start
        quadratic = 3 * (stop - start) - 2 * leave - arrive
        cubic = 2 * (start - stop) + leave + arrive
        dense.append(start + leave * steps + quadratic * steps**2 + cubic * steps**3)
    line: Line = [*map(tuple, np.concatenate(dense).tolist()), points[-1]]
    return line


@lru_cache(maxsize=len(_FONTS))
def _load_font(name: str) -> ImageFont.FreeTypeFont:
    spec = importlib.util.find_spec("matplotlib")  # locates the package without importing it, which takes a second
    assert spec is not None and spec.origin is not None
    return ImageFont.truetype(Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / f"{name}.ttf", SIDE)


def _european_one(rng: np.random.Generator) -> Lines:
    """Draw a one with a long upstroke, and with a foot in half of the calls."""
    reach, low = rng.uniform(0.12, 0.55), rng.uniform(0.15, 0.95)
    lines: Lines = [[(0.5 - reach, low), (0.5, 0.0), (0.5, 1.0)]]
    if rng.random() < 0.5:
        lines.append([(0.5 - rng.uniform(0.15, 0.4), 1.0), (0.5 + rng.uniform(0.15, 0.4), 1.0)])
    return lines


def _crossed_seven(rng: np.random.Generator) -> Lines:
    """Draw a seven with a bar through the stem, and with a serif at the start in half of the calls."""
    foot, middle = rng.uniform(0.15, 0.45), rng.uniform(0.4, 0.6)
    begin = [(0.0, rng.uniform(0.08, 0.25)), (0.0, 0.0)] if rng.random() < 0.5 else [(0.0, 0.0)]
    stem_x = 0.75 + (foot - 0.75) * middle
    bend = (stem_x + rng.uniform(-0.08, 0.02), middle)
    bar = [(stem_x - rng.uniform(0.15, 0.35), middle + rng.uniform(-0.05, 0.1)),
           (stem_x + rng.uniform(0.15, 0.35), middle + rng.uniform(-0.1, 0.05))]  # fmt: skip
    return [[*begin, (0.75, 0.0), bend, (foot, 1.0)], bar]


def _marked_zero(rng: np.random.Generator) -> Lines:
    """Draw a zero with a slash or a central dot."""
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
    """Draw a three with a straight top, a slanted stroke and a round bowl."""
    knee = rng.uniform(0.35, 0.45)
    bowl = arc((0.38, 0.5 * (knee + 1)), (0.42, 0.5 * (1 - knee)), -90, 150)
    return [[(0.02, 0.0), (0.75, 0.0), (0.35, knee), *bowl]]


def _open_four(rng: np.random.Generator) -> Lines:
    """Draw an open four: a stroke down and to the right, with or without a corner, and a short stem across its end."""
    knee, end = (rng.uniform(0.0, 0.15), rng.uniform(0.5, 0.85)), rng.uniform(0.65, 0.95)
    top = (rng.uniform(0.2, 0.65), rng.uniform(-0.1, 0.15))
    level = (end, knee[1] + rng.uniform(-0.12, 0.06))
    down = curve(top, knee, level) if rng.random() < 0.4 else [top, knee, level]
    stem_x = end - rng.uniform(0.05, 0.3)
    above, below = rng.uniform(0.08, 0.5), rng.uniform(0.12, 0.45)
    return [down, [(stem_x + rng.uniform(-0.02, 0.12), level[1] - above), (stem_x, level[1] + below)]]


def _cup_four(rng: np.random.Generator) -> Lines:
    """Draw a four in one stroke: a round cup, then up and down along the stem."""
    low = rng.uniform(0.4, 0.65)
    left = rng.uniform(0.0, 0.12)
    stem_x = rng.uniform(0.5, 0.75)
    begin = (rng.uniform(0.0, 0.2), rng.uniform(-0.05, 0.15))
    top = (stem_x + rng.uniform(0, 0.12), rng.uniform(-0.05, 0.3))
    foot = (stem_x - rng.uniform(0, 0.15), 1.0)
    return [curve(begin, (left, 0.6 * low), (left + 0.12, low), (0.6 * stem_x, low), top, top, foot)]


def _looped_two(rng: np.random.Generator) -> Lines:
    """Draw a two with a hook at the start and a wavy foot, often with a loop in the corner."""
    begin = [(0.5, rng.uniform(0.3, 0.48)), (0.22, 0.42)] if rng.random() < 0.5 else [(rng.uniform(0.2, 0.4), 0.38)]
    loop = rng.uniform(0.78, 0.9) if rng.random() < 0.6 else 0.97
    corner = rng.uniform(0.0, 0.12)
    return [
        curve(*begin, (0.12, 0.2), (0.4, 0.0), (0.7, rng.uniform(0.1, 0.25)), (0.5, 0.6), (corner + 0.05, 0.97),
              (corner, loop), (0.3, 0.5 * (loop + 0.9)), (0.6, 1.0), (rng.uniform(0.75, 1.0), rng.uniform(0.85, 1.0)))
    ]  # fmt: skip


def _curled_nine(rng: np.random.Generator) -> Lines:
    """Draw a nine similar to an e or a P, which starts inside the loop or at the foot."""
    lean, foot = rng.uniform(0.0, 0.25), rng.uniform(0.2, 0.5)
    if rng.random() < 0.5:
        inside = (rng.uniform(0.1, 0.3), rng.uniform(0.4, 0.55))
        return [curve(inside, (0.6, 0.35), (0.7 + lean, 0.1), (0.45 + lean, 0.0), (0.3 + 0.5 * lean, 0.3), (foot, 1.0))]
    bowl = rng.uniform(0.4, 0.55)
    return [curve((foot, 1.0), (foot + 0.1, 0.45), (0.4 + lean, 0.05), (0.75 + lean, 0.02), (0.8 + lean, 0.25),
                  (0.45, bowl), (rng.uniform(0.0, 0.2), bowl - 0.05))]  # fmt: skip


def _flat_zero(rng: np.random.Generator) -> Lines:
    """Draw a low and wide zero, sometimes with a stroke towards the next digit."""
    start, direction = rng.uniform(180, 340), rng.choice([-1, 1])
    oval = arc(
        (0.5, 0.6), (rng.uniform(0.35, 0.75), rng.uniform(0.25, 0.4)), start, start + direction * rng.uniform(335, 420)
    )
    if rng.random() < 0.25:
        oval.append((oval[-1][0] + rng.uniform(0.15, 0.4), oval[-1][1] + rng.uniform(-0.25, 0.05)))
    return [oval]


def _tailed_zero(rng: np.random.Generator) -> Lines:
    """Draw a zero with strokes from and to its neighbours, closed, crossing itself or open."""
    width, height = rng.uniform(0.3, 0.55), rng.uniform(0.35, 0.5)
    start, direction = rng.uniform(-110, -10), rng.choice([-1, -1, -1, 1])
    oval = arc((0.5, 0.5), (width, height), start, start + direction * rng.uniform(320, 400))
    if rng.random() < 0.6:
        oval.append((oval[-1][0] + rng.uniform(0.15, 0.6), oval[-1][1] + rng.uniform(-0.3, 0.1)))
    if rng.random() < 0.5:
        oval.insert(0, (oval[0][0] + rng.choice([-1, 1]) * rng.uniform(0.1, 0.5), oval[0][1] + rng.uniform(-0.25, 0.1)))
    return [oval]


def _open_zero(rng: np.random.Generator) -> Lines:
    """Draw a zero that is not closed."""
    start, direction = rng.uniform(-100, 20), rng.choice([-1, -1, 1])
    return [arc((0.5, 0.5), (rng.uniform(0.3, 0.5), 0.5), start, start + direction * rng.uniform(285, 340))]


def _plus_seven(rng: np.random.Generator) -> Lines:
    """Draw a seven with a hook instead of the top and a bar of full width, similar to a plus sign."""
    foot, corner = rng.uniform(0.1, 0.4), rng.uniform(0.45, 0.65)
    top = corner - rng.uniform(0.1, 0.35)
    hook = [(top - rng.uniform(0.0, 0.08), rng.uniform(0.05, 0.2)), (top, rng.uniform(0.0, 0.06)), (corner, 0.0)]
    stem = curve((corner, 0.0), (0.5 * (corner + foot) + rng.uniform(-0.03, 0.05), 0.5), (foot, 1.0))
    if rng.random() < 0.3:
        stem.append((foot + rng.uniform(0.1, 0.25), rng.uniform(0.9, 1.0)))
    middle = rng.uniform(0.35, 0.6)
    bar: Line = [(rng.uniform(-0.05, 0.2), middle), (rng.uniform(0.7, 1.0), middle + rng.uniform(-0.15, 0.05))]
    return [[*hook, *stem], bar] if rng.random() < 0.7 else [curve(*hook), stem, bar]


def _hooked_one(rng: np.random.Generator) -> Lines:
    """Draw a one with a curved upstroke, which may start as low as the foot; a third of the calls draw a foot."""
    reach, low, foot = rng.uniform(0.1, 0.45), rng.uniform(0.25, 1.0), rng.uniform(0.25, 0.5)
    bend = (0.5 - 0.45 * reach, 0.35 * low + rng.uniform(0.0, 0.12))
    lines: Lines = [[*curve((0.5 - reach, low), bend, (0.5, 0.0)), (foot, 1.0)]]
    if rng.random() < 0.35:
        lines.append([(foot - rng.uniform(0.1, 0.35), 1.0), (foot + rng.uniform(0.15, 0.4), rng.uniform(0.95, 1.02))])
    return lines


def _open_nine(rng: np.random.Generator) -> Lines:
    """Draw a nine with an open or flat head: a hook above a stem, a wide and low loop, or an S with a long foot."""
    kind, foot, lean = rng.choice(3, p=(0.45, 0.35, 0.2)), rng.uniform(0.2, 0.6), rng.uniform(0.0, 0.15)
    if kind == 0:
        low = rng.uniform(0.3, 0.45)
        head = [(0.62 + lean, rng.uniform(0.0, 0.12)), (0.3, 0.02), (0.1, 0.5 * low), (0.3, low), (0.7, 0.6 * low)]
        return [curve(*head, (0.72 + lean, 0.05), (0.62, 0.5), (foot, 1.0))]
    if kind == 1:
        flat = rng.uniform(0.2, 0.32)
        head = arc((0.5, 0.5 * flat), (rng.uniform(0.45, 0.6), 0.5 * flat), 20, -330)
        return [[*head, *curve(head[-1], (0.85, 0.5), (foot + 0.2, 1.0))]]
    low = rng.uniform(0.35, 0.5)
    head = [(rng.uniform(0.05, 0.2), rng.uniform(0.15, 0.3)), (0.35, 0.0), (0.65 + lean, 0.15), (0.35, low)]
    return [curve(*head, (rng.uniform(0.12, 0.25), low - 0.08), (0.35, low - 0.12), (0.6, low + 0.1), (foot, 1.0))]


def _hooked_five(rng: np.random.Generator) -> Lines:
    """Draw a five similar to an S, with a short or separate bar."""
    waist, right = rng.uniform(0.35, 0.5), rng.uniform(0.55, 0.75)
    top: Line = [(right + rng.uniform(-0.1, 0.3), rng.uniform(-0.08, 0.05)), (0.2, 0.02)]
    body = [(0.2, rng.uniform(0.0, 0.12)), (0.12, waist), (0.45, waist - 0.03), (right, 0.7), (0.4, 1.0), (0.0, 0.92)]
    return [curve(*top, *body)] if rng.random() < 0.5 else [top, curve(*body)]


def _cornered_seven(rng: np.random.Generator) -> Lines:
    """Draw a seven with a hook at the start, a wavy top and a curled stem, with or without a bar."""
    foot = rng.uniform(0.1, 0.5)
    hook = curve((rng.uniform(-0.05, 0.1), rng.uniform(0.15, 0.35)), (0.08, 0.0), (0.35, 0.1), (0.75, 0.0))
    stem = curve((0.75, 0.0), (0.5, 0.45), (foot, 1.0), (foot + rng.uniform(0.0, 0.2), rng.uniform(0.9, 1.05)))
    bar: Line = [(rng.uniform(0.1, 0.35), 0.5), (rng.uniform(0.65, 0.95), rng.uniform(0.42, 0.55))]
    return [hook, stem, bar] if rng.random() < 0.6 else [hook, stem]


def _looped_three(rng: np.random.Generator) -> Lines:
    """Draw a three with a loop or a long stroke in its waist."""
    waist, depth = rng.uniform(0.38, 0.52), rng.uniform(0.15, 0.45)
    return [
        curve((rng.uniform(0.0, 0.15), rng.uniform(0.05, 0.2)), (0.4, 0.0), (0.65, 0.18), (0.4, waist), (depth, waist),
              (depth, waist - 0.06), (0.55, waist + 0.05), (0.75, 0.72), (0.4, 1.0), (0.0, rng.uniform(0.8, 0.95)))
    ]  # fmt: skip


# Function, value of the digit, and relative frequency.
_STYLES: tuple[tuple[Callable[[np.random.Generator], Lines], int, float], ...] = (
    (_european_one, 1, 0.16),
    (_hooked_one, 1, 0.06),
    (_crossed_seven, 7, 0.09),
    (_cornered_seven, 7, 0.05),
    (_plus_seven, 7, 0.08),
    (_marked_zero, 0, 0.05),
    (_flat_zero, 0, 0.06),
    (_tailed_zero, 0, 0.10),
    (_open_zero, 0, 0.03),
    (_open_four, 4, 0.08),
    (_cup_four, 4, 0.03),
    (_looped_two, 2, 0.06),
    (_flat_three, 3, 0.03),
    (_looped_three, 3, 0.03),
    (_hooked_five, 5, 0.03),
    (_curled_nine, 9, 0.03),
    (_open_nine, 9, 0.03),
)

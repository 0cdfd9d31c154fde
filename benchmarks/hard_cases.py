"""Hard cases: MNIST digits on generated paper with one to three defects of amateur photographs, with a fixed seed.

The code is not shared with the generators of training data.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image
from scipy import ndimage

Colour = tuple[float, float, float]

PEN = (35.0, 35.0, 45.0)
PAPERS = ((250, 250, 250), (235, 232, 220), (215, 215, 218), (240, 236, 200))
INKS = ((20, 30, 110), (150, 20, 25), (15, 90, 40), (70, 20, 100), (30, 30, 30), (130, 70, 20))
COLOURED_PAPERS = ((250, 240, 140), (190, 220, 250), (250, 200, 210), (200, 240, 190), (250, 205, 150))


@dataclass
class Scene:
    """Description of an image to draw; lengths are fractions of the digit's height, values 0 to 255."""

    digit: np.ndarray  # uint8, (28, 28)
    random: np.random.Generator
    height: int = 120  # of the digit's 28 rows, in pixels
    pen: float = 0.0  # added to the radius of the stroke; -1 draws only its centre line
    ink: Colour = PEN
    paper: Colour = (245.0, 245.0, 245.0)
    strength: float = 1.0  # of the ink
    margins: tuple[float, float, float, float] = (0.3, 0.3, 0.3, 0.3)  # top, right, bottom, left
    noise: float = 2.0
    blur: float = 0.0
    quality: int | None = None  # of JPEG
    under: list[Callable[[Scene, np.ndarray], None]] = field(default_factory=list)  # drawn under the ink
    light: list[Callable[[Scene, np.ndarray], None]] = field(default_factory=list)
    inverted: bool = False  # light on dark


def add_shadow(scene: Scene) -> None:
    scene.light.append(_shade)


def add_ruled_paper(scene: Scene) -> None:
    scene.under.append(_draw_rules)


def add_squared_paper(scene: Scene) -> None:
    scene.under.append(_draw_squares)


def use_pencil(scene: Scene) -> None:
    scene.pen = -1.0
    scene.strength = float(scene.random.uniform(0.35, 0.7))
    scene.ink = (90.0, 90.0, 95.0)


def use_marker(scene: Scene) -> None:
    scene.pen = float(scene.random.uniform(0.02, 0.045))


def use_colours(scene: Scene) -> None:
    scene.ink = INKS[scene.random.integers(len(INKS))]
    scene.paper = COLOURED_PAPERS[scene.random.integers(len(COLOURED_PAPERS))]


def add_blur(scene: Scene) -> None:
    scene.blur = float(scene.random.uniform(0.02, 0.045))


def use_jpeg(scene: Scene) -> None:
    scene.quality = 20


def make_small(scene: Scene) -> None:
    scene.height = round(12 * 28 / 20)  # the digit fills 20 of MNIST's 28 rows


def move_to_edge(scene: Scene) -> None:
    margins = list(scene.random.uniform(0.2, 0.6, 4))
    margins[scene.random.integers(4)] = -4 / 28  # MNIST's 4 background rows or columns are removed
    scene.margins = tuple(margins)


def add_specks(scene: Scene) -> None:
    scene.under.append(_draw_specks)


def invert(scene: Scene) -> None:
    scene.inverted = True


KINDS: dict[str, Callable[[Scene], None]] = {
    "shadow": add_shadow,
    "ruled paper": add_ruled_paper,
    "squared paper": add_squared_paper,
    "thin pencil": use_pencil,
    "thick marker": use_marker,
    "coloured ink and paper": use_colours,
    "blur": add_blur,
    "JPEG quality 20": use_jpeg,
    "12-pixel digit": make_small,
    "at the edge": move_to_edge,
    "two specks": add_specks,
    "light on dark": invert,
}
COMBINED = "combined"
# Not combined: at 12 pixels a pencil line, a ruled line or a speck is one pixel or none.
EXCLUSIVE = {"12-pixel digit": {"ruled paper", "squared paper", "thin pencil", "two specks", "blur", "JPEG quality 20"}}
PENS = {"thin pencil", "thick marker"}
SHEETS = {"ruled paper", "squared paper"}


def make_hard_cases(digits: np.ndarray, start: int, stop: int, seed: int = 0) -> Iterator[tuple[str, np.ndarray]]:
    """Yield one hard case of each of the digits start..stop; the kinds alternate.

    Parameters
    ----------
    digits : ndarray of uint8, shape (n, 28, 28)
    start, stop : int
        Range of positions.
    seed : int, default 0
        Each image depends on the seed and its position only.

    Yields
    ------
    kind : str
        A key of `KINDS`, or "combined" for two or three of them.
    image : ndarray of uint8, shape (h, w) or (h, w, 3)
    """
    names = [*KINDS, COMBINED, COMBINED]
    for position in range(start, stop):
        digit = digits[position]
        random = np.random.default_rng([seed, position])
        name = names[position % len(names)]
        scene = Scene(digit, random, height=int(random.integers(60, 260)))
        scene.paper = PAPERS[random.integers(len(PAPERS))]
        scene.margins = tuple(random.uniform(0.05, 0.6, 4))
        for kind in [name] if name != COMBINED else _choose_kinds(random):
            KINDS[kind](scene)
        yield name, draw(scene)


def draw(scene: Scene) -> np.ndarray:
    """Draw a scene: paper, rules and specks, ink, light, blur, noise, JPEG."""
    ink = _draw_strokes(scene)
    top, right, bottom, left = (round(margin * scene.height) for margin in scene.margins)
    ink = np.pad(ink, ((max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))))
    ink = ink[max(-top, 0) : len(ink) - max(-bottom, 0), max(-left, 0) : ink.shape[1] - max(-right, 0)]
    image = np.broadcast_to(np.float64(scene.paper), (*ink.shape, 3)).copy()
    for step in scene.under:
        step(scene, image)
    cover = scene.strength * ink[..., None]
    image = image * (1 - cover) + np.float64(scene.ink) * cover
    for step in scene.light:
        step(scene, image)
    if scene.blur:
        image = ndimage.gaussian_filter(image, (scene.blur * scene.height, scene.blur * scene.height, 0))
    image += scene.random.normal(0, scene.noise, (*ink.shape, 1))
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    if scene.inverted:
        pixels = 255 - pixels
    return pixels if scene.quality is None else _compress(pixels, scene.quality)


def _choose_kinds(random: np.random.Generator) -> list[str]:
    names = list(KINDS)
    while True:
        chosen = set(random.choice(names, size=random.integers(2, 4), replace=False))
        clashes = any(name in chosen and others & chosen for name, others in EXCLUSIVE.items())
        if not clashes and len(PENS & chosen) < 2 and len(SHEETS & chosen) < 2:
            return [name for name in names if name in chosen]


def _draw_strokes(scene: Scene) -> np.ndarray:
    """Return the digit's ink, 0 to 1, with the pen of the scene, slightly rotated."""
    scale = scene.height / 28
    fine = Image.fromarray(scene.digit).rotate(float(scene.random.uniform(-6, 6)), Image.Resampling.BICUBIC)
    if scale < 2:
        # Too small to draw strokes: resize the digit's own grey values, as a scanner would.
        image = fine.resize((scene.height, scene.height), Image.Resampling.HAMMING)
        return np.asarray(image, dtype=float) / 255
    side = max(scene.height, 200)
    field = np.asarray(fine.resize((side, side), Image.Resampling.BICUBIC), dtype=float)
    # Signed distance to the edge of the ink, in pixels.
    inside = ndimage.distance_transform_edt(field >= 110)
    distance = inside - ndimage.distance_transform_edt(field < 110)
    if scene.pen <= -1:
        middle = ndimage.maximum_filter(inside, size=max(3, round(0.1 * side)))
        distance = np.where(inside > 0, inside - 0.72 * middle + 0.009 * side, -1)
    else:
        distance = distance + _limit_pen(distance, scene.pen * side)
    ink = np.clip(distance + 0.5, 0, 1)
    image = Image.fromarray((255 * ink).astype(np.uint8)).resize((scene.height, scene.height), Image.Resampling.BOX)
    return np.asarray(image, dtype=float) / 255


def _limit_pen(distance: np.ndarray, pen: float) -> float:
    """Return the pen, or a thinner one if it would fill the holes of the digit and make it unreadable."""
    while pen > 0.5 and _count_components(distance < -pen) < _count_components(distance < 0):
        pen *= 0.7
    return pen


def _count_components(mask: np.ndarray) -> int:
    return ndimage.label(mask)[1]


def _shade(scene: Scene, image: np.ndarray) -> None:
    """Apply light that decreases in one direction, and in half of the cases the edge of a soft shadow."""
    height, width = image.shape[:2]
    angle = scene.random.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[:height, :width]
    along = (np.cos(angle) * (columns / width - 0.5) + np.sin(angle) * (rows / height - 0.5)) / 0.7  # about -1 to 1
    light = 1 - scene.random.uniform(0.15, 0.35) * (1 + along)
    if scene.random.random() < 0.5:
        edge = scene.random.uniform(0.05, 0.2)
        light = light * (1 - scene.random.uniform(0.2, 0.5) / (1 + np.exp(-(along - 0.1) / edge * 4)))
    image *= light[..., None]


def _draw_rules(scene: Scene, image: np.ndarray, across: bool = False) -> None:
    """Draw parallel lines on the paper, thinner than a pen's, tilted by up to a degree."""
    height, width = image.shape[:2]
    spacing = scene.height * scene.random.uniform(0.45, 0.9)
    thick = max(1.0, scene.height * scene.random.uniform(0.006, 0.014))
    rows, columns = np.mgrid[:height, :width]
    if across:
        rows, columns = columns, rows
    place = rows + np.tan(np.radians(scene.random.uniform(-1, 1))) * columns + scene.random.uniform(0, spacing)
    distance = np.abs((place + spacing / 2) % spacing - spacing / 2)
    cover = np.clip(thick / 2 + 0.5 - distance, 0, 1) * scene.random.uniform(0.35, 0.9)
    colour = np.float64([(120, 150, 200), (150, 150, 150), (200, 130, 130)][scene.random.integers(3)])
    image[:] = image * (1 - cover[..., None]) + colour * cover[..., None]


def _draw_squares(scene: Scene, image: np.ndarray) -> None:
    for across in (False, True):
        _draw_rules(scene, image, across)


def _draw_specks(scene: Scene, image: np.ndarray) -> None:
    """Draw two dots of ink near the top or bottom edge, away from the digit."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    for _ in range(2):
        radius = scene.height * scene.random.uniform(0.008, 0.018)
        row = scene.random.choice([0.05, 0.95]) * height + scene.random.uniform(-0.03, 0.03) * height
        column = scene.random.uniform(0.03, 0.97) * width
        cover = np.clip(radius + 0.5 - np.hypot(rows - row, columns - column), 0, 1)[..., None]
        image[:] = image * (1 - cover) + np.float64(scene.ink) * cover


def _compress(pixels: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))

"""Synthetic images of the background class: images without a digit."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from skconv.digits.preprocess.normalization import normalize_digit, normalize_strokes
from skconv.digits.synthetic.drawn_digits import SIDE, Line, Lines, arc, curve, draw_glyph, draw_lines
from skconv.digits.synthetic.scanned_digits import draw_on_paper, is_straight, make_wrong_cut, resize, wave

# Excludes characters similar to handwritten digits: + is similar to 7, C to an open zero; the others are
# b B c d D g G i I j J l L o O p P q Q s S t T y Y z Z.
LETTERS = "AaEeFfHhKkMmNnRrUuVvWwXx&@#%?=*$"


def make_background(kind: str, digits: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` random images without a digit, uint8 (n, 28, 28), some of them normalised.

    `kind` is "blank", "texture", "scribble", "letter" or "wrong cut"; wrong cuts use `digits`, uint8 (m, 28, 28).
    """
    if kind == "wrong cut":
        return np.stack([normalize_strokes(make_wrong_cut(digits, rng)) for _ in range(n)])
    make = {"blank": _make_blank, "texture": _make_texture, "scribble": _make_scribble, "letter": _make_letter}[kind]
    return np.stack([make(rng) for _ in range(n)])


def normalize_clothing(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Normalise a random half of the images, (n, 28, 28), except those that would become blank."""
    result = images.copy()
    for index in np.flatnonzero(rng.random(len(images)) < 0.5):
        normalised = normalize_digit(images[index])
        result[index] = normalised if normalised.any() else images[index]
    return result


def _make_blank(rng: np.random.Generator) -> np.ndarray:
    """Return a blank image: noise, shadow and specks, or in about a fifth of the calls, normalised paper."""
    if rng.random() < 0.5:
        side = int(rng.integers(20, 60))
        normalised = normalize_digit(draw_on_paper(np.zeros((side, side), np.float32), rng))
        is_empty = not normalised.any()
        if rng.random() < 0.2 if is_empty else not is_straight(normalised / 255):  # a single bar is a 1
            return normalised
    noise = rng.normal(0, rng.uniform(2, 60), (28, 28)) + rng.choice([0, 0, 128, 230])
    shadow = rng.uniform(0, 120) * wave((28, 28), rng, knots=int(rng.integers(2, 5)))
    specks = 255 * (rng.random((28, 28)) < rng.choice([0, 0.01, 0.05]))
    image = np.clip(noise + shadow + specks, 0, 255)
    return np.rint(image).astype(np.uint8)


def _make_texture(rng: np.random.Generator) -> np.ndarray:
    """Return an image of waves, stripes, checks, clouds or grain; some are normalised."""
    side = int(rng.integers(24, 48))
    draw = _TEXTURES[rng.integers(len(_TEXTURES))]
    texture = draw(side, rng)
    low, high = np.percentile(texture, (2, 98))
    grey = np.clip((texture - low) / max(high - low, 1e-6), 0, 1) * rng.uniform(60, 255)
    if rng.random() < 0.3:
        grey = np.where(grey > np.median(grey), grey.max(), 0.0)
    image = np.rint(grey).astype(np.uint8)
    if rng.random() < 0.5:
        normalised = normalize_digit(image)
        if normalised.any() and not is_straight(normalised / 255):
            return normalised
    return np.asarray(Image.fromarray(image).resize((28, 28), Image.Resampling.BILINEAR))


def _draw_waves(side: int, rng: np.random.Generator) -> np.ndarray:
    return wave((side, side), rng, knots=int(rng.integers(3, 12)))


def _draw_stripes(side: int, rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side] / side
    angle, frequency = rng.uniform(0, np.pi), rng.uniform(8, 60)
    phase = 2 * wave((side, side), rng, knots=3)
    return np.sin(frequency * (rows * np.sin(angle) + columns * np.cos(angle)) + phase)


def _draw_checks(side: int, rng: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side] / side
    n_rows, n_columns = rng.uniform(2, 8, 2)
    return np.where(((rows * n_rows).astype(int) + (columns * n_columns).astype(int)) % 2, 1.0, -1.0)


def _draw_clouds(side: int, rng: np.random.Generator) -> np.ndarray:
    return np.sum([wave((side, side), rng, knots=2**octave + 1) / octave for octave in range(1, 5)], axis=0)


def _draw_grain(side: int, rng: np.random.Generator) -> np.ndarray:
    grain = Image.fromarray((rng.random((side, side)) * 255).astype(np.uint8))
    return np.asarray(grain.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 2))), float)


_TEXTURES = (_draw_waves, _draw_stripes, _draw_checks, _draw_clouds, _draw_grain)


def _make_scribble(rng: np.random.Generator) -> np.ndarray:
    """Return an image of pen strokes that are not a character."""
    draw, thickness = _SCRIBBLES[rng.integers(len(_SCRIBBLES))], rng.uniform(0.04, 0.14)
    drawn = draw(rng)
    strokes = drawn if isinstance(drawn, np.ndarray) else draw_lines(drawn, rng, thickness=thickness)
    return _make_scribble(rng) if is_straight(strokes) else normalize_strokes(strokes)  # a single bar is a 1


def _draw_tangle(rng: np.random.Generator) -> Lines:
    lines: Lines = rng.random((int(rng.integers(3, 7)), int(rng.integers(3, 6)), 2)).tolist()
    return lines


def _draw_hatching(rng: np.random.Generator) -> Lines:
    steps = np.linspace(0, 1, int(rng.integers(4, 9))).tolist()
    hatching: Lines = [[(step, 0.0), (step, 1.0)] for step in steps]
    if rng.random() < 0.5:
        hatching += [[(0.0, step), (1.0, step)] for step in steps]
    return hatching


def _draw_blot(rng: np.random.Generator) -> np.ndarray:
    return _draw_blots(1, rng)


def _draw_dots(rng: np.random.Generator) -> np.ndarray:
    return _draw_blots(int(rng.integers(2, 7)), rng)


def _draw_dashes(rng: np.random.Generator) -> Lines:
    dash: Line = [(0.0, 0.5), (0.5, 0.5 + rng.normal(0, 0.1)), (1.0, 0.5)]
    return [dash, [(0.0, 0.8), (1.0, 0.8)]] if rng.random() < 0.4 else [dash]


def _draw_scattered(rng: np.random.Generator) -> Lines:
    """Draw two to six short strokes at random positions with similar directions."""
    positions = rng.random((int(rng.integers(2, 7)), 1, 2))
    direction = rng.normal(0, 0.15, (1, 2, 2)) * rng.choice([0.6, 1, 1.6])
    lines: Lines = (positions + direction + rng.normal(0, 0.12, (len(positions), 2, 2))).tolist()
    return lines


def _draw_spiral(rng: np.random.Generator) -> Lines:
    spiral = [point for k in range(3) for point in arc((0.5, 0.5), (0.5 - 0.14 * k,) * 2, 0, 340)]
    lines: Lines = [spiral, [(0.0, 0.0), (1.0, 1.0)]]
    return lines[: int(rng.integers(1, 3))]


def _draw_terminator(rng: np.random.Generator) -> Lines:
    """Draw the mark that ends an amount on a form: two bars, a slash and a dash, a wave, or a comma and a dash."""
    lift = rng.uniform(-0.15, 0.15, 2)
    bar: Line = [(0.0, 0.4), (rng.uniform(0.5, 1.2), 0.4 + lift[0])]
    kind = rng.integers(4)
    if kind == 0:
        low = 0.4 + rng.uniform(0.15, 0.4)
        return [bar, [(0.0, low), (rng.uniform(0.4, 1.2), low + lift[1])]]
    if kind == 1:
        return [[(0.3, 0.0), (rng.uniform(-0.2, 0.1), 1.0)], [(x + 0.4, y + 0.1) for x, y in bar]]
    if kind == 2:
        return [curve((0.0, 0.5), (0.3, 0.4 + lift[0]), (0.7, 0.6 + lift[1]), (1.1, 0.45))]
    return [[(0.0, 0.7), (0.05, 0.75), (-0.05, 1.0)], [(x + 0.3, y + 0.3) for x, y in bar]]


def _draw_blots(n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw round and ragged spots, side by side."""
    canvas = Image.new("L", (2 * SIDE, 2 * SIDE))
    draw = ImageDraw.Draw(canvas)
    for _ in range(n):
        angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        radii = rng.uniform(0.06, 0.2 if n > 1 else 0.5) * SIDE * (1 + rng.uniform(0, 0.3) * rng.normal(0, 1, 24))
        x, y = rng.uniform(0.5, 1.5, 2) * SIDE
        flattening = rng.uniform(0.45, 1)  # wide ovals, because a tall one is a 1
        outline = np.stack([x + radii * np.cos(angles), y + flattening * radii * np.sin(angles)], axis=1)
        draw.polygon(outline.ravel().tolist(), fill=255)
    return np.asarray(canvas.filter(ImageFilter.GaussianBlur(2)), np.float32) / 255


_SCRIBBLES = (
    _draw_tangle, _draw_hatching, _draw_blot, _draw_dashes, _draw_dots, _draw_scattered, _draw_spiral, _draw_terminator,
)  # fmt: skip


def _make_letter(rng: np.random.Generator) -> np.ndarray:
    """Return an image of a printed letter or sign, drawn on paper in a third of the calls."""
    strokes = draw_glyph(LETTERS[int(rng.integers(len(LETTERS)))], rng)
    if rng.random() < 0.33:
        strokes = np.pad(strokes, int(rng.integers(4, 20)))
        scale = rng.uniform(0.3, 0.9)
        small = resize(strokes, round(strokes.shape[0] * scale), round(strokes.shape[1] * scale))
        normalised = normalize_digit(draw_on_paper(small, rng))
        if normalised.any():
            return normalised
    return normalize_strokes(strokes)

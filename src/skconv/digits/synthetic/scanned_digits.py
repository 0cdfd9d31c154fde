"""Synthetic scans of MNIST digits on paper and in rows, with imprecise and wrong cuts."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter

from skconv.digits.preprocess.normalization import crop_strokes

HEIGHT = 40  # pixels; twice MNIST's box, to limit the loss by resampling when digits are cut and joined


def draw_digit(
    digits: np.ndarray, rng: np.random.Generator, index: int | None = None, slant: float = 0.0
) -> np.ndarray:
    """Return one of `digits`, uint8 (n, 28, 28), as strokes about 40 pixels high, slanted by about `slant`."""
    index = int(rng.integers(len(digits))) if index is None else index
    strokes = crop_strokes(digits[index].astype(np.float32) / 255)
    height = HEIGHT * rng.uniform(0.75, 1.1)
    scale = height / max(strokes.shape[0], 0.6 * strokes.shape[1])
    width = max(2, round(strokes.shape[1] * scale * rng.uniform(0.85, 1.15)))
    return _shear(resize(strokes, max(2, round(strokes.shape[0] * scale)), width), rng.normal(slant, 0.15))


def place_side_by_side(left: np.ndarray, right: np.ndarray, gap: int, lift: int = 0) -> np.ndarray:
    """Place two digits on one baseline with `gap` pixels between their nearest ink pixels; negative gaps overlap."""
    height = max(left.shape[0], right.shape[0]) + abs(lift)
    first, second = np.zeros((height, left.shape[1]), np.float32), np.zeros((height, right.shape[1]), np.float32)
    down_first, down_second = max(0, -lift), max(0, lift)
    first[height - left.shape[0] - down_first : height - down_first] = left
    second[height - right.shape[0] - down_second : height - down_second] = right
    # The offset is limited by the row in which the right end of the first and the left end of the second are closest.
    ink_first, ink_second = first >= 0.4, second >= 0.4
    end = np.where(ink_first.any(1), first.shape[1] - np.argmax(ink_first[:, ::-1], axis=1), -999)
    begin = np.where(ink_second.any(1), np.argmax(ink_second, axis=1), 999)
    offset = max(int(np.clip((end - begin).max(), 0.4 * first.shape[1], first.shape[1])) + gap, 0)
    both = np.zeros((height, max(first.shape[1], offset + second.shape[1])), np.float32)
    both[:, : first.shape[1]] = first
    both[:, offset : offset + second.shape[1]] = np.maximum(both[:, offset : offset + second.shape[1]], second)
    return both


def make_wrong_cut(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return strokes of a wrong segmentation, other than a single bar, which would be a 1."""
    makers, shares = zip(*_WRONG_CUTS, strict=True)
    while True:
        strokes = crop_strokes(makers[rng.choice(len(makers), p=shares)](digits, rng))
        if strokes.size and min(strokes.shape) >= 2 and not is_straight(strokes):
            return strokes


def make_imprecise_cut(digits: np.ndarray, rng: np.random.Generator, index: int) -> np.ndarray:
    """Return a digit with part of a neighbour or of a ruled line, or without a narrow strip of one side."""
    strokes = draw_digit(digits, rng, index)
    if rng.random() < 0.3:
        return add_ruled_lines(strokes, rng)
    kind = rng.random()
    if kind < 0.3:
        rest = _cut(draw_digit(digits, rng), rng.uniform(0.05, 0.17), rng.normal(0, 0.1))[0]
        return place_side_by_side(strokes, _crop_columns(rest), int(rng.integers(-3, 3)))
    if kind < 0.6:
        rest = _cut(draw_digit(digits, rng), rng.uniform(0.83, 0.95), rng.normal(0, 0.1))[1]
        return place_side_by_side(_crop_columns(rest), strokes, int(rng.integers(-3, 3)))
    if kind < 0.85 and strokes.shape[1] > 0.5 * strokes.shape[0]:
        at = rng.uniform(0.02, 0.12)
        return _cut(strokes, at, 0)[1] if rng.random() < 0.5 else _cut(strokes, 1 - at, 0)[0]
    return strokes


def add_ruled_lines(strokes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add one or two horizontal lines of random length at the bottom or the top: (h, w) → (h + 20, w + 20)."""
    margin = HEIGHT // 4
    sheet = np.pad(strokes, margin)
    height, width = sheet.shape
    for _ in range(1 if rng.random() < 0.8 else 2):
        at = height - margin + rng.integers(-6, 5) if rng.random() < 0.85 else margin + rng.integers(-4, 4)
        thickness = int(rng.integers(2, 5))
        left, right = rng.integers(0, margin + width // 4), width - rng.integers(0, margin + width // 4)
        line = sheet[at : at + thickness, left:right]
        np.maximum(line, np.float32(rng.uniform(0.5, 1)), out=line)
    return sheet


def make_digit_in_row(digits: np.ndarray, rng: np.random.Generator, index: int) -> np.ndarray:
    """Return a digit cropped from a row to its box and a margin, which may contain parts of its neighbours.

    The margin is at most a quarter of the digit's height, and may also contain a full stop or a table line.
    """
    slant = rng.choice([0, 0.4])  # of all digits in the row
    strokes = draw_digit(digits, rng, index, slant)
    height, width = strokes.shape
    row, left = strokes, 0
    if rng.random() < 0.5:
        row = place_side_by_side(row, draw_digit(digits, rng, slant=slant), int(rng.integers(1, 12)))
    if rng.random() < 0.5:
        width_before = row.shape[1]
        row = place_side_by_side(draw_digit(digits, rng, slant=slant), row, int(rng.integers(1, 12)))
        left = row.shape[1] - width_before
    margin = HEIGHT // 4
    sheet = np.pad(row, margin)
    bottom = sheet.shape[0] - margin
    margins = rng.integers(0, margin, 4) if rng.random() < 0.8 else np.zeros(4, int)
    top, right = max(bottom - height - margins[0], 0), left + margin + width + margins[3]
    crop = sheet[top : bottom + margins[1], left + margin - margins[2] : right].copy()
    if rng.random() < 0.25:
        size, right = int(rng.integers(3, 7)), int(rng.integers(0, 4))
        crop[-size - 2 : -2, crop.shape[1] - size - right : crop.shape[1] - right] = 1
    if rng.random() < 0.2:
        at = 0 if rng.random() < 0.5 else crop.shape[1] - 2
        crop[:, at : at + 2] = rng.uniform(0.6, 1)
    return crop


def draw_on_paper(strokes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return an image, uint8 (h, w), of strokes, float32 (h, w), on paper; each side has at least 8 pixels.

    The grey levels of paper and ink, uneven light, worn ink, ruled lines, blur, noise, inverted polarity and JPEG
    compression are random.
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
    """Return smooth random values, about -1..1, float32 (h, w), interpolated from `knots`×`knots` random values."""
    values = rng.uniform(-1, 1, (knots, knots)).astype(np.float32)
    return np.asarray(Image.fromarray(values).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def resize(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize float32 values of 0..1 with antialiasing."""
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.clip(np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)), 0, 1)


def is_straight(strokes: np.ndarray) -> bool:
    """Return whether strokes are a narrow or slanted bar, which cannot be distinguished from a 1."""
    strokes = crop_strokes(strokes)
    if strokes.shape[1] < 0.42 * strokes.shape[0]:
        return True
    rows, columns = np.nonzero(strokes >= 0.4)
    if rows.size < 3:
        return True
    variances = np.linalg.eigvalsh(np.cov(rows, columns))
    return bool(variances[1] > 14 * variances[0] and strokes.shape[1] < 1.2 * strokes.shape[0])


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


def _make_pair(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    first, second = draw_digit(digits, rng), draw_digit(digits, rng)
    return place_side_by_side(first, second, *rng.integers((-5, -6), (8, 7)).tolist())


def _make_triple(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return place_side_by_side(_make_pair(digits, rng), draw_digit(digits, rng), int(rng.integers(-4, 6)))


def _make_half(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    strokes = draw_digit(digits, rng)
    return _choose_part(_cut(strokes, rng.uniform(0.25, 0.75), rng.normal(0, 0.2)), strokes, rng)


def _make_two_halves(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    first = _cut(draw_digit(digits, rng), rng.uniform(0.3, 0.7), rng.normal(0, 0.2))[1]
    second = _cut(draw_digit(digits, rng), rng.uniform(0.3, 0.7), rng.normal(0, 0.2))[0]
    return place_side_by_side(_crop_columns(first), _crop_columns(second), int(rng.integers(-4, 6)))


def _make_one_and_half(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    share = rng.uniform(0.5, 0.8)
    whole, other = draw_digit(digits, rng), draw_digit(digits, rng)
    gap = int(rng.integers(-4, 5))
    if rng.random() < 0.5:
        return place_side_by_side(whole, _crop_columns(_cut(other, share, rng.normal(0, 0.15))[0]), gap)
    return place_side_by_side(_crop_columns(_cut(other, 1 - share, rng.normal(0, 0.15))[1]), whole, gap)


def _make_fragment(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    strokes = draw_digit(digits, rng)
    height, width = strokes.shape
    if rng.random() < 0.6:
        row = int(height * rng.uniform(0.25, 0.75))
        return _choose_part((strokes[:row], strokes[row:]), strokes, rng)
    tall, wide = int(height * rng.uniform(0.25, 0.6)), int(width * rng.uniform(0.3, 0.7))
    top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    return strokes[top : top + tall, left : left + wide]


_WRONG_CUTS = (  # function and relative frequency
    (_make_pair, 0.4),
    (_make_triple, 0.05),
    (_make_half, 0.2),
    (_make_two_halves, 0.13),
    (_make_one_and_half, 0.08),
    (_make_fragment, 0.14),
)


def _choose_part(parts: tuple[np.ndarray, np.ndarray], strokes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a part with at most 66 % of the ink, because a larger part may be recognisable as the digit."""
    small = [part for part in parts if part.sum() <= 0.66 * strokes.sum()]
    return small[int(rng.integers(len(small)))]


def _cut(strokes: np.ndarray, at: float, slope: float) -> tuple[np.ndarray, np.ndarray]:
    """Split strokes along a slanted line that crosses the middle row at the fraction `at` of the width."""
    height, width = strokes.shape
    line = at * width + slope * (height / 2 - np.arange(height))
    is_left = np.arange(width)[None] < line[:, None]
    return np.where(is_left, strokes, np.float32(0)), np.where(is_left, np.float32(0), strokes)


def _shear(strokes: np.ndarray, slope: float) -> np.ndarray:
    """Shift each row by `slope` times its distance from the bottom."""
    height, width = strokes.shape
    shifts = np.round(slope * (height - 1 - np.arange(height))).astype(int)
    shifts -= shifts.min()
    sheared = np.zeros((height, width + shifts.max()), np.float32)
    for row, shift in enumerate(shifts):
        sheared[row, shift : shift + width] = strokes[row]
    return sheared


def _crop_columns(strokes: np.ndarray) -> np.ndarray:
    """Remove empty columns at the sides, but no rows, so that a part retains its vertical position."""
    columns = np.flatnonzero((strokes >= 0.04).any(axis=0))
    return strokes[:, columns[0] : columns[-1] + 1] if columns.size else strokes[:, :1]

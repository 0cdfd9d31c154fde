"""Digits that were cut badly, made from MNIST: pairs, halves and pieces; and digits with a rest of a neighbour."""

from __future__ import annotations

import numpy as np

from skconv.digits.preprocess.normalization import crop_strokes
from skconv.digits.synthetic.paper import resize

HEIGHT = 40  # pixels of a digit while it is cut and joined: twice MNIST's box, so that resampling costs little


def draw_digit(
    digits: np.ndarray, rng: np.random.Generator, index: int | None = None, slant: float = 0.0
) -> np.ndarray:
    """Return one of the digits (n, 28, 28) as strokes about 40 pixels high, of its own size and about that slant."""
    index = int(rng.integers(len(digits))) if index is None else index
    strokes = crop_strokes(digits[index].astype(np.float32) / 255)
    height = HEIGHT * rng.uniform(0.75, 1.1)
    scale = height / max(strokes.shape[0], 0.6 * strokes.shape[1])
    width = max(2, round(strokes.shape[1] * scale * rng.uniform(0.85, 1.15)))
    return _slant(resize(strokes, max(2, round(strokes.shape[0] * scale)), width), rng.normal(slant, 0.15))


def set_beside(left: np.ndarray, right: np.ndarray, gap: int, lift: int = 0) -> np.ndarray:
    """Put two strokes on one ground line with `gap` pixels between their nearest ink; below 0 they overlap."""
    height = max(left.shape[0], right.shape[0]) + abs(lift)
    first, second = np.zeros((height, left.shape[1]), np.float32), np.zeros((height, right.shape[1]), np.float32)
    down_first, down_second = max(0, -lift), max(0, lift)
    first[height - left.shape[0] - down_first : height - down_first] = left
    second[height - right.shape[0] - down_second : height - down_second] = right
    # The right ends of the one and the left ends of the other, row by row: what is nearest decides.
    ink_first, ink_second = first >= 0.4, second >= 0.4
    end = np.where(ink_first.any(1), first.shape[1] - np.argmax(ink_first[:, ::-1], axis=1), -999)
    begin = np.where(ink_second.any(1), np.argmax(ink_second, axis=1), 999)
    place = max(int(np.clip((end - begin).max(), 0.4 * first.shape[1], first.shape[1])) + gap, 0)
    both = np.zeros((height, max(first.shape[1], place + second.shape[1])), np.float32)
    both[:, : first.shape[1]] = first
    both[:, place : place + second.shape[1]] = np.maximum(both[:, place : place + second.shape[1]], second)
    return both


def make_wrong_cut(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return strokes that a segmentation might take for a digit and that are none; never a bare upright stroke."""
    makers, shares = zip(*_WRONG, strict=True)
    while True:
        strokes = crop_strokes(makers[rng.choice(len(makers), p=shares)](digits, rng))
        if strokes.size and min(strokes.shape) >= 2 and not is_straight(strokes):
            return strokes


def make_near_digit(digits: np.ndarray, rng: np.random.Generator, index: int) -> np.ndarray:
    """Return a digit that is cut a little badly: with a rest of a neighbour or of a line, or with a sliver lost."""
    strokes = draw_digit(digits, rng, index)
    if rng.random() < 0.3:
        return set_on_line(strokes, rng)
    kind = rng.random()
    if kind < 0.3:
        rest = _cut(draw_digit(digits, rng), rng.uniform(0.05, 0.17), rng.normal(0, 0.1))[0]
        return set_beside(strokes, _crop_columns(rest), int(rng.integers(-3, 3)))
    if kind < 0.6:
        rest = _cut(draw_digit(digits, rng), rng.uniform(0.83, 0.95), rng.normal(0, 0.1))[1]
        return set_beside(_crop_columns(rest), strokes, int(rng.integers(-3, 3)))
    if kind < 0.85 and strokes.shape[1] > 0.5 * strokes.shape[0]:
        at = rng.uniform(0.02, 0.12)
        return _cut(strokes, at, 0)[1] if rng.random() < 0.5 else _cut(strokes, 1 - at, 0)[0]
    return strokes


def set_on_line(strokes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one or two level lines at the foot or, more seldom, the top of strokes (h, w): returns (h + 20, w + 20).

    A line may be longer or shorter than the strokes; below narrow ones it may have no length at all.
    """
    room = HEIGHT // 4
    sheet = np.pad(strokes, room)
    height, width = sheet.shape
    for _ in range(1 if rng.random() < 0.8 else 2):
        at = height - room + rng.integers(-6, 5) if rng.random() < 0.85 else room + rng.integers(-4, 4)
        thickness = int(rng.integers(2, 5))
        left, right = rng.integers(0, room + width // 4), width - rng.integers(0, room + width // 4)
        line = sheet[at : at + thickness, left:right]
        np.maximum(line, np.float32(rng.uniform(0.5, 1)), out=line)
    return sheet


def make_digit_in_row(digits: np.ndarray, rng: np.random.Generator, index: int) -> np.ndarray:
    """Return a digit as it is cut out of a row by its box: parts of its neighbours reach into the frame.

    The frame has a margin of up to a quarter of the digit's height; a full stop or the line of a table may be in it.
    """
    slant = rng.choice([0, 0.4])  # one hand writes them all
    strokes = draw_digit(digits, rng, index, slant)
    height, width = strokes.shape
    row, left = strokes, 0
    if rng.random() < 0.5:
        row = set_beside(row, draw_digit(digits, rng, slant=slant), int(rng.integers(1, 12)))
    if rng.random() < 0.5:
        before = row.shape[1]
        row = set_beside(draw_digit(digits, rng, slant=slant), row, int(rng.integers(1, 12)))
        left = row.shape[1] - before
    room = HEIGHT // 4
    sheet = np.pad(row, room)
    bottom = sheet.shape[0] - room
    margins = rng.integers(0, room, 4) if rng.random() < 0.8 else np.zeros(4, int)
    top, right = max(bottom - height - margins[0], 0), left + room + width + margins[3]
    framed = sheet[top : bottom + margins[1], left + room - margins[2] : right].copy()
    if rng.random() < 0.25:
        size, right = int(rng.integers(3, 7)), int(rng.integers(0, 4))
        framed[-size - 2 : -2, framed.shape[1] - size - right : framed.shape[1] - right] = 1
    if rng.random() < 0.2:
        at = 0 if rng.random() < 0.5 else framed.shape[1] - 2
        framed[:, at : at + 2] = rng.uniform(0.6, 1)
    return framed


def is_straight(strokes: np.ndarray) -> bool:
    """Tell a narrow or slanted bar: half of a 4 may be a perfect 1, and teaches nothing but doubt."""
    strokes = crop_strokes(strokes)
    if strokes.shape[1] < 0.42 * strokes.shape[0]:
        return True
    rows, columns = np.nonzero(strokes >= 0.4)
    if rows.size < 3:
        return True
    spread = np.linalg.eigvalsh(np.cov(rows, columns))
    return bool(spread[1] > 14 * spread[0] and strokes.shape[1] < 1.2 * strokes.shape[0])


def _make_pair(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return set_beside(draw_digit(digits, rng), draw_digit(digits, rng), *rng.integers((-5, -6), (8, 7)).tolist())


def _make_triple(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return set_beside(_make_pair(digits, rng), draw_digit(digits, rng), int(rng.integers(-4, 6)))


def _make_half(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    strokes = draw_digit(digits, rng)
    return _choose_part(_cut(strokes, rng.uniform(0.25, 0.75), rng.normal(0, 0.2)), strokes, rng)


def _make_two_halves(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    first = _cut(draw_digit(digits, rng), rng.uniform(0.3, 0.7), rng.normal(0, 0.2))[1]
    second = _cut(draw_digit(digits, rng), rng.uniform(0.3, 0.7), rng.normal(0, 0.2))[0]
    return set_beside(_crop_columns(first), _crop_columns(second), int(rng.integers(-4, 6)))


def _make_one_and_half(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    share = rng.uniform(0.5, 0.8)
    whole, other = draw_digit(digits, rng), draw_digit(digits, rng)
    gap = int(rng.integers(-4, 5))
    if rng.random() < 0.5:
        return set_beside(whole, _crop_columns(_cut(other, share, rng.normal(0, 0.15))[0]), gap)
    return set_beside(_crop_columns(_cut(other, 1 - share, rng.normal(0, 0.15))[1]), whole, gap)


def _make_piece(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    strokes = draw_digit(digits, rng)
    height, width = strokes.shape
    if rng.random() < 0.6:
        row = int(height * rng.uniform(0.25, 0.75))
        return _choose_part((strokes[:row], strokes[row:]), strokes, rng)
    tall, wide = int(height * rng.uniform(0.25, 0.6)), int(width * rng.uniform(0.3, 0.7))
    top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
    return strokes[top : top + tall, left : left + wide]


_WRONG = (
    (_make_pair, 0.4),
    (_make_triple, 0.05),
    (_make_half, 0.2),
    (_make_two_halves, 0.13),
    (_make_one_and_half, 0.08),
    (_make_piece, 0.14),
)


def _choose_part(parts: tuple[np.ndarray, np.ndarray], strokes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a part that misses at least a third of the ink: what is nearly whole is still the digit."""
    small = [part for part in parts if part.sum() <= 0.66 * strokes.sum()]
    return small[int(rng.integers(len(small)))]


def _cut(strokes: np.ndarray, at: float, slope: float) -> tuple[np.ndarray, np.ndarray]:
    """Cut along a slanted line through that share of the width."""
    height, width = strokes.shape
    line = at * width + slope * (height / 2 - np.arange(height))
    left = np.arange(width)[None] < line[:, None]
    return np.where(left, strokes, np.float32(0)), np.where(left, np.float32(0), strokes)


def _slant(strokes: np.ndarray, slope: float) -> np.ndarray:
    """Move each row by slope times its distance from the bottom."""
    height, width = strokes.shape
    moves = np.round(slope * (height - 1 - np.arange(height))).astype(int)
    moves -= moves.min()
    slanted = np.zeros((height, width + moves.max()), np.float32)
    for row, move in enumerate(moves):
        slanted[row, move : move + width] = strokes[row]
    return slanted


def _crop_columns(strokes: np.ndarray) -> np.ndarray:
    """Take empty columns away and leave the height, so that a part stands where it stood."""
    columns = np.flatnonzero((strokes >= 0.04).any(axis=0))
    return strokes[:, columns[0] : columns[-1] + 1] if columns.size else strokes[:, :1]

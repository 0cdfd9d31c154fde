"""Images of writing as cameras and scanners take them, made with a seed: strokes on uneven, noisy, ruled paper."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageFilter


def draw_on_paper(strokes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Write strokes on generated paper.

    Paper and ink have a random grey, light falls unevenly, ink is worn, the paper may be ruled; then come blur, noise,
    now and then the other polarity and the damage of JPEG.

    Parameters
    ----------
    strokes : ndarray of float32, shape (h, w)
        0 for paper, 1 for ink; as large as the image is to be, at least 8 pixels a side.
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
        ink = np.maximum(ink, _rule(shape, rng) * rng.uniform(0.2, 0.7) * depth)
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
    """Return smooth random values in about -1..1, float32 (h, w); the more knots, the quicker they change."""
    values = rng.uniform(-1, 1, (knots, knots)).astype(np.float32)
    return np.asarray(Image.fromarray(values).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def resize(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return float32 values of 0..1 at another size, antialiased."""
    image = Image.fromarray(np.ascontiguousarray(values, np.float32))
    return np.clip(np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)), 0, 1)


def _rule(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw the level or upright lines of ruled paper, thin ones."""
    rows = np.zeros(max(shape), np.float32)
    distance = int(rng.integers(max(8, min(shape) // 4), max(shape) + 9))
    for first in range(int(rng.integers(distance)), len(rows), distance):
        rows[first : first + max(1, min(shape) // 60)] = 1
    level = np.broadcast_to(rows[: shape[0], None], shape)
    upright = np.broadcast_to(rows[None, : shape[1]], shape)
    kind = rng.random()
    return level if kind < 0.5 else upright if kind < 0.75 else np.maximum(level, upright)

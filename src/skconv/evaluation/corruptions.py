"""Image corruptions of five strengths, for measuring robustness."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from skconv.exceptions import ParameterError

STRENGTHS = (1, 2, 3, 4, 5)
Corrupt = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


def list_corruptions() -> list[str]:
    """Return the names of all corruptions."""
    return list(_CORRUPTIONS)


def corrupt(images: np.ndarray, name: str, strength: int, *, seed: int = 0) -> np.ndarray:
    """Apply a corruption of strength 1 (barely visible) to 5 to images, uint8 (n, h, w) or (n, h, w, c).

    `name` is one of `list_corruptions`. Lengths scale with the size of the images.

    References
    ----------
    Mu, Gilmer: "MNIST-C: a robustness benchmark for computer vision", 2019; Hendrycks, Dietterich: "Benchmarking neural
    network robustness to common corruptions and perturbations", ICLR 2019.

    Examples
    --------
    >>> images = np.full((2, 28, 28), 100, np.uint8)
    >>> int(corrupt(images, "brightness", 3).max())
    177
    """
    if name not in _CORRUPTIONS:
        raise ParameterError(f"The 'name' parameter must be one of {', '.join(map(repr, _CORRUPTIONS))}. Got {name!r}.")
    if strength not in STRENGTHS:
        raise ParameterError(f"The 'strength' parameter must be an integer from 1 to 5. Got {strength!r}.")
    function, levels = _CORRUPTIONS[name]
    channels_last = images[..., None] if images.ndim == 3 else images
    corrupted = function(channels_last.astype(np.float32) / 255, levels[strength - 1], np.random.default_rng(seed))
    return np.rint(255 * corrupted.clip(0, 1)).astype(np.uint8).reshape(images.shape)


def _noise(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    return images + amount * generator.standard_normal(images.shape, np.float32)


def _impulses(images: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    chance = generator.random(images.shape[:3], np.float32)[..., None]
    return np.where(chance < share / 2, 0.0, np.where(chance > 1 - share / 2, 1.0, images))


def _blur(images: np.ndarray, sigma: float, generator: np.random.Generator) -> np.ndarray:
    import cv2

    width = sigma * min(images.shape[1:3]) / 28
    return _apply_to_each(images, lambda image: cv2.GaussianBlur(image, (0, 0), width))


def _motion_blur(images: np.ndarray, length: float, generator: np.random.Generator) -> np.ndarray:
    import cv2

    size = max(3, round(length * min(images.shape[1:3]) / 28)) | 1
    kernel = np.zeros((size, size), np.float32)
    cv2.line(kernel, (0, size - 1), (size - 1, 0), 1.0)
    kernel /= kernel.sum()
    return _apply_to_each(images, lambda image: cv2.filter2D(image, -1, kernel))


def _shear(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    return _transform(images, np.array([[1, amount], [0, 1]]), generator)


def _scale(images: np.ndarray, factor: float, generator: np.random.Generator) -> np.ndarray:
    return _transform(images, np.eye(2) * factor, generator)


def _rotate(images: np.ndarray, degrees: float, generator: np.random.Generator) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return _transform(images, np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]), generator)


def _translate(images: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    return _transform(images, np.eye(2), generator, share=share)


def _brighten(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    return images + amount


def _fade(images: np.ndarray, factor: float, generator: np.random.Generator) -> np.ndarray:
    means = images.mean((1, 2), keepdims=True)
    return means + factor * (images - means)


def _stripe(images: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """Invert a vertical band in the centre."""
    width = images.shape[2]
    half = share * width / 2
    band = slice(round(width / 2 - half), round(width / 2 + half))
    striped = images.copy()
    striped[:, :, band] = 1 - striped[:, :, band]
    return striped


def _fog(images: np.ndarray, amount: float, generator: np.random.Generator) -> np.ndarray:
    """Blend the images with clouds of several scales."""
    import cv2

    height, width = images.shape[1:3]
    fogged = np.empty_like(images)
    for index, image in enumerate(images):
        cloud = np.zeros((height, width), np.float32)
        for cells in (2, 4, 8):
            grid = generator.random((cells, cells), np.float32) / cells
            cloud += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        spread = float(cloud.max() - cloud.min()) or 1.0
        cloud = (cloud - cloud.min()) / spread
        fogged[index] = image * (1 - amount * 0.4) + amount * cloud[..., None]
    return fogged


def _spatter(images: np.ndarray, n_drops: float, generator: np.random.Generator) -> np.ndarray:
    import cv2

    side = min(images.shape[1:3])

    def draw(canvas: np.ndarray) -> None:
        for _ in range(int(n_drops)):
            centre, radius = _choose_point(canvas, generator), max(1, round(side / 28 * generator.uniform(0.6, 2.2)))
            cv2.circle(canvas, centre, radius, float(generator.uniform(0.4, 0.9)), -1)

    return _draw_over(images, draw)


def _dotted_line(images: np.ndarray, n_lines: float, generator: np.random.Generator) -> np.ndarray:
    import cv2

    radius = max(0, round(min(images.shape[1:3]) / 28 * 0.6))

    def draw(canvas: np.ndarray) -> None:
        for _ in range(int(n_lines)):
            start, end = (np.array(_choose_point(canvas, generator), float) for _ in range(2))
            for share in np.linspace(0, 1, max(2, int(np.hypot(*(end - start)) / (3 * max(radius, 1))))):
                x, y = np.rint(start + share * (end - start)).astype(int).tolist()
                cv2.circle(canvas, (x, y), radius, 1.0, -1)

    return _draw_over(images, draw)


def _zigzag(images: np.ndarray, n_lines: float, generator: np.random.Generator) -> np.ndarray:
    import cv2

    side = min(images.shape[1:3])

    def draw(canvas: np.ndarray) -> None:
        for _ in range(int(n_lines)):
            start, end = (np.array(_choose_point(canvas, generator), float) for _ in range(2))
            across = np.array([start[1] - end[1], end[0] - start[0]])
            across *= side / 14 / max(float(np.hypot(*across)), 1.0)
            shares = np.linspace(0, 1, 8)
            points = start + shares[:, None] * (end - start) + (-1.0) ** np.arange(8)[:, None] * across
            cv2.polylines(canvas, [np.rint(points).astype(np.int32)], False, 1.0, max(1, round(side / 28)))

    return _draw_over(images, draw)


def _edges(images: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """Blend the images with their edges from Canny's detector."""
    import cv2

    def find(image: np.ndarray) -> np.ndarray:
        grey = np.rint(255 * image.reshape(*image.shape[:2], -1).mean(2)).astype(np.uint8)
        found = cv2.Canny(grey, 100, 200).astype(np.float32) / 255
        return found if image.ndim == 2 else np.repeat(found[..., None], image.shape[2], axis=2)

    return (1 - share) * images + share * _apply_to_each(images, find)


def _pixelate(images: np.ndarray, factor: float, generator: np.random.Generator) -> np.ndarray:
    import cv2

    height, width = images.shape[1:3]
    small = max(1, round(width * factor)), max(1, round(height * factor))

    def shrink(image: np.ndarray) -> np.ndarray:
        coarse = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_NEAREST)

    return _apply_to_each(images, shrink)


def _apply_to_each(images: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Apply an OpenCV function to each image; grey images are passed without a channel axis, as OpenCV expects."""
    return np.stack([function(image.squeeze(2) if image.shape[2] == 1 else image) for image in images]).reshape(
        images.shape
    )


def _transform(
    images: np.ndarray, matrix: np.ndarray, generator: np.random.Generator, share: float = 0.0
) -> np.ndarray:
    """Transform images about their centre in random directions; the border is repeated."""
    import cv2

    height, width = images.shape[1:3]
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    moved = np.empty_like(images)
    for index, image in enumerate(images):
        sense = generator.choice([-1, 1])
        rotated = matrix * np.array([[1, sense], [sense, 1]])
        angle = generator.uniform(0, 2 * np.pi)
        offset = share * np.array([width * np.cos(angle), height * np.sin(angle)])
        affine = np.column_stack([rotated, centre - rotated @ centre + offset])
        result = cv2.warpAffine(image, affine, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        moved[index] = result.reshape(image.shape)
    return moved


def _choose_point(canvas: np.ndarray, generator: np.random.Generator) -> tuple[int, int]:
    height, width = canvas.shape
    return int(generator.integers(width)), int(generator.integers(height))


def _draw_over(images: np.ndarray, draw: Callable[[np.ndarray], None]) -> np.ndarray:
    """Draw in white over each image, taking the maximum per pixel."""
    drawn = np.empty_like(images)
    for index, image in enumerate(images):
        canvas = np.zeros(image.shape[:2], np.float32)
        draw(canvas)
        drawn[index] = np.maximum(image, canvas[..., None])
    return drawn


# Function of each corruption, and its argument for strengths 1 to 5.
_CORRUPTIONS: dict[str, tuple[Corrupt, tuple[float, ...]]] = {
    "noise": (_noise, (0.1, 0.2, 0.3, 0.45, 0.6)),
    "impulse noise": (_impulses, (0.03, 0.07, 0.12, 0.2, 0.3)),
    "blur": (_blur, (0.6, 1.0, 1.4, 1.9, 2.5)),
    "motion blur": (_motion_blur, (3, 5, 7, 9, 11)),
    "shear": (_shear, (0.15, 0.3, 0.45, 0.6, 0.75)),
    "scale": (_scale, (0.9, 0.8, 0.7, 0.6, 0.5)),
    "rotate": (_rotate, (8, 16, 24, 32, 40)),
    "translate": (_translate, (0.04, 0.08, 0.12, 0.16, 0.2)),
    "brightness": (_brighten, (0.1, 0.2, 0.3, 0.45, 0.6)),
    "contrast": (_fade, (0.7, 0.5, 0.35, 0.2, 0.1)),
    "stripe": (_stripe, (0.04, 0.08, 0.12, 0.18, 0.25)),
    "fog": (_fog, (0.2, 0.35, 0.5, 0.65, 0.8)),
    "spatter": (_spatter, (3, 6, 9, 13, 18)),
    "dotted line": (_dotted_line, (1, 2, 3, 4, 5)),
    "zigzag": (_zigzag, (1, 2, 3, 4, 5)),
    "canny edges": (_edges, (0.2, 0.4, 0.6, 0.8, 1.0)),
    "pixelate": (_pixelate, (0.7, 0.55, 0.45, 0.35, 0.25)),
}

"""Resizing of images: rules for another aspect ratio, and the size of training images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

# Side in pixels of square images by the number of images, so that training on two cores takes minutes.
_SIDES = ((1000, 64), (50_000, 48))
_SIDE_OF_MANY = 32
MAX_UNCHANGED = 64 * 64  # pixels; images of one size up to this are not resized
_SQUARE = 1.1  # aspect ratios up to this count as square
_MAX_ASPECT = 2.0
_MIN_SIDE = 8


def convert_image(image: np.ndarray, height: int, width: int, channels: int, resize: str | None = None) -> np.ndarray:
    """Resize an image uint8 (h, w) or (h, w, 3) with antialiasing, and convert it to grey (luma) or colour.

    `resize` is the rule for an image of another aspect ratio: ``"pad"`` adds a border of the mean colour of the image's
    own border, ``"crop"`` cuts off both ends of the longer side, ``"stretch"`` or None changes the aspect ratio.
    The shape is (height, width) for 1 channel and (height, width, 3) for 3.

    Examples
    --------
    >>> convert_image(np.full((300, 200, 3), 90, np.uint8), 28, 28, 1).shape
    (28, 28)
    """
    if image.dtype == np.uint8 and image.shape == ((height, width) if channels == 1 else (height, width, 3)):
        return image.copy()
    pil_image = Image.fromarray(image)
    mode = "L" if channels == 1 else "RGB"
    if pil_image.mode != mode:
        pil_image = pil_image.convert(mode)
    if pil_image.size == (width, height):
        return np.array(pil_image)
    if resize == "pad":
        return _pad(pil_image, height, width)
    box = _crop_box(pil_image.size, height, width) if resize == "crop" else None
    return np.array(pil_image.resize((width, height), Image.Resampling.BICUBIC, box))


def choose_size(
    sizes: Sequence[tuple[int, int]], n_images: int, short_side: int | None = None
) -> tuple[int, int] | None:
    """Return the (height, width) to which images of these sizes (height, width) are resized, or None for no resizing.

    Images that all have the same size, at most 64×64 pixels, are not resized. Otherwise the area is 48×48 pixels (64×64
    for up to 1,000 images, 32×32 for more than 50,000), or the median area of the images if it is smaller. The aspect
    ratio is the median of the images, limited to 1:2..2:1. `short_side` sets the length of the shorter side instead of
    the area; images of one size are then not resized if their shorter side is not longer.

    Examples
    --------
    >>> choose_size([(28, 28)] * 3, 3), choose_size([(480, 640)] * 3, 4000), choose_size([(20, 30), (30, 30)], 9)
    (None, (42, 56), (24, 30))
    """
    heights, widths = np.array(sizes, np.float64).T
    is_small = heights[0] * widths[0] <= MAX_UNCHANGED if short_side is None else min(sizes[0]) <= short_side
    if len(set(sizes)) == 1 and is_small:
        return None
    aspect = float(np.clip(np.median(heights / widths), 1 / _MAX_ASPECT, _MAX_ASPECT))
    if 1 / _SQUARE <= aspect <= _SQUARE:
        aspect = 1.0
    side: float = next((side for limit, side in _SIDES if n_images <= limit), _SIDE_OF_MANY)
    if short_side is not None:
        side = short_side * max(aspect, 1 / aspect) ** 0.5
    side = min(side, math.sqrt(np.median(heights * widths)))
    height, width = (max(_MIN_SIDE, 2 * round(each / 2)) for each in (side * aspect**0.5, side / aspect**0.5))
    return None if set(sizes) == {(height, width)} else (height, width)


def describe_choice(
    sizes: Sequence[tuple[int, int]], size: tuple[int, int], resize: str | None, *, is_sample: bool = False
) -> str:
    """Return a note on the size chosen for images of these sizes; `is_sample` is true if `sizes` is a sample."""
    # Sizes of equal area, such as 400×20 and 20×400, are ordered by height, so that both are printed.
    ordered = sorted(set(sizes), key=lambda each: (each[0] * each[1], each))
    low, high = ordered[0], ordered[-1]
    images = f"A sample of {len(sizes):,} images shows that they" if is_sample else "The images"
    found = f"are {low[1]}×{low[0]}"
    if low != high:
        found = f"differ in size, from {low[1]}×{low[0]} to {high[1]}×{high[0]}"
    reason = "so that all have one size" if low != high and np.prod(size) >= np.prod(low) else ""
    rule, options = "", "--image-size"
    if resize is None and any(has_other_aspect(each, size) for each in sizes):
        rule, options = "; images of another aspect ratio are padded", "--image-size or --resize"
    return (
        f"{images} {found} pixels (width × height). They are resized to {size[1]}×{size[0]}, "
        f"{reason or 'so that training takes minutes'}{rule}. Pass {options} to change this."
    )


def has_other_aspect(size: tuple[int, int], target: tuple[int, int]) -> bool:
    """Return whether an image of a size (height, width) needs a rule to be resized to another size."""
    return _fit(size, target) != target


def _fit(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """Return the largest (height, width) within `target` with the aspect ratio of `size`.

    A difference of less than a pixel is due to rounding, and is ignored.
    """
    scale = min(target[0] / size[0], target[1] / size[1])
    height, width = (max(1, round(scale * side)) for side in size)
    if target[0] - scale * size[0] < 1 and target[1] - scale * size[1] < 1:
        return target
    return height, width


def _pad(pil_image: Image.Image, height: int, width: int) -> np.ndarray:
    """Fit an image into a size and fill the rest with the mean colour of its border."""
    inner_height, inner_width = _fit((pil_image.height, pil_image.width), (height, width))
    inner = np.array(pil_image.resize((inner_width, inner_height), Image.Resampling.BICUBIC))
    if (inner_height, inner_width) == (height, width):
        return inner
    # The colour of the two padded sides only, so that the seam is least visible.
    sides = np.stack([inner[0], inner[-1]] if inner_height < height else [inner[:, 0], inner[:, -1]])
    colour = np.rint(sides.mean((0, 1), dtype=np.float64)).astype(np.uint8)
    padded = np.empty((height, width, *inner.shape[2:]), np.uint8)
    padded[:] = colour
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    padded[top : top + inner_height, left : left + inner_width] = inner
    return padded


def _crop_box(size: tuple[int, int], height: int, width: int) -> tuple[float, float, float, float]:
    """Return the largest centred box (left, top, right, bottom) of an aspect ratio; `size` is (width, height)."""
    scale = min(size[0] / width, size[1] / height)
    box_width, box_height = scale * width, scale * height
    left, top = (size[0] - box_width) / 2, (size[1] - box_height) / 2
    return left, top, left + box_width, top + box_height

"""Conversion of pixel values to uint8, and of rows and arrays to images."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from skconv.exceptions import DataError

_N_ROWS = 65_536  # converted per step, because a float copy of a whole array may not fit in memory
_MIN_WHITE = 64  # images whose maximum is lower do not use the range 0..255
_MIN_FRACTIONS = 0.01  # minimum share of values with fractions after resizing; a lower share is probably an error


def as_uint8(where: str, values: np.ndarray) -> np.ndarray:
    """Convert pixel values to uint8; `where` names their origin in messages.

    uint8 is returned unchanged; bool is scaled to 0 and 255; integers and whole floats in 0..255 are cast; floats in
    0..1 are multiplied by 255 and rounded. With a warning, floats that span -1..1 become ``(v + 1) * 127.5``, and
    floats with fractions up to at least 128 are rounded.

    Raise `DataError` for text, NaN and infinity, values below 0 or above 255, and other fractions above 1.

    Examples
    --------
    >>> as_uint8("X", np.array([[0.0, 0.2, 1.0]]))
    array([[  0,  51, 255]], dtype=uint8)
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "biuf":
        kind = "Python objects" if values.dtype == object else values.dtype
        raise DataError(f"{where}: the pixels are {kind}; expected an array of integers 0..255 (uint8).")
    if values.size == 0:
        return values.astype(np.uint8)
    is_float = values.dtype.kind == "f"
    low, high = values.min(), values.max()
    if is_float and not np.isfinite([low, high]).all():
        n_bad = int((~np.isfinite(values)).sum())
        raise DataError(
            f"{where}: {n_bad:,} of {values.size:,} pixels are nan or inf; expected finite numbers. Replace them."
        )
    if is_float and -1 <= low < -0.9 and 0.9 < high <= 1:
        warnings.warn(
            f"{where}: the pixels are in -1..1 and were converted to 0..255 by (v + 1) * 127.5.", stacklevel=2
        )
        return _convert(values, lambda part: np.rint((part + 1) * 127.5))
    if low < 0 or high > 255:
        raise DataError(
            f"{where}: the pixels are in the range {low:g}..{high:g}; expected 0..255 (uint8), 0..1 or -1..1. "
            "Scale them by the range of the format, and save them as uint8: ((X - low) * 255 / (high - low)).round()."
        )
    if values.dtype.kind == "b" or (is_float and high <= 1):
        return _convert(values, lambda part: np.rint(part * 255.0))
    _check_fractions(where, values, low, high)
    return _convert(values, np.rint)


def warn_if_dark(where: str, pixels: np.ndarray) -> None:
    """Warn if the maximum is far below 255, because image files then have another range than these images.

    Memory-mapped arrays are not checked, because reading them takes long.
    """
    high = 255 if isinstance(pixels, np.memmap) else int(pixels.max(initial=0))
    if high < _MIN_WHITE:
        warnings.warn(
            f"{where}: the maximum pixel is {high}; expected about 255. A model trained on these images is valid only "
            f"for this range. To use it with image files, multiply the pixels by {255 / max(high, 1):.4g} first.",
            stacklevel=2,
        )


def warn_if_equal(where: str, images: np.ndarray) -> None:
    """Warn if all images are equal, from which no class can be learned."""
    if all(np.array_equal(image, images[0]) for image in images):
        warnings.warn(f"{where}: all {len(images):,} training images are equal. Check the files.", stacklevel=2)


def has_many_fractions(values: np.ndarray) -> bool:
    """Return whether at least 1 % of the floats in 0..255 have fractions, as after resizing."""
    n_fractions = np.count_nonzero(values != np.rint(values))
    return bool(values.max() >= 128 and n_fractions >= _MIN_FRACTIONS * values.size)


def _check_fractions(where: str, values: np.ndarray, low: float, high: float) -> None:
    """Warn that fractions are rounded; raise `DataError` unless the values seem to be grey levels 0..255."""
    if values.dtype.kind != "f":
        return
    starts = range(0, len(values), _N_ROWS)
    parts = (values[start : start + _N_ROWS] for start in starts)
    n_fractions = sum(int(np.count_nonzero(part != np.rint(part))) for part in parts)
    if n_fractions == 0:
        return
    if high < 128 or n_fractions < _MIN_FRACTIONS * values.size:
        raise DataError(
            f"{where}: the pixels are in the range {low:g}..{high:g} with fractions; expected integers 0..255 "
            "(uint8) or 0..1. Scale them and save them as uint8."
        )
    warnings.warn(
        f"{where}: {n_fractions:,} of {values.size:,} pixels in {low:g}..{high:g} have fractions and were rounded.",
        stacklevel=2,
    )


def _convert(values: np.ndarray, function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    result = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _N_ROWS):
        result[start : start + _N_ROWS] = function(values[start : start + _N_ROWS])
    return result


def shape_rows(where: str, rows: np.ndarray, image_size: tuple[int, ...] | None = None) -> np.ndarray:
    """Reshape rows of pixels (n, n_pixels) to images (n, height, width) or (n, height, width, 3).

    `image_size` is (height, width) of grey images, (height, width, channels) of images stored pixel by pixel, or
    (channels, height, width) of images stored channel by channel. Without it, or if it does not match the number of
    values, images are square and grey. Raise `DataError` if the number fits no square grey image.

    Examples
    --------
    >>> shape_rows("X", np.zeros((5, 784))).shape, shape_rows("X", np.zeros((5, 768)), (16, 16, 3)).shape
    ((5, 28, 28), (5, 16, 16, 3))
    """
    n_pixels = rows.shape[1]
    if image_size is not None and math.prod(image_size) == n_pixels:
        return _drop_single_channel(channels_last(rows.reshape(len(rows), *image_size)))
    side = find_square(n_pixels)
    if side is not None:
        return rows.reshape(len(rows), side, side)
    if image_size is not None and len(image_size) == 2 and 3 * math.prod(image_size) == n_pixels:
        raise _ambiguous_colour(where, n_pixels, *image_size, "")
    side = find_square(n_pixels // 3) if n_pixels % 3 == 0 else None
    if side is not None:
        raise _ambiguous_colour(where, n_pixels, side, side, "; for grey images, pass HxW (height x width)")
    side = max(1, round(math.sqrt(n_pixels)))
    raise DataError(
        f"{where} has {n_pixels} pixel columns; an image of {side}×{side} has {side * side} values. "
        "Is a column missing, or is the label among them? For images that are not square, pass --image-size HxW, or "
        "HxWx3 in colour."
    )


def _shape_colour_rows(where: str, images: np.ndarray, image_size: tuple[int, ...] | None) -> np.ndarray:
    """Reshape rows of colour pixels, (n, 3, pixels) or (n, pixels, 3), whose shape gives the order of the channels."""
    n_images, height, width = images.shape
    sides, _ = split_size(image_size)
    if sides is None or 3 * math.prod(sides) != height * width:
        size = "x".join(map(str, colour_size(images.shape) or ()))
        raise DataError(
            f"{where} has shape {images.shape}, which may be rows of colour pixels or grey images of "
            f"{width}×{height}. Pass --image-size {size} for colour images, or {height}x{width} for grey images."
        )
    if height == 3:
        return images.reshape(n_images, 3, *sides).transpose(0, 2, 3, 1)
    return images.reshape(n_images, *sides, 3)


def colour_size(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Return the size of square colour images whose pixels have the shape (n, 3, pixels) or (n, pixels, 3), or None.

    Examples
    --------
    >>> colour_size((60, 3, 1024)), colour_size((60, 1024, 3)), colour_size((60, 32, 32))
    ((3, 32, 32), (32, 32, 3), None)
    """
    if len(shape) != 3 or 3 not in shape[1:]:
        return None
    side = find_square(max(shape[1:]))
    if side is None or side < 4:
        return None
    return (3, side, side) if shape[1] == 3 else (side, side, 3)


def _ambiguous_colour(where: str, n_pixels: int, height: int, width: int, grey: str) -> DataError:
    size = f"{height}x{width}"
    return DataError(
        f"{where} has {n_pixels:,} values per image. For colour images of {width}×{height}, pass --image-size "
        f"{size}x3 if the values of a pixel are adjacent, or 3x{size} if all red values come first (as in CIFAR)"
        f"{grey}."
    )


def is_size(size: Any) -> bool:
    """Return whether an object is an image size as in `shape_rows`."""
    if not isinstance(size, tuple) or len(size) not in (2, 3):
        return False
    if not all(isinstance(side, int | np.integer) and not isinstance(side, bool) and side >= 1 for side in size):
        return False
    return len(size) == 2 or size[0] in (1, 3) or size[2] in (1, 3)


def split_size(image_size: tuple[int, ...] | None) -> tuple[tuple[int, int] | None, int | None]:
    """Return (height, width) and the number of channels of an image size as in `shape_rows`; None if not given.

    Examples
    --------
    >>> split_size((28, 24)), split_size((32, 24, 3)), split_size((3, 32, 24))
    (((28, 24), None), ((32, 24), 3), ((32, 24), 3))
    """
    if image_size is None:
        return None, None
    if len(image_size) == 2:
        return (image_size[0], image_size[1]), None
    *sides, channels = image_size if image_size[2] in (1, 3) else (*image_size[1:], image_size[0])
    return (sides[0], sides[1]), channels


def find_square(n_pixels: int) -> int | None:
    """Return the side of a square grey image with this number of values, or None."""
    side = math.isqrt(n_pixels)
    return side if n_pixels > 0 and side * side == n_pixels else None


def channels_last(images: np.ndarray) -> np.ndarray:
    """Return images (n, c, h, w) with c of 1 or 3 as (n, h, w, c); other images unchanged."""
    if images.ndim == 4 and images.shape[3] not in (1, 3) and images.shape[1] in (1, 3):
        return images.transpose(0, 2, 3, 1)
    return images


def _drop_single_channel(images: np.ndarray) -> np.ndarray:
    return images[:, :, :, 0] if images.ndim == 4 and images.shape[3] == 1 else images


def as_images(where: str, images: np.ndarray, image_size: tuple[int, ...] | None = None) -> np.ndarray:
    """Reshape an array of images to (n, height, width) or (n, height, width, 3).

    Accepts (n, pixels), (n, 1, pixels), (n, pixels, 1), (n, h, w), (n, h, w, 1 or 3) and (n, 1 or 3, h, w);
    `image_size` is as in `shape_rows`; it is required for (n, 3, pixels) and (n, pixels, 3). Raise `DataError` for
    other shapes, and for four dimensions whose second and last are both 1 or 3.
    """
    if images.ndim == 2:
        return shape_rows(where, images, image_size)
    if colour_size(images.shape) is not None and images.shape[1:] != image_size:
        return _shape_colour_rows(where, images, image_size)
    if images.ndim == 3 and 1 in images.shape[1:] and images.shape[1:] != image_size:
        warnings.warn(f"{where} has shape {images.shape}; it is read as rows of pixels.", stacklevel=2)
        return shape_rows(where, images.reshape(len(images), -1), image_size)
    if images.ndim == 4 and images.shape[1] in (1, 3) and images.shape[3] in (1, 3):
        raise DataError(
            f"{where} has shape {images.shape}, whose channels may be first or last; expected images of at least 4×4 "
            "pixels."
        )
    images = channels_last(images)
    images = _drop_single_channel(images)
    if images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3):
        return images
    hint = " Remove the transparency: X[..., :3]." if images.ndim == 4 and images.shape[3] == 4 else ""
    raise DataError(
        f"{where}: the images have shape {images.shape}; expected (n, height, width), (n, height, width, 3) "
        f"or (n, pixels). Reshape the array.{hint}"
    )

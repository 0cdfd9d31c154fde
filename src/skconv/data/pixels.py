"""From numbers as people keep them to uint8 images: value ranges and shapes."""

from __future__ import annotations

import math

import numpy as np

from skconv.exceptions import DataError

_STEP = 65_536  # rows converted at a time, so that a large array is never held twice as floats


def as_uint8(where: str, values: np.ndarray) -> np.ndarray:
    """Bring pixel values to uint8 without guessing.

    Parameters
    ----------
    where : str
        Where the values came from, for the error.
    values : ndarray
        uint8 is returned as it is; bool and whole numbers in 0..255 are cast; floats in 0..1 are multiplied
        by 255 and rounded.

    Raises
    ------
    DataError
        Text, undefined or negative values, values over 255, or fractions over 1.

    Examples
    --------
    >>> as_uint8("X", np.array([[0.0, 0.2, 1.0]]))
    array([[  0,  51, 255]], dtype=uint8)
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "biuf":
        raise DataError(f"{where}: the pixels are {values.dtype}; expected whole numbers 0..255 (uint8).")
    if values.size == 0:
        return values.astype(np.uint8)
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 255):  # also true of NaN
        raise DataError(
            f"{where}: the pixels range over {low:g}..{high:g}; expected 0..255 (uint8) or 0..1. "
            "Scale them and save them as uint8."
        )
    scale = 255.0 if values.dtype.kind == "b" or (values.dtype.kind == "f" and high <= 1) else 1.0
    result = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _STEP):
        part = values[start : start + _STEP]
        scaled = np.rint(part * scale)
        if scale == 1.0 and not np.array_equal(scaled, part):
            raise DataError(
                f"{where}: the pixels range over {low:g}..{high:g} with fractions; expected whole numbers 0..255 "
                "(uint8) or 0..1. Scale them and save them as uint8."
            )
        result[start : start + _STEP] = scaled
    return result


def shape_rows(where: str, rows: np.ndarray, image_size: tuple[int, int] | None = None) -> np.ndarray:
    """Shape rows of pixels into images.

    Parameters
    ----------
    where : str
        Where the rows came from, for the error.
    rows : ndarray, shape (n, n_pixels)
        One image a row, line by line from the top.
    image_size : (height, width), optional
        The size, if it has that many pixels; without it, or if it has not, images are square. Where three
        values make a pixel they are red, green and blue.

    Returns
    -------
    ndarray, shape (n, height, width) or (n, height, width, 3)

    Raises
    ------
    DataError
        The number of pixels is that of no square image.

    Examples
    --------
    >>> shape_rows("X", np.zeros((5, 784))).shape, shape_rows("X", np.zeros((5, 768))).shape
    ((5, 28, 28), (5, 16, 16, 3))
    """
    n_rows, n_pixels = rows.shape
    shape = find_square(n_pixels)
    for wanted in () if image_size is None else (tuple(image_size), (*image_size, 3)):
        if math.prod(wanted) == n_pixels:
            shape = wanted
    if shape is None:
        side = max(1, round(math.sqrt(n_pixels)))
        raise DataError(
            f"{where} has {n_pixels} pixel columns; a {side}×{side} image has {side * side} values. "
            "Is a column missing, or the label among them? For images that are not square pass --image-size."
        )
    return rows.reshape(n_rows, *shape)


def find_square(n_pixels: int) -> tuple[int, ...] | None:
    """Return the shape of a square image with so many values, (h, w) or (h, w, 3), or None."""
    side = math.isqrt(n_pixels)
    if n_pixels > 0 and side * side == n_pixels:
        return side, side
    side = math.isqrt(n_pixels // 3)
    if n_pixels > 0 and 3 * side * side == n_pixels:
        return side, side, 3
    return None


def arrange_axes(where: str, images: np.ndarray, image_size: tuple[int, int] | None = None) -> np.ndarray:
    """Bring an array of images to (n, height, width) or (n, height, width, 3).

    Taken are (n, pixels), (n, h, w), (n, h, w, 1 or 3) and (n, 1 or 3, h, w).

    Raises
    ------
    DataError
        Any other shape.
    """
    if images.ndim == 2:
        return shape_rows(where, images, image_size)
    if images.ndim == 4 and images.shape[3] not in (1, 3) and images.shape[1] in (1, 3):
        images = images.transpose(0, 2, 3, 1)
    if images.ndim == 4 and images.shape[3] == 1:
        images = images[:, :, :, 0]
    if images.ndim == 3 or (images.ndim == 4 and images.shape[3] == 3):
        return images
    raise DataError(
        f"{where}: the images have shape {images.shape}; expected (n, height, width), (n, height, width, 3) "
        "or (n, pixels)."
    )

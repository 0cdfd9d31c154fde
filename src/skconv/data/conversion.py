"""Conversion of pixel values to uint8, of rows to images, and of labels to class names and indices."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from skconv.exceptions import DataError

_N_ROWS = 65_536  # converted per step, because a float copy of a whole array may not fit in memory


def as_uint8(where: str, values: np.ndarray) -> np.ndarray:
    """Convert pixel values to uint8; `where` names their origin in error messages.

    uint8 is returned unchanged; bool is scaled to 0 and 255; integers and whole floats in 0..255 are cast; floats in
    0..1 are multiplied by 255 and rounded. Raise `DataError` for text, NaN, values below 0 or above 255, and
    fractions above 1.

    Examples
    --------
    >>> as_uint8("X", np.array([[0.0, 0.2, 1.0]]))
    array([[  0,  51, 255]], dtype=uint8)
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind not in "biuf":
        raise DataError(f"{where}: the pixels are {values.dtype}; expected integers 0..255. Save them as uint8.")
    if values.size == 0:
        return values.astype(np.uint8)
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 255):  # negated, so that NaN raises too
        raise DataError(
            f"{where}: the pixels are in the range {low:g}..{high:g}; expected 0..255 (uint8) or 0..1. "
            "Scale them and save them as uint8."
        )
    scale = 255.0 if values.dtype.kind == "b" or (values.dtype.kind == "f" and high <= 1) else 1.0
    result = np.empty(values.shape, np.uint8)
    for start in range(0, len(values), _N_ROWS):
        part = values[start : start + _N_ROWS]
        scaled = np.rint(part * scale)
        if scale == 1.0 and not np.array_equal(scaled, part):
            raise DataError(
                f"{where}: the pixels are in the range {low:g}..{high:g} with fractions; expected integers 0..255 "
                "(uint8) or 0..1. Scale them and save them as uint8."
            )
        result[start : start + _N_ROWS] = scaled
    return result


def shape_rows(where: str, rows: np.ndarray, image_size: tuple[int, int] | None = None) -> np.ndarray:
    """Reshape rows of pixels (n, n_pixels) to images (n, height, width), or (n, height, width, 3) in C order.

    Images have `image_size` if that matches the number of values; otherwise they are square. Raise `DataError` if the
    number fits no square image.

    Examples
    --------
    >>> shape_rows("X", np.zeros((5, 784))).shape, shape_rows("X", np.zeros((5, 768))).shape
    ((5, 28, 28), (5, 16, 16, 3))
    """
    n_pixels = rows.shape[1]
    candidates: list[tuple[int, ...]] = [] if image_size is None else [tuple(image_size), (*image_size, 3)]
    shape = next((each for each in candidates if math.prod(each) == n_pixels), find_square(n_pixels))
    if shape is None:
        side = max(1, round(math.sqrt(n_pixels)))
        raise DataError(
            f"{where} has {n_pixels} pixel columns; an image of {side}×{side} has {side * side} values. "
            "Is a column missing, or is the label among them? For non-square images, pass --image-size."
        )
    return rows.reshape(len(rows), *shape)


def split_size(image_size: tuple[int, ...] | None) -> tuple[tuple[int, int] | None, int | None]:
    """Return (height, width) and the channels of an image size as in `shape_rows`; None for what it lacks.

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


def find_square(n_pixels: int) -> tuple[int, ...] | None:
    """Return the shape of a square image of `n_pixels` values, (h, w) or (h, w, 3), or None if there is none."""
    side = math.isqrt(n_pixels)
    if n_pixels > 0 and side * side == n_pixels:
        return side, side
    side = math.isqrt(n_pixels // 3)
    if n_pixels > 0 and 3 * side * side == n_pixels:
        return side, side, 3
    return None


def as_images(where: str, images: np.ndarray, image_size: tuple[int, int] | None = None) -> np.ndarray:
    """Reshape an array of images to (n, height, width) or (n, height, width, 3).

    Accepts (n, pixels), (n, h, w), (n, h, w, 1 or 3) and (n, 1 or 3, h, w); raises `DataError` for other shapes.
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
        "or (n, pixels). Reshape the array."
    )


def sort_names(names: Sequence[str]) -> list[str]:
    """Return the distinct class names, sorted by value if all are integers, else alphabetically.

    Examples
    --------
    >>> sort_names(["10", "9", "9"]), sort_names(["b", "10", "a"])
    (['9', '10'], ['10', 'a', 'b'])
    """
    distinct = set(names)
    if all(name.removeprefix("-").isdecimal() for name in distinct):
        return sorted(distinct, key=lambda name: (int(name), name))
    return sorted(distinct)


def encode_labels(
    where: str, train: Sequence[str], test: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...]]:
    """Encode label names as int64 indices into the class names, which are the sorted labels of the training split.

    Return the labels of both splits, and the class names. Raise `DataError` for fewer than two classes, or a test
    label that is not in the training split.

    Examples
    --------
    >>> encode_labels("animals.csv", ["dog", "cat", "dog"])
    (array([1, 0, 1]), None, ('cat', 'dog'))
    """
    class_names = sort_names(train)
    if not class_names:
        raise DataError(f"{where} has no labels; expected one label per image.")
    if len(class_names) == 1:
        raise DataError(
            f"{where} has only one class, '{class_names[0]}'; a classifier needs at least two. "
            "Is this the right label column or folder?"
        )
    unknown = sorted(set(test or ()) - set(class_names))
    if unknown:
        raise DataError(
            f"{where}: the class '{unknown[0]}' is in the test split, but not in the training split. "
            "Add training images of it, or remove it from the test split."
        )
    position = {name: index for index, name in enumerate(class_names)}
    train_labels = np.array([position[name] for name in train], np.int64)
    test_labels = None if test is None else np.array([position[name] for name in test], np.int64)
    return train_labels, test_labels, tuple(class_names)


def name_labels(where: str, labels: np.ndarray) -> list[str]:
    """Convert an array of labels (integers, whole floats, bool or text) to one name per image."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or labels.dtype.kind not in "biufUS":
        raise DataError(
            f"{where}: the labels are {labels.dtype} of shape {labels.shape}; expected one integer or word per image."
        )
    if labels.dtype.kind == "b":
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "f":
        whole = np.isfinite(labels) & (labels == np.rint(labels))
        if not whole.all():
            wrong = int(np.flatnonzero(~whole)[0])
            raise DataError(f"{where}: label {wrong} is {labels[wrong]}; expected an integer or a word.")
        labels = labels.astype(np.int64)
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    return [str(label) for label in labels.tolist()]

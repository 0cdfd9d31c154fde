"""Conversion of images and labels from the types that users pass, before scikit-learn validates them."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from skconv.data.conversion import colour_size
from skconv.data.labels import is_missing
from skconv.exceptions import DataError

_N_CHECKED = 1000  # objects whose type is checked


def as_images(X: Any) -> Any:
    """Return images as an array, or a data frame or other array type unchanged.

    Torch tensors and lists of Pillow images are converted. Raise `DataError`, with the fix, for a single Pillow
    image, for images of different sizes, for names of files, None and other objects that are not pixels.
    """
    if _is_from("torch", X) and hasattr(X, "detach"):
        return _to_numpy(X)
    if _is_from("PIL", X):
        raise DataError("X is a single Pillow image; expected a batch of images. Pass a list: [image].")
    if isinstance(X, str | os.PathLike):
        raise DataError(
            f"X is text, {os.fspath(X)!r}; expected an array of pixels. Read image files first: skconv.load_images."
        )
    if hasattr(X, "nnz"):
        raise DataError("X is a sparse matrix; expected a dense array. Convert it: X.toarray().")
    if X is None or isinstance(X, Mapping) or _is_from("torch", X) or hasattr(X, "train_images"):
        fix = " Pass dataset.train_images and dataset.train_labels." if hasattr(X, "train_images") else ""
        raise DataError(
            f"X is {'None' if X is None else f'a {type(X).__name__}'}; expected an array of images of shape "
            f"(n, height, width).{fix}"
        )
    if not hasattr(X, "shape"):
        X = _stack(list(X) if isinstance(X, Iterator | tuple | set) else X)
    _check_dtype(getattr(X, "dtype", None))
    _check_objects(X)
    return X


def as_labels(y: Any, n_images: int | None) -> Any:
    """Return labels, one per image, as scikit-learn accepts them.

    Raise `DataError`, with the fix, for missing labels, labels of several types and one-hot labels, and if the number
    of labels is not `n_images`.
    """
    if _is_from("torch", y):
        y = _to_numpy(y)
    if y is None:
        raise DataError("y is None; expected one label per image (y should be a 1d array).")
    if hasattr(y, "nnz"):
        raise DataError("y is a sparse matrix; expected one label per image, as a dense array.")
    labels = _as_plain_array(y)
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise DataError(
            f"y has shape {labels.shape}; expected one label per image (a 1d array). For one-hot labels pass "
            "y.argmax(axis=1)."
        )
    if labels.ndim and n_images is not None and len(labels) != n_images:
        raise DataError(f"X has {n_images:,} images, y {len(labels):,} labels; expected one label per image.")
    if labels.ndim == 1:
        _check_labels(labels)
        if labels.dtype == object and isinstance(labels[0], int | np.integer):
            return np.asarray(labels.tolist())
    return y


def check_no_label_column(X: np.ndarray, y: np.ndarray) -> None:
    """Raise `DataError` if the first or last column of rows of pixels is the label."""
    if X.ndim == 2 and X.shape[1] > 1 and y.dtype.kind in "biuf":
        for column, fix in ((0, "X[:, 1:]"), (-1, "X[:, :-1]")):
            if np.array_equal(X[:, column], y):
                raise DataError(
                    f"The {'first' if column == 0 else 'last'} column of X, of shape {X.shape}, is equal to y: the "
                    f"label is among the pixels. Remove it: {fix}."
                )


def describe_reading(shape: tuple[int, ...], image_shape: tuple[int, int, int]) -> str:
    """Return a warning if arrays of this shape could contain images other than (channels, height, width); else ""."""
    _, height, width = image_shape
    if len(shape) == 4 and shape[1] in (1, 3) and shape[3] in (1, 3):
        return f"X has shape {shape}, whose channels may be first or last; it is read as (n, height, width, channels)."
    if len(shape) == 3 and 1 in shape[1:] and height > 1 and width > 1:
        return f"X has shape {shape}; it is read as rows of pixels, of images of {width}×{height}."
    of_rows = colour_size(shape)
    if of_rows is not None:
        return (
            f"X has shape {shape}; it is read as grey images of {width}×{height}. For colour images, reshape X: "
            f"X.reshape(-1, {', '.join(map(str, of_rows))})."
        )
    if len(shape) > 2 or height > 1 or width == 1:
        return ""
    side, of_colour = math.isqrt(width - 1), math.isqrt(width // 3)
    hint = "For images of another size, reshape X: X.reshape(-1, height, width)."
    if side * side == width - 1:
        hint = f"An image of {side}×{side} has {width - 1} values: is the label among the columns?"
    elif 3 * of_colour**2 == width:
        shapes = (f"X.reshape(-1, {each})" for each in (f"{of_colour}, {of_colour}, 3", f"3, {of_colour}, {of_colour}"))
        hint = f"For colour images, reshape X: {', or if all red values come first '.join(shapes)}."
    return f"X has {width} features, which is not a square number; they are read as images of {width}×1 pixels. {hint}"


def check_same_order(X: Any, y: Any) -> None:
    """Warn if X and y of pandas have the same index in another order, because rows are matched by position."""
    index: Any = getattr(X, "index", None)  # of a list it is a method
    other: Any = getattr(y, "index", None)
    if not (hasattr(index, "equals") and hasattr(other, "equals")) or len(index) != len(other):
        return
    if not index.equals(other) and index.sort_values().equals(other.sort_values()):
        warnings.warn(
            "X and y have the same index in another order, but are matched by position. Align them first: "
            "y.loc[X.index].",
            stacklevel=5,
        )


def _stack(images: Any) -> np.ndarray:
    """Return a list of images as an array; raise `DataError` if they have different sizes."""
    images = list(images) if not hasattr(images, "__array__") and hasattr(images, "__len__") else images
    modes = {image.mode for image in images if _is_from("PIL", image)} if isinstance(images, list) else set()
    if modes - {"L", "RGB"} or len(modes) > 1:
        raise DataError(
            f"X contains Pillow images of mode {', '.join(sorted(modes))}; expected all in 'L' (grey) or all in "
            "'RGB'. Convert them: [image.convert('RGB') for image in images]."
        )
    if isinstance(images, list) and any(_is_from("torch", image) for image in images):
        images = [_to_numpy(image) if _is_from("torch", image) else image for image in images]
    try:
        return np.asarray(images)
    except ValueError as error:
        shapes = [np.shape(np.asarray(image, object) if isinstance(image, list) else image) for image in images]
        other = next((k for k, shape in enumerate(shapes) if shape != shapes[0]), None)
        if other is None:
            raise DataError(
                f"X is not an array of images ({error}). Stack images of one size: np.stack(images)."
            ) from error
        raise DataError(
            f"X contains images of different sizes: image 0 has shape {shapes[0]}, and image {other} has shape "
            f"{shapes[other]}. Resize them to one size."
        ) from error


def _check_dtype(dtype: Any) -> None:
    """Raise `DataError` for types of values that are not pixels."""
    kind = getattr(dtype, "kind", "f")
    if kind == "c":
        raise DataError(
            f"Complex data not supported: X has dtype {dtype}; expected pixels. Use np.abs(X), for example."
        )
    if kind in "SU":
        raise DataError(
            f"X has dtype {dtype}, which is text; expected pixels. Read image files first with skconv.load_images, or "
            "convert numbers: X.astype(float)."
        )
    if kind in "mMV":
        raise DataError(f"X has dtype {dtype}; expected numbers, preferably uint8.")


def _check_objects(X: Any) -> None:
    """Raise `DataError` if the values of an array or data frame are text, None, arrays or images, and not numbers."""
    for value in _first_objects(X):
        if isinstance(value, str | bytes | os.PathLike) and not _is_number(value):
            raise DataError(
                f"X contains text, such as {value!r}; expected pixels. If these are image files, read them first with "
                "skconv.load_images; if they are labels, remove their column."
            )
        if value is None:
            raise DataError("X contains None; expected images. Remove these entries and their labels.")
        if (hasattr(value, "shape") and np.ndim(value) > 0) or _is_from("PIL", value):
            raise DataError(
                "X contains an array per entry, such as a column of images; expected one array. Stack the images: "
                "np.stack(X)."
            )


def _first_objects(X: Any) -> Iterator[Any]:
    """Yield the first values of an array or data frame of objects."""
    if hasattr(X, "iloc") and hasattr(X, "dtypes"):  # a data frame or series of pandas
        X = X.iloc[:_N_CHECKED].to_numpy()
    if isinstance(X, np.ndarray) and X.dtype == object:
        yield from X.ravel()[:_N_CHECKED]


def _check_labels(labels: np.ndarray) -> None:
    """Raise `DataError` for missing labels, bytes and labels of several types."""
    if labels.dtype.kind == "S":
        raise DataError("y contains labels of bytes; expected text or integers. Convert them: y.astype(str).")
    if labels.dtype.kind not in "Of":
        return
    missing = np.flatnonzero(np.isnan(labels) if labels.dtype.kind == "f" else [is_missing(each) for each in labels])
    if len(missing):
        raise DataError(
            f"y has missing labels, None or NaN, for {len(missing):,} of {len(labels):,} images; the first is image "
            f"{missing[0]}. Remove these images, or give them a class."
        )
    if labels.dtype.kind == "f":
        return
    kinds: dict[str, Any] = {}
    for label in labels:
        kind = "number" if isinstance(label, int | float | np.number | np.bool_) else type(label).__name__
        kinds.setdefault(kind, label)
    if len(kinds) > 1:
        examples = " and ".join(repr(label) for label in list(kinds.values())[:2])
        raise DataError(
            f"y contains labels of several types, such as {examples}. Convert them to one type: "
            "[str(label) for label in y]."
        )


def _as_plain_array(y: Any) -> np.ndarray:
    try:
        labels = np.asarray(y)
        if labels.dtype.kind == "U" and isinstance(y, list):
            labels = np.asarray(y, dtype=object)  # the conversion to text would hide labels of several types
        return labels
    except ValueError as error:
        raise DataError(f"y is not an array of labels ({error}). Pass one label per image.") from error


def _is_number(text: Any) -> bool:
    try:
        float(text)
    except (TypeError, ValueError):
        return False
    return True


def _is_from(package: str, value: Any) -> bool:
    """Return whether the type of a value is defined in a package, without importing the package."""
    return any(each.__module__.partition(".")[0] == package for each in type(value).__mro__)


def _to_numpy(tensor: Any) -> np.ndarray:
    """Return a torch tensor as an array; types that NumPy lacks become float32."""
    tensor = tensor.detach().cpu()
    return np.asarray(
        tensor.float().numpy() if str(tensor.dtype) in ("torch.bfloat16", "torch.half") else tensor.numpy()
    )

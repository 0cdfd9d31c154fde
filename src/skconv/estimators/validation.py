"""Validation of X, y and weights: conversion to tensors, weights of images, validation split."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skconv.exceptions import DataError
from skconv.training.batches import ImageDataset

_MAX_REPEATS = 10  # larger weights scale the loss: weights of 1000 must not make the training 1000 times longer
_HASHED_IMAGES = 64  # images hashed at a time; they fit the processor's cache
_MAX_SORTED = 10_000  # images; sorting larger sets takes too long


def to_image_tensor(X: np.ndarray) -> Tensor:
    """Convert images to a tensor (n, channels, height, width), without a copy where possible.

    Parameters
    ----------
    X : ndarray
        (n, height, width) grey; (n, height, width, c) or (n, c, height, width) with c of 1 or 3, channels last if
        both fit; (n, features), a square image if `features` is a square number, else an image one row high.

    Returns
    -------
    Tensor
        uint8 for uint8 input, sharing its memory also with a memory map; else float32.

    Raises
    ------
    DataError
        Not the shape of images, or values beyond float32.
    """
    if X.ndim == 2:
        side = math.isqrt(X.shape[1])
        X = X.reshape(len(X), 1, side, side) if side * side == X.shape[1] else X.reshape(len(X), 1, 1, -1)
    elif X.ndim == 3:
        X = X[:, None]
    elif X.ndim == 4 and X.shape[3] in (1, 3):
        X = np.moveaxis(X, 3, 1)
    elif X.ndim != 4 or X.shape[1] not in (1, 3):
        raise DataError(
            f"X has shape {X.shape}; expected (n, features), (n, height, width), (n, height, width, channels) or "
            "(n, channels, height, width) with 1 or 3 channels."
        )
    if X.dtype != np.uint8:
        with np.errstate(over="ignore"):
            X = np.ascontiguousarray(X, dtype=np.float32)
        if not np.isfinite(X).all():
            raise DataError("X holds numbers beyond float32's 3.4e38. Bring the pixels to a common range, 0..255.")
    with warnings.catch_warnings():
        # Read-only memory is safe: gathering a batch copies.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(X if all(stride >= 0 for stride in X.strides) else X.copy())


def find_classes(y: Any) -> np.ndarray:
    """Return the sorted labels; raise `DataError` unless there are at least two."""
    classes = np.unique(y)
    if len(classes) < 2:
        raise DataError(f"y holds one class only, {classes[0]!r}; a classifier needs images of at least 2 classes.")
    return classes


def encode_labels(y: np.ndarray, classes: np.ndarray) -> Tensor:
    """Return the position of each label in the sorted `classes` as int64 (n,).

    Raises
    ------
    DataError
        A label that is not among `classes`.
    """
    positions = np.searchsorted(classes, y).clip(max=len(classes) - 1)
    unknown = np.flatnonzero(classes[positions] != y)
    if len(unknown):
        raise DataError(
            f"y holds the label {y[unknown[0]]!r}, which is not among the {len(classes)} classes: "
            f"{', '.join(map(str, classes[:12]))}{' …' if len(classes) > 12 else ''}."
        )
    return torch.from_numpy(positions.astype(np.int64))


def combine_weights(
    sample_weight: np.ndarray | None, class_weight: Any, y: np.ndarray, classes: np.ndarray
) -> np.ndarray | None:
    """Multiply sample and class weights into one float64 (n,); None if there are neither.

    Raises
    ------
    DataError
        A negative weight, only zeros, or a class weight of an unknown label.
    """
    if sample_weight is None and class_weight is None:
        return None
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    by_class = weigh_classes(class_weight, y, classes)
    if by_class is not None:
        weights = weights * by_class
    if weights.min() < 0 or weights.max() == 0:
        raise DataError(
            f"The sample weights span {weights.min():g}..{weights.max():g}; expected none below zero and one above."
        )
    return weights


def weigh_classes(class_weight: Any, y: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
    """Return the class weight of each label in `y`, float64 (n,); classes may be absent from `y`.

    Raises
    ------
    DataError
        A weight of a label that is not among `classes`, while one of these has no weight.
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, str):
        from sklearn.utils.class_weight import compute_sample_weight

        return compute_sample_weight(class_weight, y)
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    if unknown and not all(label in class_weight for label in labels):
        raise DataError(f"class_weight names the label {unknown[0]!r}, which is not among the classes {labels}.")
    by_class = np.array([class_weight.get(label, 1.0) for label in labels], np.float64)
    return by_class[np.searchsorted(classes, y)]


def expand_weights(images: ImageDataset) -> ImageDataset:
    """Return training images with their weights as repeats or scaled to a mean of 1, in an order of their content.

    Whole weights of at most 10 are counts: the image is repeated, exactly as if it occurred so often in X. Small
    training sets are sorted by a hash of the content, so that the order of the rows of X has no effect.

    Parameters
    ----------
    images : ImageDataset
        Weights, if any, are float64 above 0.
    """
    positions = torch.arange(len(images.images)) if images.positions is None else images.positions
    weights = images.weights
    if weights is not None:
        selected = weights[positions]
        if selected.max() <= _MAX_REPEATS and bool((selected == selected.round()).all()):
            positions, weights = positions.repeat_interleave(selected.long()), None
        else:
            weights = (weights / selected.mean()).to(torch.float32)
    elif images.positions is None and len(positions) > _MAX_SORTED:
        return images
    if len(positions) <= _MAX_SORTED:
        positions = positions[_order_by_content(images, positions)]
    return ImageDataset(images.images, images.labels, weights, positions)


def _order_by_content(dataset: ImageDataset, positions: Tensor) -> Tensor:
    """Return the order of hashes of label and pixels; equal images with equal labels become neighbours."""
    images, labels, hashes = dataset.images.numpy(), dataset.labels.numpy(), []
    # The hash is a sum of the words times random factors, modulo 2**64. NumPy keeps raw draws the same in later
    # versions, unlike draws from distributions.
    factors = np.random.PCG64(0).random_raw(1 + images[0].size)
    for part in np.split(positions.numpy(), range(_HASHED_IMAGES, len(positions), _HASHED_IMAGES)):
        pixels = images[part].astype(np.float32).reshape(len(part), -1)  # equal words for any dtype
        pixels += np.float32(0)  # turns -0 into 0
        words = pixels.view(np.uint32).astype(np.uint64)
        hashes.append(words @ factors[1:] + labels[part].astype(np.uint64) * factors[0])
    return torch.from_numpy(np.argsort(np.concatenate(hashes), kind="stable"))


def hold_out(
    images: ImageDataset, fraction: float, random_state: np.random.RandomState
) -> tuple[ImageDataset, ImageDataset | None]:
    """Split off a fraction of the images for validation, stratified if every class fits in both parts.

    Both parts are positions in the same tensors; the validation part is None for a fraction of 0.

    Raises
    ------
    DataError
        Too few images.
    """
    if not fraction:
        return images, None
    from sklearn.model_selection import train_test_split

    positions = np.arange(len(images.images)) if images.positions is None else images.positions.numpy()
    labels = images.labels.numpy()[positions]
    counts = np.bincount(labels)
    present = np.count_nonzero(counts)
    n_valid = math.ceil(fraction * len(positions))
    stratified = counts[counts > 0].min() > 1 and present <= n_valid <= len(positions) - present
    try:
        parts = train_test_split(
            positions, test_size=fraction, stratify=labels if stratified else None, random_state=random_state
        )
    except ValueError as error:
        raise DataError(f"{len(positions)} images are too few for validation_fraction={fraction}: {error}") from error
    train, valid = (torch.from_numpy(np.sort(part)) for part in parts)
    return (
        ImageDataset(images.images, images.labels, images.weights, train),
        # Weights are for training only.
        ImageDataset(images.images, images.labels, None, valid),
    )

"""From what a user passes as X and y to images and class positions as tensors."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from skconv.exceptions import DataError
from skconv.training.batches import ImageDataset

_MOST_COUNTED = 10  # a training must not become thousands of times longer because all weights are a thousand
_CONVERTED = 64  # images at a time: they stay in the processor's cache
_MOST_ORDERED = 10_000  # images; in larger sets sorting costs more than anybody gains


def to_image_tensor(X: np.ndarray) -> Tensor:
    """Return images as a tensor (n, channels, height, width), uint8 where nothing is lost by it.

    Parameters
    ----------
    X : ndarray
        (n, height, width) grey; (n, height, width, c) or (n, c, height, width) with c of 1 or 3, channels last where
        both readings are possible; (n, features): a square image where `features` is a square number, else an
        image one row high.

    Returns
    -------
    Tensor
        uint8 for uint8 input (the memory is shared, also with a memory map), float32 else.

    Raises
    ------
    DataError
        A shape or a dtype that cannot be images.
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
        # Read-only memory is never written to here: gathering a batch copies.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(X if all(stride >= 0 for stride in X.strides) else X.copy())


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


def combine_weights(sample_weight: np.ndarray | None, class_weight: Any, y: np.ndarray) -> np.ndarray | None:
    """Multiply sample and class weights into one float64 (n,); None where there are neither.

    Raises
    ------
    DataError
        A negative weight, or weights that are all zero.
    """
    if sample_weight is None and class_weight is None:
        return None
    from sklearn.utils.class_weight import compute_sample_weight

    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    if class_weight is not None:
        weights = weights * compute_sample_weight(class_weight, y)
    if weights.min() < 0 or weights.max() == 0:
        raise DataError(
            f"The sample weights span {weights.min():g}..{weights.max():g}; expected none below zero and one above."
        )
    return weights


def arrange(images: ImageDataset) -> ImageDataset:
    """Return training images in the form they are trained in; nothing but positions and weights is made anew.

    Weights that are whole numbers of at most 10 are counts: such an image is taken so often, as if it stood there so
    often. Others are scaled to a mean of 1. Small training sets are put in an order that their content gives, so that
    the order of the rows changes nothing.

    Parameters
    ----------
    images : ImageDataset
        With weights above 0, float64, where there are any.
    """
    positions = torch.arange(len(images.images)) if images.positions is None else images.positions
    weights = images.weights
    if weights is not None:
        chosen = weights[positions]
        if chosen.max() <= _MOST_COUNTED and bool((chosen == chosen.round()).all()):
            positions, weights = positions.repeat_interleave(chosen.long()), None
        else:
            weights = (weights / chosen.mean()).to(torch.float32)
    elif images.positions is None and len(positions) > _MOST_ORDERED:
        return images
    if len(positions) <= _MOST_ORDERED:
        positions = positions[_order_by_content(images, positions)]
    return ImageDataset(images.images, images.labels, weights, positions)


def _order_by_content(dataset: ImageDataset, positions: Tensor) -> Tensor:
    """Sort by hashes of label and pixels, so that equal images of equal labels are neighbours."""
    images, labels, hashes = dataset.images.numpy(), dataset.labels.numpy(), []
    # A hash is the sum of the words, each times a number of its own drawn by chance, modulo 2**64. NumPy promises that
    # raw draws stay the same in later versions, as it does not of distributions.
    factors = np.random.PCG64(0).random_raw(1 + images[0].size)
    for part in np.split(positions.numpy(), range(_CONVERTED, len(positions), _CONVERTED)):
        pixels = images[part].astype(np.float32).reshape(len(part), -1)  # then the words are the same from any dtype
        pixels += np.float32(0)  # makes -0 a 0
        words = pixels.view(np.uint32).astype(np.uint64)
        hashes.append(words @ factors[1:] + labels[part].astype(np.uint64) * factors[0])
    return torch.from_numpy(np.argsort(np.concatenate(hashes), kind="stable"))


def hold_out(
    images: ImageDataset, fraction: float, random_state: np.random.RandomState
) -> tuple[ImageDataset, ImageDataset | None]:
    """Split off a share of the images for validation, stratified where every class fits in both parts; None for a
    share of 0.

    Nothing is copied: both parts are positions in the same tensors.

    Raises
    ------
    DataError
        Too few images for a part of that share.
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
        # Validation counts every image once, whatever its weight in training.
        ImageDataset(images.images, images.labels, None, valid),
    )

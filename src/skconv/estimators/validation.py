"""Validation of images, labels and weights."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import torch
from sklearn.utils.class_weight import compute_sample_weight
from torch import Tensor

from skconv.exceptions import DataError, ParameterError, list_some
from skconv.images.arrays import describe_invalid
from skconv.text import format_count
from skconv.training.batches import ImageDataset

_FRACTION = "validation_fraction (--set training.validation_fraction=NUMBER)"
MIN_CALIBRATION = 100  # images; fewer give a poor estimate of the temperature
_MIN_SELECTION, _MIN_PER_CLASS = 50, 2  # minimum number of validation images to select weights by
_MAX_REPEATS = 10  # larger weights scale the loss, because repeats make training longer
_HASHED_IMAGES = 64  # images per step of hashing; few enough for the processor's cache
_MAX_SORTED = 10_000  # images; sorting larger sets takes too long


def to_image_tensor(X: np.ndarray) -> Tensor:
    """Convert images to a tensor (n, channels, height, width) of uint8, without a copy, or float32.

    X has the shape (n, height, width); (n, height, width, c) or (n, c, height, width) with c of 1 or 3, interpreted as
    channels last if ambiguous; or (n, features). Features, also as (n, 1, features) or (n, features, 1), are reshaped
    to a square image if possible, else to an image one row high. Raise `DataError` for other shapes, for NaN, infinity
    and values too large for float32.
    """
    if X.ndim == 3 and 1 in X.shape[1:] and math.isqrt(X[0].size) ** 2 == X[0].size:
        X = X.reshape(len(X), -1)
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
            + (" Remove the transparency: X[..., :3]." if X.ndim == 4 and X.shape[3] == 4 else "")
        )
    if X.dtype != np.uint8:
        with np.errstate(over="ignore"):
            X = np.ascontiguousarray(X, dtype=np.float32)
        invalid = describe_invalid(X)
        if invalid:
            raise DataError(invalid)
    with warnings.catch_warnings():
        # Read-only memory is safe, because batches are copies.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(X if all(stride >= 0 for stride in X.strides) else X.copy())


def find_classes(y: Any) -> np.ndarray:
    """Return the sorted labels; raise `DataError` unless there are at least two."""
    classes = np.unique(y)
    if len(classes) < 2:
        raise DataError(f"y contains only one class, {classes.tolist()[0]!r}; expected labels of at least 2 classes.")
    return classes


def check_validation_pair(X_val: Any, y_val: Any) -> bool:
    """Return whether validation data was passed to `fit`; raise `ParameterError` for images or labels alone."""
    if (X_val is None) != (y_val is None):
        passed, missing = ("y_val", "X_val") if X_val is None else ("X_val", "y_val")
        raise ParameterError(f"fit received {passed} without {missing}. Pass both, or neither.")
    return X_val is not None


def encode_labels(y: np.ndarray, classes: np.ndarray, *, name: str = "y") -> Tensor:
    """Return the index of each label in the sorted `classes`, int64 (n,); raise `DataError` for unknown labels."""
    positions = np.searchsorted(classes, y).clip(max=len(classes) - 1)
    unknown = np.flatnonzero(classes[positions] != y)
    if len(unknown):
        first = y[unknown].tolist()[0]
        same = [label for label in classes.tolist() if str(label) == str(first)]
        if same:
            raise DataError(
                f"{name} contains the label {first!r} ({type(first).__name__}); expected the type of the classes, such "
                f"as {same[0]!r}. Convert it: {name}.astype({type(same[0]).__name__})."
            )
        remedy = "Add training images of this class"
        if name == "y":  # `fit` finds the classes in y
            remedy = "Pass the labels of all calls as classes in the first call of partial_fit"
        raise DataError(
            f"{name} contains the label {first!r}, which is not among the {len(classes)} classes: "
            f"{list_some(list(map(str, classes.tolist())), 12)}. {remedy}, or remove the {len(unknown)} of {len(y)} "
            "images with such labels."
        )
    return torch.from_numpy(positions.astype(np.int64))


def combine_weights(
    sample_weight: np.ndarray | None, class_weight: Any, y: np.ndarray, classes: np.ndarray
) -> np.ndarray | None:
    """Return the product of sample and class weights, float64 (n,), or None if there are neither.

    Raise `DataError` for negative weights, if all weights are 0, and for a class weight of an unknown label.
    """
    if sample_weight is None and class_weight is None:
        return None
    weights = np.ones(len(y)) if sample_weight is None else sample_weight
    by_class = weigh_classes(class_weight, y, classes)
    if by_class is not None:
        weights = weights * by_class
    if weights.min() < 0 or weights.max() == 0:
        raise DataError(
            f"The sample weights range from {weights.min():g} to {weights.max():g}; expected non-negative weights, at "
            "least one of them positive."
        )
    return weights


def weigh_classes(class_weight: Any, y: np.ndarray, classes: np.ndarray) -> np.ndarray | None:
    """Return the class weight of each label in `y`, float64 (n,); classes may be absent from `y`.

    Raise `DataError` if a weight is for a label that is not among `classes`, and one of `classes` has no weight.
    """
    if class_weight is None:
        return None
    if isinstance(class_weight, str):
        return compute_sample_weight(class_weight, y)
    labels = classes.tolist()
    unknown = [label for label in class_weight if label not in labels]
    if unknown and not all(label in class_weight for label in labels):
        raise DataError(f"class_weight has the label {unknown[0]!r}, which is not among the classes {labels}.")
    by_class = np.array([class_weight.get(label, 1.0) for label in labels], np.float64)
    return by_class[np.searchsorted(classes, y)]


def expand_weights(images: ImageDataset) -> ImageDataset:
    """Return training images that are repeated by their weights, or have weights scaled to a mean of 1.

    If all weights are integers up to 10, each image is repeated that many times. Small training sets are sorted by a
    hash of the content, so that the order of the rows of X has no effect.
    """
    positions, weights = images.indices, images.weights
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
    """Return the indices that sort images by a hash of label and pixels, int64 (n,)."""
    images, labels, hashes = dataset.images.numpy(), dataset.labels.numpy(), []
    # The hash is the sum of the words multiplied by random factors, modulo 2**64. The factors are raw draws, because
    # NumPy may change draws from distributions in later versions.
    factors = np.random.PCG64(0).random_raw(1 + images[0].size)
    for part in np.split(positions.numpy(), range(_HASHED_IMAGES, len(positions), _HASHED_IMAGES)):
        pixels = images[part].astype(np.float32).reshape(len(part), -1)  # the same hash for any dtype
        pixels += np.float32(0)  # the same hash for -0 and 0
        words = pixels.view(np.uint32).astype(np.uint64)
        hashes.append(words @ factors[1:] + labels[part].astype(np.uint64) * factors[0])
    return torch.from_numpy(np.argsort(np.concatenate(hashes), kind="stable"))


def describe_few_images(
    labels: np.ndarray, classes: np.ndarray, *, n_total: int, selects: bool, calibrates: bool
) -> str:
    """Return a warning if the validation images, with these label indices, are too few for their use, else "".

    `n_total` is the number of images before the split. `selects` is whether weights are selected by their
    loss; `calibrates` whether they calibrate the probabilities.
    """
    counts = np.bincount(labels, minlength=len(classes))
    n, rarest = len(labels), int(counts.argmin())
    found = f"The validation split has {format_count(n, 'image')}"
    if selects and (n < _MIN_SELECTION or counts[rarest] < _MIN_PER_CLASS):
        found += f", {counts[rarest]} of class {classes.tolist()[rarest]!r}"
        return (
            f"{found}: too few to stop the training or to select weights by their loss, which depends on chance. Use a "
            f"larger {_FRACTION}, or neither patience nor restore_best."
        )
    if calibrates and n < MIN_CALIBRATION:
        few = f"{found}: too few to calibrate the probabilities, which needs {MIN_CALIBRATION}."
        if n_total < MIN_CALIBRATION:
            return f"{few} Add images."
        # More than half of the images for validation would leave too few for training.
        fix = f"Use a larger {_FRACTION}, or" if n_total >= 2 * MIN_CALIBRATION else "Use"
        return (
            f"{few} {fix} an ensemble (skconv ensemble, KFoldEnsembleClassifier), which calibrates on all training "
            "images."
        )
    return ""

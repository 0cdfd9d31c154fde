"""Splits of the images that an estimator receives, for validation and for the folds of an ensemble."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import StratifiedKFold, train_test_split

from skconv.data.splitting import find_first
from skconv.exceptions import DataError, ParameterError
from skconv.text import format_count
from skconv.training.batches import ImageDataset

Fold = tuple[np.ndarray, np.ndarray]  # indices of the training images and of the held-out images


@dataclass(frozen=True)
class Splits:
    """Training images, and validation images if there are any; or their activations."""

    train: ImageDataset
    valid: ImageDataset | None


def hold_out(
    images: ImageDataset, fraction: float, random_state: np.random.RandomState
) -> tuple[ImageDataset, ImageDataset | None]:
    """Split images into a training and a validation split, stratified if each class has enough images for both.

    Copies of an image are in the same split, unless all images of their class are equal. Both splits index the same
    tensors; the validation split is None if the fraction is 0. Raise `DataError` for too few images.
    """
    if not fraction:
        return images, None
    positions, labels = images.indices.numpy(), images.selected_labels.numpy()
    first = _find_equal(_find_copies(images.images.numpy(), images.labels.numpy())[positions])
    is_single = np.bincount(labels[np.unique(first)])[labels] == 1
    first[is_single] = np.flatnonzero(is_single)
    different = np.unique(first)
    counts = np.bincount(labels[different])
    present = np.count_nonzero(counts)
    n_valid = math.ceil(fraction * len(different))
    stratified = counts[counts > 0].min() > 1 and present <= n_valid <= len(different) - present
    try:
        _, held_out = train_test_split(
            different,
            test_size=fraction,
            stratify=labels[different] if stratified else None,
            random_state=random_state,
        )
    except ValueError as error:
        raise DataError(f"{len(positions)} images are too few for validation_fraction={fraction}: {error}") from error
    is_valid = np.isin(first, first[held_out])
    train, valid = (torch.from_numpy(np.sort(positions[part])) for part in (~is_valid, is_valid))
    return (
        ImageDataset(images.images, images.labels, images.weights, train),
        # No weights, because they apply to training only.
        ImageDataset(images.images, images.labels, None, valid),
    )


def _find_copies(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the index of the first image with the same pixels and the same label as each image, int64 (n,)."""
    return _find_equal(find_first(images) * (labels.max() + 1) + labels)


def _find_equal(values: np.ndarray) -> np.ndarray:
    """Return the index of the first value that is equal to each value, int64 (n,)."""
    _, first, positions = np.unique(values, return_index=True, return_inverse=True)
    return first[positions]


def split_folds(cv: Any, X: np.ndarray, y: np.ndarray, groups: Any, random_state: Any) -> list[Fold]:
    """Return the folds of the parameter `cv` of `KFoldEnsembleClassifier`.

    Raise `ParameterError` unless `cv` is an integer, a splitter or pairs of indices, and `DataError` if the images
    cannot be split, parts overlap or a training part lacks a class.
    """
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool) and cv >= 2:
        return _split_stratified(X, y, int(cv), random_state)
    if isinstance(cv, str) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise ParameterError(
            "The 'cv' parameter must be an integer of at least 2, a splitter of scikit-learn, or pairs of training "
            f"and held-out indices. Got {cv!r}."
        )
    if hasattr(cv, "split"):
        try:
            pairs = list(cv.split(X, y, groups))
        except ValueError as error:
            raise DataError(f"{len(y)} images cannot be split by {cv}: {error}") from error
    else:
        pairs = list(cv)
    if not pairs:
        raise ParameterError("The 'cv' parameter contains no fold; expected at least one pair of indices.")
    folds = []
    for number, pair in enumerate(pairs, 1):
        try:
            train, held_out = (np.arange(len(y))[np.asarray(part)] for part in pair)
        except (TypeError, ValueError, IndexError) as error:
            raise DataError(
                f"Fold {number} is not a pair of training and held-out indices of {len(y)} images: {error}."
            ) from error
        _check_fold(number, train, held_out, y)
        folds.append((train, held_out))
    return folds


def _split_stratified(X: np.ndarray, y: np.ndarray, n_folds: int, random_state: Any) -> list[Fold]:
    """Return stratified folds that do not separate copies of an image.

    Warn if a class has fewer different images than folds; if all classes have, return fewer folds.
    """
    classes, labels = np.unique(y, return_inverse=True)
    first = _find_copies(X, labels)
    different = np.unique(first)
    counts = np.bincount(labels[different])
    n_splits = min(n_folds, int(counts.max()))
    kind = "image" if len(different) == len(y) else "different image"
    if n_splits < 2:
        raise DataError(
            f"Each of the {len(classes)} classes has only one {kind}; expected at least one class with two. Add images."
        )
    if counts.min() < n_folds:
        rarest = int(counts.argmin())
        found = format_count(int(counts[rarest]), kind)
        warnings.warn(
            f"Class {classes.tolist()[rarest]!r} has {found}, fewer than the {n_folds} folds"
            + (f": using {n_splits} folds." if n_splits < n_folds else ": some folds hold out none of them."),
            stacklevel=4,
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn would repeat the warning
        splitter = StratifiedKFold(n_splits, shuffle=True, random_state=random_state)
        parts = [different[part] for _, part in splitter.split(np.zeros(len(different)), labels[different])]
    single = counts[labels] == 1  # every member must be trained on all classes
    held_out = [np.isin(first, part) & ~single for part in parts]
    return [(np.flatnonzero(~part), np.flatnonzero(part)) for part in held_out]


def _check_fold(number: int, train: np.ndarray, held_out: np.ndarray, y: np.ndarray) -> None:
    if len(train) == 0 or len(held_out) == 0:
        raise DataError(
            f"Fold {number} has {len(train)} training and {len(held_out)} held-out images; expected at least one each."
        )
    shared = np.intersect1d(train, held_out)
    if len(shared):
        raise DataError(
            f"Fold {number} has image {shared[0]} in its training and in its held-out part ({len(shared)} in total), "
            "so that its score would be too high. Pass disjoint parts."
        )
    missing = np.setdiff1d(y, y[train])
    if len(missing):
        raise DataError(
            f"The training part of fold {number} lacks the class {missing.tolist()[0]!r}; expected images of all "
            "classes. Add images of that class, or use stratified folds (cv=5)."
        )

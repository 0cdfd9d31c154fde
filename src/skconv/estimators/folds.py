"""Folds of a k-fold ensemble: splitting by a number or a splitter, and checks of the parts."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold

from skconv.exceptions import DataError, ParameterError

Fold = tuple[np.ndarray, np.ndarray]  # indices of the training images and of the held-out images


def split_folds(cv: Any, X: np.ndarray, y: np.ndarray, groups: Any, random_state: Any) -> list[Fold]:
    """Return the checked folds of the parameter `cv` of `KFoldEnsembleClassifier`.

    Raises
    ------
    ParameterError
        `cv` is not a number of folds, a splitter or pairs of indices.
    DataError
        The images cannot be split, parts overlap, or a training part lacks a class.
    """
    if isinstance(cv, int | np.integer) and not isinstance(cv, bool) and cv >= 2:
        return _split_stratified(y, int(cv), random_state)
    if isinstance(cv, str) or not (hasattr(cv, "split") or isinstance(cv, Iterable)):
        raise ParameterError(
            "The 'cv' parameter must be an integer of at least 2, a splitter of scikit-learn, or pairs of training "
            f"and held-out indices. Got {cv!r} instead."
        )
    if hasattr(cv, "split"):
        try:
            pairs = list(cv.split(X, y, groups))
        except ValueError as error:
            raise DataError(f"{len(y)} images cannot be split by {cv}: {error}") from error
    else:
        pairs = list(cv)
    if not pairs:
        raise ParameterError("The 'cv' parameter holds no fold; expected at least one pair of indices.")
    folds = []
    for number, pair in enumerate(pairs, 1):
        try:
            train, held_out = (np.arange(len(y))[np.asarray(part)] for part in pair)
        except (TypeError, ValueError, IndexError) as error:
            raise DataError(
                f"Fold {number} is no pair of training and held-out indices of {len(y)} images: {error}."
            ) from error
        _check_fold(number, train, held_out, y)
        folds.append((train, held_out))
    return folds


def _split_stratified(y: np.ndarray, n_folds: int, random_state: Any) -> list[Fold]:
    """Split each class evenly; reduce the number of folds, with a warning, if no class has an image for each."""
    classes, positions, counts = np.unique(y, return_inverse=True, return_counts=True)
    n_splits = min(n_folds, int(counts.max()))
    if n_splits < 2:
        raise DataError(f"Each of the {len(classes)} classes has one image only; folds need 2 of at least one class.")
    if counts.min() < n_folds:
        rarest = int(counts.argmin())
        warnings.warn(
            f"Class {classes.tolist()[rarest]!r} has {counts[rarest]} image(s), fewer than the {n_folds} folds"
            + (f": there are {n_splits} folds." if n_splits < n_folds else ": some folds hold out none of it."),
            stacklevel=4,
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # scikit-learn's warning on the same
        splitter = StratifiedKFold(n_splits, shuffle=True, random_state=random_state)
        pairs = list(splitter.split(np.zeros(len(y)), positions))
    single = counts[positions] == 1  # every member needs an image of every class
    return [(np.union1d(train, np.flatnonzero(single)), held_out[~single[held_out]]) for train, held_out in pairs]


def _check_fold(number: int, train: np.ndarray, held_out: np.ndarray, y: np.ndarray) -> None:
    if len(train) == 0 or len(held_out) == 0:
        raise DataError(
            f"Fold {number} has {len(train)} training and {len(held_out)} held-out images; both need at least one."
        )
    shared = np.intersect1d(train, held_out)
    if len(shared):
        raise DataError(
            f"Fold {number} has image {shared[0]} in its training and in its held-out part ({len(shared)} in all): "
            "its score would be too high. Pass disjoint parts."
        )
    missing = np.setdiff1d(y, y[train])
    if len(missing):
        raise DataError(
            f"The training part of fold {number} lacks the class {missing.tolist()[0]!r}, but every member needs all "
            "classes. Add images of it, or use stratified folds, as cv=5 makes them."
        )

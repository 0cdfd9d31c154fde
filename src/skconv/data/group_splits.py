"""Splits that do not separate the images of a group, as `skconv.data.groups` finds them."""

from __future__ import annotations

import warnings

import numpy as np

from skconv.data.dataset import Dataset

Fold = tuple[np.ndarray, np.ndarray]  # indices of the training images and of the held-out images


def join_groups(dataset: Dataset, first: np.ndarray) -> np.ndarray:
    """Return the index of the first training image in the group of each image, int64 (n,).

    `first` is the index of the first copy of each image; groups that share copies of an image are one group. Without
    groups, return `first`.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if dataset.groups is None:
        return first
    codes = dataset.groups.encode(dataset.list_names()[: len(first)])
    n = int(codes.max()) + 1
    _, joined = connected_components(coo_array((np.ones(len(first)), (codes, codes[first])), shape=(n, n)))
    _, start, positions = np.unique(joined[codes], return_index=True, return_inverse=True)
    return start[positions]


def describe_groups(dataset: Dataset, n_groups: int | None) -> str:
    """Return a note on the groups of the training images; `n_groups` is None if a class has too few."""
    origin = "" if dataset.groups is None else dataset.groups.origin
    if n_groups is None:
        return (
            f"{dataset.name}: images are in groups, by {origin}, but a class has fewer than 3 groups to train on. "
            "Therefore, images of a group may be both trained on and held out, and the accuracy on held-out images may "
            "be too high. Add images of other groups, or pass validation and test images."
        )
    if n_groups == len(dataset.train_labels):
        return (
            f"{dataset.name}: each training image is a group of its own, by {origin}, so single images are held out. "
            "If images are not independent, pass another column or pattern as --groups."
        )
    return (
        f"{dataset.name}: the {len(dataset.train_labels):,} training images are in {n_groups:,} groups, by {origin}. "
        "Images of a group may resemble each other, so they are trained on together or held out together."
        f"{_advise(dataset)}"
    )


def _advise(dataset: Dataset) -> str:
    """Return a sentence on the option `groups`, unless the groups were chosen with it."""
    is_chosen = dataset.groups is not None and dataset.groups.is_chosen
    return "" if is_chosen else " If they are independent, pass --groups none."


def describe_random(dataset: Dataset) -> str:
    """Return a note on groups of images of which a random part is held out."""
    origin = "" if dataset.groups is None else dataset.groups.origin
    return (
        f"{dataset.name}: images are in groups, by {origin}, but 'test_fraction' holds out images at random. "
        "Therefore, images of a group may be both trained on and held out, and the accuracy on held-out images may be "
        "too high. Omit test_fraction to hold out whole groups."
    )


def describe_shared(dataset: Dataset) -> str | None:
    """Return a note on the validation and test images in groups of training images; None if there are none."""
    if dataset.groups is None:
        return None
    n_train, n_valid = (0 if each is None else len(each) for each in (dataset.train_labels, dataset.valid_labels))
    codes = dataset.groups.encode(dataset.list_names())
    is_shared = np.isin(codes[n_train:], codes[:n_train])
    parts = {"validation": is_shared[:n_valid], "test": is_shared[n_valid:]}
    found = [f"{each.sum():,} of {len(each):,} {split} images" for split, each in parts.items() if each.any()]
    if not found:
        return None
    return (
        f"{dataset.name}: {' and '.join(found)} are in groups of training images, by {dataset.groups.origin}, so the "
        f"accuracy on them may be too high. Move the images of each group to one split.{_advise(dataset)}"
    )


def describe_folds(dataset: Dataset, n_folds: int) -> str:
    """Return a note on groups that are too few for a number of folds."""
    return (
        f"{dataset.name}: the images are in too few groups for {n_folds} folds. Therefore, images of a group may be in "
        "different folds, and the accuracy on held-out images may be too high. Reduce the number of folds."
    )


def split_group_classes(labels: np.ndarray, groups: np.ndarray, fraction: float, *, seed: int) -> Fold:
    """Return a training and a held-out part, with about a fraction of the groups of each class and at least one.

    The images of a group have one class.
    """
    rng, held_out = np.random.RandomState(seed), []
    for each in np.unique(labels):
        found = rng.permutation(np.unique(groups[labels == each]))
        held_out.append(found[: min(max(1, round(fraction * len(found))), len(found) - 1)])
    is_held_out = np.isin(groups, np.concatenate(held_out))
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


def is_separable(labels: np.ndarray, groups: np.ndarray, n_groups: int) -> bool:
    """Return whether the images of each class are in at least `n_groups` groups."""
    pairs = np.unique(np.stack([labels, groups]), axis=1)
    return int(np.unique(pairs[0], return_counts=True)[1].min()) >= n_groups


def split_group_folds(
    labels: np.ndarray, groups: np.ndarray, n_folds: int, *, seed: int | np.random.RandomState | None
) -> list[Fold]:
    """Return stratified folds that do not separate groups.

    Return an empty list if there are too few groups: a fold would be empty, or its training part would lack a class.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    splitter = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about classes with fewer images than folds
        try:
            folds = list(splitter.split(np.zeros(len(labels)), labels, groups))
        except ValueError:  # fewer groups, or fewer images of every class, than folds
            return []
    n_classes = len(np.unique(labels))
    is_usable = all(len(held_out) and len(np.unique(labels[train])) == n_classes for train, held_out in folds)
    return folds if is_usable else []


def split_mixed_groups(labels: np.ndarray, groups: np.ndarray, fraction: float, *, seed: int) -> Fold | None:
    """Return a training and a held-out part of about a fraction, for groups with images of several classes.

    Return None if there are too few groups.
    """
    n_folds = max(2, min(round(1 / fraction), len(np.unique(groups))))
    folds = split_group_folds(labels, groups, n_folds, seed=seed)
    # Some folds may lack a class.
    rated = [(len(np.unique(labels[part])), -abs(len(part) - fraction * len(labels))) for _, part in folds]
    return folds[rated.index(max(rated))] if rated else None

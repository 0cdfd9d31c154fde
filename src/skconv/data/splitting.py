"""Splitting a data set: held-out test and validation splits, stratified subsets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from skconv.data.dataset import Dataset
from skconv.exceptions import DataError

TEST_FRACTION = 0.15
VALID_FRACTION = 0.15


def check_folds(dataset: Dataset, folds: int) -> None:
    """Raise `DataError` unless every class has a training image for each fold."""
    classes, counts = np.unique(dataset.train_labels, return_counts=True)
    rarest = int(counts.argmin())
    if counts[rarest] < folds:
        raise DataError(
            f"{dataset.name}: class '{dataset.class_names[classes[rarest]]}' has {counts[rarest]} training images, "
            f"fewer than the {folds} folds. Add images, or use fewer folds."
        )


def hold_out_test(dataset: Dataset, *, seed: int) -> Dataset:
    """Return `dataset` with a test split: its own, or a stratified 15 % of the training images.

    The held-out images are a function of `seed` and the labels. `DataError` is raised if there are too few images to
    hold out some of each class.

    Examples
    --------
    >>> images, labels = np.zeros((40, 8, 8), np.uint8), np.arange(40) % 2
    >>> data = hold_out_test(Dataset("two", images, labels, ("a", "b")), seed=0)
    >>> len(data.train_images), len(data.test_images)
    (34, 6)
    """
    if dataset.test_images is not None:
        return dataset
    purpose = f"hold out {TEST_FRACTION:.0%} for testing"
    remedy = "Add images, to 7 or more per class, or a test split."
    positions = _split_stratified(dataset, TEST_FRACTION, seed=seed, purpose=purpose, remedy=remedy)
    return _split(dataset, dataset.train_images, dataset.train_labels, *positions)


def hold_out_validation(dataset: Dataset, *, seed: int) -> tuple[Dataset, Dataset]:
    """Split the training images into a training part and a stratified 15 % for validation.

    Both are returned as training images of a data set without a test split. `DataError` is raised as in
    `hold_out_test`.
    """
    purpose = f"hold out {VALID_FRACTION:.0%} for validation"
    remedy = "Add images, to 7 or more per class."
    train, valid = _split_stratified(dataset, VALID_FRACTION, seed=seed, purpose=purpose, remedy=remedy)
    return _take(dataset, train), _take(dataset, valid)


def take_fraction(dataset: Dataset, fraction: float, *, seed: int) -> Dataset:
    """Return the data with a stratified fraction of the training images, without a test split.

    `DataError` is raised if there are too few images to take some of each class.
    """
    if fraction == 1:
        return _take(dataset, np.arange(len(dataset.train_labels)))
    purpose, remedy = f"take {fraction:.3g} of them", "Take a larger fraction."
    _, selected = _split_stratified(dataset, fraction, seed=seed, purpose=purpose, remedy=remedy)
    return _take(dataset, selected)


def _take(dataset: Dataset, positions: np.ndarray) -> Dataset:
    return replace(
        dataset,
        train_images=dataset.train_images[positions],
        train_labels=dataset.train_labels[positions],
        test_images=None,
        test_labels=None,
    )


def _split_stratified(
    dataset: Dataset, fraction: float, *, seed: int, purpose: str, remedy: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the training images that remain, and of those held out."""
    classes, counts = np.unique(dataset.train_labels, return_counts=True)
    rarest, n_held_out = int(counts.argmin()), round(fraction * len(dataset.train_labels))
    if counts[rarest] < 3 or not len(classes) <= n_held_out <= len(dataset.train_labels) - len(classes):
        raise DataError(
            f"{dataset.name}: {len(dataset.train_labels)} images of {len(classes)} classes, "
            f"{counts[rarest]} of class '{dataset.class_names[classes[rarest]]}', are too few to {purpose}. {remedy}"
        )
    from sklearn.model_selection import train_test_split

    positions = np.arange(len(dataset.train_labels))
    return tuple(train_test_split(positions, test_size=n_held_out, stratify=dataset.train_labels, random_state=seed))


def resplit(dataset: Dataset, *, fraction: float, seed: int) -> Dataset:
    """Return `dataset` with a new test split of all images, pooled in the order train, test.

    `fraction`, in (0, 1), and `seed` are `test_size` and `random_state` of scikit-learn's `train_test_split`, without
    stratification. `DataError` is raised if a part would be empty.

    Examples
    --------
    >>> images, labels = np.zeros((30, 8, 8), np.uint8), np.arange(30) % 2
    >>> data = resplit(Dataset("two", images, labels, ("a", "b"), images[:10], labels[:10]), fraction=0.3, seed=11)
    >>> len(data.train_images), len(data.test_images)
    (28, 12)
    """
    from sklearn.model_selection import train_test_split

    images, labels = dataset.train_images, dataset.train_labels
    if dataset.test_images is not None and dataset.test_labels is not None:
        images = np.concatenate([images, dataset.test_images])
        labels = np.concatenate([labels, dataset.test_labels])
    try:
        train, test = train_test_split(np.arange(len(labels)), test_size=fraction, random_state=seed)
    except ValueError as error:
        raise DataError(
            f"{dataset.name}: {len(labels)} images are too few to hold out {fraction:.0%}. Add images."
        ) from error
    return _split(dataset, images, labels, train, test)


def _split(dataset: Dataset, images: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray) -> Dataset:
    return replace(
        dataset,
        train_images=images[train],
        train_labels=labels[train],
        test_images=images[test],
        test_labels=labels[test],
    )

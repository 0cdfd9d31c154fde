"""Splitting of data sets: held-out test and validation images, stratified subsets, choice of classes."""

from __future__ import annotations

import hashlib
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from skconv.data.dataset import Dataset
from skconv.data.group_splits import describe_groups, is_separable, join_groups, split_group_classes, split_mixed_groups
from skconv.data.memory import take_images
from skconv.exceptions import DataError, list_some
from skconv.text import format_count, format_percent

TEST_FRACTION = 0.15
VALID_FRACTION = 0.15
_MIN_HELD_OUT = 3  # minimum size of a class from which an image can be held out


def choose_classes(
    where: str, labels: Sequence[str], drop: Sequence[str] = (), min_size: int | None = None
) -> set[str]:
    """Return the classes of the training labels without those named in `drop` or with fewer than `min_size` images.

    Warn about classes that are left out; raise `DataError` for an unknown class, or if fewer than two classes remain.
    """
    counts = Counter(labels)
    unknown = [name for name in drop if name not in counts]
    if unknown:
        raise DataError(
            f"{where} has no class '{unknown[0]}' to drop; its classes are {list_some(sorted(counts))}. "
            "Correct --drop-class."
        )
    small = sorted(name for name, count in counts.items() if count < (min_size or 0) and name not in drop)
    if small:
        warnings.warn(
            f"{describe_classes(small, counts)} left out, because --min-class-size is {min_size}.", stacklevel=2
        )
    if drop:
        warnings.warn(f"{describe_classes(drop, counts)} left out, because of --drop-class.", stacklevel=2)
    chosen = set(counts) - set(small) - set(drop)
    if len(chosen) < 2 <= len(counts):
        raise DataError(
            f"{where} has {len(counts)} classes, of which {len(chosen)} remain; a classifier needs at least two. "
            "Use a smaller --min-class-size or drop fewer classes."
        )
    return chosen


def describe_classes(names: Sequence[str], counts: Counter[str]) -> str:
    """Return the names and the total size of classes, followed by "is" or "are"."""
    total = sum(counts[name] for name in names)
    images = format_count(total, "image")
    if len(names) == 1:
        return f"The class '{names[0]}' ({images}) is"
    return f"{len(names)} classes ({list_some([repr(name) for name in names], 5)}; {images}) are"


def drop_classes(dataset: Dataset, drop: Sequence[str] = (), min_size: int | None = None) -> Dataset:
    """Return the data set without some classes; parameters, warnings and errors as in `choose_classes`."""
    names = [dataset.class_names[label] for label in dataset.train_labels.tolist()]
    chosen = choose_classes(dataset.name, names, drop, min_size)
    return dataset if len(chosen) == len(dataset.class_names) else _select_classes(dataset, chosen)


def warn_of_empty_split(where: str, split: str) -> None:
    """Warn that a split is ignored, because all of its classes are left out."""
    warnings.warn(f"{where}: the {split} split has no image of the remaining classes and is ignored.", stacklevel=3)


def _select_classes(dataset: Dataset, chosen: set[str]) -> Dataset:
    """Return the images of some classes, with their labels."""
    indices = [index for index, name in enumerate(dataset.class_names) if name in chosen]
    new = np.full(len(dataset.class_names), -1)
    new[indices] = np.arange(len(indices))

    changed: dict[str, Any] = {"class_names": tuple(dataset.class_names[index] for index in indices), "files": ()}
    form = dataset.submission
    if form is not None and form.class_labels:  # in the order of the class names
        changed["submission"] = replace(form, class_labels=tuple(form.class_labels[index] for index in indices))
    names, selected = iter(dataset.list_names()), []
    for split in ("train", "valid", "test"):
        images, labels = getattr(dataset, f"{split}_images"), getattr(dataset, f"{split}_labels")
        if images is None:
            continue
        positions = np.flatnonzero(new[labels] >= 0)
        if not len(positions):
            warn_of_empty_split(dataset.name, split)
        own = list(islice(names, len(labels)))
        selected += [own[position] for position in positions]
        images, labels = (take_images(images, positions), new[labels[positions]]) if len(positions) else (None, None)
        changed |= {f"{split}_images": images, f"{split}_labels": labels}
    return replace(dataset, names=tuple(selected), **changed)


def count_different(dataset: Dataset) -> np.ndarray:
    """Return the number of different training images of each class, int64 (n_classes,); copies count once.

    Examples
    --------
    >>> count_different(Dataset("two", np.zeros((3, 8, 8), np.uint8), np.array([0, 1, 1]), ("a", "b"))).tolist()
    [1, 1]
    """
    pairs = np.unique(np.stack([find_first(dataset.train_images), dataset.train_labels]), axis=1)
    return np.bincount(pairs[1], minlength=len(dataset.class_names))


def check_folds(dataset: Dataset, folds: int) -> None:
    """Raise `DataError` unless every class has a different training image for each fold."""
    counts = count_different(dataset)
    rarest = int(np.where(counts, counts, counts.max()).argmin())  # of the classes with images
    if counts[rarest] < folds:
        raise DataError(
            f"{dataset.name}: class '{dataset.class_names[rarest]}' has "
            f"{format_count(int(counts[rarest]), 'different training image')}, fewer than the {folds} folds. Add "
            f"images, use fewer folds, or leave small classes out with --min-class-size {folds} or --drop-class."
        )


def hold_out_test(dataset: Dataset, *, seed: int) -> Dataset:
    """Return `dataset`, with a stratified 15 % of the training images held out if it has no test split.

    The held-out images depend only on `seed`, the labels, `groups` and which images are equal: copies of an image and
    images of a group are in the same split, with a warning. Classes with fewer than three different images, of which
    none can be held out, are left out with a warning. Raise `DataError` if the images are too few.

    Examples
    --------
    >>> images, labels = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8), np.arange(40) % 2
    >>> data = hold_out_test(Dataset("two", images, labels, ("a", "b")), seed=0)
    >>> len(data.train_images), len(data.test_images)
    (34, 6)
    """
    if dataset.test_images is not None:
        return dataset
    first = find_first(dataset.train_images)
    large = _leave_out_small(dataset, first)
    if large is not dataset:
        dataset, first = large, find_first(large.train_images)
    n_copies = len(first) - len(np.unique(first))
    if n_copies:
        warnings.warn(
            f"{format_count(n_copies, 'image')} of {dataset.name} {'is a copy' if n_copies == 1 else 'are copies'} of "
            "other images. Copies are in the same split, so that no test image is trained on. List them with 'skconv "
            "audit'.",
            stacklevel=2,
        )
    if dataset.groups is not None and find_separable(dataset, first) is None:
        warnings.warn(describe_groups(dataset, None), stacklevel=2)
        dataset = replace(dataset, groups=None)
    first = join_groups(dataset, first)
    purpose = f"hold out {format_percent(TEST_FRACTION, 0)} for testing"
    remedy = "Add images (at least 7 per class), or add a test split."
    train, test = _split_stratified(dataset, TEST_FRACTION, first, seed=seed, purpose=purpose, remedy=remedy)
    return _replace_splits(dataset, dataset.train_images, dataset.train_labels, train, test)


def hold_out_validation(dataset: Dataset, *, seed: int, fraction: float = VALID_FRACTION) -> tuple[Dataset, Dataset]:
    """Return training and validation images: the validation split, or else a stratified part of the training images.

    Return each as the training images of a data set without a test split. Errors as in `hold_out_test`.
    """
    if dataset.valid_images is not None and dataset.valid_labels is not None:
        n_train = len(dataset.train_labels)
        pooled = merge_validation(dataset)
        images, labels = pooled.train_images, pooled.train_labels
        training = _replace_splits(pooled, images, labels, np.arange(n_train))
        return training, _replace_splits(pooled, images, labels, np.arange(n_train, len(labels)))
    purpose = f"hold out {format_percent(fraction, 0)} for validation"
    remedy = "Add images (at least 7 per class)."
    images, labels = dataset.train_images, dataset.train_labels
    first = find_dependent(dataset)
    train, valid = _split_stratified(dataset, fraction, first, seed=seed, purpose=purpose, remedy=remedy)
    return _replace_splits(dataset, images, labels, train), _replace_splits(dataset, images, labels, valid)


def take_fraction(dataset: Dataset, fraction: float, *, seed: int) -> Dataset:
    """Return a data set with a stratified fraction of the training images and no test split.

    Raise `DataError` if a class has too few images.
    """
    images, labels = dataset.train_images, dataset.train_labels
    if fraction == 1:
        return _replace_splits(dataset, images, labels, np.arange(len(labels)))
    purpose, remedy = f"select a fraction of {fraction:.3g}", "Use a larger fraction."
    first = np.arange(len(labels))  # copies may be selected independently
    _, selected = _split_stratified(dataset, fraction, first, seed=seed, purpose=purpose, remedy=remedy)
    return _replace_splits(dataset, images, labels, selected)


def resplit(dataset: Dataset, *, fraction: float, seed: int) -> Dataset:
    """Return `dataset` with a new random split of all images, pooled in the order training, validation, test.

    `fraction`, in (0, 1), and `seed` are `test_size` and `random_state` of scikit-learn's `train_test_split`, without
    stratification. Raise `DataError` if a split would be empty.

    Examples
    --------
    >>> images, labels = np.zeros((30, 8, 8), np.uint8), np.arange(30) % 2
    >>> data = resplit(Dataset("two", images, labels, ("a", "b"), images[:10], labels[:10]), fraction=0.3, seed=11)
    >>> len(data.train_images), len(data.test_images)
    (28, 12)
    """
    from sklearn.model_selection import train_test_split

    dataset = merge_validation(dataset)
    images, labels = dataset.train_images, dataset.train_labels
    if dataset.test_images is not None and dataset.test_labels is not None:
        images = np.concatenate([images, dataset.test_images])
        labels = np.concatenate([labels, dataset.test_labels])
    try:
        train, test = train_test_split(np.arange(len(labels)), test_size=fraction, random_state=seed)
    except ValueError as error:
        raise DataError(
            f"{dataset.name}: {format_percent(fraction, 0)} cannot be held out of "
            f"{format_count(len(labels), 'image')}. Add images."
        ) from error
    return _replace_splits(dataset, images, labels, train, test)


def merge_validation(dataset: Dataset) -> Dataset:
    """Return the data set with the images of a validation split appended to the training images."""
    if dataset.valid_images is None or dataset.valid_labels is None:
        return dataset
    images = np.concatenate([dataset.train_images, dataset.valid_images])
    labels = np.concatenate([dataset.train_labels, dataset.valid_labels])
    return replace(
        dataset,
        train_images=images,
        train_labels=labels,
        valid_images=None,
        valid_labels=None,
        names=tuple(dataset.list_names()),
    )


def hash_images(images: np.ndarray) -> Iterator[bytes]:
    """Return a hash of the pixels of each image."""
    return (hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest() for image in images)


def find_first(images: np.ndarray) -> np.ndarray:
    """Return the index of the first image that is equal to each image, int64 (n,).

    Examples
    --------
    >>> find_first(np.array([[[1]], [[2]], [[1]], [[1]]], np.uint8)).tolist()
    [0, 1, 0, 0]
    """
    first: dict[bytes, int] = {}
    found = (first.setdefault(digest, position) for position, digest in enumerate(hash_images(images)))
    return np.fromiter(found, np.int64, len(images))


def find_dependent(dataset: Dataset) -> np.ndarray:
    """Return the index of the first training image that is a copy of each image or in its group, int64 (n,).

    Groups are ignored if a class has fewer than three, because they cannot be held out together.
    """
    first = find_first(dataset.train_images)
    joined = find_separable(dataset, first)
    return first if joined is None else joined


def find_separable(dataset: Dataset, first: np.ndarray) -> np.ndarray | None:
    """Return `join_groups` of the training images, or None if a class has fewer than three groups."""
    joined = join_groups(dataset, first)
    return joined if is_separable(dataset.train_labels, joined, _MIN_HELD_OUT) else None


def _split_stratified(
    dataset: Dataset, fraction: float, first: np.ndarray, *, seed: int, purpose: str, remedy: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the remaining training images, and of the held-out images.

    Copies and groups, which have the same index in `first` (see `find_dependent`), are in the same part.
    """
    from sklearn.model_selection import train_test_split

    different = np.unique(first)
    is_mixed = bool((dataset.train_labels != dataset.train_labels[first]).any())
    if dataset.groups is not None and is_mixed:
        found = split_mixed_groups(dataset.train_labels, first, fraction, seed=seed)
        if found is not None:
            return found
    labels = dataset.train_labels[different]
    classes, counts = np.unique(labels, return_counts=True)
    rarest, n_held_out = int(counts.argmin()), max(round(fraction * len(labels)), len(classes))
    if counts[rarest] < _MIN_HELD_OUT or n_held_out > len(labels) - len(classes):
        kind = "different images" if dataset.groups is None else "groups of images"
        images = "images" if len(different) == len(first) else kind
        raise DataError(
            f"{dataset.name}: {len(labels)} {images} of {len(classes)} classes, "
            f"{counts[rarest]} of class '{dataset.class_names[classes[rarest]]}', are too few to {purpose}. {remedy} "
            "Pass --min-class-size or --drop-class to leave out small classes."
        )
    if dataset.groups is not None and not is_mixed:
        return split_group_classes(dataset.train_labels, first, fraction, seed=seed)
    train, held_out = train_test_split(different, test_size=n_held_out, stratify=labels, random_state=seed)
    if len(different) == len(first):
        return train, held_out
    is_held_out = np.isin(first, held_out)
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)


def _leave_out_small(dataset: Dataset, first: np.ndarray) -> Dataset:
    """Return the data set without the classes that are too small to be split, with a warning."""
    names = [dataset.class_names[label] for label in dataset.train_labels.tolist()]
    counts, different = Counter(names), Counter(names[each] for each in np.unique(first))
    small = [name for name in dataset.class_names if different[name] < _MIN_HELD_OUT]
    if not small or len(dataset.class_names) - len(small) < 2:
        return dataset
    warnings.warn(
        f"{describe_classes(small, counts)} left out: {_MIN_HELD_OUT} or more different images per class are needed to "
        "train and test. Add images, or choose the classes with --min-class-size or --drop-class.",
        stacklevel=3,
    )
    return _select_classes(dataset, set(counts) - set(small))


def _replace_splits(
    dataset: Dataset, images: np.ndarray, labels: np.ndarray, train: np.ndarray, test: np.ndarray | None = None
) -> Dataset:
    """Return the data set with other training and test images, selected by their positions in `images`.

    `images` are the training images, or the training and then the test images.
    """
    names, n_train = dataset.list_names(), len(dataset.train_labels)
    n_valid = 0 if dataset.valid_labels is None else len(dataset.valid_labels)
    pooled = names[:n_train] + names[n_train + n_valid :]
    order = train if test is None else np.concatenate([train, test])
    selected = [pooled[position] for position in order]
    return replace(
        dataset,
        train_images=images if len(train) == len(images) and test is None else take_images(images, train),
        train_labels=labels[train],
        test_images=None if test is None else take_images(images, test),
        test_labels=None if test is None else labels[test],
        files=(),
        names=tuple(selected[: len(train)] + names[n_train : n_train + n_valid] + selected[len(train) :]),
    )

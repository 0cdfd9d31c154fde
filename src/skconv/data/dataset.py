"""Data sets in memory: `Dataset`, held-out splits and stratified subsets, `SubmissionForm`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from skconv.data.conversion import encode_labels
from skconv.exceptions import DataError
from skconv.images.spec import ImageSpec

TEST_FRACTION = 0.15
VALID_FRACTION = 0.15


class Splits(NamedTuple):
    """Images (uint8) and label names, as read from a source; the test split may be None."""

    train_images: np.ndarray
    train_labels: Sequence[str]
    test_images: np.ndarray | None = None
    test_labels: Sequence[str] | None = None

    def to_dataset(self, name: str, source: str) -> Dataset:
        """Return a `Dataset` with encoded labels; errors as in `encode_labels` and `Dataset`."""
        train_labels, test_labels, class_names = encode_labels(source, self.train_labels, self.test_labels)
        return Dataset(name, self.train_images, train_labels, class_names, self.test_images, test_labels, source)


@dataclass(frozen=True, eq=False)  # because == of arrays does not return a bool
class SubmissionForm:
    """Unlabelled images of a competition, uint8 (n, h, w) or (n, h, w, 3), and the format of a submission.

    `header` is the first line of a submission, such as ``("ImageId", "Label")``; `ids` the first column, one per image.
    `class_labels` are the values of the second column in the order of the data set's class names (``"0"`` for
    "T-shirt/top"); empty if unknown.
    """

    header: tuple[str, str]
    ids: tuple[str, ...]
    images: np.ndarray
    class_labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.images):
            raise DataError(
                f"A submission has {len(self.ids)} ids and {len(self.images)} images; expected one image per id."
            )


@dataclass(frozen=True)
class Dataset:
    """Images with labels, their source and licence.

    Parameters
    ----------
    name : str
        Short name for titles and folder names: ``"mnist"``.
    train_images : ndarray of uint8, shape (n_train, height, width) or (n_train, height, width, 3)
        Grey or colour images, 0..255. May be a read-only memory map.
    train_labels : ndarray of int64, shape (n_train,)
        Indices into `class_names`.
    class_names : tuple of str
        In the order of the labels.
    test_images, test_labels : ndarray or None
        Test split of the same shapes and dtypes; None if the source has no labelled test split.
    source : str
        Path or address of the data.
    licence : str
        Licence of the images; ``"unknown"`` if the source states none.
    submission : SubmissionForm or None
        Unlabelled images of a competition and the format of a submission; None for other data. If their labels are
        available, the images are also `test_images`.
    preprocessing : str or None
        Name of the step that was applied to every image, as in `skconv.images.spec.ImageSpec`.

    Raises
    ------
    DataError
        Different lengths, labels outside `class_names`, splits of different image size, or no images.
    """

    name: str
    train_images: np.ndarray
    train_labels: np.ndarray
    class_names: tuple[str, ...]
    test_images: np.ndarray | None = None
    test_labels: np.ndarray | None = None
    source: str = "memory"
    licence: str = "unknown"
    submission: SubmissionForm | None = None
    preprocessing: str | None = None

    def __post_init__(self) -> None:
        _check_split("train", self.train_images, self.train_labels, self.class_names)
        if self.test_images is not None:
            if self.test_labels is None:
                raise DataError(f"{self.name}: the test images have no labels. Pass both or neither.")
            _check_split("test", self.test_images, self.test_labels, self.class_names)
            self._check_shape(self.test_images)
        if self.submission is not None:
            _check_images("submission", self.submission.images)
            self._check_shape(self.submission.images)

    def _check_shape(self, images: np.ndarray) -> None:
        if images.shape[1:] != self.train_images.shape[1:]:
            raise DataError(
                f"{self.name}: train images have shape {self.train_images.shape[1:]}, "
                f"test images {images.shape[1:]}. Resize both to the same size."
            )

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image: (height, width) if grey, (height, width, 3) if colour."""
        return tuple(self.train_images.shape[1:])

    @cached_property
    def fingerprint(self) -> str:
        """Checksum (sha256, hexadecimal) of the training images and labels; it identifies the data of a saved model."""
        digest = hashlib.sha256(repr((self.train_images.shape, self.class_names)).encode())
        for start in range(0, len(self.train_images), 4096):  # in chunks: a memory map may be larger than RAM
            digest.update(np.ascontiguousarray(self.train_images[start : start + 4096]).data)
        digest.update(np.ascontiguousarray(self.train_labels).data)
        return digest.hexdigest()

    def preprocess(self, spec: ImageSpec) -> Dataset:
        """Return the data set with all images preprocessed and resized."""
        test = None if self.test_images is None else spec.preprocess_all(self.test_images)
        form = self.submission
        if form is not None:
            shared = test if form.images is self.test_images else None
            form = replace(form, images=spec.preprocess_all(form.images) if shared is None else shared)
        train = spec.preprocess_all(self.train_images)
        return replace(self, train_images=train, test_images=test, submission=form, preprocessing=spec.preprocessing)


def _check_images(split: str, images: np.ndarray) -> None:
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise DataError(
            f"The {split} images are {images.dtype} of shape {images.shape}; "
            "expected uint8 of shape (n, height, width) or (n, height, width, 3)."
        )
    if len(images) == 0 or 0 in images.shape:
        raise DataError(f"The {split} images have shape {images.shape}; expected at least one image and pixel.")


def _check_split(split: str, images: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...]) -> None:
    _check_images(split, images)
    if labels.shape != (len(images),):
        raise DataError(f"{len(images)} {split} images have labels of shape {labels.shape}; expected ({len(images)},).")
    if labels.min() < 0 or labels.max() >= len(class_names):
        wrong = int(np.flatnonzero((labels < 0) | (labels >= len(class_names)))[0])
        raise DataError(
            f"The label of {split} image {wrong} is {labels[wrong]}; "
            f"expected 0..{len(class_names) - 1} for {len(class_names)} classes."
        )


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
    """Return `dataset`, with a stratified 15 % of the training images held out if it has no test split.

    The held-out images depend only on `seed` and the labels. Raise `DataError` if a class has too few images.

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
    train, test = _split_stratified(dataset, TEST_FRACTION, seed=seed, purpose=purpose, remedy=remedy)
    images, labels = dataset.train_images, dataset.train_labels
    return _replace_splits(dataset, images[train], labels[train], images[test], labels[test])


def hold_out_validation(dataset: Dataset, *, seed: int) -> tuple[Dataset, Dataset]:
    """Split the training images into a training split and a stratified validation split of 15 %.

    Return each as the training images of a data set without a test split. Errors as in `hold_out_test`.
    """
    purpose = f"hold out {VALID_FRACTION:.0%} for validation"
    remedy = "Add images, to 7 or more per class."
    images, labels = dataset.train_images, dataset.train_labels
    train, valid = _split_stratified(dataset, VALID_FRACTION, seed=seed, purpose=purpose, remedy=remedy)
    training = _replace_splits(dataset, images[train], labels[train])
    return training, _replace_splits(dataset, images[valid], labels[valid])


def take_fraction(dataset: Dataset, fraction: float, *, seed: int) -> Dataset:
    """Return a data set with a stratified fraction of the training images and no test split.

    Raise `DataError` if a class has too few images.
    """
    images, labels = dataset.train_images, dataset.train_labels
    if fraction == 1:
        return _replace_splits(dataset, images, labels)
    purpose, remedy = f"select {fraction:.3g} of them", "Use a larger fraction."
    _, selected = _split_stratified(dataset, fraction, seed=seed, purpose=purpose, remedy=remedy)
    return _replace_splits(dataset, images[selected], labels[selected])


def resplit(dataset: Dataset, *, fraction: float, seed: int) -> Dataset:
    """Return `dataset` with a new random split of all images, pooled with the training images first.

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
    return _replace_splits(dataset, images[train], labels[train], images[test], labels[test])


def _split_stratified(
    dataset: Dataset, fraction: float, *, seed: int, purpose: str, remedy: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the remaining training images, and of those held out."""
    from sklearn.model_selection import train_test_split

    classes, counts = np.unique(dataset.train_labels, return_counts=True)
    rarest, n_held_out = int(counts.argmin()), round(fraction * len(dataset.train_labels))
    if counts[rarest] < 3 or not len(classes) <= n_held_out <= len(dataset.train_labels) - len(classes):
        raise DataError(
            f"{dataset.name}: {len(dataset.train_labels)} images of {len(classes)} classes, "
            f"{counts[rarest]} of class '{dataset.class_names[classes[rarest]]}', are too few to {purpose}. {remedy}"
        )
    positions = np.arange(len(dataset.train_labels))
    return tuple(train_test_split(positions, test_size=n_held_out, stratify=dataset.train_labels, random_state=seed))


def _replace_splits(
    dataset: Dataset,
    train_images: np.ndarray,
    train_labels: np.ndarray,
    test_images: np.ndarray | None = None,
    test_labels: np.ndarray | None = None,
) -> Dataset:
    return replace(
        dataset,
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
    )

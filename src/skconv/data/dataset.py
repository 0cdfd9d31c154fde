"""Data sets in memory: `Dataset`, `Splits` as read from a source, and `SubmissionForm`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skconv.data.groups import ImageGroups
from skconv.data.labels import encode_labels, encode_split
from skconv.exceptions import DataError
from skconv.images.spec import ImageSpec


class Splits(NamedTuple):
    """Images (uint8) and label names, as read from a source; the test and validation splits may be None."""

    train_images: np.ndarray
    train_labels: Sequence[str]
    test_images: np.ndarray | None = None
    test_labels: Sequence[str] | None = None
    valid_images: np.ndarray | None = None
    valid_labels: Sequence[str] | None = None
    files: Sequence[Path] = ()  # of the training, validation and test images, in this order
    groups: ImageGroups | None = None

    def to_dataset(self, name: str, source: str) -> Dataset:
        """Return a `Dataset` with encoded labels; errors as in `encode_labels` and `Dataset`."""
        train_labels, test_labels, class_names = encode_labels(source, self.train_labels, self.test_labels)
        dataset = Dataset(name, self.train_images, train_labels, class_names, self.test_images, test_labels, source)
        if self.valid_labels is not None:
            valid_labels = encode_split(source, "validation", self.valid_labels, class_names)
            dataset = replace(dataset, valid_images=self.valid_images, valid_labels=valid_labels)
        return replace(dataset, files=tuple(self.files), groups=self.groups)


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
    valid_images, valid_labels : ndarray or None
        Validation split of the same shapes and dtypes; None if the source has none.
    source : str
        Path or address of the data.
    licence : str
        Licence of the images; ``"unknown"`` if the source states none.
    submission : SubmissionForm or None
        Unlabelled images of a competition and the format of a submission; None for other data. If their labels are
        available, the images are also `test_images`.
    preprocessing : str or None
        Name of the step that was applied to every image, as in `skconv.images.spec.ImageSpec`.
    resize : {"pad", "crop", "stretch"} or None
        Rule for images of another aspect ratio, as in `skconv.images.spec.ImageSpec`; None for images that were not
        resized.
    files : tuple of Path
        Image files of the training, validation and test split, in this order; empty if the images do not come from
        files, or if a split has changed.
    names : tuple of str
        Names of the images after a split has changed; see `list_names`.
    groups : ImageGroups or None
        Groups of images that are not independent, such as those of one patient, which are held out together.

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
    valid_images: np.ndarray | None = None
    valid_labels: np.ndarray | None = None
    resize: str | None = None
    files: tuple[Path, ...] = ()
    names: tuple[str, ...] = ()
    groups: ImageGroups | None = None

    def __post_init__(self) -> None:
        _check_split("train", self.train_images, self.train_labels, self.class_names)
        for split, images, labels in (
            ("test", self.test_images, self.test_labels),
            ("validation", self.valid_images, self.valid_labels),
        ):
            if images is not None:
                if labels is None:
                    raise DataError(f"{self.name}: the {split} images have no labels. Pass both or neither.")
                _check_split(split, images, labels, self.class_names)
                self._check_shape(split, images)
        if self.submission is not None:
            _check_images("submission", self.submission.images)
            self._check_shape("test", self.submission.images)

    def _check_shape(self, split: str, images: np.ndarray) -> None:
        if images.shape[1:] != self.train_images.shape[1:]:
            raise DataError(
                f"{self.name}: train images have shape {self.train_images.shape[1:]}, "
                f"{split} images {images.shape[1:]}. Resize both to the same size."
            )

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one image: (height, width) if grey, (height, width, 3) if colour."""
        return tuple(self.train_images.shape[1:])

    def list_names(self) -> list[str]:
        """Return the name of each image of the training, validation and test split, in this order.

        A name is the image file, or else the split of the source and the index in it, such as "train 17".

        Examples
        --------
        >>> Dataset("two", np.zeros((2, 8, 8), np.uint8), np.arange(2), ("a", "b")).list_names()
        ['train 0', 'train 1']
        """
        if self.names or self.files:
            return list(self.names) or [str(file) for file in self.files]
        splits = {"train": self.train_labels, "valid": self.valid_labels, "test": self.test_labels}
        return [f"{split} {k}" for split, labels in splits.items() if labels is not None for k in range(len(labels))]

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
        return replace(
            self,
            train_images=spec.preprocess_all(self.train_images),
            valid_images=None if self.valid_images is None else spec.preprocess_all(self.valid_images),
            test_images=test,
            submission=form,
            preprocessing=spec.preprocessing,
            resize=spec.resize,
        )


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
        raise DataError(
            f"{len(images)} {split} images have labels of shape {labels.shape}; expected ({len(images)},). Pass one "
            "label per image."
        )
    if labels.min() < 0 or labels.max() >= len(class_names):
        wrong = int(np.flatnonzero((labels < 0) | (labels >= len(class_names)))[0])
        raise DataError(
            f"The label of {split} image {wrong} is {labels[wrong]}; "
            f"expected 0..{len(class_names) - 1} for {len(class_names)} classes."
        )

"""`Dataset`: images and labels, split into train and test, with where they came from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from skconv.competitions.submissions import SubmissionForm
from skconv.exceptions import DataError


@dataclass(frozen=True)
class Dataset:
    """Images with labels, and where they came from.

    Parameters
    ----------
    name : str
        Short name, used in titles and folder names: ``"mnist"``.
    train_images : ndarray of uint8, shape (n_train, height, width) or (n_train, height, width, 3)
        Grey or colour images, 0..255. May be a read-only memory map.
    train_labels : ndarray of int64, shape (n_train,)
        Positions in `class_names`.
    class_names : tuple of str
        What each label means, in the order of the labels.
    test_images, test_labels : ndarray or None
        The test split in the same form; None where the source has no labelled test split.
    source : str
        Where the bytes came from, for people: a path or an address.
    licence : str
        The licence of the images, ``"unknown"`` where the source does not say.
    submission : SubmissionForm or None
        What a competition wants handed in, with the images to be named; None where the source is no competition.
        Where the answers are known, these images are also `test_images`.
    normalization : {"digit"} or None
        What was done to every image, as in `skconv.images.spec.ImageSpec`.

    Raises
    ------
    DataError
        Lengths that differ, labels outside `class_names`, splits of different image size, no images.
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
    normalization: str | None = None

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
                f"test images {images.shape[1:]}. Bring both to one size."
            )

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(height, width) of grey images, (height, width, 3) of colour ones."""
        return tuple(self.train_images.shape[1:])

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 of training images and labels as 64 hexadecimal digits; names the data in a model folder."""
        digest = hashlib.sha256(repr((self.train_images.shape, self.class_names)).encode())
        for start in range(0, len(self.train_images), 4096):  # a memory map is never read whole
            digest.update(np.ascontiguousarray(self.train_images[start : start + 4096]).data)
        digest.update(np.ascontiguousarray(self.train_labels).data)
        return digest.hexdigest()


def _check_images(split: str, images: np.ndarray) -> None:
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or (images.ndim == 4 and images.shape[3] != 3):
        raise DataError(
            f"The {split} images are {images.dtype} of shape {images.shape}; "
            "expected uint8 of shape (n, height, width) or (n, height, width, 3)."
        )
    if len(images) == 0 or 0 in images.shape:
        raise DataError(f"The {split} split holds no images: its shape is {images.shape}.")


def _check_split(split: str, images: np.ndarray, labels: np.ndarray, class_names: tuple[str, ...]) -> None:
    _check_images(split, images)
    if labels.shape != (len(images),):
        raise DataError(f"{len(images)} {split} images came with labels of shape {labels.shape}.")
    if labels.min() < 0 or labels.max() >= len(class_names):
        wrong = int(np.flatnonzero((labels < 0) | (labels >= len(class_names)))[0])
        raise DataError(
            f"The label of {split} image {wrong} is {labels[wrong]}; "
            f"with {len(class_names)} classes labels are 0..{len(class_names) - 1}."
        )

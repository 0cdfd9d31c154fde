"""Readers of the published files of CIFAR (binary records), SVHN (MATLAB) and EMNIST (IDX files in a zip archive)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from skconv.data.catalog.entry import CatalogEntry
from skconv.data.dataset import Splits
from skconv.data.idx_files import decode_idx
from skconv.data.memory import allocate_images
from skconv.data.published.archives import iterate_members
from skconv.exceptions import DataError

_SIDE = 32  # pixels of CIFAR and SVHN
_N_VALUES = 3 * _SIDE**2
# Files of the training and the test split, and bytes of the label of a record, of which the last is used.
_CIFAR10 = (tuple(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin", 1)
_CIFAR100 = (("train.bin",), "test.bin", 2)
_CHUNK = 4096  # images per copy


def read_cifar(path: Path, entry: CatalogEntry) -> Splits:
    """Read the binary version of CIFAR-10 or CIFAR-100 from its archive or from the unpacked folder.

    The labels are indices as text. Raise `DataError` if a file is missing, truncated, or has a label that is no class.
    """
    train, test, n_label_bytes = list_cifar(entry)
    found = _read_by_name(path, (*train, test))
    records = {}
    for name, content in found.items():
        length = n_label_bytes + _N_VALUES
        if not content or len(content) % length:
            raise DataError(
                f"{path}: {name} has {len(content):,} bytes; expected a multiple of {length:,}. Download it again."
            )
        records[name] = np.frombuffer(content, np.uint8).reshape(-1, length)
    splits: list[Any] = []
    for names in (train, (test,)):
        images = allocate_images((sum(len(records[name]) for name in names), _SIDE, _SIDE, 3))
        start = 0
        for name in names:
            planes = records[name][:, n_label_bytes:].reshape(-1, 3, _SIDE, _SIDE)
            images[start : start + len(planes)] = planes.transpose(0, 2, 3, 1)
            start += len(planes)
        labels = np.concatenate([records[name][:, n_label_bytes - 1] for name in names])
        splits += [images, _name_labels(path, labels, entry)]
    return Splits(*splits)


def list_cifar(entry: CatalogEntry) -> tuple[tuple[str, ...], str, int]:
    """Return the names of the training files and of the test file, and the number of bytes of a label."""
    return _CIFAR10 if entry.name == "cifar10" else _CIFAR100


def read_svhn(folder: Path, entry: CatalogEntry) -> Splits:
    """Read SVHN's cropped digits from the files ``train_32x32.mat`` and ``test_32x32.mat`` of a folder.

    Raise `DataError` for a damaged file, and for other arrays than ``X``, uint8 (32, 32, 3, n), and ``y``, (n, 1).
    """
    splits: list[Any] = []
    for file in entry.files:
        images, labels = _read_mat(folder / file.name)
        labels = np.where(labels == 10, 0, labels)  # 10 is the label of the digit 0
        splits += [images, _name_labels(folder / file.name, labels, entry)]
    return Splits(*splits)


def _read_mat(path: Path) -> tuple[np.ndarray, np.ndarray]:
    from scipy.io import loadmat, whosmat

    try:
        arrays = {name: (shape, kind) for name, shape, kind in whosmat(str(path))}
        n = arrays["X"][0][-1]
        is_expected = arrays["X"] == ((_SIDE, _SIDE, 3, n), "uint8") and arrays["y"][0] == (n, 1)
        content = loadmat(str(path), variable_names=["X", "y"]) if is_expected else None
    except Exception as error:  # SciPy raises many exception types for damaged files
        raise DataError(f"{path} is not a MATLAB file with 'X' and 'y' ({error}). Download it again.") from error
    if content is None:
        raise DataError(f"{path} has the arrays {arrays}; expected X uint8 (32, 32, 3, n) and y (n, 1).")
    images = allocate_images((n, _SIDE, _SIDE, 3))
    images[:] = content["X"].transpose(3, 0, 1, 2)
    return images, content["y"][:, 0]


def read_emnist(path: Path, entry: CatalogEntry) -> Splits:
    """Read a data set of EMNIST from ``gzip.zip``, or from the folder of the unpacked IDX files, raw or gzip.

    The images are transposed, because the files store columns first. Labels that start at 1 (EMNIST letters) are
    counted from 0. Errors as in `decode_idx`.
    """
    names = list_emnist(entry)
    found = _read_by_name(path, names, suffix=".gz")
    splits: list[Any] = []
    for images_name, labels_name in (names[:2], names[2:]):
        images = decode_idx(f"{path}: {images_name}", found.pop(images_name), 3)
        labels = decode_idx(f"{path}: {labels_name}", found.pop(labels_name), 1)
        if images.shape[1] != images.shape[2] or len(images) != len(labels):
            raise DataError(
                f"{path}: {images_name} has images of shape {images.shape}, and there are {len(labels):,} labels; "
                "expected square images and one label per image. Download it again."
            )
        for start in range(0, len(images), _CHUNK):
            images[start : start + _CHUNK] = images[start : start + _CHUNK].transpose(0, 2, 1).copy()
        splits += [images, _name_labels(path, labels - (entry.name == "emnist-letters"), entry)]
    return Splits(*splits)


def list_emnist(entry: CatalogEntry) -> tuple[str, ...]:
    """Return the names of the IDX files without .gz: training images and labels, test images and labels."""
    return tuple(
        f"{entry.file_name}-{split}-{kind}-ubyte"
        for split in ("train", "test")
        for kind in ("images-idx3", "labels-idx1")
    )


def _read_by_name(path: Path, names: Sequence[str], suffix: str = "") -> dict[str, bytes]:
    """Return the content of each of the named files, in any folder of an archive; `suffix` is optional in names."""
    wanted = {each + end: each for each in names for end in {"", suffix}}
    found: dict[str, bytes] = {}
    for name, content in iterate_members(path, lambda name: PurePosixPath(name).name in wanted):
        found.setdefault(wanted[PurePosixPath(name).name], content)
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(f"{path} has no file {missing[0]}. Download it again.")
    return {name: found[name] for name in names}


def _name_labels(path: Path, labels: np.ndarray, entry: CatalogEntry) -> list[str]:
    """Return labels as text; raise `DataError` for labels outside of the classes."""
    n_classes = len(entry.class_names)
    wrong = np.flatnonzero((labels < 0) | (labels >= n_classes))
    if len(wrong):
        raise DataError(
            f"{path}: the label of image {wrong[0]} is {labels[wrong[0]]}; expected 0..{n_classes - 1}. Download it "
            "again."
        )
    return list(map(str, labels.tolist()))

"""Reading of the files of a named data set: as published, or a copy in another form in the data home."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from skconv.data.catalog.entry import CatalogEntry
from skconv.data.content import find_file, open_content, verify_checksum, verify_content
from skconv.data.dataset import Splits
from skconv.data.idx_files import has_idx_files, read_idx_folder
from skconv.data.npz_files import read_npz
from skconv.data.published.archives import list_members
from skconv.data.published.array_archives import list_cifar, list_emnist, read_cifar, read_emnist, read_svhn
from skconv.data.published.image_archives import has_class_members, has_gtsrb_labels, read_class_members, read_gtsrb
from skconv.exceptions import DataError

_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
_SPLITS = ("training", "validation", "test")


def read_published(entry: CatalogEntry, folder: Path, *, progress: bool = False) -> Splits:
    """Read the files of a named data set in a folder, after a check of their checksums.

    Raise `DataError` if a file is missing, damaged or has another checksum, or for other numbers of images.
    """
    paths = [find_file(folder, file.name) or folder / file.name for file in entry.files]
    for path, file in zip(paths, entry.files, strict=True):
        if file.checksum:
            verify_checksum(path, file.checksum)
    checksums = {file.name: file.sha256 for file in entry.files if file.sha256}
    if entry.form == "idx":
        splits = read_idx_folder(folder, checksums)
    elif entry.form == "zipcode-text":
        train, test = (_read_zipcode(path, file.sha256) for path, file in zip(paths, entry.files, strict=True))
        splits = Splits(*train, *test)
    elif entry.form == "cifar":
        splits = read_cifar(paths[0], entry)
    elif entry.form == "svhn":
        splits = read_svhn(folder, entry)
    elif entry.form == "emnist":
        splits = read_emnist(paths[0], entry)
    elif entry.form == "gtsrb":
        splits = read_gtsrb(paths, entry, progress=progress)
    else:
        if entry.files[0].sha256:
            verify_content(paths[0], entry.files[0].sha256)
        splits = read_npz(paths[0])
    return _check_numbers(splits, entry, folder)


def find_copy(entry: CatalogEntry, folder: Path) -> Path | None:
    """Return the first copy of a named data set in a folder of the data home, or None.

    A copy is ``NAME.npz``, or an archive or a folder NAME with the unpacked files or with class folders, as
    ``train/cat/1.png`` and ``test/cat/2.png``. `folder` itself is also searched if it has the data set's name.
    """
    if entry.n_images is None or not folder.is_dir():
        return None
    names = [entry.file_name + suffix for suffix in (".npz", *_ARCHIVES)]
    found = [folder / name for name in names if (folder / name).is_file()]
    folders = [folder / entry.file_name, folder] if folder.name == entry.folder else [folder / entry.file_name]
    found += [each for each in folders if each.is_dir() and _has_images(entry, each)]
    return found[0] if found else None


def read_copy(entry: CatalogEntry, path: Path, *, progress: bool = False) -> Splits:
    """Read a copy that `find_copy` returned; raise `DataError` for other classes, numbers of images or sizes."""
    splits: Splits | None
    if path.suffix == ".npz":
        splits = read_npz(path)
    elif entry.form == "idx" and path.is_dir() and has_idx_files(path):
        splits = read_idx_folder(path)
    else:
        names = list_members(path)
        if _has_cifar_files(entry, names):
            splits = read_cifar(path, entry)
        elif _has_emnist_files(entry, names):
            splits = read_emnist(path, entry)
        elif _has_gtsrb_files(entry, names):
            splits = read_gtsrb([path], entry, progress=progress)
        else:
            splits = read_class_members(path, names, entry, progress=progress)
    if splits is None:
        raise DataError(
            f"{path} has no folders train and test with a folder for each class of '{entry.name}'. Move it to another "
            "folder, or rename it."
        )
    return _check_numbers(splits, entry, path)


def _has_images(entry: CatalogEntry, folder: Path) -> bool:
    """Return whether a folder has files that `read_copy` may read; other files there are ignored."""
    names = list_members(folder)
    known = _has_cifar_files(entry, names) or _has_emnist_files(entry, names) or _has_gtsrb_files(entry, names)
    return known or (entry.form == "idx" and has_idx_files(folder)) or has_class_members(names)


def _has_cifar_files(entry: CatalogEntry, names: list[str]) -> bool:
    return entry.form == "cifar" and _has_file(names, list_cifar(entry)[1])


def _has_emnist_files(entry: CatalogEntry, names: list[str]) -> bool:
    return entry.form == "emnist" and any(_has_file(names, list_emnist(entry)[0] + suffix) for suffix in ("", ".gz"))


def _has_gtsrb_files(entry: CatalogEntry, names: list[str]) -> bool:
    return entry.form == "gtsrb" and has_gtsrb_labels(names)


def _has_file(names: list[str], name: str) -> bool:
    return any(each == name or each.endswith(f"/{name}") for each in names)


def _check_numbers(splits: Splits, entry: CatalogEntry, where: Path) -> Splits:
    """Return the splits; raise `DataError` if their numbers or sizes of images are not those of the catalog."""
    if entry.n_images is None:
        return splits
    parts = (splits.train_images, splits.valid_images, splits.test_images)
    for name, images, expected in zip(_SPLITS, parts, entry.n_images, strict=True):
        n = 0 if images is None else len(images)
        if n != expected:
            raise DataError(
                f"{where} has {n:,} {name} images; '{entry.name}' has {expected:,}. Download it again; or move it to "
                "another folder, unpack it, and pass its path as the source to use it unchanged."
            )
        if images is not None and images.shape[1:] != entry.image_shape:
            raise DataError(
                f"{where} has images of shape {images.shape[1:]}; '{entry.name}' has {entry.image_shape}. Move it to "
                "another folder and pass its path as the source to use it unchanged."
            )
    return splits


def _read_zipcode(path: Path, sha256: str) -> tuple[np.ndarray, list[str]]:
    """Read USPS in text form: one line per image, with a digit and 256 grey values in [-1, 1]."""
    verify_content(path, sha256)
    with open_content(path) as stream:
        values = np.loadtxt(stream, np.float32)
    images = np.rint((values[:, 1:] + 1) * 127.5).astype(np.uint8).reshape(-1, 16, 16)
    return images, [str(int(label)) for label in values[:, 0]]

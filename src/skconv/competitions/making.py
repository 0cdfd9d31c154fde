"""Competition files in the organisers' format, made from MNIST and Fashion-MNIST."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from skconv.competitions.folder import (
    ANSWERS,
    ID_HEADER,
    PIXEL_HEADER,
    SAMPLE,
    TEST,
    TEST_FOLDER,
    TRAIN,
    TRAIN_FOLDER,
    is_competition,
    load_folder,
)
from skconv.data.catalog.lookup import DATASETS, BuiltDataset, CatalogEntry, get_entry
from skconv.data.content import CACHE_REMEDY, cache_folder
from skconv.data.dataset import Dataset, Splits
from skconv.data.published.named import list_locations, read_named
from skconv.data.spec import DataSpec
from skconv.exceptions import DataError, OutputError, UnknownNameError
from skconv.files import atomic_dir, check_new_folder
from skconv.progress import show_progress
from skconv.signature import expand_paths

_BYTES = tuple(b"%d" % value for value in range(256))
_ENTRIES = (
    CatalogEntry(
        name="kaggle-digits",
        title="Kaggle's Digit Recognizer, made from MNIST: 42,000 labelled and 28,000 test digits, 28×28 grey",
        licence=get_entry("mnist").licence,
        class_names=get_entry("mnist").class_names,
        form="competition",
        made_from="mnist",
    ),
    CatalogEntry(
        name="identify-the-apparels",
        title="Identify the Apparels, made from Fashion-MNIST: 60,000 labelled and 10,000 test images, 28×28 grey",
        licence=get_entry("fashion-mnist").licence,
        class_names=get_entry("fashion-mnist").class_names,
        form="competition",
        made_from="fashion-mnist",
    ),
)


def list_competitions() -> list[str]:
    """Return the sorted names of the competitions whose files can be made.

    Examples
    --------
    >>> list_competitions()
    ['identify-the-apparels', 'kaggle-digits']
    """
    return sorted(entry.name for entry in _ENTRIES)


@expand_paths
def make_competition(
    name: str,
    folder: str | os.PathLike[str],
    *,
    data_home: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Path:
    """Make the files of a competition from MNIST or Fashion-MNIST, without an account.

    The files have the organisers' format. The training images of ``kaggle-digits`` differ from Kaggle's: they are a
    fixed stratified sample of 3/5 of the 70,000 digits of MNIST. The labels of the test images, which the organisers
    do not publish, are in ``answers.csv``.

    Parameters
    ----------
    name : {"kaggle-digits", "identify-the-apparels"}
    folder : path-like
        Folder to create, atomically; an existing folder must be empty.
    data_home : path-like, optional
        As in `load_dataset`, to find MNIST or Fashion-MNIST.
    progress : bool, default=False
        Show a progress bar on standard error, if that is a terminal.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    UnknownNameError
        If there is no competition of this name.
    OutputError
        If the folder is not empty or cannot be written.
    SourceNotFoundError, DataError
        As in `load_dataset`, for MNIST or Fashion-MNIST.

    Examples
    --------
    >>> folder = make_competition("kaggle-digits", "digits-competition")  # doctest: +SKIP
    >>> sorted(path.name for path in folder.iterdir())  # doctest: +SKIP
    ['answers.csv', 'sample_submission.csv', 'test.csv', 'train.csv']
    """
    if name not in list_competitions():
        raise UnknownNameError("competition", name, list_competitions())
    check_new_folder(folder)
    return _make(get_entry(name), Path(folder), data_home=data_home, download=True, progress=progress)


def find_competition(entry: CatalogEntry, data_home: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the first location of the data set that contains the competition's files, or None."""
    folders = (location.folder for location in list_locations(entry, data_home))
    return next((folder for folder in folders if is_competition(folder)), None)


def open_competition(
    entry: CatalogEntry, *, data_home: str | os.PathLike[str] | None, download: bool, progress: bool
) -> Path:
    """Return the folder of a competition; if there is none, make one in the cache. Errors as in `load_dataset`."""
    found = find_competition(entry, data_home)
    if found is not None:
        return found
    folder = cache_folder() / entry.folder
    try:
        return _make(entry, folder, data_home=data_home, download=download, progress=progress)
    except OutputError as error:
        if is_competition(folder):  # another process has made the folder in the meantime
            return folder
        raise OutputError(f"{error} This is the cache folder. {CACHE_REMEDY}") from error


def load_competition(
    entry: CatalogEntry, *, data_home: str | os.PathLike[str] | None, download: bool, progress: bool
) -> Dataset:
    """Load a competition as a data set, given its catalog entry; errors as in `load_dataset`."""
    folder = open_competition(entry, data_home=data_home, download=download, progress=progress)
    try:
        return load_folder(DataSpec(folder), progress=progress)
    except DataError as error:
        raise DataError(f"{error} Alternatively, remove the folder {folder}, so that it is made again.") from error


for _entry in _ENTRIES:
    DATASETS.register(_entry.name, BuiltDataset(_entry, load_competition))


def write_competition(name: str, folder: Path, splits: Splits, *, progress: bool = False) -> None:
    """Write the files of a competition with the images of `splits`; other parameters as in `make_competition`."""
    write = {"kaggle-digits": _write_digits, "identify-the-apparels": _write_apparels}[name]
    with atomic_dir(folder) as temporary:
        write(temporary, splits, progress)


def _make(
    entry: CatalogEntry, folder: Path, *, data_home: str | os.PathLike[str] | None, download: bool, progress: bool
) -> Path:
    splits, _ = read_named(get_entry(entry.made_from), data_home=data_home, download=download, progress=progress)
    write_competition(entry.name, folder, splits, progress=progress)
    return folder


def _write_digits(folder: Path, splits: Splits, progress: bool) -> None:
    images, labels = _pool(splits)
    train, test = _draw(labels)
    _write_pixels(folder / TRAIN, images[train], [labels[index] for index in train], progress)
    _write_pixels(folder / TEST, images[test], None, progress)
    _write_forms(folder, PIXEL_HEADER, range(1, len(test) + 1), [labels[index] for index in test])


def _write_apparels(folder: Path, splits: Splits, progress: bool) -> None:
    images, labels = _pool(splits)
    n_train, ids = len(splits.train_images), range(1, len(images) + 1)
    _write_pairs(folder / TRAIN, ID_HEADER, ids[:n_train], labels[:n_train])
    (folder / TEST).write_text("\n".join(["id", *map(str, ids[n_train:])]) + "\n", encoding="utf-8", newline="\n")
    _write_forms(folder, ID_HEADER, ids[n_train:], labels[n_train:])
    _write_images(folder / TRAIN_FOLDER, ids[:n_train], images[:n_train], progress)
    _write_images(folder / TEST_FOLDER, ids[n_train:], images[n_train:], progress)


def _pool(splits: Splits) -> tuple[np.ndarray, list[str]]:
    tests = [] if splits.test_images is None else [splits.test_images]
    return np.concatenate([splits.train_images, *tests]), [*splits.train_labels, *(splits.test_labels or ())]


def _draw(labels: Sequence[str]) -> tuple[list[int], list[int]]:
    """Draw a stratified split in the ratio 3 : 2, and shuffle both parts; return their positions in `labels`."""
    counts = Counter(labels)
    shares = {label: counts[label] * 3 // 5 for label in sorted(counts)}
    # Round up the classes with the largest remainders.
    remainder = len(labels) * 3 // 5 - sum(shares.values())
    for label in sorted(shares, key=lambda label: -(counts[label] * 3 % 5))[:remainder]:
        shares[label] += 1
    train: list[int] = []
    test: list[int] = []
    for index in _shuffle("which", range(len(labels))):
        shares[labels[index]] -= 1
        (train if shares[labels[index]] >= 0 else test).append(index)
    return _shuffle("train", train), _shuffle("test", test)


def _shuffle(seed: str, indices: Iterable[int]) -> list[int]:
    """Shuffle in the order of hashes, which do not depend on the versions of Python and NumPy."""
    return sorted(indices, key=lambda index: hashlib.sha256(f"kaggle-digits {seed} {index}".encode()).digest())


def _write_pixels(path: Path, images: np.ndarray, labels: Sequence[str] | None, progress: bool) -> None:
    """Write one image per row, without `numpy.savetxt` or `csv.writer`, which take a minute for 70,000 images."""
    names = [b"pixel%d" % index for index in range(images[0].size)]
    with path.open("wb") as stream:
        stream.write(b",".join(names if labels is None else [b"label", *names]) + b"\n")
        for index, image in enumerate(show_progress(images, path.name, len(images), progress=progress)):
            if labels is not None:
                stream.write(labels[index].encode() + b",")
            stream.write(b",".join(map(_BYTES.__getitem__, image.tobytes())) + b"\n")


def _write_images(folder: Path, ids: range, images: np.ndarray, progress: bool) -> None:
    folder.mkdir()
    rows = show_progress(images, folder.name, len(images), progress=progress)
    for number, image in zip(ids, rows, strict=True):
        Image.fromarray(image).save(folder / f"{number}.png")


def _write_forms(folder: Path, header: tuple[str, str], ids: range, labels: Sequence[str]) -> None:
    _write_pairs(folder / SAMPLE, header, ids, ["0"] * len(ids))
    _write_pairs(folder / ANSWERS, header, ids, labels)


def _write_pairs(path: Path, header: tuple[str, str], ids: range, labels: Sequence[str]) -> None:
    lines = [",".join(header), *(f"{number},{label}" for number, label in zip(ids, labels, strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")

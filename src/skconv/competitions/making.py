"""The tutorials' competitions, made again from the data sets that their organisers took."""

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
    PIXEL_HEADER,
    SAMPLE,
    TEST,
    TEST_FOLDER,
    TRAIN,
    TRAIN_FOLDER,
    holds_competition,
)
from skconv.competitions.submissions import SubmissionForm
from skconv.data.catalog import CatalogEntry, get_entry, list_datasets
from skconv.data.locations import cache_folder, list_locations
from skconv.data.named import read_named
from skconv.data.splits import Splits
from skconv.exceptions import OutputError, UnknownNameError
from skconv.files import atomic_dir, check_new_folder
from skconv.progress import show_progress

_ID_HEADER = ("id", "label")
_BYTES = tuple(b"%d" % value for value in range(256))
# What the whole competitions want handed in: header, first and last id. Kaggle's and the organisers' own files agree.
_FORMS = {"kaggle-digits": (PIXEL_HEADER, 1, 28_000), "identify-the-apparels": (_ID_HEADER, 60_001, 70_000)}


def list_competitions() -> list[str]:
    """Return the names of the known competitions, sorted.

    Examples
    --------
    >>> list_competitions()
    ['identify-the-apparels', 'kaggle-digits']
    """
    return [name for name in list_datasets() if get_entry(name).form == "competition"]


def make_competition(
    name: str,
    folder: str | os.PathLike[str],
    *,
    data_home: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> Path:
    """Make a competition's files from the data set that has its images, without an account anywhere.

    The form is that of the organisers. The images of ``kaggle-digits`` are divided otherwise than Kaggle's,
    by a fixed draw of 3 in 5 of every class of all 70,000 digits; the same files come out every time. The
    labels to be found are in ``answers.csv``, which the organisers keep to themselves.

    Parameters
    ----------
    name : {"kaggle-digits", "identify-the-apparels"}
    folder : path-like
        The folder to make; it must not exist, or be empty. It appears as a whole or not at all.
    data_home : path-like, optional
        As in `load_dataset`, to look for MNIST or Fashion-MNIST.
    progress : bool, default=False
        Show a bar on standard error, if that is a terminal.

    Returns
    -------
    pathlib.Path
        The folder.

    Raises
    ------
    UnknownNameError
        There is no such competition.
    OutputError
        The folder holds something or cannot be written.
    SourceNotFoundError, DataError
        As in `load_dataset`, for the data set it is made from.

    Examples
    --------
    >>> folder = make_competition("kaggle-digits", "digits-competition")  # doctest: +SKIP
    >>> sorted(path.name for path in folder.iterdir())  # doctest: +SKIP
    ['answers.csv', 'sample_submission.csv', 'test.csv', 'train.csv']
    """
    if name not in list_competitions():
        raise UnknownNameError("competition", name, list_competitions())
    check_new_folder(folder)
    return _make(get_entry(name), Path(folder), data_home, download=True, progress=progress)


def find_competition(entry: CatalogEntry, data_home: str | os.PathLike[str] | None = None) -> Path | None:
    """Return the first of the places of named data sets that has a competition's files, or None."""
    return next((place.folder for place in list_locations(entry, data_home) if holds_competition(place.folder)), None)


def open_competition(
    entry: CatalogEntry,
    *,
    data_home: str | os.PathLike[str] | None = None,
    download: bool = True,
    progress: bool = False,
) -> Path:
    """Return the folder of a competition; one that is nowhere is made in the cache.

    Parameters and errors are those of `load_dataset`.
    """
    found = find_competition(entry, data_home)
    if found is not None:
        return found
    folder = cache_folder() / entry.folder
    try:
        return _make(entry, folder, data_home, download=download, progress=progress)
    except OutputError:
        if holds_competition(folder):  # another process has made it meanwhile
            return folder
        raise


def recognise_competition(form: SubmissionForm) -> CatalogEntry | None:
    """Tell which competition a folder holds whole, be it made here or downloaded, by what it wants handed in."""
    for name, (header, first, last) in _FORMS.items():
        entry = get_entry(name)
        if (form.header, len(form.ids), form.ids[0], form.ids[-1]) != (header, last - first + 1, str(first), str(last)):
            continue
        if form.class_labels == tuple(str(number) for number in range(len(entry.class_names))):
            return entry
    return None


def write_competition(name: str, folder: Path, splits: Splits, *, progress: bool = False) -> None:
    """Write the files of a competition, given the data set that it is made from.

    Parameters
    ----------
    name : {"kaggle-digits", "identify-the-apparels"}
    folder : pathlib.Path
        As in `make_competition`.
    splits : Splits
        Both splits, with labels as they are to stand in the files.
    progress : bool, default=False

    Raises
    ------
    OutputError
        As in `make_competition`.
    """
    write = {"kaggle-digits": _write_digits, "identify-the-apparels": _write_apparels}[name]
    with atomic_dir(folder) as beside:
        write(beside, splits, progress)


def _make(
    entry: CatalogEntry, folder: Path, data_home: str | os.PathLike[str] | None, *, download: bool, progress: bool
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
    _write_pairs(folder / TRAIN, _ID_HEADER, ids[:n_train], labels[:n_train])
    (folder / TEST).write_text("\n".join(["id", *map(str, ids[n_train:])]) + "\n", encoding="utf-8", newline="\n")
    _write_forms(folder, _ID_HEADER, ids[n_train:], labels[n_train:])
    _write_images(folder / TRAIN_FOLDER, ids[:n_train], images[:n_train], progress)
    _write_images(folder / TEST_FOLDER, ids[n_train:], images[n_train:], progress)


def _pool(splits: Splits) -> tuple[np.ndarray, list[str]]:
    tests = [] if splits.test_images is None else [splits.test_images]
    return np.concatenate([splits.train_images, *tests]), [*splits.train_labels, *(splits.test_labels or ())]


def _draw(labels: Sequence[str]) -> tuple[list[int], list[int]]:
    """Divide images 3 : 2, every class alike, and shuffle both parts; return their numbers."""
    counts = Counter(labels)
    shares = {label: counts[label] * 3 // 5 for label in sorted(counts)}
    # What rounding down has left over goes to the classes that lost most by it.
    lacking = len(labels) * 3 // 5 - sum(shares.values())
    for label in sorted(shares, key=lambda label: -(counts[label] * 3 % 5))[:lacking]:
        shares[label] += 1
    train: list[int] = []
    test: list[int] = []
    for index in _shuffle("which", range(len(labels))):
        shares[labels[index]] -= 1
        (train if shares[labels[index]] >= 0 else test).append(index)
    return _shuffle("train", train), _shuffle("test", test)


def _shuffle(seed: str, indices: Iterable[int]) -> list[int]:
    """Shuffle by hashes: no version of Python or NumPy draws them otherwise."""
    return sorted(indices, key=lambda index: hashlib.sha256(f"kaggle-digits {seed} {index}".encode()).digest())


def _write_pixels(path: Path, images: np.ndarray, labels: Sequence[str] | None, progress: bool) -> None:
    """Write an image a row; NumPy's and Python's own writers would take a minute for 70,000."""
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


def _write_forms(folder: Path, header: tuple[str, str], ids: range, answers: Sequence[str]) -> None:
    _write_pairs(folder / SAMPLE, header, ids, ["0"] * len(ids))
    _write_pairs(folder / ANSWERS, header, ids, answers)


def _write_pairs(path: Path, header: tuple[str, str], ids: range, labels: Sequence[str]) -> None:
    lines = [",".join(header), *(f"{number},{label}" for number, label in zip(ids, labels, strict=True))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")

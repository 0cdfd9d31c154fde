"""Loading a named data set: from the first place that has it whole, or from the network."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from skconv.data.catalog import CatalogEntry
from skconv.data.content import find_file, read_content, verify_content
from skconv.data.downloads import download_file
from skconv.data.idx import read_idx_folder
from skconv.data.locations import Location, cache_folder, list_locations
from skconv.data.npz import read_npz
from skconv.data.openml import fetch_usps
from skconv.data.splits import Splits
from skconv.exceptions import DataError, DownloadError, SourceNotFoundError


def read_named(
    entry: CatalogEntry,
    *,
    data_home: str | os.PathLike[str] | None = None,
    download: bool = True,
    progress: bool = False,
) -> tuple[Splits, str]:
    """Read a data set of the catalog; its checksums are verified wherever it is found.

    Parameters
    ----------
    entry : CatalogEntry
    data_home : path-like, optional
        As in `list_places`.
    download : bool, default=True
        Whether to go to the network for what is in no other place.
    progress : bool, default=False

    Returns
    -------
    splits : Splits
    source : str
        The folder or the service that it came from.

    Raises
    ------
    SourceNotFoundError
        It is in none of the places; all are named, with the reason. A failed download is the error's cause.
    DataError
        The user's own data home has a file of that name with other content.
    OutputError
        The cache cannot be written.
    """
    if entry.form == "scikit-learn":
        return _read_sklearn_digits(), "scikit-learn"
    tried: list[str] = []
    for place in list_locations(entry, data_home):
        missing = place.find_missing(entry)
        if missing:
            tried.append(f"{place.folder} ({'no ' + missing[0] if place.folder.is_dir() else 'no such folder'})")
            continue
        try:
            return _read_place(entry, place.folder), str(place.folder)
        except DataError as error:
            if place.chosen:
                raise
            tried.append(f"{place.folder} ({error})")
    if download:
        return _read_network(entry, tried, progress)
    raise _not_found(entry, [*tried, "the network (not asked for)"])


def _read_network(entry: CatalogEntry, tried: list[str], progress: bool) -> tuple[Splits, str]:
    try:
        if entry.openml:
            return fetch_usps(entry.openml, cache_folder() / "openml"), f"OpenML, data set {entry.openml}"
        place = Location(cache_folder() / entry.folder)
        for file in entry.files:
            present = find_file(place.folder, file.name)
            if present is None or not _is_intact(present, file.sha256):
                download_file(file, present or place.folder / f"{file.name}.gz", progress=progress)
        return _read_place(entry, place.folder), str(place.folder)
    except (DownloadError, SourceNotFoundError) as error:
        raise _not_found(entry, [*tried, f"the network ({error})"]) from error


def _is_intact(file: Path, sha256: str) -> bool:
    try:
        verify_content(file, sha256)
    except DataError:
        return False
    return True


def _not_found(entry: CatalogEntry, tried: list[str]) -> SourceNotFoundError:
    files = ", ".join(file.name for file in entry.files)
    return SourceNotFoundError(
        f"The data set '{entry.name}' was not found. Tried: {'; '.join(tried)}. Connect to the network, or put "
        f"{files} into a folder {entry.folder} and name the folder above it with --data-home or SKCONV_DATA."
    )


def _read_place(entry: CatalogEntry, folder: Path) -> Splits:
    checksums = {file.name: file.sha256 for file in entry.files}
    if entry.form == "idx":
        return read_idx_folder(folder, checksums)
    if entry.form == "npz":
        (file,) = entry.files
        path = folder / file.name
        verify_content(path, file.sha256)
        return read_npz(path)
    train, test = (_read_zipcode(folder, name, checksum) for name, checksum in checksums.items())
    return Splits(*train, *test)


def _read_zipcode(folder: Path, name: str, sha256: str) -> tuple[np.ndarray, list[str]]:
    """Read the text form of USPS: a digit, then 256 grey values in [-1, 1]."""
    lines = read_content(find_file(folder, name) or folder / name, sha256).decode("ascii").splitlines()
    values = np.loadtxt(lines, np.float32)
    images = np.rint((values[:, 1:] + 1) * 127.5).astype(np.uint8).reshape(-1, 16, 16)
    return images, [str(int(label)) for label in values[:, 0]]


def _read_sklearn_digits() -> Splits:
    from sklearn.datasets import load_digits

    digits = load_digits()
    # 0..16 there; every image file is 0..255, and a model must read both alike
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return Splits(images, [str(label) for label in digits.target])

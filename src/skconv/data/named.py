"""Loading of named data sets from local folders or verified downloads."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skconv.data.catalog import DATASETS, CatalogEntry, CatalogFile
from skconv.data.content import CACHE_REMEDY, cache_folder, find_file, open_content, verify_content
from skconv.data.dataset import Dataset, Splits
from skconv.data.idx_files import read_idx_folder
from skconv.data.npz_files import read_npz
from skconv.data.openml import fetch_usps
from skconv.exceptions import DataError, DownloadError, OutputError, SourceNotFoundError
from skconv.files import atomic_write, expand_home
from skconv.progress import is_terminal

_MAX_ATTEMPTS = 3
_PAUSE = 0.1  # seconds before the second attempt, ten times as long before the third


class Location(NamedTuple):
    """A folder to search for a data set; invalid files are skipped, or raise an error if the user has `chosen` it."""

    folder: Path
    chosen: bool = False

    def find_missing(self, entry: CatalogEntry) -> list[str]:
        """Return the names of the entry's files that are not in the folder."""
        return [file.name for file in entry.files if find_file(self.folder, file.name) is None]


def list_locations(entry: CatalogEntry, data_home: str | os.PathLike[str] | None = None) -> Iterator[Location]:
    """Yield the folders to search for a named data set: data home, cache, bundled data, system folders.

    `data_home` is by default the environment variable ``SKCONV_DATA``. Raise `SourceNotFoundError` if it does not
    exist.
    """
    if data_home is not None and not expand_home(data_home).is_dir():
        raise SourceNotFoundError(f"The folder {data_home} does not exist. Correct or omit --data-home.")
    home = data_home or os.environ.get("SKCONV_DATA")
    if home:
        yield Location(expand_home(home) / entry.folder, chosen=True)
    with suppress(OutputError):  # without a home there is no cache
        yield Location(cache_folder() / entry.folder)
    yield Location(Path(__file__).parent / "bundled" / entry.folder)
    for folder in entry.system_folders:
        yield Location(Path(folder))


def load_entry(
    entry: CatalogEntry,
    *,
    data_home: str | os.PathLike[str] | None = None,
    download: bool = True,
    progress: bool = False,
) -> Dataset:
    """Load the data set of a catalog entry; parameters and errors as in `load_dataset`."""
    if entry.form in ("competition", "made"):
        build = DATASETS.get(entry.name).build
        dataset = build(entry, data_home=data_home, download=download, progress=progress)
    else:
        splits, source = read_named(entry, data_home=data_home, download=download, progress=progress)
        dataset = splits.to_dataset(entry.name, source)
    if len(dataset.class_names) != len(entry.class_names):
        raise DataError(
            f"{dataset.source} has {len(dataset.class_names)} classes; expected {len(entry.class_names)} for "
            f"'{entry.name}'. Check its files."
        )
    return replace(dataset, name=entry.name, class_names=entry.class_names, licence=entry.licence)


def read_named(
    entry: CatalogEntry,
    *,
    data_home: str | os.PathLike[str] | None = None,
    download: bool = True,
    progress: bool = False,
) -> tuple[Splits, str]:
    """Read and verify the files of a named data set; return the splits and their source."""
    if entry.form == "scikit-learn":
        return _read_sklearn_digits(), "scikit-learn"
    tried: list[str] = []
    for location in list_locations(entry, data_home):
        missing = location.find_missing(entry)
        if missing:
            reason = f"no {missing[0]}" if location.folder.is_dir() else "no such folder"
            tried.append(f"{location.folder} ({reason})")
            continue
        try:
            return _read_folder(entry, location.folder), str(location.folder)
        except DataError as error:
            if location.chosen:
                raise
            tried.append(f"{location.folder} ({error})")
    if download:
        return _download_entry(entry, tried, progress)
    raise _not_found(entry, [*tried, "the network (download=False)"])


def _download_entry(entry: CatalogEntry, tried: list[str], progress: bool) -> tuple[Splits, str]:
    try:
        if entry.openml:
            return fetch_usps(entry.openml, cache_folder() / "openml"), f"OpenML, data set {entry.openml}"
        folder = cache_folder() / entry.folder
        for file in entry.files:
            present = find_file(folder, file.name) or folder / f"{file.name}.gz"
            try:
                verify_content(present, file.sha256)
            except DataError:  # missing or damaged
                download_file(file, present, progress=progress)
        return _read_folder(entry, folder), str(folder)
    except (DownloadError, SourceNotFoundError) as error:
        raise _not_found(entry, [*tried, f"the network ({error})"]) from error


def _not_found(entry: CatalogEntry, tried: list[str]) -> SourceNotFoundError:
    files = ", ".join(file.name for file in entry.files)
    return SourceNotFoundError(
        f"The data set '{entry.name}' was not found. Tried: {'; '.join(tried)}. Connect to the network, or put "
        f"{files} into a folder named {entry.folder} and pass its parent folder as --data-home or SKCONV_DATA."
    )


def _read_folder(entry: CatalogEntry, folder: Path) -> Splits:
    checksums = {file.name: file.sha256 for file in entry.files}
    if entry.form == "idx":
        return read_idx_folder(folder, checksums)
    if entry.form == "npz":
        (file,) = entry.files
        verify_content(folder / file.name, file.sha256)
        return read_npz(folder / file.name)
    train, test = (_read_zipcode(folder, name, checksum) for name, checksum in checksums.items())
    return Splits(*train, *test)


def _read_zipcode(folder: Path, name: str, sha256: str) -> tuple[np.ndarray, list[str]]:
    """Read USPS in text form: one line per image, with a digit and 256 grey values in [-1, 1]."""
    path = find_file(folder, name) or folder / name
    verify_content(path, sha256)
    with open_content(path) as stream:
        values = np.loadtxt(stream, np.float32)
    images = np.rint((values[:, 1:] + 1) * 127.5).astype(np.uint8).reshape(-1, 16, 16)
    return images, [str(int(label)) for label in values[:, 0]]


def _read_sklearn_digits() -> Splits:
    from sklearn.datasets import load_digits

    digits = load_digits()
    # Scale from 0..16 to 0..255, so that a model trained on them also accepts image files.
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    return Splits(images, [str(label) for label in digits.target])


def download_file(file: CatalogFile, target: Path, *, progress: bool = False, timeout: float = 30.0) -> str:
    """Download a file of the catalog, verify it, and return its URL.

    The URLs are tried in order, each up to three times if the connection breaks or the file is truncated, but only once
    after an HTTP error 4xx or a wrong checksum. Only a complete, verified file appears at `target`, whose folder is
    created. `timeout` is in seconds without data. The message of `DownloadError` has the reason for each URL.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder {target.parent} cannot be created: {error.strerror}. {CACHE_REMEDY}") from error
    reasons = []
    for url in file.addresses:
        for attempt in range(_MAX_ATTEMPTS):
            try:
                with atomic_write(target) as temporary:
                    _fetch(url, temporary, progress, timeout)
                    _verify_download(url, temporary, file.sha256)
                return url
            except _TransientError as error:
                reason = str(error)
                if attempt + 1 < _MAX_ATTEMPTS:
                    time.sleep(_PAUSE * 10**attempt)
            except DownloadError as error:
                reason = str(error)
                break
        reasons.append(reason)
    raise DownloadError("; ".join(reasons) or f"{file.name} has no download URL.")


class _TransientError(DownloadError):
    """A download error after which a retry may succeed."""


def _fetch(url: str, target: Path, progress: bool, timeout: float) -> None:
    import requests
    from pooch import HTTPDownloader

    fetch = HTTPDownloader(
        progressbar=progress and is_terminal(),
        timeout=timeout,
        chunk_size=1 << 16,
        headers={"Accept-Encoding": "identity"},
    )
    try:
        fetch(url, str(target), None)
    except requests.HTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        kind = DownloadError if 400 <= status < 500 else _TransientError
        raise kind(f"{url} returned HTTP status {status}") from error
    except requests.Timeout as error:
        raise DownloadError(f"{url} sent no data for {timeout:g} seconds") from error
    except requests.RequestException as error:
        raise _TransientError(f"{url}: the connection failed or was interrupted ({type(error).__name__})") from error


def _verify_download(url: str, file: Path, sha256: str) -> None:
    try:
        verify_content(file, sha256)
    except DataError as error:
        if isinstance(error.__cause__, EOFError):
            raise _TransientError(f"{url} sent a truncated file") from error
        raise DownloadError(f"{url} has other content than expected (the sha256 differs)") from error

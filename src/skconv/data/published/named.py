"""Loading of named data sets from local folders or verified downloads."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skconv.data.catalog.lookup import DATASETS, CatalogEntry, CatalogFile
from skconv.data.content import CACHE_REMEDY, cache_folder, find_file, verify_checksum, verify_content
from skconv.data.dataset import Dataset, Splits
from skconv.data.published.files import find_copy, read_copy, read_published
from skconv.data.published.image_archives import RESIZE
from skconv.data.published.openml import fetch_usps
from skconv.exceptions import DataError, DownloadError, OutputError, SourceNotFoundError
from skconv.files import atomic_write, expand_home
from skconv.progress import is_terminal

_MAX_ATTEMPTS = 3
_PAUSE = 0.1  # seconds before the second attempt, ten times as long before the third


class Location(NamedTuple):
    """A folder to search for a data set.

    Invalid files are skipped, or raise an error if the user has `chosen` the folder. In the data home (`is_home`), a
    copy in another form is used, too.
    """

    folder: Path
    chosen: bool = False
    is_home: bool = False

    def find_missing(self, entry: CatalogEntry) -> list[str]:
        """Return the names of the entry's files that are not in the folder."""
        return [file.name for file in entry.files if find_file(self.folder, file.name) is None]

    def find_copy(self, entry: CatalogEntry) -> Path | None:
        """Return the path of a copy in another form, as `published.find_copy` does, or None outside the data home."""
        return find_copy(entry, self.folder) if self.is_home else None


def list_locations(entry: CatalogEntry, data_home: str | os.PathLike[str] | None = None) -> Iterator[Location]:
    """Yield the folders to search for a named data set: data home, cache, bundled data, system folders.

    `data_home` is by default the environment variable ``SKCONV_DATA``. Data sets whose files have distinctive names are
    searched in the data home itself and in all of its folders. Raise `SourceNotFoundError` if it does not exist.
    """
    if data_home is not None and not expand_home(data_home).is_dir():
        raise SourceNotFoundError(f"The folder {data_home} does not exist. Correct or omit --data-home.")
    home = data_home or os.environ.get("SKCONV_DATA")
    if home:
        own = expand_home(home) / entry.folder
        yield Location(own, chosen=True, is_home=True)
        if entry.n_images is not None and entry.form != "idx":  # the names of IDX files are those of MNIST
            with suppress(OSError):
                folders = sorted(each for each in expand_home(home).iterdir() if each.is_dir() and each != own)
                yield from (Location(each, is_home=True) for each in (expand_home(home), *folders))
    with suppress(OutputError):  # without a home there is no cache
        yield Location(cache_folder() / entry.folder)
    yield Location(Path(__file__).parents[1] / "bundled" / entry.folder)
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
    resize = RESIZE if entry.form == "gtsrb" else None  # the other data sets have images of one size
    return replace(dataset, name=entry.path_name, class_names=entry.class_names, licence=entry.licence, resize=resize)


def read_named(
    entry: CatalogEntry,
    *,
    data_home: str | os.PathLike[str] | None = None,
    download: bool = True,
    progress: bool = False,
) -> tuple[Splits, str]:
    """Read and verify the files of a named data set; return the splits and their source.

    A copy in another form, or with another checksum, is used with a warning.
    """
    if entry.form == "scikit-learn":
        return _read_sklearn_digits(), "scikit-learn"
    tried: list[str] = []
    for location in list_locations(entry, data_home):
        missing = location.find_missing(entry)
        reason = f"no {missing[0]}" if missing and location.folder.is_dir() else "no such folder"
        invalid: DataError | None = None
        if not missing:
            try:
                return read_published(entry, location.folder, progress=progress), str(location.folder)
            except DataError as error:
                invalid, reason = error, str(error)
        copy = location.find_copy(entry)
        if copy is not None:
            splits = read_copy(entry, copy, progress=progress)
            warnings.warn(
                f"'{entry.name}' is read from {copy}, which is not in the published form; only the numbers and the "
                "size of its images were checked.",
                stacklevel=2,
            )
            return splits, str(copy)
        if invalid is not None and location.chosen:
            raise invalid
        if invalid is not None or location.chosen or not location.is_home:
            tried.append(f"{location.folder} ({reason})")
    if download:
        return _download_entry(entry, tried, progress)
    raise _not_found(entry, [*tried, "the network (download=False)"])


def _download_entry(entry: CatalogEntry, tried: list[str], progress: bool) -> tuple[Splits, str]:
    try:
        if entry.openml:
            return fetch_usps(entry.openml, cache_folder() / "openml"), f"OpenML, data set {entry.openml}"
        folder = cache_folder() / entry.folder
        for file in entry.files:
            present = find_file(folder, file.name) or folder / (file.name if file.checksum else f"{file.name}.gz")
            try:
                _verify(present, file)
            except DataError:  # missing or damaged
                download_file(file, present, progress=progress)
        return read_published(entry, folder, progress=progress), str(folder)
    except (DownloadError, SourceNotFoundError) as error:
        raise _not_found(entry, [*tried, f"the network ({error})"]) from error


def _verify(path: Path, file: CatalogFile) -> None:
    if file.checksum:
        verify_checksum(path, file.checksum)
    else:
        verify_content(path, file.sha256)


def _not_found(entry: CatalogEntry, tried: list[str]) -> SourceNotFoundError:
    files = ", ".join(file.name for file in entry.files)
    return SourceNotFoundError(
        f"The data set '{entry.name}' was not found. Tried: {'; '.join(tried)}. Connect to the network, or put "
        f"{files} into a folder named {entry.folder} and pass its parent folder as --data-home or SKCONV_DATA."
    )


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
                    _verify_download(url, temporary, file)
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


def _verify_download(url: str, path: Path, file: CatalogFile) -> None:
    try:
        _verify(path, file)
    except DataError as error:
        if isinstance(error.__cause__, EOFError):
            raise _TransientError(f"{url} sent a truncated file") from error
        kind = file.checksum.partition(":")[0] or "sha256"
        raise DownloadError(f"{url} has other content than expected (the {kind} differs)") from error

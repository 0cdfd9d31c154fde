"""Where the files of named data sets are looked for, and in which order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from skconv.data.catalog import CatalogEntry
from skconv.data.content import find_file
from skconv.exceptions import SourceNotFoundError


class Location(NamedTuple):
    """A folder that may hold a data set; `chosen` if the user named it, so that what is wrong there is told."""

    folder: Path
    chosen: bool = False

    def find_missing(self, entry: CatalogEntry) -> list[str]:
        """Return the names of the entry's files that are not here."""
        return [file.name for file in entry.files if find_file(self.folder, file.name) is None]


def cache_folder() -> Path:
    """Return the folder for downloads, the one the operating system has for such things."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("skconv"))


def list_locations(entry: CatalogEntry, data_home: str | os.PathLike[str] | None = None) -> Iterator[Location]:
    """List the folders that may hold a named data set, in the order to look.

    Parameters
    ----------
    entry : CatalogEntry
    data_home : path-like, optional
        The folder of data sets that goes before all others; by default the one the environment variable
        ``SKCONV_DATA`` names.

    Raises
    ------
    SourceNotFoundError
        `data_home` does not exist.
    """
    if data_home is not None and not Path(data_home).is_dir():
        raise SourceNotFoundError(f"There is no folder {data_home}. Pass --data-home with one, or leave it out.")
    home = data_home or os.environ.get("SKCONV_DATA")
    if home:
        yield Location(Path(home) / entry.folder, chosen=True)
    yield Location(cache_folder() / entry.folder)
    yield Location(Path(__file__).parent / "bundled" / entry.folder)
    for folder in entry.system_folders:
        yield Location(Path(folder))

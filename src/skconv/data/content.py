"""Access to data files: decompression, CSV tables, checksums, lookup by name, and the cache folder."""

from __future__ import annotations

import csv
import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from skconv.exceptions import DataError

MAX_DEFLATE_RATIO = 1032  # maximum ratio of decompressed to compressed size in the deflate format
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
_BLOCK = 1 << 20


def cache_folder() -> Path:
    """Return the user's cache folder for downloads and decoded images."""
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("skconv"))


@contextmanager
def open_content(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading its decompressed bytes; gzip is detected from the first two bytes.

    Raise `DataError` inside the block if the file is empty, unreadable, or a truncated or damaged gzip file.
    """
    try:
        with path.open("rb") as raw:
            start = raw.read(2)
            if not start:
                raise DataError(f"{path} is empty. Download or save it again.")
            raw.seek(0)
            if start == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=raw) as stream:
                    yield cast(BinaryIO, stream)
            else:
                yield raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is a truncated or damaged gzip file ({error}). Download it again.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


@contextmanager
def open_table(path: Path) -> Iterator[TextIO]:
    """Open a CSV file as text; raise `DataError` inside the block if it cannot be read or is not UTF-8."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            yield stream
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a text file ({error}). Save it as CSV in UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


@contextmanager
def open_rows(path: Path) -> Iterator[tuple[list[str], Iterator[tuple[str, list[str]]]]]:
    """Open a CSV file; yield its header and an iterator over the non-empty rows as (``"FILE, line N"``, cells).

    The iterator raises `DataError` for a row that differs in length from the header; other errors as in `open_table`.
    """
    with open_table(path) as stream:
        rows = csv.reader(stream)
        header = [cell.strip() for cell in next(rows, [])]

        def check_rows() -> Iterator[tuple[str, list[str]]]:
            for row in rows:
                if any(row):
                    where = f"{path}, line {rows.line_num}"
                    if len(row) != len(header):
                        raise DataError(
                            f"{where} has {len(row)} values, but the header has {len(header)}. "
                            "Correct or delete the line."
                        )
                    yield where, [cell.strip() for cell in row]

        yield header, check_rows()


def is_compressed(path: Path) -> bool:
    """Return whether a file is a gzip file."""
    with path.open("rb") as raw:
        return raw.read(2) == b"\x1f\x8b"


def find_file(folder: Path, name: str) -> Path | None:
    """Return the path of a file in a folder, or None; both spellings of IDX names match, with or without ``.gz``."""
    for spelling in (name, name.replace("-idx", ".idx")):
        for suffix in (".gz", ""):
            if (folder / (spelling + suffix)).is_file():
                return folder / (spelling + suffix)
    return None


def check_sha256(path: Path, found: str, expected: str) -> None:
    """Raise `DataError` if two checksums differ."""
    if found != expected:
        raise DataError(
            f"{path} has other content than expected (sha256 {found[:16]}…, expected {expected[:16]}…). "
            "Remove the file, or pass its folder as the source to skip this check."
        )


def verify_content(path: Path, sha256: str) -> None:
    """Raise `DataError` if the decompressed bytes do not have the checksum `sha256`, or as in `open_content`."""
    digest = hashlib.sha256()
    with open_content(path) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    check_sha256(path, digest.hexdigest(), sha256)

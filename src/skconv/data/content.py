"""The bytes of a file, decompressed where it is a gzip, and their checksum."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from skconv.exceptions import DataError

# Deflate cannot pack tighter than this: a file that claims more is cut off or lies.
MAX_DEFLATE_RATIO = 1032
_BLOCK = 1 << 20


@contextmanager
def open_content(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading its decompressed bytes; whether it is a gzip is told by its first bytes.

    Raises
    ------
    DataError
        Inside the block: the file is empty, a gzip that is cut off or damaged, or cannot be read.
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
        raise DataError(f"{path} is a cut-off or damaged gzip file ({error}). Download it again.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def is_compressed(path: Path) -> bool:
    """Tell whether a file is a gzip."""
    with path.open("rb") as raw:
        return raw.read(2) == b"\x1f\x8b"


def find_file(folder: Path, name: str) -> Path | None:
    """Find a file in a folder under any spelling in use: ``-idx3-`` or ``.idx3-``, with or without ``.gz``."""
    for spelling in (name, name.replace("-idx", ".idx")):
        for suffix in (".gz", ""):
            if (folder / (spelling + suffix)).is_file():
                return folder / (spelling + suffix)
    return None


def check_sha256(path: Path, found: str, expected: str) -> None:
    """Raise `DataError` unless two checksums of decompressed bytes are the same."""
    if found != expected:
        raise DataError(
            f"{path} holds other bytes than expected (sha256 {found[:16]}…, expected {expected[:16]}…). "
            "Take the file away; to use it as it is, pass its folder as the source."
        )


def read_content(path: Path, sha256: str) -> bytes:
    """Return a file's decompressed bytes, verified.

    Raises
    ------
    DataError
        As `verify_content`.
    """
    with open_content(path) as stream:
        content = stream.read()
    check_sha256(path, hashlib.sha256(content).hexdigest(), sha256)
    return content


def verify_content(path: Path, sha256: str) -> None:
    """Check the sha256 of a file's decompressed bytes, reading it once through.

    Distributors compress the same bytes differently, so the compressed file proves nothing.

    Raises
    ------
    DataError
        The file is unreadable, damaged, or holds other bytes.
    """
    digest = hashlib.sha256()
    with open_content(path) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    check_sha256(path, digest.hexdigest(), sha256)

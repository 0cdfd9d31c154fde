"""Access to data files: decompression, CSV tables, checksums, lookup by name, and the cache folder."""

from __future__ import annotations

import codecs
import csv
import gzip
import hashlib
import io
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from skconv.data.other_files import describe_other
from skconv.exceptions import DataError, OutputError
from skconv.files import expand_home

MAX_DEFLATE_RATIO = 1032  # maximum ratio of decompressed to compressed size in the deflate format
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_WEB_PAGE = re.compile(rb"(\xef\xbb\xbf)?\s*<(!doctype html|html)\b", re.IGNORECASE)
_FOREIGN = re.compile(rb"[\w\x80-\xff]*[\x80-\xff]+[\w\x80-\xff]*")  # words that are not ASCII
TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt", ".data", ".dat"})
_BLOCK = 1 << 20
CACHE_REMEDY = "Set the environment variable XDG_CACHE_HOME to a writable folder."


def is_table_name(path: Path) -> bool:
    """Return whether a file is a text table by its suffix, raw or compressed with gzip."""
    name = path.name.lower().removesuffix(".gz")
    return name.endswith(tuple(TABLE_SUFFIXES))


def cache_folder() -> Path:
    """Return the user's cache folder for downloads and decoded images; raise `OutputError` if the user has no home."""
    from platformdirs import user_cache_dir

    folder = Path()
    with suppress(RuntimeError):  # raised without a home; older versions return the path "~/.cache" unchanged
        folder = expand_home(user_cache_dir("skconv"))
    if not folder.is_absolute():
        raise OutputError(f"There is no cache folder, because this user has no home folder. {CACHE_REMEDY}")
    return folder


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
    """Open a text table, raw or compressed with gzip, in UTF-8, UTF-16 with a byte order mark, or Windows-1252.

    Raise `DataError` inside the block if it cannot be read or is not text.
    """
    if path.is_file() and path.stat().st_size == 0:
        yield io.StringIO()
        return
    try:
        with open_content(path) as content, io.TextIOWrapper(content, find_encoding(path)) as stream:
            yield stream
    except (UnicodeError, csv.Error) as error:
        raise DataError(f"{path} is not a text file ({error}). Save it as CSV in UTF-8.") from error


def find_encoding(path: Path) -> str:
    """Return the encoding of a text file; warn if it can only be guessed.

    Raise `DataError` if the content is not text: it has control characters, or an unusual first character.
    """
    decoder, is_utf8 = codecs.getincrementaldecoder("utf-8")(), True
    with open_content(path) as stream:
        block = start = stream.read(_BLOCK)
        if _WEB_PAGE.match(block):
            raise DataError(f"{path} is a web page, not a table. Download the file itself, perhaps after logging in.")
        if block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        while block:
            if _CONTROL.search(block):
                found = describe_other(path) or (
                    "is not a text file (it has control characters)",
                    "Save it as CSV in UTF-8.",
                )
                raise DataError(f"{path} {found[0]}. {found[1]}")
            following = stream.read(_BLOCK)
            try:
                if is_utf8:
                    decoder.decode(block, final=not following)
            except UnicodeDecodeError:
                is_utf8 = False
            block = following
    if is_utf8:
        return "utf-8-sig"
    first = start.lstrip()[:1].decode("cp1252", "replace")
    if not (first.isalnum() or first.isascii()):
        raise DataError(
            f"{path} is not a text file (its first bytes are {start[:4].hex(' ')}). Save it as CSV in UTF-8."
        )
    example = _FOREIGN.search(start)
    shown = f", with words such as '{example[0].decode('cp1252', 'replace')[:30]}'" if example else ""
    warnings.warn(
        f"{path} is not UTF-8 and is read as Windows-1252{shown}. If labels look wrong, save it as UTF-8.",
        stacklevel=2,
    )
    return "cp1252"


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


def verify_checksum(path: Path, checksum: str) -> None:
    """Raise `DataError` if the bytes of a file do not have a checksum "sha256:…" or "md5:…", or it cannot be read."""
    kind, _, expected = checksum.partition(":")
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    if digest != expected:
        raise DataError(
            f"{path} has other content than published ({kind} {digest[:16]}…, expected {expected[:16]}…). Remove the "
            "file to download it again."
        )

"""Reading of files in tar and zip archives and in folders, in memory and with limits."""

from __future__ import annotations

import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, cast

from skconv.data.content import open_content
from skconv.exceptions import DataError

MAX_MEMBERS = 1_000_000
MAX_BYTES = 2**31  # decompressed size of the files that are read, and of a whole tar archive
_BLOCK = 1 << 20
_MAX_BEYOND = 100  # reads beyond the end of a tar archive
_ZIP_START = b"PK\x03\x04"


def iterate_members(path: Path, accepts: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files in an archive or a folder for whose names `accepts` returns true.

    `path` is a zip archive, a tar archive, raw or compressed with gzip, or a folder, whose names are relative to it.
    Nothing is written to disk, and links in archives are not followed, so that names such as ``../x`` have no effect.
    Raise `DataError` for a damaged or truncated archive, for more than `MAX_MEMBERS` files, and for more than
    `MAX_BYTES` of content.
    """
    try:
        if path.is_dir():
            yield from _iterate_folder(path, accepts)
        elif _is_zip(path):
            yield from _iterate_zip(path, accepts)
        else:
            yield from _iterate_tar(path, accepts)
    except DataError:
        raise
    except Exception as error:  # tarfile, zipfile and zlib raise many exception types for damaged archives
        raise DataError(f"{path} is not a readable archive, or is damaged ({error}). Download it again.") from error


def list_members(path: Path) -> list[str]:
    """Return the names of the files in an archive or a folder; errors as in `iterate_members`."""
    names: list[str] = []

    def record(name: str) -> bool:
        names.append(name)
        return False

    for _ in iterate_members(path, record):
        pass
    return names


def _is_zip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_ZIP_START)) == _ZIP_START


def _iterate_folder(path: Path, accepts: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    files = sorted(Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    _check_limits(path, len(files), 0)
    for file in files:
        name = file.relative_to(path).as_posix()
        if accepts(name):
            if not file.is_file():  # reading a pipe or a device could block
                raise DataError(f"{file} is not a regular file. Remove it.")
            _check_limits(path, 0, file.stat().st_size)
            yield name, file.read_bytes()


def _iterate_zip(path: Path, accepts: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        files = [member for member in archive.infolist() if not member.is_dir()]
        _check_limits(path, len(files), 0)
        files = sorted((file for file in files if accepts(file.filename)), key=lambda file: file.filename)
        _check_limits(path, 0, sum(file.file_size for file in files))
        for file in files:
            content = bytearray()
            with archive.open(file) as stream:
                while block := stream.read(_BLOCK):  # in blocks, because the declared size may be wrong
                    content += block
            yield file.filename, bytes(content)


def _iterate_tar(path: Path, accepts: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    n_bytes = 0
    with (
        open_content(path) as content,
        tarfile.open(fileobj=cast(BinaryIO, _LimitedStream(content, path)), mode="r|") as archive,
    ):
        for number, member in enumerate(archive, start=1):
            _check_limits(path, number, 0)
            if not member.isreg() or not accepts(member.name):
                continue
            n_bytes += member.size  # a sparse member may be larger than the archive
            _check_limits(path, 0, n_bytes)
            stream = archive.extractfile(member)
            yield member.name, b"" if stream is None else stream.read()


class _LimitedStream:
    """Stream of the decompressed bytes of an archive, with an error after `MAX_BYTES`, and for reads beyond its end."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        self.stream, self.path, self.n_bytes, self.n_beyond = stream, path, 0, 0

    def read(self, size: int) -> bytes:
        block = self.stream.read(size)
        self.n_bytes += len(block)
        _check_limits(self.path, 0, self.n_bytes)
        self.n_beyond += not block
        if self.n_beyond > _MAX_BEYOND:  # tarfile skips a member of 2**60 bytes by as many reads
            raise DataError(f"{self.path} ends within one of its files. Download it again.")
        return block


def _check_limits(path: Path, n_files: int, n_bytes: int) -> None:
    if n_files > MAX_MEMBERS:
        raise DataError(f"{path} has more than {MAX_MEMBERS:,} files. Download it again, or remove the other files.")
    if n_bytes > MAX_BYTES:
        raise DataError(
            f"{path} has more than {MAX_BYTES:,} bytes after decompression. Download it again, or remove the other "
            "files."
        )

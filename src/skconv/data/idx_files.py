"""Reader of IDX files, the format of MNIST and EMNIST."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import os
import re
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import numpy as np

from skconv.data.catalog.lookup import IDX_NAMES
from skconv.data.content import MAX_DEFLATE_RATIO, check_sha256, find_file, is_compressed, open_content
from skconv.data.dataset import Splits
from skconv.data.emnist import IDX_SPLITS, correct_emnist, name_set, split_words
from skconv.data.folder_tree import is_excluded, is_hidden
from skconv.data.labels import name_labels
from skconv.exceptions import DataError, list_some
from skconv.images.formats import has_image_suffix
from skconv.text import format_count

_NAME = re.compile(r"idx\d|ubyte|\.idx\b", re.IGNORECASE)
_BLOCK = 1 << 20
_MAX_SEARCHED = 50  # entries per folder; a folder of IDX files has few
_KIND_WORDS = {**dict.fromkeys(("images", "image"), "images"), **dict.fromkeys(("labels", "label"), "labels")}


class _IdxFile(NamedTuple):
    """A file with the words of its name: set ("emnist-letters", or empty), split and kind ("images" or "labels")."""

    path: Path
    set: str
    split: str
    kind: str


def has_idx_files(path: Path, exclude: Sequence[str] = ()) -> bool:
    """Return whether a path is an IDX file, or a folder with IDX files at most two levels below, by file names.

    Files that match `exclude`, as in `skconv.data.folder_tree.read_tree`, do not count.
    """
    return any(True for _ in _find_files(path, exclude))


def read_idx_folder(path: Path, sha256: Mapping[str, str] | None = None, exclude: Sequence[str] = ()) -> Splits:
    """Read the IDX files of a folder, or of the data set that one of its files belongs to.

    Files are recognised by the words train, test, t10k, val, images and labels in their names; they may be in
    subfolders. Test and validation split are optional. Images of EMNIST are transposed, with a warning, because its
    files store columns first. `sha256` maps MNIST's file names without ``.gz`` to the expected checksums; `exclude` is
    as in `has_idx_files`. Raise `DataError` if a file is missing or invalid, if there are several data sets, or if the
    numbers of images and labels differ.
    """
    if sha256 is not None:
        return _read_mnist(path, sha256)
    chosen = _parse_name(path).set if path.is_file() else None
    folder = path.parent if path.is_file() else path
    files = [each for each in map(_parse_name, _find_files(folder, exclude)) if chosen in (None, each.set)]
    names = sorted({each.set for each in files})
    if len(names) > 1:
        named = ", ".join(f"'{name}'" if name else "an unnamed data set" for name in names)
        example = next(each.path for each in files if each.kind == "images")
        raise DataError(
            f"{folder} has {len(names)} data sets: {named}; expected one. Pass one of the files as the source, such as "
            f"{example}."
        )
    splits = {split: _read_split(folder, files, split, names[0]) for split in ("train", "test", "valid")}
    if splits["train"] is None:
        listed = list_some([each.path.name for each in files])
        raise DataError(
            f"{folder} has no IDX files of a training split; it has {listed}. Add "
            "train-images-idx3-ubyte and train-labels-idx1-ubyte."
        )
    return Splits(*splits["train"], *(splits["test"] or (None, None)), *(splits["valid"] or (None, None)))


def read_idx(path: Path, n_dimensions: int, sha256: str | None = None) -> np.ndarray:
    """Read an IDX file of unsigned bytes, raw or gzip: images if `n_dimensions` is 3, labels if it is 1.

    Raw files are memory-mapped, because they may be larger than RAM. `sha256` is the expected checksum of the
    decompressed bytes. Raise `DataError` for a wrong magic number, length or checksum, or a damaged file.
    """
    with open_content(path) as stream:
        header = stream.read(4 + 4 * n_dimensions)
        shape = _parse_idx_header(path, header, n_dimensions)
        n_values, n_stored = math.prod(shape), path.stat().st_size
        if is_compressed(path):
            fits = n_values <= MAX_DEFLATE_RATIO * n_stored  # a malicious header may declare 2**96 values
            content = stream.read(n_values + 1) if fits else b""
            n_found = len(content)
        else:
            content, n_found = None, n_stored - len(header)
    if n_found != n_values:
        raise _wrong_length(path, n_found, n_values)
    if content is not None:
        values = np.frombuffer(content, np.uint8).reshape(shape)
    elif n_values == 0:  # an empty array cannot be memory-mapped; `Dataset` raises an error for it
        values = np.zeros(shape, np.uint8)
    else:
        values = np.memmap(path, np.uint8, mode="r", offset=len(header), shape=shape)
    if sha256 is not None:
        digest = hashlib.sha256(header)
        digest.update(values.data)
        check_sha256(path, digest.hexdigest(), sha256)
    return values


def decode_idx(where: str, content: bytes, n_dimensions: int) -> np.ndarray:
    """Decode an IDX file held in memory, raw or gzip, as a writable array; parameters and errors as in `read_idx`.

    `where` is the name of the file for error messages.
    """
    is_gzip = content.startswith(b"\x1f\x8b")
    stream: BinaryIO = cast(BinaryIO, gzip.GzipFile(fileobj=io.BytesIO(content))) if is_gzip else io.BytesIO(content)
    try:
        shape = _parse_idx_header(where, stream.read(4 + 4 * n_dimensions), n_dimensions)
        n_values = math.prod(shape)
        if n_values > MAX_DEFLATE_RATIO * len(content):  # a malicious header may declare 2**96 values
            raise DataError(f"{where} has fewer bytes than the {n_values:,} declared in its header. Download it again.")
        values, n_found = np.empty(n_values, np.uint8), 0
        while block := stream.read(min(_BLOCK, n_values + 1 - n_found)):
            values[n_found : n_found + len(block)] = np.frombuffer(block, np.uint8)[: n_values - n_found]
            n_found += len(block)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{where} is a truncated or damaged gzip file ({error}). Download it again.") from error
    if n_found != n_values:
        raise _wrong_length(where, n_found, n_values)
    return values.reshape(shape)


def _wrong_length(where: Path | str, n_found: int, n_values: int) -> DataError:
    relation = "more" if n_found > n_values else "fewer"
    return DataError(f"{where} has {relation} bytes than the {n_values:,} declared in its header. Download it again.")


def _find_files(path: Path, exclude: Sequence[str]) -> Iterator[Path]:
    """Yield the files with the names of IDX files: `path`, or those in the folder `path` and two levels below."""
    if path.is_file():
        if _has_idx_name(path):
            yield path
        return
    level = [path]
    for _ in range(3):
        deeper: list[Path] = []
        for folder in level:
            try:
                with os.scandir(folder) as entries:
                    few = sorted(islice(entries, _MAX_SEARCHED), key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in few:
                if is_hidden(entry.name) or is_excluded(entry.path, path, exclude):
                    continue
                if entry.is_dir():
                    deeper.append(Path(entry.path))
                elif entry.is_file() and _has_idx_name(Path(entry.path)):
                    yield Path(entry.path)
        level = deeper[:_MAX_SEARCHED]


def _has_idx_name(path: Path) -> bool:
    """Return whether a file has the name of an IDX file; other formats have the suffix ``.idx`` too."""
    found = None if has_image_suffix(path.name) else _NAME.search(path.name)
    if found is None or found[0].lower() != ".idx":
        return found is not None
    try:
        with path.open("rb") as stream:
            return stream.read(2) in (b"\0\0", b"\x1f\x8b")
    except OSError:
        return False


def _parse_name(path: Path) -> _IdxFile:
    """Return the parts of a file name; the split is "train" if no word of the name is that of a split."""
    name = _NAME.sub("", path.name.removesuffix(".gz"))
    words = split_words(name)
    split = next((IDX_SPLITS[word] for word in words if word in IDX_SPLITS), "train")
    kind = next((_KIND_WORDS[word] for word in words if word in _KIND_WORDS), "")
    return _IdxFile(path, name_set(words, _KIND_WORDS), split, kind or _find_kind(path))


def _find_kind(path: Path) -> str:
    with open_content(path) as stream:
        return "labels" if stream.read(4)[3:] == b"\x01" else "images"


def _read_split(folder: Path, files: list[_IdxFile], split: str, set_name: str) -> tuple[np.ndarray, list[str]] | None:
    """Return images and labels of a split, or None if it has no files."""
    # Reversed, so that a file replaces its copies in subfolders; archives often contain each file twice.
    found = {each.kind: each.path for each in reversed(files) if each.split == split}
    if not found:
        return None
    for kind, other, number in (("images", "labels", "3"), ("labels", "images", "1")):
        if kind not in found:
            given = found[other].name
            name = re.sub(r"idx\d", f"idx{number}", given.replace(other, kind))
            raise DataError(f"{folder} has no {name.removesuffix('.gz')}, which belongs to {given}. Add the file.")
    images, labels = _read_pair(found["images"], found["labels"])
    return correct_emnist(found["images"], set_name, images, labels)


def _read_mnist(folder: Path, sha256: Mapping[str, str]) -> Splits:
    """Read MNIST's four files, or the two of the training split if the test split is missing."""
    train = _read_idx_pair(folder, "train", sha256)
    if not any(find_file(folder, name) for name in IDX_NAMES["test"]):
        return Splits(*train)
    return Splits(*train, *_read_idx_pair(folder, "test", sha256))


def _read_idx_pair(folder: Path, split: str, sha256: Mapping[str, str]) -> tuple[np.ndarray, list[str]]:
    images_name, labels_name = IDX_NAMES[split]
    files = _require_file(folder, images_name), _require_file(folder, labels_name)
    return _read_pair(*files, sha256.get(images_name), sha256.get(labels_name))


def _read_pair(
    images_file: Path, labels_file: Path, images_sha256: str | None = None, labels_sha256: str | None = None
) -> tuple[np.ndarray, list[str]]:
    images, labels = read_idx(images_file, 3, images_sha256), read_idx(labels_file, 1, labels_sha256)
    if len(images) != len(labels):
        raise DataError(
            f"{images_file} has {format_count(len(images), 'image')}, but {labels_file.name} has "
            f"{format_count(len(labels), 'label')}. Use two files of the same source."
        )
    return images, name_labels(str(labels_file), labels)


def _require_file(folder: Path, name: str) -> Path:
    file = find_file(folder, name)
    if file is None:
        raise DataError(f"{folder} has no {name} (or {name}.gz). Add the file.")
    return file


def _parse_idx_header(path: Path | str, header: bytes, n_dimensions: int) -> tuple[int, ...]:
    expected = bytes((0, 0, 8, n_dimensions))
    if header[:4] != expected:
        what = "images" if n_dimensions == 3 else "labels"
        raise DataError(
            f"{path} begins with the bytes {header[:4].hex(' ')}; an IDX file of {what} begins with "
            f"{expected.hex(' ')}. Are images and labels swapped, or is this another format?"
        )
    if len(header) < 4 + 4 * n_dimensions:
        raise DataError(f"{path} is truncated within its header. Download it again.")
    return struct.unpack(f">{n_dimensions}I", header[4:])

"""Reader of IDX, the file format of MNIST: a big-endian header, then the bytes."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from skconv.data.catalog import IDX_NAMES
from skconv.data.content import MAX_DEFLATE_RATIO, check_sha256, find_file, is_compressed, open_content
from skconv.data.conversion import name_labels
from skconv.data.dataset import Splits
from skconv.exceptions import DataError


def read_idx(path: Path, n_dimensions: int, sha256: str | None = None) -> np.ndarray:
    """Read an IDX file of unsigned bytes, raw or compressed with gzip.

    Parameters
    ----------
    path : pathlib.Path
        Raw files are memory-mapped, so that they may exceed the memory.
    n_dimensions : int
        3 for images, 1 for labels.
    sha256 : str, optional
        Expected checksum of the decompressed bytes.

    Raises
    ------
    DataError
        Wrong magic number, length or checksum, or an empty, truncated or damaged file.
    """
    header_length = 4 + 4 * n_dimensions
    with open_content(path) as stream:
        header = stream.read(header_length)
        shape = _read_header(path, header, n_dimensions)
        n_values, n_stored = math.prod(shape), path.stat().st_size
        if is_compressed(path):
            if n_values > MAX_DEFLATE_RATIO * n_stored:
                raise _wrong_length(path, "fewer", n_values)
            content = stream.read(n_values + 1)
            if len(content) != n_values:
                raise _wrong_length(path, "more" if len(content) > n_values else "fewer", n_values)
            values = np.frombuffer(content, np.uint8).reshape(shape)
        else:
            if n_stored != header_length + n_values:
                raise _wrong_length(path, "more" if n_stored > header_length + n_values else "fewer", n_values)
            values = _map_values(path, shape)
    if sha256 is not None:
        digest = hashlib.sha256(header)
        digest.update(values.data)
        check_sha256(path, digest.hexdigest(), sha256)
    return values


def has_idx_files(folder: Path) -> bool:
    """Return whether a folder has any of MNIST's four files."""
    return any(find_file(folder, name) for names in IDX_NAMES.values() for name in names)


def read_idx_folder(folder: Path, sha256: Mapping[str, str] | None = None) -> Splits:
    """Read MNIST's four files, or the two of the training split.

    `sha256` has the expected checksums by name without ``.gz``. `DataError` is raised if a file is missing or invalid,
    or if the numbers of images and labels differ.
    """
    train = _read_pair(folder, "train", sha256 or {})
    if not any(find_file(folder, name) for name in IDX_NAMES["test"]):
        return Splits(*train)
    return Splits(*train, *_read_pair(folder, "test", sha256 or {}))


def _read_pair(folder: Path, split: str, sha256: Mapping[str, str]) -> tuple[np.ndarray, list[str]]:
    images_name, labels_name = IDX_NAMES[split]
    images_file, labels_file = _require(folder, images_name), _require(folder, labels_name)
    images = read_idx(images_file, 3, sha256.get(images_name))
    labels = read_idx(labels_file, 1, sha256.get(labels_name))
    if len(images) != len(labels):
        raise DataError(
            f"{images_file} has {len(images):,} images, {labels_file.name} {len(labels):,} labels. "
            "Take both files from the same source."
        )
    return images, name_labels(str(labels_file), labels)


def _require(folder: Path, name: str) -> Path:
    file = find_file(folder, name)
    if file is None:
        raise DataError(f"{folder} has no {name} (or {name}.gz). Add the file.")
    return file


def _read_header(path: Path, header: bytes, n_dimensions: int) -> tuple[int, ...]:
    expected = bytes((0, 0, 8, n_dimensions))
    if header[:4] != expected:
        what = "images" if n_dimensions == 3 else "labels"
        raise DataError(
            f"{path} begins with {header[:4].hex(' ')}; an IDX file of {what} begins with {expected.hex(' ')}. "
            "Are images and labels swapped, or is this another format?"
        )
    if len(header) < 4 + 4 * n_dimensions:
        raise DataError(f"{path} is truncated within its header. Download it again.")
    return struct.unpack(f">{n_dimensions}I", header[4:])


def _map_values(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    if 0 in shape:
        return np.zeros(shape, np.uint8)  # an empty file cannot be mapped; `Dataset` raises the error
    return np.memmap(path, np.uint8, mode="r", offset=4 + 4 * len(shape), shape=shape)


def _wrong_length(path: Path, relation: str, n_values: int) -> DataError:
    return DataError(f"{path} has {relation} bytes than the {n_values:,} that its header gives. Download it again.")

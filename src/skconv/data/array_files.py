"""Readers of IDX files, the format of MNIST, and of NumPy's .npz archives."""

from __future__ import annotations

import hashlib
import math
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.lib import format as npy

from skconv.data.catalog import IDX_NAMES
from skconv.data.content import MAX_DEFLATE_RATIO, check_sha256, find_file, is_compressed, open_content
from skconv.data.conversion import as_images, as_uint8, name_labels
from skconv.data.dataset import Splits
from skconv.exceptions import DataError

# Lower-case keys of an .npz: images and labels of the training split, then those of the test split.
_KEYS: tuple[tuple[str, ...], ...] = (
    ("train_x", "train_y", "test_x", "test_y"),
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("images", "labels"),
    ("x", "y"),
)


def has_idx_files(folder: Path) -> bool:
    """Return whether a folder contains any of MNIST's four files."""
    return any(find_file(folder, name) for names in IDX_NAMES.values() for name in names)


def read_idx_folder(folder: Path, sha256: Mapping[str, str] | None = None) -> Splits:
    """Read MNIST's four files, or the two of the training split if the test split is missing.

    `sha256` maps file names without ``.gz`` to the expected checksums. Raise `DataError` if a file is missing or
    invalid, or if the numbers of images and labels differ.
    """
    train = _read_idx_pair(folder, "train", sha256 or {})
    if not any(find_file(folder, name) for name in IDX_NAMES["test"]):
        return Splits(*train)
    return Splits(*train, *_read_idx_pair(folder, "test", sha256 or {}))


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
        relation = "more" if n_found > n_values else "fewer"
        raise DataError(f"{path} has {relation} bytes than the {n_values:,} declared in its header. Download it again.")
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


def read_npz(path: Path, image_size: tuple[int, int] | None = None) -> Splits:
    """Read images and labels from an .npz archive without loading pickled objects.

    The keys are ``train_x, train_y[, test_x, test_y]``, ``x_train, y_train[, …]`` (Keras), ``train_images,
    train_labels[, …]``, ``images, labels`` or ``X, y``. Uncompressed uint8 arrays are memory-mapped, because they may
    be larger than RAM. `image_size` is the (height, width) of non-square images that are stored as rows.

    Raises
    ------
    DataError
        If the keys are unknown, the archive is damaged, an array has pickled objects, or a pixel is outside 0..255.
    """
    arrays = {name.lower(): name for name in _list_arrays(path)}
    keys = next((keys for keys in _KEYS if keys[0] in arrays and keys[1] in arrays), None)
    if keys is None:
        raise DataError(
            f"{path} has the keys {_enumerate(arrays.values())}; expected train_x and train_y, "
            "x_train and y_train, images and labels, or X and y."
        )
    train = _read_npz_pair(path, arrays[keys[0]], arrays[keys[1]], image_size)
    if len(keys) == 2 or keys[2] not in arrays or keys[3] not in arrays:
        return Splits(*train)
    return Splits(*train, *_read_npz_pair(path, arrays[keys[2]], arrays[keys[3]], image_size))


def read_npz_images(path: Path, image_size: tuple[int, int] | None = None) -> np.ndarray:
    """Read the images to predict from an .npz archive: test images, else training images, else the only array."""
    arrays = {name.lower(): name for name in _list_arrays(path)}
    candidates = [keys[2] for keys in _KEYS if len(keys) == 4] + [keys[0] for keys in _KEYS]
    name = next((arrays[key] for key in candidates if key in arrays), None)
    if name is None and len(arrays) == 1:
        (name,) = arrays.values()
    if name is None:
        raise DataError(f"{path} has the keys {_enumerate(arrays.values())}; expected 'images'. Rename the array.")
    return _read_npz_images(path, name, image_size)


def _read_idx_pair(folder: Path, split: str, sha256: Mapping[str, str]) -> tuple[np.ndarray, list[str]]:
    images_name, labels_name = IDX_NAMES[split]
    images_file, labels_file = _require_file(folder, images_name), _require_file(folder, labels_name)
    images = read_idx(images_file, 3, sha256.get(images_name))
    labels = read_idx(labels_file, 1, sha256.get(labels_name))
    if len(images) != len(labels):
        raise DataError(
            f"{images_file} has {len(images):,} images, but {labels_file.name} has {len(labels):,} labels. "
            "Use two files of the same source."
        )
    return images, name_labels(str(labels_file), labels)


def _require_file(folder: Path, name: str) -> Path:
    file = find_file(folder, name)
    if file is None:
        raise DataError(f"{folder} has no {name} (or {name}.gz). Add the file.")
    return file


def _parse_idx_header(path: Path, header: bytes, n_dimensions: int) -> tuple[int, ...]:
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


def _enumerate(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "no arrays"


def _read_npz_pair(
    path: Path, images_name: str, labels_name: str, image_size: tuple[int, int] | None
) -> tuple[np.ndarray, list[str]]:
    images = _read_npz_images(path, images_name, image_size)
    labels = name_labels(f"{path}[{labels_name}]", _read_array(path, labels_name))
    if len(images) != len(labels):
        raise DataError(
            f"{path} has {len(images):,} images in '{images_name}', but {len(labels):,} labels in "
            f"'{labels_name}'. Save one label per image."
        )
    return images, labels


def _read_npz_images(path: Path, name: str, image_size: tuple[int, int] | None) -> np.ndarray:
    where = f"{path}[{name}]"
    return as_uint8(where, as_images(where, _read_array(path, name), image_size))


def _list_arrays(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:  # ValueError: name not UTF-8
        raise DataError(f"{path} is not an .npz archive, or is truncated ({error}). Save it again.") from error


def _read_array(path: Path, name: str) -> np.ndarray:
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(f"{name}.npy")
            with archive.open(info) as stream:
                version_1 = npy.read_magic(stream) == (1, 0)
                read_header = npy.read_array_header_1_0 if version_1 else npy.read_array_header_2_0
                shape, fortran_order, dtype = read_header(stream)
                if dtype.hasobject:
                    raise DataError(
                        f"{path}[{name}] contains pickled objects and is refused, because loading them can run code. "
                        "Save an array of numbers or of text."
                    )
                header_length = stream.tell()
                if info.file_size != header_length + math.prod(shape) * dtype.itemsize:
                    raise DataError(f"{path}[{name}] differs in length from the shape in its header. Save it again.")
                order: Literal["C", "F"] = "F" if fortran_order else "C"
                if info.compress_type != zipfile.ZIP_STORED or dtype != np.uint8 or 0 in shape:
                    return np.frombuffer(stream.read(), dtype).reshape(shape, order=order)
            offset = _find_content(path, info) + header_length
            return np.memmap(path, np.uint8, mode="r", offset=offset, shape=shape, order=order)
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise many exception types for damaged archives
        raise DataError(f"{path}[{name}] is damaged or truncated ({error}). Save it again.") from error


def _find_content(path: Path, info: zipfile.ZipInfo) -> int:
    """Return the offset of an uncompressed member's data in the archive."""
    with path.open("rb") as raw:
        raw.seek(info.header_offset)
        # Read from the local header, because the lengths in the central directory may differ.
        name_length, extra_length = struct.unpack("<26xHH", raw.read(30))
    return info.header_offset + 30 + name_length + extra_length

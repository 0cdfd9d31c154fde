"""Reader of NumPy's .npz archives of images and labels."""

from __future__ import annotations

import math
import struct
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Literal

import numpy as np
from numpy.lib import format as npy

from skconv.data.conversion import arrange_axes, as_uint8, name_labels
from skconv.data.dataset import Splits
from skconv.exceptions import DataError

# In lower case: images and labels of the training split, then of the test split.
_KEYS: tuple[tuple[str, ...], ...] = (
    ("train_x", "train_y", "test_x", "test_y"),
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("images", "labels"),
    ("x", "y"),
)


def read_npz(path: Path, image_size: tuple[int, int] | None = None) -> Splits:
    """Read images and labels from an .npz without loading pickled objects.

    Uncompressed uint8 arrays are memory-mapped, so that they may exceed the memory.

    Parameters
    ----------
    path : pathlib.Path
        Archive with the keys ``train_x, train_y[, test_x, test_y]``, ``x_train, y_train[, …]`` (Keras),
        ``train_images, train_labels[, …]``, ``images, labels`` or ``X, y``.
    image_size : (height, width), optional
        Size of images that are stored as rows and are not square.

    Raises
    ------
    DataError
        Other format or keys, a damaged archive, pickled objects, or pixels outside 0..255.
    """
    arrays = {name.lower(): name for name in _list_arrays(path)}
    keys = next((keys for keys in _KEYS if keys[0] in arrays and keys[1] in arrays), None)
    if keys is None:
        raise DataError(
            f"{path} has the keys {_enumerate(arrays.values())}; expected train_x and train_y, "
            "x_train and y_train, images and labels, or X and y."
        )
    train = _read_pair(path, arrays[keys[0]], arrays[keys[1]], image_size)
    if len(keys) == 2 or keys[2] not in arrays or keys[3] not in arrays:
        return Splits(*train)
    return Splits(*train, *_read_pair(path, arrays[keys[2]], arrays[keys[3]], image_size))


def read_npz_images(path: Path, image_size: tuple[int, int] | None = None) -> np.ndarray:
    """Read images to predict from an .npz: the test split, the only array, or the images of `read_npz`."""
    arrays = {name.lower(): name for name in _list_arrays(path)}
    candidates = [keys[2] for keys in _KEYS if len(keys) == 4] + [keys[0] for keys in _KEYS]
    name = next((arrays[key] for key in candidates if key in arrays), None)
    if name is None and len(arrays) == 1:
        (name,) = arrays.values()
    if name is None:
        raise DataError(f"{path} has the keys {_enumerate(arrays.values())}; expected 'images'. Rename the array.")
    return _read_images(path, name, image_size)


def _enumerate(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "no arrays"


def _read_pair(
    path: Path, images_name: str, labels_name: str, image_size: tuple[int, int] | None
) -> tuple[np.ndarray, list[str]]:
    images = _read_images(path, images_name, image_size)
    labels = name_labels(f"{path}[{labels_name}]", _read_array(path, labels_name))
    if len(images) != len(labels):
        raise DataError(
            f"{path} has {len(images):,} images in '{images_name}' and {len(labels):,} labels in "
            f"'{labels_name}'. Save one label per image."
        )
    return images, labels


def _read_images(path: Path, name: str, image_size: tuple[int, int] | None) -> np.ndarray:
    where = f"{path}[{name}]"
    return as_uint8(where, arrange_axes(where, _read_array(path, name), image_size))


def _list_arrays(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:  # ValueError: name not UTF-8
        raise DataError(f"{path} is not an .npz archive, or truncated ({error}). Save it again.") from error


def _read_array(path: Path, name: str) -> np.ndarray:
    try:
        with zipfile.ZipFile(path) as archive:
            info = archive.getinfo(f"{name}.npy")
            with archive.open(info) as stream:
                shape, fortran_order, dtype = _read_header(stream)
                if dtype.hasobject:
                    raise DataError(
                        f"{path}[{name}] is a pickled object, which can run code when loaded; it is refused. "
                        "Save it as an array of numbers or of text."
                    )
                header_length = stream.tell()
                if info.file_size != header_length + math.prod(shape) * dtype.itemsize:
                    raise DataError(f"{path}[{name}] differs in length from its header. Save it again.")
                order: Literal["C", "F"] = "F" if fortran_order else "C"
                if info.compress_type != zipfile.ZIP_STORED or dtype != np.uint8 or 0 in shape:
                    return np.frombuffer(stream.read(), dtype).reshape(shape, order=order)
            offset = _find_start(path, info) + header_length
            return np.memmap(path, np.uint8, mode="r", offset=offset, shape=shape, order=order)
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy raise many types for damaged archives
        raise DataError(f"{path}[{name}] is damaged or truncated ({error}). Save it again.") from error


def _read_header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    if npy.read_magic(stream) == (1, 0):
        return npy.read_array_header_1_0(stream)
    return npy.read_array_header_2_0(stream)


def _find_start(path: Path, info: zipfile.ZipInfo) -> int:
    """Return the offset in the archive of the bytes of an uncompressed member."""
    with path.open("rb") as raw:
        raw.seek(info.header_offset)
        # From the local header, because the lengths in the central directory may differ.
        name_length, extra_length = struct.unpack("<26xHH", raw.read(30))
    return info.header_offset + 30 + name_length + extra_length

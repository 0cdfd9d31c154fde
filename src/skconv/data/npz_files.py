"""Reader of NumPy's .npz archives and .npy files, without pickled objects."""

from __future__ import annotations

import math
import re
import struct
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.lib import format as npy

from skconv.data.conversion import as_images, as_uint8, warn_if_dark
from skconv.data.dataset import Splits
from skconv.data.folder_tree import count_image_folders, is_excluded, list_files
from skconv.data.labels import name_labels
from skconv.data.split_names import SPLIT_WORDS, TEST, TRAIN, split_name
from skconv.exceptions import DataError
from skconv.text import format_count

_SPLITS = SPLIT_WORDS | {"tr": TRAIN, "te": TEST}
_KINDS = {
    **dict.fromkeys(("x", "image", "images", "img", "imgs", "data", "features", "pixels"), "images"),
    **dict.fromkeys(("y", "label", "labels", "target", "targets", "class", "classes"), "labels"),
}
_SPLIT, _KIND = "|".join(_SPLITS), "|".join(_KINDS)
# A name without separators: xtrain, train_images, data.
_KEY = re.compile(f"(?P<a>{_SPLIT})?(?P<kind>{_KIND})(?P<b>{_SPLIT})?")
_EXPECTED = "train_x and train_y, x_train and y_train, images and labels, or X and y"


@dataclass(frozen=True)
class _Arrays:
    """Arrays of an .npz archive by name, or `files` of one array each by the last words of their names."""

    path: Path
    names: list[str]
    files: Mapping[str, Path] | None = None

    @classmethod
    def open(cls, path: Path, exclude: Sequence[str] = ()) -> _Arrays:
        """List the arrays of an archive, of a folder, or of the files that belong to an .npy file or to an archive."""
        is_archive = path.suffix.lower() == ".npz"
        names = _list_arrays(path) if is_archive else []
        if len(names) > 1:
            return cls(path, names)
        folder = path if path.is_dir() else path.parent
        groups = _group_files(folder, exclude)
        if not path.is_dir():
            groups = {prefix: files for prefix, files in groups.items() if path in files.values()}
        complete = {prefix: files for prefix, files in groups.items() if _has_pair(files)}
        if len(complete) > 1:
            example = next(iter(next(iter(complete.values())).values()))
            raise DataError(
                f"{folder} has {len(complete)} data sets: {_enumerate(complete)}; expected one. Pass one of the files "
                f"as the source, such as {example}."
            )
        if is_archive and not complete:
            return cls(path, names)
        files = next(iter(complete.values()), {})
        for file in _list_files(folder, exclude):  # listed in a note
            if file not in files.values():
                # With the suffix, the name is not that of images or labels of the data set.
                is_other = file.stem in files or (files and parse_names([file.stem]))
                files[file.name if is_other else file.stem] = file
        return cls(folder, sorted(files), files)

    def where(self, name: str) -> str:
        """Return the place of an array for messages."""
        return f"{self.path}[{name}]" if self.files is None else str(self.files[name])

    def read(self, name: str) -> np.ndarray:
        """Return an array; uncompressed uint8 is memory-mapped."""
        if self.files is None:
            return _read_array(self.path, name)
        file = self.files[name]
        if file.suffix.lower() == ".npy":
            return _read_npy(file)
        names = _list_arrays(file)
        if len(names) != 1:
            raise DataError(
                f"{file} has the keys {_enumerate(names)}; expected one array. Pass it as the source to use them."
            )
        return _read_array(file, names[0])


def _list_files(folder: Path, exclude: Sequence[str]) -> list[Path]:
    """Return the .npz and .npy files in a folder; errors as in `list_files`."""
    return list_files(folder, lambda file: file.suffix.lower() in (".npz", ".npy"), exclude)


def _group_files(folder: Path, exclude: Sequence[str]) -> dict[str, dict[str, Path]]:
    """Return the files in a folder by the words before those of split and kind, as "kmnist" in kmnist-train-imgs.npz.

    The files of each group are named by the other words, such as "train-imgs". Other files are left out, and .npz files
    in a group whose .npy files include training images and labels.
    """
    groups: dict[str, dict[str, Path]] = {}
    for file in _list_files(folder, exclude):
        starts = [0, *(match.end() for match in re.finditer(r"[-_. ]+", file.stem))]
        start = next((start for start in starts if parse_names([file.stem[start:]])), None)
        if start is not None:
            groups.setdefault(file.stem[:start].rstrip("-_. "), {}).setdefault(file.stem[start:], file)
    for prefix, files in groups.items():
        arrays = {name: file for name, file in files.items() if file.suffix.lower() == ".npy"}
        groups[prefix] = arrays if _has_pair(arrays) else files
    return groups


def _has_pair(names: Iterable[str]) -> bool:
    """Return whether names include those of training images and of their labels."""
    roles = parse_names(names)
    return ("train", "images") in roles and ("train", "labels") in roles


def read_npz(path: Path, image_size: tuple[int, ...] | None = None, exclude: Sequence[str] = ()) -> Splits:
    """Read images and labels from an .npz archive, or from files of one array each, without loading pickled objects.

    The names are those of a split (train, val, test) and of images (``x``, ``images``, ``data``) or labels (``y``,
    ``labels``, ``target``), in any order: ``train_x``, ``x_train``, ``val_images``, ``X``. Without such names, the
    only two arrays are used if their shapes are those of images and labels. Warnings list the files, and the arrays
    that are not used. `path` is an archive, a folder of files with one array each (.npy, or .npz such as
    kmnist-train-imgs.npz and kmnist-train-labels.npz), or one of these files. Uncompressed uint8 arrays are
    memory-mapped, because they may be larger than RAM. `image_size` is as in `skconv.data.conversion.shape_rows`, and
    `exclude` contains patterns of files in a folder to leave out, as in `skconv.data.folder_tree.read_tree`.

    Raises
    ------
    DataError
        If the names are unknown, the archive is damaged, an array has pickled objects, or a pixel is outside 0..255.
    """
    arrays = _Arrays.open(path, exclude)
    pairs = _find_pairs(arrays)
    used = {name for pair in pairs.values() for name in pair}
    if arrays.files is not None:
        files = {split: [arrays.files[name].name for name in pair] for split, pair in pairs.items()}
        listed = [f"{split} images in '{first}', labels in '{second}'" for split, (first, second) in files.items()]
        warnings.warn(f"{arrays.path}: {'; '.join(listed)}.", stacklevel=2)
    ignored = [name for name in arrays.names if name not in used]
    if ignored:
        warnings.warn(f"{arrays.path}: these arrays are not used: {_enumerate(ignored)}.", stacklevel=2)
    read = {split: _read_pair(arrays, *pair, image_size) for split, pair in pairs.items()}
    return Splits(*read["train"], *read.get("test", (None, None)), *read.get("valid", (None, None)))


def read_npz_images(path: Path, image_size: tuple[int, ...] | None = None) -> np.ndarray:
    """Read images to predict from an archive: test images, else the only array, else the images of `read_npz`.

    `path` may also be an .npy file.
    """
    if path.suffix.lower() == ".npy":
        arrays = _Arrays(path.parent, [path.stem], {path.stem: path})
    else:
        arrays = _Arrays.open(path) if path.is_dir() else _Arrays(path, _list_arrays(path))
    by_role = parse_names(arrays.names)
    found = [names for split in ("test", "train", "valid") for names in [by_role.get((split, "images"))] if names]
    names = arrays.names if len(arrays.names) == 1 else (found or [[]])[0]
    if len(names) != 1:
        raise DataError(f"{path} has the keys {_enumerate(arrays.names)}; expected 'images'. Rename the array.")
    return _read_images(arrays, names[0], image_size)


def has_npy_pair(path: Path, exclude: Sequence[str] = ()) -> bool:
    """Return whether a path is an .npy file, or a folder with files of training images and of their labels.

    Beside class folders, such files are probably features or predictions of the images, unless they are .npy files
    whose names have no other words, such as X.npy and y.npy. `exclude` is as in `read_npz`.
    """
    if path.suffix.lower() == ".npy" and path.is_file():
        return True
    if not path.is_dir():
        return False
    pairs = {prefix: files for prefix, files in _group_files(path, exclude).items() if _has_pair(files)}
    is_plain = any(file.suffix.lower() == ".npy" for file in pairs.get("", {}).values())
    return bool(pairs) and (is_plain or not _has_class_folders(path, exclude))


def _has_class_folders(folder: Path, exclude: Sequence[str]) -> bool:
    """Return whether a folder, or a folder in it that is named after a split, contains several folders of images."""
    splits = [each for each in folder.iterdir() if split_name(each.name) is not None and each.is_dir()]
    splits = [each for each in splits if not is_excluded(each, folder, exclude)]
    return any(count_image_folders(each, exclude, folder) > 1 for each in (folder, *splits))


def parse_names(names: Iterable[str]) -> dict[tuple[str, str], list[str]]:
    """Return the names of arrays by split and kind ("images" or "labels"); other names are left out."""
    roles: dict[tuple[str, str], list[str]] = {}
    for name in names:
        match = _KEY.fullmatch(re.sub("[^a-z0-9]", "", name.lower()))
        if match and not (match["a"] and match["b"]):
            split = _SPLITS[match["a"] or match["b"] or "train"]
            roles.setdefault((split, _KINDS[match["kind"]]), []).append(name)
    return roles


def _find_pairs(arrays: _Arrays) -> dict[str, tuple[str, str]]:
    """Return the names of images and labels of each split that has both."""
    roles = parse_names(arrays.names)
    for (split, kind), names in roles.items():
        if len(names) > 1:
            raise DataError(
                f"{arrays.path} has several arrays of {split} {kind}: {_enumerate(names)}. Remove all but one."
            )
    pairs = {
        split: (roles[split, "images"][0], roles[split, "labels"][0])
        for split in ("train", "test", "valid")
        if (split, "images") in roles and (split, "labels") in roles
    }
    if "train" in pairs:
        return pairs
    if len(arrays.names) == 2:
        images, labels = sorted(arrays.names, key=lambda name: arrays.read(name).ndim, reverse=True)
        first, second = arrays.read(images), arrays.read(labels)
        if first.ndim > 1 and second.shape in ((len(first),), (len(first), 1)):
            warnings.warn(
                f"{arrays.path}: because of the shapes, '{images}' is used as images and '{labels}' as labels.",
                stacklevel=2,
            )
            return {"train": (images, labels)}
    raise DataError(
        f"{arrays.path} has the keys {_enumerate(arrays.names)}; expected {_EXPECTED}. "
        "Save both in one file: numpy.savez('data.npz', images=images, labels=labels)."
    )


def _read_pair(
    arrays: _Arrays, images_name: str, labels_name: str, image_size: tuple[int, ...] | None
) -> tuple[np.ndarray, list[str]]:
    stored, labels = arrays.read(images_name), arrays.read(labels_name)
    n_images, n_labels = (len(array) if array.ndim else 0 for array in (stored, labels))
    if n_images != n_labels:
        hint = "Save one label per image."
        if stored.ndim > 1 and stored.shape[-1] == n_labels:
            hint = f"The images are along the last axis; save np.moveaxis({images_name}, -1, 0)."
        raise DataError(
            f"{arrays.path} has {format_count(n_images, 'image')} in '{images_name}', but "
            f"{format_count(n_labels, 'label')} in '{labels_name}'. {hint}"
        )
    names = name_labels(arrays.where(labels_name), labels)
    images = _read_images(arrays, images_name, image_size)
    warn_if_dark(arrays.where(images_name), images)
    return images, names


def _read_images(arrays: _Arrays, name: str, image_size: tuple[int, ...] | None) -> np.ndarray:
    where = arrays.where(name)
    return as_uint8(where, as_images(where, arrays.read(name), image_size))


def _enumerate(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names)) or "no arrays"


def _read_npy(path: Path) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error
    except Exception as error:  # NumPy raises many exception types for damaged files
        if "pickle" in str(error) or "object" in str(error):
            raise _pickled(str(path)) from error
        raise DataError(f"{path} is damaged or truncated ({error}). Save it again.") from error
    return array if array.dtype == np.uint8 else np.asarray(array)


def _pickled(where: str) -> DataError:
    return DataError(
        f"{where} contains pickled objects and is refused, because loading them can run code. "
        "Save an array of numbers or of text."
    )


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
                    raise _pickled(f"{path}[{name}]")
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

"""Readers of image folders, with one folder per class or a CSV of labels; cache of decoded images."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import PIL

from skconv.data.content import cache_folder, open_rows
from skconv.data.conversion import sort_names
from skconv.data.dataset import Splits
from skconv.data.spec import DataSpec
from skconv.exceptions import DataError, OutputError, SourceNotFoundError
from skconv.files import atomic_write
from skconv.images.opening import IMAGE_SUFFIXES, convert_image, open_image
from skconv.images.spec import ImageSpec, map_in_threads
from skconv.progress import show_progress

MIN_CACHED = 1000  # images; decoding fewer takes less than a second
MAX_ENTRIES = 2  # per folder: `predict` reads only the test images of a competition's folder, `train` all
MAX_AGE = 30 * 24 * 60 * 60  # seconds since the last use of a cache entry

_CACHE_VERSION = 1  # increase it when decoding changes
_MAX_SIZES = 5  # image sizes listed in an error message
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def read_class_folders(spec: DataSpec, *, progress: bool = False) -> Splits:
    """Read a folder with one folder per class, or with folders ``train`` and ``test`` that contain class folders.

    The images are read as in `read_images`. Raise `DataError` for no or empty class folders, a file that is not
    an image, or images of different sizes.
    """
    folder = spec.path
    if not (folder / "train").is_dir():
        files, labels = _list_classes(folder)
        return Splits(read_images(files, spec, progress=progress), labels)
    files, labels = _list_classes(folder / "train")
    if not (folder / "test").is_dir():
        return Splits(read_images(files, spec, progress=progress), labels)
    test_files, test_labels = _list_classes(folder / "test")
    images = read_images([*files, *test_files], spec, progress=progress)
    return Splits(images[: len(files)], labels, images[len(files) :], test_labels)


def list_class_files(folder: Path) -> list[Path]:
    """Return the files in the order in which `read_class_folders` reads them; an empty list for other folders."""
    has_splits = (folder / "train").is_dir()
    parts = [folder / name for name in ("train", "test") if (folder / name).is_dir()] if has_splits else [folder]
    try:
        return [file for part in parts for file in _list_classes(part)[0]]
    except DataError:
        return []


def read_labelled_files(spec: DataSpec, *, progress: bool = False) -> Splits:
    """Read the images in the folder ``spec.images`` that are listed as ``id,label`` in the CSV ``spec.source``.

    The label is the column ``spec.label_column``, by default "label" or else the second; the id is the first other
    column: a file name, with or without suffix. Raise `DataError` for a row without label, an id with no image,
    two images or two labels, or as in `read_class_folders`.
    """
    folder = Path(spec.images or "")
    if not folder.is_dir():
        raise SourceNotFoundError(f"The folder of images {folder} does not exist. Pass an existing folder as --images.")
    labels = read_id_labels(spec.path, spec.label_column)
    files = find_images(spec.path, folder, list(labels))
    return Splits(read_images(files, spec, progress=progress), list(labels.values()))


def find_images(table: Path, folder: Path, names: Sequence[str]) -> list[Path]:
    """Return the image file in `folder` for each name, in order; names may omit the suffix.

    Raise `DataError` if a name has no image or two images; `table` is the file that lists the names.
    """
    by_name: dict[str, Path] = {}
    by_stem: dict[str, list[Path]] = {}
    for file in list_files(folder):
        name = file.name
        by_name[name] = file
        stem, dot, suffix = name.rpartition(".")  # Path.stem and Path.suffix are slow for many files
        if dot + suffix.lower() in IMAGE_SUFFIXES:
            by_stem.setdefault(stem, []).append(file)
    files: list[Path] = []
    missing: list[str] = []
    for name in names:
        found = [by_name[name]] if name in by_name else by_stem.get(name, [])
        if len(found) > 1:
            raise DataError(f"{folder} has {found[0].name} and {found[1].name} for the name '{name}'. Remove one.")
        files.extend(found)
        missing.extend([] if found else [name])
    if missing:
        raise DataError(
            f"{len(missing)} of the {len(names)} images listed in {table} are not in {folder}; "
            f"the first is '{missing[0]}'. Add the images, or pass another folder."
        )
    return files


def read_id_labels(table: Path, label_column: str | None = None) -> dict[str, str]:
    """Return the label of each id in a CSV of ``id,label`` with a header; errors as in `read_labelled_files`."""
    labels: dict[str, str] = {}
    with open_rows(table) as (header, rows):
        if len(header) < 2:
            raise DataError(f"{table} has {len(header)} columns; expected a header such as id,label, and rows.")
        if label_column is None:
            lowered = [name.lower() for name in header]
            label_at = lowered.index("label") if "label" in lowered else 1
        elif label_column in header:
            label_at = header.index(label_column)
        else:
            found = ", ".join(header[:5])
            raise DataError(f"{table} has no column '{label_column}'; it has {found}. Pass one of them.")
        for where, row in rows:
            name, label = row[1 if label_at == 0 else 0], row[label_at]
            if not (name and label):
                missing = "label" if name else "id"
                raise DataError(f"{where}: the {missing} is missing. Fill it in or delete the line.")
            if labels.setdefault(name, label) != label:
                raise DataError(f"{where}: '{name}' has the labels '{labels[name]}' and '{label}'. Delete one line.")
    if not labels:
        raise DataError(f"{table} has a header but no rows; expected lines of id,label.")
    return labels


def list_files(folder: Path) -> list[Path]:
    """Return the files of a folder, sorted, except hidden files and system files such as Thumbs.db."""
    return [path for path, is_folder in _list_entries(folder) if not is_folder]


def walk_files(folder: Path) -> list[Path]:
    """Return the files of a folder and all its subfolders, sorted; exceptions as in `list_files`."""
    files = list_files(folder)
    for path, is_folder in _list_entries(folder):
        if is_folder and not path.is_symlink():  # a link to a parent folder would cause infinite recursion
            files.extend(walk_files(path))
    return sorted(files)


def read_images(files: Sequence[Path], spec: DataSpec, *, progress: bool = False) -> np.ndarray:
    """Read image files into one uint8 array: (n, height, width) if all are grey, else (n, height, width, 3).

    ``spec.image_size`` and ``spec.normalize`` are applied; without them, all images must have the same size. Decoded
    images of large folders are cached, see `read_cached`.
    """
    if spec.normalize is None:
        return read_cached(files, spec.image_size, partial(_decode_images, files, spec.image_size, progress))
    target = ImageSpec.for_step(spec.normalize, spec.image_size)
    images = map_in_threads(lambda file: target.preprocess(open_image(file, longest=target.longest)), files)
    return np.stack(list(show_progress(images, "images", len(files), progress=progress)))


def _decode_images(files: Sequence[Path], image_size: tuple[int, int] | None, progress: bool) -> np.ndarray:
    images: list[np.ndarray] = []
    examples: dict[tuple[int, ...], Path] = {}
    for file in show_progress(files, "images", len(files), progress=progress):
        image = open_image(file)
        if image_size is not None:
            image = convert_image(image, *image_size, 1 if image.ndim == 2 else 3)
        examples.setdefault(image.shape[:2], file)
        if len(examples) == 1:
            images.append(image)
        elif len(examples) > _MAX_SIZES:
            break
    if len(examples) > 1:
        sizes = ", ".join(f"{h}×{w} ({file.name})" for (h, w), file in list(examples.items())[:_MAX_SIZES])
        more = " and more" if len(examples) > _MAX_SIZES else ""
        raise DataError(
            f"The images have different sizes (height×width): {sizes}{more}. "
            "Pass --image-size HEIGHTxWIDTH, such as 28x28, to resize all of them."
        )
    if any(image.ndim == 3 for image in images):
        images = [convert_image(image, image.shape[0], image.shape[1], 3) for image in images]
    return np.stack(images)


def _list_entries(folder: Path) -> list[tuple[Path, bool]]:
    """Return the entries of a folder, sorted by name, as pairs of path and whether it is a folder."""
    try:
        # os.scandir needs no stat call per entry; iterdir builds paths without parsing them.
        with os.scandir(folder) as entries:
            folders = {each.name: _is_folder(each) for each in entries}
        paths = {path.name: path for path in folder.iterdir()}
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be read: {error.strerror or error}.") from error
    return [
        (paths[name], is_folder)
        for name, is_folder in sorted(folders.items())
        if not name.startswith(".") and name.lower() not in _SYSTEM_FILES and name in paths
    ]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symbolic link to itself
        return False


def _list_classes(folder: Path) -> tuple[list[Path], list[str]]:
    """Return the files of all class folders and the label of each file."""
    classes = {path.name: path for path, is_folder in _list_entries(folder) if is_folder}
    if len(classes) < 2:
        found = f"only one folder, '{next(iter(classes))}'" if classes else "no folder per class"
        raise DataError(
            f"{folder} has {found}. Put the images of each class into a folder named after it; if a CSV of "
            "id,label has the labels, pass it as the source and the folder of the images as --images."
        )
    files: list[Path] = []
    labels: list[str] = []
    for name in sort_names(list(classes)):
        images = list_files(classes[name])
        if not images:
            deeper = any(is_folder for _, is_folder in _list_entries(classes[name]))
            hint = (
                f" If its subfolders are the classes, pass {classes[name]}." if deeper else " Add images or remove it."
            )
            raise DataError(f"The class folder {classes[name]} has no images.{hint}")
        files.extend(images)
        labels.extend([name] * len(images))
    return files, labels


def read_cached(
    files: Sequence[Path], image_size: tuple[int, int] | None, decode: Callable[[], np.ndarray]
) -> np.ndarray:
    """Return the decoded images of `files` as a read-only memory map of the cache; decode and cache them if needed.

    An entry is an ``.npy`` file. Its name is a hash of the path, size, modification and change time of every file in
    order, the image size, and the versions of this cache and of Pillow. If the cache cannot be read or written, the
    images are decoded each time. Fewer than `MIN_CACHED` files are not cached.
    """
    if len(files) < MIN_CACHED:
        return decode()
    size = None if image_size is None else (int(image_size[0]), int(image_size[1]))
    try:
        entry = _name_entry(files, size)
    except OSError:  # a file is missing; `decode` raises an error with its name
        return decode()
    cached = _read_entry(entry, len(files), size)
    if cached is not None:
        return cached
    images = decode()
    with suppress(OSError, OutputError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(entry) as temporary, temporary.open("wb") as stream:
            np.save(stream, images, allow_pickle=False)
        _remove_old_entries(entry)
    return images


def _name_entry(files: Sequence[Path], image_size: tuple[int, int] | None) -> Path:
    """Return the path of the cache entry for the current state of the files."""
    paths = [str(file) for file in files]
    folder = os.path.commonpath([min(paths), max(paths)])  # common to all paths, which sort between min and max
    prefix = hashlib.sha256(os.fsencode(Path(folder).resolve()))
    manifest = prefix.copy()
    manifest.update(repr((_CACHE_VERSION, PIL.__version__, image_size)).encode())
    for file, path in zip(files, paths, strict=True):
        status = file.stat()
        manifest.update(os.fsencode(path[len(folder) :].lstrip(os.sep)))
        # The change time (ctime) is included, because tools for archives and copies preserve the modification time.
        manifest.update(b"\0%d %d %d\0" % (status.st_size, status.st_mtime_ns, status.st_ctime_ns))
    return cache_folder() / "decoded-images" / f"{prefix.hexdigest()[:16]}-{manifest.hexdigest()}.npy"


def _read_entry(entry: Path, n: int, image_size: tuple[int, int] | None) -> np.ndarray | None:
    """Memory-map an entry; return None if it does not exist, is truncated or has another shape."""
    try:
        images = np.load(entry, mmap_mode="r", allow_pickle=False)
        complete = entry.stat().st_size == images.offset + images.nbytes
        shape = images.shape
        matches = len(shape) >= 3 and shape[0] == n and shape[3:] in ((), (3,)) and image_size in (None, shape[1:3])
        if not (complete and matches and images.dtype == np.uint8 and images.flags.c_contiguous):
            return None
    except Exception:  # NumPy raises many exception types for damaged files
        return None
    with suppress(OSError):  # the cache may be read-only
        os.utime(entry)
    return images


def _remove_old_entries(newest: Path) -> None:
    """Remove entries of any folder older than `MAX_AGE`, and all but the newest `MAX_ENTRIES` of this folder."""
    prefix, _, _ = newest.name.partition("-")
    ages = {file: time.time() - file.stat().st_mtime for file in newest.parent.iterdir()}
    of_folder = sorted((file for file in ages if file.name.startswith(prefix)), key=ages.__getitem__)
    for file, age in ages.items():
        if file in of_folder[MAX_ENTRIES:] or age > MAX_AGE:
            file.unlink(missing_ok=True)

"""Readers of image folders: one folder per class, or one folder and a CSV with the label of each image."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from skconv.data.content import open_table
from skconv.data.conversion import sort_names
from skconv.data.dataset import Splits
from skconv.data.image_cache import read_cached
from skconv.data.spec import DataSpec
from skconv.exceptions import DataError, SourceNotFoundError
from skconv.images.opening import IMAGE_SUFFIXES, convert_image, open_image
from skconv.images.spec import ImageSpec, map_in_threads
from skconv.progress import show_progress

_MAX_SIZES = 5  # listed in the error for images of different sizes
_SYSTEM_FILES = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def read_class_folders(spec: DataSpec, *, progress: bool = False) -> Splits:
    """Read a folder with one folder per class, or with folders ``train`` and ``test`` of that kind.

    `source`, `image_size` and `normalize` of `spec` are used; without the latter two all images must have the same
    size.

    Raises
    ------
    DataError
        No class folders, an empty one, a file that is no image, or images of different sizes.
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
    """Return the image files in the order of `read_class_folders`, training files first; empty for other folders."""
    has_splits = (folder / "train").is_dir()
    parts = [folder / name for name in ("train", "test") if (folder / name).is_dir()] if has_splits else [folder]
    try:
        return [file for part in parts for file in _list_classes(part)[0]]
    except DataError:
        return []


def read_labelled_files(spec: DataSpec, *, progress: bool = False) -> Splits:
    """Read the images in the folder ``spec.images`` that the CSV ``spec.source`` lists as ``id,label``.

    The label is the column ``spec.label_column``, by default "label" or else the second; the id is the first other
    column: a file name, with or without suffix.

    Raises
    ------
    DataError
        A row without label, an id with no image, two images or two labels, or errors of `read_class_folders`.
    """
    folder = Path(spec.images or "")
    if not folder.is_dir():
        raise SourceNotFoundError(f"There is no folder of images {folder}. Pass the right one as --images.")
    labels = read_id_labels(spec.path, spec.label_column)
    files = find_images(spec.path, folder, list(labels))
    return Splits(read_images(files, spec, progress=progress), list(labels.values()))


def find_images(table: Path, folder: Path, names: Sequence[str]) -> list[Path]:
    """Return the image file of each name in a folder, in order; names may lack the suffix.

    `DataError` is raised for a name, listed in `table`, with no image or with two.
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
            raise DataError(f"{folder} has {found[0].name} and {found[1].name}; which is '{name}'? Remove one.")
        files.extend(found)
        missing.extend([] if found else [name])
    if missing:
        raise DataError(
            f"{table} lists {len(missing)} of {len(names)} images that are not in {folder}; "
            f"the first is '{missing[0]}'. Is it the right folder?"
        )
    return files


def read_id_labels(table: Path, label_column: str | None = None) -> dict[str, str]:
    """Return the label of each id in a CSV of ``id,label`` with a header; errors as in `read_labelled_files`."""
    labels: dict[str, str] = {}
    with open_table(table) as stream:
        rows = csv.reader(stream)
        header = [cell.strip() for cell in next(rows, [])]
        id_at, label_at = _find_columns(table, header, label_column)
        for row in rows:
            if not any(row):
                continue
            where = f"{table}, line {rows.line_num}"
            if len(row) != len(header):
                raise DataError(f"{where} has {len(row)} values, the header {len(header)}. Correct or delete it.")
            name, label = row[id_at].strip(), row[label_at].strip()
            if not (name and label):
                missing = "label" if name else "id"
                raise DataError(f"{where}: the {missing} is missing. Fill it in or delete the line.")
            if labels.setdefault(name, label) != label:
                raise DataError(f"{where}: '{name}' has the label '{label}', before '{labels[name]}'. Delete one.")
    if not labels:
        raise DataError(f"{table} has a header but no rows; expected lines of id,label.")
    return labels


def list_files(folder: Path) -> list[Path]:
    """Return the files of a folder, sorted, without hidden files and those of operating systems."""
    return [path for path, is_folder in _list_entries(folder) if not is_folder]


def walk_files(folder: Path) -> list[Path]:
    """Return the files of a folder and all subfolders, sorted, as `list_files` does for one."""
    files = list_files(folder)
    for path, is_folder in _list_entries(folder):
        if is_folder and not path.is_symlink():  # a link to a parent folder would recurse for ever
            files.extend(walk_files(path))
    return sorted(files)


def read_images(files: Sequence[Path], spec: DataSpec, *, progress: bool = False) -> np.ndarray:
    """Open image files and stack them; decoded images of large folders are cached, see `read_cached`.

    Of `spec`, `image_size` and `normalize` are used; without them all images must have the same size.

    Returns
    -------
    ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
        Grey if every image is grey. May be a read-only memory map.
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
            "Pass --image-size HEIGHTxWIDTH, such as 28x28, to resize all."
        )
    if all(image.ndim == 2 for image in images):
        return np.stack(images)
    return np.stack([convert_image(image, image.shape[0], image.shape[1], 3) for image in images])


def _list_entries(folder: Path) -> list[tuple[Path, bool]]:
    """Return the visible content of a folder, sorted by name, each with whether it is a folder."""
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
    except OSError:  # a link to itself
        return False


def _list_classes(folder: Path) -> tuple[list[Path], list[str]]:
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
            hint = f" It has subfolders; is {classes[name]} the source?" if deeper else " Fill or remove it."
            raise DataError(f"The class folder {classes[name]} has no images.{hint}")
        files.extend(images)
        labels.extend([name] * len(images))
    return files, labels


def _find_columns(table: Path, header: list[str], label_column: str | None) -> tuple[int, int]:
    if len(header) < 2:
        raise DataError(f"{table} has {len(header)} columns; expected a header like id,label and rows below it.")
    if label_column is not None and label_column not in header:
        raise DataError(f"{table} has no column '{label_column}'; it has {', '.join(header[:5])}. Pass one of them.")
    names = [name.lower() for name in header]
    if label_column is not None:
        label_at = header.index(label_column)
    else:
        label_at = names.index("label") if "label" in names else 1
    return (1 if label_at == 0 else 0), label_at

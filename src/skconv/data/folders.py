"""Folders of image files: a folder per class, or one folder and a CSV that names each image's label."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from skconv.data.image_cache import read_cached
from skconv.data.labels import sort_names
from skconv.data.pixel_csv import open_table
from skconv.data.splits import Splits
from skconv.exceptions import DataError, SourceNotFoundError
from skconv.images.opening import IMAGE_SUFFIXES, convert_image, open_image
from skconv.images.spec import DIGIT_SIZE, ImageSpec, map_in_threads
from skconv.progress import show_progress

_SIZES_TOLD = 5
# What systems leave in folders without being asked.
_CLUTTER = frozenset({"thumbs.db", "desktop.ini", "__macosx"})


def read_class_folders(
    folder: Path,
    image_size: tuple[int, int] | None,
    *,
    normalization: str | None = None,
    progress: bool = False,
) -> Splits:
    """Read a folder with a folder per class, or with ``train`` and ``test`` folders of that kind.

    Parameters
    ----------
    folder : pathlib.Path
    image_size : (height, width) or None
        The size every image is brought to; None takes them as they are, if they all have one size.
    normalization : {"digit"} or None, default=None
        "digit": every image is brought into the form of MNIST first, whatever its size.
    progress : bool, default=False
        Show a bar on standard error, if that is a terminal.

    Raises
    ------
    DataError
        No class folders, an empty one, a file that is no image, or images of several sizes.
    """
    read = partial(read_images, image_size=image_size, normalization=normalization, progress=progress)
    if not (folder / "train").is_dir():
        files, labels = _list_classes(folder)
        return Splits(read(files), labels)
    files, labels = _list_classes(folder / "train")
    if not (folder / "test").is_dir():
        return Splits(read(files), labels)
    test_files, test_labels = _list_classes(folder / "test")
    images = read([*files, *test_files])
    return Splits(images[: len(files)], labels, images[len(files) :], test_labels)


def list_class_files(folder: Path) -> list[Path]:
    """Return the files of a folder in the order in which `read_class_folders` reads them, those for training first.

    Empty for a folder that is not of that kind.
    """
    parts = [folder / name for name in ("train", "test") if (folder / name).is_dir()]
    try:
        return [
            file for part in (parts if (folder / "train").is_dir() else [folder]) for file in _list_classes(part)[0]
        ]
    except DataError:
        return []


def read_labelled_files(
    table: Path,
    folder: Path,
    label_column: str | None,
    image_size: tuple[int, int] | None,
    *,
    normalization: str | None = None,
    progress: bool = False,
) -> Splits:
    """Read the images that a CSV of ``id,label`` names from a folder.

    Parameters
    ----------
    table : pathlib.Path
        With a header. The label is the column called `label_column`, else "label", else the second; the id is
        the first other column: a file's name, with or without its suffix.
    folder : pathlib.Path
        Where the images are.
    label_column : str or None
    image_size, normalization
        As in `read_class_folders`.
    progress : bool, default=False

    Raises
    ------
    DataError
        A row without a label, an id without an image or with two, one id with two labels, or what
        `read_class_folders` raises for images.
    """
    if not folder.is_dir():
        raise SourceNotFoundError(f"There is no folder of images {folder}. Pass --images with the right one.")
    labels = read_id_labels(table, label_column)
    files = find_images(table, folder, list(labels))
    images = read_images(files, image_size, normalization=normalization, progress=progress)
    return Splits(images, list(labels.values()))


def find_images(table: Path, folder: Path, names: Sequence[str]) -> list[Path]:
    """Find the image of each name in a folder, in the order of the names.

    Parameters
    ----------
    table : pathlib.Path
        Where the names stand, for the error.
    folder : pathlib.Path
    names : sequence of str
        Files' names, with or without their suffixes.

    Raises
    ------
    DataError
        A name without an image or with two.
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
            raise DataError(f"{folder} has {found[0].name} and {found[1].name}; which is '{name}'? Take one away.")
        files.extend(found)
        missing.extend([] if found else [name])
    if missing:
        raise DataError(
            f"{table} names {len(missing)} of {len(names)} images that are not in {folder}; "
            f"the first is '{missing[0]}'. Is it the right folder?"
        )
    return files


def read_id_labels(table: Path, label_column: str | None = None) -> dict[str, str]:
    """Read a CSV of ``id,label``, with a header, as the label of each id.

    Parameters and errors are those of `read_labelled_files`.
    """
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
                raise DataError(f"{where}: '{name}' is labelled '{label}', before '{labels[name]}'. Keep one.")
    if not labels:
        raise DataError(f"{table} has a header but no rows; expected lines of id,label.")
    return labels


def list_files(folder: Path) -> list[Path]:
    """Return the files of a folder, sorted, without hidden ones and systems' clutter."""
    return [path for path, is_folder in _list_entries(folder) if not is_folder]


def walk_files(folder: Path) -> list[Path]:
    """Return the files of a folder and of all folders inside, sorted, as `list_files` does for one."""
    files = list_files(folder)
    for path, is_folder in _list_entries(folder):
        # A link to a folder could lead back up, and so without end.
        if is_folder and not path.is_symlink():
            files.extend(walk_files(path))
    return sorted(files)


def read_images(
    files: Sequence[Path],
    image_size: tuple[int, int] | None,
    *,
    normalization: str | None = None,
    progress: bool = False,
) -> np.ndarray:
    """Open image files and stack them; many at once are decoded the first time only, see `read_cached`.

    Returns
    -------
    ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
        Grey if every image is grey. May be a read-only memory map.

    Raises
    ------
    DataError
        A file is no image (its name is told), or sizes differ and neither `image_size` nor `normalization` is given.
    """
    if normalization is None:
        return read_cached(files, image_size, partial(_decode_images, files, image_size, progress))
    form = ImageSpec(*(image_size or DIGIT_SIZE), 1, normalization)
    fitted = map_in_threads(lambda file: form.fit(open_image(file, longest=form.longest)), files)
    return np.stack(list(show_progress(fitted, "images", len(files), progress=progress)))


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
        elif len(examples) > _SIZES_TOLD:
            break
    if len(examples) > 1:
        told = ", ".join(f"{h}×{w} ({file.name})" for (h, w), file in list(examples.items())[:_SIZES_TOLD])
        more = " and more" if len(examples) > _SIZES_TOLD else ""
        raise DataError(
            f"The images have different sizes (height×width): {told}{more}. "
            "Pass --image-size HEIGHTxWIDTH, as in 28x28, to bring all to one."
        )
    if all(image.ndim == 2 for image in images):
        return np.stack(images)
    return np.stack([convert_image(image, image.shape[0], image.shape[1], 3) for image in images])


def _list_entries(folder: Path) -> list[tuple[Path, bool]]:
    """Return what is in a folder, sorted by name, without clutter, each with whether it is a folder."""
    try:
        # os.scandir knows folders from files without asking for each; iterdir makes paths without parsing them.
        with os.scandir(folder) as entries:
            folders = {each.name: _is_folder(each) for each in entries}
        paths = {path.name: path for path in folder.iterdir()}
    except OSError as error:
        raise DataError(f"The folder {folder} cannot be read: {error.strerror or error}.") from error
    return [
        (paths[name], is_folder)
        for name, is_folder in sorted(folders.items())
        if not name.startswith(".") and name.lower() not in _CLUTTER and name in paths
    ]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _list_classes(folder: Path) -> tuple[list[Path], list[str]]:
    classes = {path.name: path for path, is_folder in _list_entries(folder) if is_folder}
    if len(classes) < 2:
        found = f"only one folder, '{next(iter(classes))}'" if classes else "no folder per class"
        raise DataError(
            f"{folder} has {found}. Put the images of each class into a folder named after it; if a CSV of "
            "id,label names the classes, pass it as the source and the images' folder as --images."
        )
    files: list[Path] = []
    labels: list[str] = []
    for name in sort_names(list(classes)):
        images = list_files(classes[name])
        if not images:
            deeper = any(is_folder for _, is_folder in _list_entries(classes[name]))
            hint = f" It holds folders; is {classes[name]} the source?" if deeper else " Fill it or take it away."
            raise DataError(f"The class folder {classes[name]} holds no images.{hint}")
        files.extend(images)
        labels.extend([name] * len(images))
    return files, labels


def _find_columns(table: Path, header: list[str], label_column: str | None) -> tuple[int, int]:
    if len(header) < 2:
        raise DataError(f"{table} has {len(header)} columns; expected a header like id,label and rows below it.")
    if label_column is not None and label_column not in header:
        raise DataError(f"{table} has no column '{label_column}', but {', '.join(header[:5])}. Pass one of them.")
    names = [name.lower() for name in header]
    if label_column is not None:
        label_at = header.index(label_column)
    else:
        label_at = names.index("label") if "label" in names else 1
    return (1 if label_at == 0 else 0), label_at

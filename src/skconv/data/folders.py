"""Readers of image folders, by class or with a CSV of labels."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from skconv.data.content import open_rows
from skconv.data.dataset import Splits
from skconv.data.folder_layout import SPLITS, FileSplit, find_layout
from skconv.data.folder_tree import list_visible
from skconv.data.image_files import DecodedImages, decode_files
from skconv.data.spec import DataSpec
from skconv.data.splitting import choose_classes
from skconv.exceptions import DataError, SourceNotFoundError
from skconv.images.formats import IMAGE_SUFFIXES


def read_class_folders(spec: DataSpec, *, progress: bool = False) -> Splits:
    """Read a folder with one folder per class, or with folders of splits that contain class folders.

    Classes and splits are found by `find_layout`, whose notes are printed as warnings, and the images are read by
    `decode_files`. Raise `DataError` for fewer than two classes, or images that cannot be read.
    """
    layout = find_layout(spec.path, spec.exclude)
    for note in layout.notes:
        warnings.warn(note, stacklevel=2)
    training = layout.splits["train"]
    elsewhere = {label for name in SPLITS[1:] if name in layout.splits for label in layout.splits[name].labels}
    drop = [name for name in spec.drop_class or () if name in training.labels or name not in elsewhere]
    chosen = choose_classes(str(spec.path), training.labels, drop, spec.min_class_size)
    dropped = set(training.labels) - chosen | set(spec.drop_class or ())
    splits = [layout.splits.get(name, FileSplit()).without(dropped) for name in SPLITS]
    files = [file for split in splits for file in split.files]
    decoded = decode_files(files, spec, progress=progress)
    labels = [label for split in splits for label in split.labels]
    ends = np.searchsorted(decoded.positions, np.cumsum([0, *(len(split.files) for split in splits)])).tolist()
    train, valid, test = (_take(decoded, labels, slice(*each)) for each in pairwise(ends))
    if train[0] is None:
        raise DataError(f"None of the training images in {spec.path} can be read. Save or download them again.")
    found = Splits(*train, *test, *valid, [files[position] for position in decoded.positions])
    _note_copies(found)
    return found


def _take(decoded: DecodedImages, labels: Sequence[str], part: slice) -> tuple[Any, Any]:
    """Return images and labels of a split; None and None if it is empty."""
    if part.start == part.stop:
        return None, None
    return decoded.images[part], [labels[position] for position in decoded.positions[part]]


def list_class_files(folder: Path) -> list[Path]:
    """Return the image files in the order of `read_class_folders`, training files first; empty for other folders."""
    try:
        layout = find_layout(folder, ())
    except DataError:
        return []
    return [file for name in SPLITS if name in layout.splits for file in layout.splits[name].files]


def _note_copies(splits: Splits) -> None:
    """Warn about images of the validation and test split that are also training images."""
    held_out = {"validation": splits.valid_images, "test": splits.test_images}
    if all(images is None for images in held_out.values()):
        return
    known = set(_hash_images(splits.train_images))
    for name, images in held_out.items():
        copies = sum(digest in known for digest in _hash_images(images)) if images is not None else 0
        if images is not None and copies:
            warnings.warn(
                f"{copies:,} of the {len(images):,} {name} images are also training images, so that the {name} "
                "accuracy is too high. 'skconv audit' lists them; remove them from one of the splits.",
                stacklevel=3,
            )


def _hash_images(images: np.ndarray) -> Iterator[bytes]:
    return (hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).digest() for image in images)


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
    decoded = decode_files(files, spec, progress=progress)
    names = list(labels.values())
    return Splits(
        decoded.images,
        [names[position] for position in decoded.positions],
        files=[files[position] for position in decoded.positions],
    )


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
    """Return the files of a folder, sorted, without hidden files and those of operating systems."""
    return [path for path, is_folder in list_visible(folder) if not is_folder]


def walk_files(folder: Path) -> list[Path]:
    """Return the files of a folder and all subfolders, sorted, as `list_files` does for one."""
    files = list_files(folder)
    for path, is_folder in list_visible(folder):
        if is_folder and not path.is_symlink():  # a link to a parent folder would cause infinite recursion
            files.extend(walk_files(path))
    return sorted(files)

"""Reader of image folders with one folder per class."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from skconv.data.dataset import Splits
from skconv.data.folders.layout import SPLITS, FileSplit, find_layout
from skconv.data.folders.split_tables import note_split_tables
from skconv.data.folders.table_files import check_tables
from skconv.data.folders.table_groups import find_table_groups
from skconv.data.groups import NO_GROUPS, ImageGroups, find_folder_groups, find_named_folders, find_series, match_groups
from skconv.data.image_files import DecodedImages, decode_files
from skconv.data.label_pattern import compile_pattern
from skconv.data.spec import DataSpec
from skconv.data.splitting import choose_classes, hash_images, warn_of_empty_split
from skconv.exceptions import DataError


def read_class_folders(spec: DataSpec, *, progress: bool = False) -> Splits:
    """Read a folder with one folder per class, or with folders of splits that contain class folders.

    Classes and splits are found by `find_layout`, whose notes are printed as warnings, and the images are read by
    `decode_files`. Raise `DataError` for fewer than two classes, or images that cannot be read.
    """
    pattern = None if spec.given_groups is None else compile_pattern(spec.given_groups, "groups")
    layout = find_layout(spec.path, spec.exclude, spec.class_level, spec.label_pattern)
    for note in layout.notes:
        warnings.warn(note, stacklevel=2)
    used = [split for split in layout.splits.values() if split.files]
    check_tables(
        layout.tables,
        [file for split in used for file in split.files],
        [label for split in used for label in split.labels],
        spec.path,
    )
    if len(used) == 1:
        note_split_tables(layout.tables, used[0].files, spec.path)
    training = layout.splits["train"]
    elsewhere = {label for name in SPLITS[1:] if name in layout.splits for label in layout.splits[name].labels}
    drop = [name for name in spec.drop_class or () if name in training.labels or name not in elsewhere]
    unknown = sorted(elsewhere - set(training.labels) - set(spec.drop_class or ()))
    if unknown:
        raise DataError(
            f"{spec.path}: the class '{unknown[0]}' has validation or test images, but no training images. Add "
            f"training images, or pass --drop-class '{unknown[0]}' to leave it out."
        )
    chosen = choose_classes(str(spec.path), training.labels, drop, spec.min_class_size)
    dropped = set(training.labels) - chosen | set(spec.drop_class or ())
    splits = [layout.splits.get(name, FileSplit()).without(dropped) for name in SPLITS]
    for name, split in zip(SPLITS, splits, strict=True):
        if name in layout.splits and not split.files:
            warn_of_empty_split(str(spec.path), name)
    files = [file for split in splits for file in split.files]
    decoded = decode_files(files, spec, progress=progress)
    labels = [label for split in splits for label in split.labels]
    ends = np.searchsorted(decoded.positions, np.cumsum([0, *(len(split.files) for split in splits)])).tolist()
    train, valid, test = (_take(decoded, labels, slice(*each)) for each in pairwise(ends))
    if train[0] is None:
        raise DataError(f"None of the training images in {spec.path} can be read. Save or download them again.")
    files = [files[position] for position in decoded.positions]
    if pattern is None:
        labels = [labels[position] for position in decoded.positions]
        groups = _find_groups(files, labels, layout.tables, spec, ends[1])
    else:
        groups = match_groups(files, pattern, spec.path)
    found = Splits(*train, *test, *valid, files, groups)
    _note_copies(found)
    return found


def _find_groups(
    files: Sequence[Path], labels: Sequence[str], tables: Sequence[Path], spec: DataSpec, n_train: int
) -> ImageGroups | None:
    """Return the groups of images by a table, by folders that are neither classes nor splits, or by the file names."""
    if spec.groups == NO_GROUPS:
        return None
    found = find_table_groups(tables, files, labels, spec.path, n_train) if tables else None
    found = found or find_named_folders(files, labels, spec.path, n_train)
    # With a label pattern, the names may contain other attributes than the class.
    if found is not None or spec.label_pattern is not None:
        return found
    by_folder = find_folder_groups(files, labels, spec.path, n_train) if spec.class_level is not None else None
    return by_folder or find_series(files, labels, n_train)


def _take(decoded: DecodedImages, labels: Sequence[str], part: slice) -> tuple[Any, Any]:
    """Return images and labels of a split; None and None if it is empty."""
    if part.start == part.stop:
        return None, None
    return decoded.images[part], [labels[position] for position in decoded.positions[part]]


def _note_copies(splits: Splits) -> None:
    """Warn about images of the validation and test split that are also training images."""
    splits_by_name = {"validation": splits.valid_images, "test": splits.test_images}
    held_out = {name: images for name, images in splits_by_name.items() if images is not None}
    known = set(hash_images(splits.train_images)) if held_out else set()
    for name, images in held_out.items():
        copies = sum(digest in known for digest in hash_images(images))
        if copies:
            warnings.warn(
                f"The training images contain {copies:,} of the {len(images):,} {name} images, so the {name} accuracy "
                "is too high. List the copies with 'skconv audit', and remove them from one of the splits.",
                stacklevel=3,
            )

"""Registration of the built-in formats: CSV, pairs of CSV files, .npz and .npy, IDX files, class folders."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from skconv.data.content import is_table_name
from skconv.data.conversion import shape_rows
from skconv.data.dataset import Dataset, Splits
from skconv.data.emnist import correct_emnist, parse_table_name
from skconv.data.folder_tree import count_excluded
from skconv.data.folders.class_folders import read_class_folders
from skconv.data.idx_files import has_idx_files, read_idx_folder
from skconv.data.npz_files import has_npy_pair, read_npz, read_npz_images
from skconv.data.spec import FOLDER_OPTIONS, FORMATS, DataSpec, Format, list_formats
from skconv.data.tables.csv_arrays import find_csv_images, has_csv_pair, read_csv_pairs
from skconv.data.tables.image_tables import (
    list_named_files,
    lists_images,
    read_labelled_files,
    read_labelled_frame,
    split_rows,
)
from skconv.data.tables.other_splits import note_other_splits
from skconv.data.tables.pixel_csv import read_pixel_csv
from skconv.exceptions import ParameterError, SkconvError
from skconv.images.spec import ImageSpec
from skconv.text import format_count

_EXCLUDE = frozenset({"exclude"})  # of `FOLDER_OPTIONS`


def is_table(path: Path) -> bool:
    """Return whether a path is an existing file with a suffix of CSV files."""
    return is_table_name(path) and path.is_file()


def read_pixel_rows(spec: DataSpec, model: ImageSpec) -> tuple[np.ndarray, bool]:
    """Read images to predict from a CSV of pixels; also return whether the file has a label column.

    The images have the model's size if the number of columns matches; otherwise they are square.
    """
    shape = _find_shape(spec, model)
    table = read_pixel_csv(spec.path, spec.label_column, need_labels=False, n_pixels=math.prod(shape))
    images = shape_rows(str(spec.path), table.pixels, shape)
    return correct_emnist(spec.path, parse_table_name(spec.path), images, [])[0], table.labels is not None


def _read_csv_inputs(spec: DataSpec, model: ImageSpec) -> tuple[Sequence[str], np.ndarray | Sequence[Path]]:
    return list_named_files(spec) if lists_images(spec.path) else _number_rows(read_pixel_rows(spec, model)[0])


def _find_shape(spec: DataSpec, model: ImageSpec) -> tuple[int, ...]:
    # The order of the values of a colour image is not known from the model.
    return spec.row_shape or (model.height, model.width)


def _read_csv(spec: DataSpec, progress: bool) -> Dataset:
    note_other_splits(spec.path)
    if spec.images is not None or spec.image_column is not None or lists_images(spec.path):
        return _read_folder(read_labelled_files, spec, progress)
    check_no_groups(spec)
    n_pixels = None if spec.row_shape is None else math.prod(spec.row_shape)
    where, table = str(spec.path), read_pixel_csv(spec.path, spec.label_column, n_pixels=n_pixels)
    images, labels = shape_rows(where, table.pixels, spec.row_shape), table.labels or []
    images, labels = correct_emnist(spec.path, parse_table_name(spec.path), images, labels)
    return _to_dataset(split_rows(where, images, labels, table.splits or ["train"] * len(labels)), spec)


def check_no_groups(spec: DataSpec) -> None:
    """Raise `ParameterError` if groups were requested of a table of pixels."""
    if spec.given_groups is not None:
        raise ParameterError(f"'groups' is a column of a table that lists images; {spec.path} has pixels. Omit it.")


def _read_folder(read: Callable[..., Splits], spec: DataSpec, progress: bool) -> Dataset:
    # The reader preprocesses images one by one, because all photos at full size may not fit in memory.
    resize = spec.resize_rule if spec.normalize is None else None
    return replace(_to_dataset(read(spec, progress=progress), spec), preprocessing=spec.normalize, resize=resize)


def read_frame(frame: Any, spec: DataSpec, progress: bool) -> Dataset:
    """Read the images that a data frame lists."""
    return _read_folder(partial(read_labelled_frame, frame), replace(spec, source="data"), progress)


def _to_dataset(splits: Splits, spec: DataSpec) -> Dataset:
    return splits.to_dataset(spec.short_name, str(spec.path))


def _is_npz(path: Path) -> bool:
    return path.suffix.lower() == ".npz" and path.is_file()


def _read_npz(spec: DataSpec, progress: bool) -> Dataset:
    note_excluded(spec)
    return _to_dataset(read_npz(spec.path, spec.row_shape, spec.exclude or ()), spec)


def _read_npz_inputs(spec: DataSpec, model: ImageSpec) -> tuple[Sequence[str], np.ndarray]:
    return _number_rows(read_npz_images(spec.path, _find_shape(spec, model)))


def _read_csv_pair(spec: DataSpec, progress: bool) -> Dataset:
    if any(each is not None for each in (spec.label_column, spec.images, spec.image_column)):
        return _read_csv(spec, progress)
    check_no_groups(spec)
    note_excluded(spec)
    return _to_dataset(read_csv_pairs(spec.path, spec.row_shape, spec.exclude or ()), spec)


def _read_idx(spec: DataSpec, progress: bool) -> Dataset:
    note_excluded(spec)
    return _to_dataset(read_idx_folder(spec.path, exclude=spec.exclude or ()), spec)


def _read_class_folders(spec: DataSpec, progress: bool) -> Dataset:
    """Read class folders; an error names the options because of which another format was not read."""
    try:
        return _read_folder(read_class_folders, spec, progress)
    except SkconvError as error:
        given = spec.list_folder_options()
        excluded = [spec.exclude] if spec.exclude else []
        others = [each for each in list_formats() if each.priority >= 0 and each.accepts(spec.path, *excluded)]
        unused = sorted({name for each in others for name in given - each.folder_options})
        if not unused:
            raise
        raise type(error)(
            f"{error} Images were searched for because of {' and '.join(map(repr, unused))}: omit "
            f"{'it' if len(unused) == 1 else 'them'} to read the arrays or tables of the folder."
        ) from error


def note_excluded(spec: DataSpec) -> None:
    """Warn about the number of files of a folder of arrays or tables that are left out."""
    exclude = spec.exclude or ()
    if any(exclude):
        count = format_count(count_excluded(spec.path, exclude), "file")
        warnings.warn(f"{spec.path}: left out {count}, because of --exclude.", stacklevel=2)


def _read_csv_pair_inputs(spec: DataSpec, model: ImageSpec) -> tuple[Sequence[str], np.ndarray | Sequence[Path]]:
    return _read_csv_inputs(replace(spec, source=find_csv_images(spec.path)), model)


def _number_rows(images: np.ndarray) -> tuple[Sequence[str], np.ndarray]:
    return [str(row) for row in range(len(images))], images


FORMATS.register("csv", Format(is_table, _read_csv, read_inputs=_read_csv_inputs))
# Priority over "csv", which accepts the table of images too.
FORMATS.register(
    "csv-pair",
    Format(has_csv_pair, _read_csv_pair, read_inputs=_read_csv_pair_inputs, priority=1, folder_options=_EXCLUDE),
)
FORMATS.register("npz", Format(_is_npz, _read_npz, read_inputs=_read_npz_inputs))
FORMATS.register("npy", Format(has_npy_pair, _read_npz, read_inputs=_read_npz_inputs, folder_options=_EXCLUDE))
FORMATS.register("idx", Format(has_idx_files, _read_idx, folder_options=_EXCLUDE))
# Negative priority, because this format accepts every folder.
FORMATS.register(
    "class-folders",
    Format(
        lambda path, exclude=(): path.is_dir(),
        _read_class_folders,
        priority=-1,
        chooses_classes=True,
        folder_options=frozenset({*FOLDER_OPTIONS, "groups"}),
    ),
)

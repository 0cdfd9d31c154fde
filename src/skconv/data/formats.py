"""Registration of the built-in formats: IDX and class folders, CSV, npz."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from skconv.data.content import TABLE_SUFFIXES
from skconv.data.conversion import shape_rows
from skconv.data.dataset import Dataset, Splits
from skconv.data.folders import read_class_folders, read_labelled_files
from skconv.data.idx import has_idx_files, read_idx_folder
from skconv.data.npz import read_npz, read_npz_images
from skconv.data.pixel_csv import read_pixel_csv
from skconv.data.spec import FORMATS, DataSpec, Format
from skconv.images.spec import ImageSpec


def is_table(path: Path) -> bool:
    """Return whether a path is a CSV file, by its suffix."""
    return path.suffix.lower() in TABLE_SUFFIXES and path.is_file()


def read_pixel_rows(spec: DataSpec, model: ImageSpec) -> tuple[np.ndarray, bool]:
    """Read images to predict from a CSV of pixels.

    Returns
    -------
    images : ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
        Of the model's size if the number of columns matches, else square.
    labelled : bool
        Whether the CSV has a label column.
    """
    table = read_pixel_csv(spec.path, spec.label_column, need_labels=False, n_pixels=math.prod(model.shape))
    images = shape_rows(str(spec.path), table.pixels, (model.height, model.width))
    return images, table.labels is not None


def _read_csv(spec: DataSpec, progress: bool) -> Dataset:
    if spec.images is not None:
        splits = read_labelled_files(spec, progress=progress)
    else:
        table = read_pixel_csv(spec.path, spec.label_column)
        splits = Splits(shape_rows(str(spec.path), table.pixels, spec.image_size), table.labels or [])
    return splits.to_dataset(spec.short_name, str(spec.path))


def _read_csv_inputs(spec: DataSpec, model: ImageSpec) -> tuple[Sequence[str], np.ndarray]:
    return _number_rows(read_pixel_rows(spec, model)[0])


def _read_npz(spec: DataSpec, progress: bool) -> Dataset:
    return read_npz(spec.path, spec.image_size).to_dataset(spec.short_name, str(spec.path))


def _read_npz_inputs(spec: DataSpec, model: ImageSpec) -> tuple[Sequence[str], np.ndarray]:
    return _number_rows(read_npz_images(spec.path, (model.height, model.width)))


def _number_rows(images: np.ndarray) -> tuple[Sequence[str], np.ndarray]:
    return [str(row) for row in range(len(images))], images


def _read_idx(spec: DataSpec, progress: bool) -> Dataset:
    return read_idx_folder(spec.path).to_dataset(spec.short_name, str(spec.path))


def _read_class_folders(spec: DataSpec, progress: bool) -> Dataset:
    return read_class_folders(spec, progress=progress).to_dataset(spec.short_name, str(spec.path))


FORMATS.register("csv", Format(is_table, _read_csv, _read_csv_inputs))
FORMATS.register(
    "npz", Format(lambda path: path.suffix.lower() == ".npz" and path.is_file(), _read_npz, _read_npz_inputs)
)
FORMATS.register("idx", Format(lambda path: path.is_dir() and has_idx_files(path), _read_idx))
# Accepts every folder, so it is asked last.
FORMATS.register("class-folders", Format(Path.is_dir, _read_class_folders, priority=-1))

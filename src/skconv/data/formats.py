"""Registration of the built-in formats: CSV, .npz, IDX folders, class folders."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from skconv.data.array_files import has_idx_files, read_idx_folder, read_npz, read_npz_images
from skconv.data.content import TABLE_SUFFIXES
from skconv.data.conversion import shape_rows
from skconv.data.dataset import Dataset, Splits
from skconv.data.folders import read_class_folders, read_labelled_files
from skconv.data.pixel_csv import read_pixel_csv
from skconv.data.spec import FORMATS, DataSpec, Format
from skconv.images.spec import ImageSpec


def is_table(path: Path) -> bool:
    """Return whether a path is an existing file with a suffix of CSV files."""
    return path.suffix.lower() in TABLE_SUFFIXES and path.is_file()


def read_pixel_rows(spec: DataSpec, model: ImageSpec) -> tuple[np.ndarray, bool]:
    """Read images to predict from a CSV of pixels; also return whether the file has a label column.

    The images have the model's size if the number of columns matches; otherwise they are square.
    """
    table = read_pixel_csv(spec.path, spec.label_column, need_labels=False, n_pixels=math.prod(model.shape))
    images = shape_rows(str(spec.path), table.pixels, (model.height, model.width))
    return images, table.labels is not None


def _read_csv(spec: DataSpec, progress: bool) -> Dataset:
    if spec.images is not None:
        return _read_folder(read_labelled_files, spec, progress)
    table = read_pixel_csv(spec.path, spec.label_column)
    return _to_dataset(Splits(shape_rows(str(spec.path), table.pixels, spec.size), table.labels or []), spec)


def _read_folder(read: Callable[..., Splits], spec: DataSpec, progress: bool) -> Dataset:
    # The reader preprocesses images one by one, because all photos at full size may not fit in memory.
    resize = spec.resize_rule if spec.normalize is None else None
    return replace(_to_dataset(read(spec, progress=progress), spec), preprocessing=spec.normalize, resize=resize)


def _to_dataset(splits: Splits, spec: DataSpec) -> Dataset:
    return splits.to_dataset(spec.short_name, str(spec.path))


def _number_rows(images: np.ndarray) -> tuple[Sequence[str], np.ndarray]:
    return [str(row) for row in range(len(images))], images


FORMATS.register(
    "csv", Format(is_table, _read_csv, read_inputs=lambda spec, model: _number_rows(read_pixel_rows(spec, model)[0]))
)
FORMATS.register(
    "npz",
    Format(
        accepts=lambda path: path.suffix.lower() == ".npz" and path.is_file(),
        read=lambda spec, _: _to_dataset(read_npz(spec.path, spec.size), spec),
        read_inputs=lambda spec, model: _number_rows(read_npz_images(spec.path, (model.height, model.width))),
    ),
)
FORMATS.register(
    "idx",
    Format(
        accepts=lambda path: path.is_dir() and has_idx_files(path),
        read=lambda spec, _: _to_dataset(read_idx_folder(spec.path), spec),
    ),
)
# Negative priority, because this format accepts every folder.
FORMATS.register(
    "class-folders",
    Format(Path.is_dir, partial(_read_folder, read_class_folders), priority=-1, chooses_classes=True),
)

"""`load_inputs`: what a user wants predicted, as pictures of the size the model takes."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from skconv.data.contest_folder import PIXEL_HEADER, TEST, holds_contest, read_form
from skconv.data.folders import walk_files
from skconv.data.npz import read_npz_images
from skconv.data.pixel_csv import TABLE_SUFFIXES, read_pixel_csv
from skconv.data.pixels import shape_rows
from skconv.data.submissions import SubmissionForm
from skconv.exceptions import DataError
from skconv.pictures.opening import PICTURE_SUFFIXES, convert_picture, convert_pictures, open_picture


def load_inputs(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    height: int,
    width: int,
    channels: int,
    label_column: str | None = None,
) -> tuple[list[str], np.ndarray, list[str]]:
    """Load pictures to predict from files and folders of any of the known forms.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        Pictures, folders of pictures (with all folders inside), CSV files of pixels with or without labels,
        .npz archives of pictures. Of a contest's folder the pictures to be named are taken.
    height, width : int
        The size the model takes, in pixels. Pictures of another size are resized with antialiasing.
    channels : {1, 3}
        What the model takes: grey or colour.
    label_column : str, optional
        A CSV's column that is no pixel, by its name; a column called "label" is known as such.

    Returns
    -------
    names : list of str
        ``path`` of a picture, ``path#row`` of a row (from 0) in a CSV or an .npz, ``path#id`` in a contest.
    images : ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
    notes : list of str
        What was done to the pictures that their owner may not expect: resized, made grey, passed over.

    Raises
    ------
    SourceNotFoundError
        A path does not exist.
    DataError
        A file that cannot be read, or no pictures at all.
    """
    names: list[str] = []
    parts: list[np.ndarray] = []
    notes = _Notes(height, width, channels)
    for path in [Path(paths)] if isinstance(paths, str | os.PathLike) else map(Path, paths):
        if path.suffix.lower() in TABLE_SUFFIXES | {".npz"} and path.is_file():
            rows = _read_rows(path, (height, width, channels), label_column)
            names.extend(f"{path}#{row}" for row in range(len(rows)))
            notes.record(rows.shape[1:], str(path), len(rows))
            parts.append(convert_pictures(rows, height, width, channels))
            continue
        if path.is_dir() and holds_contest(path):
            form = read_form(path)
            names.extend(f"{path}#{name}" for name in form.ids)
            notes.record(form.images.shape[1:], str(path), len(form.ids))
            parts.append(convert_pictures(form.images, height, width, channels))
            continue
        for file in _list_pictures(path, notes):
            picture = open_picture(file)
            names.append(str(file))
            notes.record(picture.shape, str(file))
            parts.append(convert_picture(picture, height, width, channels)[np.newaxis])
    if not parts:
        raise DataError("There are no pictures to predict. Name pictures, folders, a CSV or an .npz.")
    return names, np.concatenate(parts), notes.tell()


def load_submission_form(
    path: str | os.PathLike[str], *, height: int, width: int, channels: int
) -> tuple[SubmissionForm, list[str]] | None:
    """Load what a contest wants named, from its folder or its ``test.csv``.

    Parameters
    ----------
    path : path-like
        A contest's folder, the ``test.csv`` in it, or any CSV of pixels without labels; the rows of the latter
        are numbered from 1, as Kaggle does.
    height, width, channels : int
        As in `load_inputs`.

    Returns
    -------
    (SubmissionForm, list of str) or None
        With pictures of the model's size, and what was done to them; None if `path` is nothing of the kind.

    Raises
    ------
    DataError
        A contest's folder, or a CSV, that cannot be read.
    """
    path = Path(path)
    folder = path.parent if path.name == TEST else path
    if holds_contest(folder):
        form = read_form(folder)
    elif path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
        table = read_pixel_csv(path, need_labels=False, n_pixels=height * width * channels)
        if table.labels is not None:
            return None
        ids = tuple(str(number) for number in range(1, len(table.pixels) + 1))
        form = SubmissionForm(PIXEL_HEADER, ids, shape_rows(str(path), table.pixels, (height, width)))
    else:
        return None
    notes = _Notes(height, width, channels)
    notes.record(form.images.shape[1:], str(path), len(form.ids))
    return replace(form, images=convert_pictures(form.images, height, width, channels)), notes.tell()


class _Notes:
    """Counts what is done to pictures that do not fit the model, and remembers the first of each kind."""

    def __init__(self, height: int, width: int, channels: int) -> None:
        self._shape = (height, width)
        self._channels = channels
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def record(self, shape: tuple[int, ...], name: str, count: int = 1) -> None:
        """Note pictures whose shape is not the model's."""
        if shape[:2] != self._shape:
            height, width = self._shape
            self.add("picture", f"resized to {height}×{width}", f"{name} ({shape[0]}×{shape[1]})", count)
        if len(shape) == 3 and self._channels == 1:
            self.add("picture", "made grey", name, count)

    def add(self, what: str, done: str, name: str, count: int = 1) -> None:
        """Note what was done to a picture or file of this name."""
        self._counts[what, done] += count
        self._first.setdefault((what, done), name)

    def tell(self) -> list[str]:
        """Return one sentence for each kind."""
        return [
            f"1 {what} was {done}: {self._first[what, done]}"
            if count == 1
            else f"{count:,} {what}s were {done}, the first is {self._first[what, done]}"
            for (what, done), count in self._counts.items()
        ]


def _read_rows(path: Path, shape: tuple[int, int, int], label_column: str | None) -> np.ndarray:
    if path.suffix.lower() == ".npz":
        return read_npz_images(path, shape[:2])
    table = read_pixel_csv(path, label_column, need_labels=False, n_pixels=math.prod(shape))
    return shape_rows(str(path), table.pixels, shape[:2])


def _list_pictures(path: Path, notes: _Notes) -> list[Path]:
    if not path.is_dir():
        return [path]
    pictures = []
    for file in walk_files(path):
        if file.suffix.lower() in PICTURE_SUFFIXES:
            pictures.append(file)
        else:
            notes.add("file", "passed over as no picture", str(file))
    if not pictures:
        raise DataError(f"The folder {path} holds no pictures (PNG, JPEG, WebP, BMP, TIFF or GIF). Name another.")
    return pictures

"""`load_inputs`: what a user wants predicted, as pictures of the form the model takes."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from skconv.competitions.folder import PIXEL_HEADER, TEST, holds_contest, read_form
from skconv.competitions.submissions import SubmissionForm
from skconv.data.folders import walk_files
from skconv.data.npz import read_npz_images
from skconv.data.pixel_csv import TABLE_SUFFIXES, read_pixel_csv
from skconv.data.pixels import shape_rows
from skconv.exceptions import DataError, SkconvError, SourceNotFoundError
from skconv.images.opening import PICTURE_SUFFIXES, open_picture
from skconv.images.spec import PictureForm, map_in_threads
from skconv.progress import show_progress


def load_inputs(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    form: PictureForm,
    *,
    label_column: str | None = None,
    broken: dict[int, SkconvError] | None = None,
    progress: bool = False,
) -> tuple[list[str], np.ndarray, list[str]]:
    """Load pictures to predict from files and folders of any of the known forms.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        Pictures, folders of pictures (with all folders inside), CSV files of pixels with or without labels,
        .npz archives of pictures. Of a contest's folder the pictures to be named are taken.
    form : PictureForm
        What the model takes; all pictures are brought into it.
    label_column : str, optional
        A CSV's column that is no pixel, by its name; a column called "label" is known as such.
    broken : dict, optional
        Takes up the errors of picture files that cannot be read, by their position among the names; `images` is then
        without them. If left out, the first such error is raised.
    progress : bool, default=False
        Show a progress bar on standard error, if that is a terminal.

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
    notes = _Notes(form)
    for path in [Path(paths)] if isinstance(paths, str | os.PathLike) else map(Path, paths):
        if path.suffix.lower() in TABLE_SUFFIXES | {".npz"} and path.is_file():
            rows = _read_rows(path, form, label_column)
            names.extend(f"{path}#{row}" for row in range(len(rows)))
            notes.record(rows.shape[1:], str(path), len(rows))
            parts.append(form.fit_all(rows))
        elif path.is_dir() and holds_contest(path):
            contest = read_form(path)
            names.extend(f"{path}#{name}" for name in contest.ids)
            notes.record(contest.images.shape[1:], str(path), len(contest.ids))
            parts.append(form.fit_all(contest.images))
        else:
            files, passed_over = list_pictures(path)
            names.extend(map(str, files))
            parts.append(_open_all(files, form, notes, len(names) - len(files), broken, progress))
            for file in passed_over:
                notes.add("file", "passed over as no picture", str(file))
    if not parts:
        raise DataError("There are no pictures to predict. Name pictures, folders, a CSV or an .npz.")
    return names, np.concatenate(parts), notes.tell()


def load_submission_form(path: str | os.PathLike[str], form: PictureForm) -> tuple[SubmissionForm, list[str]] | None:
    """Load what a contest wants named, from its folder or its ``test.csv``.

    Parameters
    ----------
    path : path-like
        A contest's folder, the ``test.csv`` in it, or any CSV of pixels without labels; the rows of the latter
        are numbered from 1, as Kaggle does.
    form : PictureForm
        What the model takes.

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
        contest = read_form(folder)
    elif path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
        table = read_pixel_csv(path, need_labels=False, n_pixels=math.prod(form.shape))
        if table.labels is not None:
            return None
        ids = tuple(str(number) for number in range(1, len(table.pixels) + 1))
        images = shape_rows(str(path), table.pixels, (form.height, form.width))
        contest = SubmissionForm(PIXEL_HEADER, ids, images)
    else:
        return None
    notes = _Notes(form)
    notes.record(contest.images.shape[1:], str(path), len(contest.ids))
    return replace(contest, images=form.fit_all(contest.images)), notes.tell()


def list_pictures(path: str | os.PathLike[str]) -> tuple[list[Path], list[Path]]:
    """Return the picture files that a path names, and the files passed over because their names are of no picture.

    Parameters
    ----------
    path : path-like
        A file, which is taken whatever its name is, or a folder, which is searched with all folders inside.

    Raises
    ------
    SourceNotFoundError
        A folder that cannot be read.
    DataError
        A folder without a picture.
    """
    path = Path(path)
    if not path.is_dir():
        return [path], []
    files = list(walk_files(path))
    pictures = [file for file in files if file.suffix.lower() in PICTURE_SUFFIXES]
    if not pictures:
        raise DataError(f"The folder {path} holds no pictures (PNG, JPEG, WebP, BMP, TIFF or GIF). Name another.")
    return pictures, [file for file in files if file.suffix.lower() not in PICTURE_SUFFIXES]


class _Notes:
    """Counts what is done to pictures that do not fit the model, and remembers the first of each kind."""

    def __init__(self, form: PictureForm) -> None:
        self._form = form
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def record(self, shape: tuple[int, ...], name: str, count: int = 1) -> None:
        """Note pictures whose shape is not the model's."""
        if self._form.normalization is not None:  # any picture is expected, and none is stretched
            return
        height, width = self._form.height, self._form.width
        if shape[:2] != (height, width):
            self.add("picture", f"resized to {height}×{width}", f"{name} ({shape[0]}×{shape[1]})", count)
        if len(shape) == 3 and self._form.channels == 1:
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


def _read_rows(path: Path, form: PictureForm, label_column: str | None) -> np.ndarray:
    size = (form.height, form.width)
    if path.suffix.lower() == ".npz":
        return read_npz_images(path, size)
    table = read_pixel_csv(path, label_column, need_labels=False, n_pixels=math.prod(form.shape))
    return shape_rows(str(path), table.pixels, size)


def _open_all(
    files: list[Path],
    form: PictureForm,
    notes: _Notes,
    first: int,
    broken: dict[int, SkconvError] | None,
    progress: bool,
) -> np.ndarray:
    def open_and_fit(file: Path) -> tuple[tuple[int, ...], np.ndarray] | SkconvError:
        try:
            picture = open_picture(file, longest=form.longest)
            return picture.shape, form.fit(picture)
        except (DataError, SourceNotFoundError) as error:
            return error

    images = np.empty((len(files), *form.shape), np.uint8)
    n_read = 0
    opened = show_progress(map_in_threads(open_and_fit, files), "pictures", len(files), progress=progress)
    for index, answer in enumerate(opened):
        if isinstance(answer, SkconvError):
            if broken is None:
                raise answer
            # The first may be raised; the frames of the others would keep the content of every such file.
            broken[first + index] = type(answer)(str(answer)) if broken else answer
            continue
        shape, images[n_read] = answer
        notes.record(shape, str(files[index]))
        n_read += 1
    return images[:n_read]

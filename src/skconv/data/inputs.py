"""`load_inputs`: what a user wants predicted, as images of the form the model takes."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from skconv.competitions.folder import PIXEL_HEADER, TEST, holds_competition, read_form
from skconv.competitions.submissions import SubmissionForm
from skconv.data.folders import walk_files
from skconv.data.npz import read_npz_images
from skconv.data.pixel_csv import TABLE_SUFFIXES, read_pixel_csv
from skconv.data.pixels import shape_rows
from skconv.exceptions import DataError, SkconvError, SourceNotFoundError
from skconv.images.opening import IMAGE_SUFFIXES, open_image
from skconv.images.spec import ImageSpec, map_in_threads
from skconv.progress import show_progress


def load_inputs(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    form: ImageSpec,
    *,
    label_column: str | None = None,
    broken: dict[int, SkconvError] | None = None,
    progress: bool = False,
) -> tuple[list[str], np.ndarray, list[str]]:
    """Load images to predict from files and folders of any of the known forms.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        Images, folders of images (with all folders inside), CSV files of pixels with or without labels,
        .npz archives of images. Of a competition's folder the images to be named are taken.
    form : ImageSpec
        What the model takes; all images are brought into it.
    label_column : str, optional
        A CSV's column that is no pixel, by its name; a column called "label" is known as such.
    broken : dict, optional
        Takes up the errors of image files that cannot be read, by their position among the names; `images` is then
        without them. If left out, the first such error is raised.
    progress : bool, default=False
        Show a progress bar on standard error, if that is a terminal.

    Returns
    -------
    names : list of str
        ``path`` of an image, ``path#row`` of a row (from 0) in a CSV or an .npz, ``path#id`` in a competition.
    images : ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
    notes : list of str
        What was done to the images that their owner may not expect: resized, made grey, passed over.

    Raises
    ------
    SourceNotFoundError
        A path does not exist.
    DataError
        A file that cannot be read, or no images at all.
    """
    names: list[str] = []
    parts: list[np.ndarray] = []
    notes = _Notes(form)
    for path in [Path(paths)] if isinstance(paths, str | os.PathLike) else map(Path, paths):
        if path.suffix.lower() in TABLE_SUFFIXES | {".npz"} and path.is_file():
            rows = _read_rows(path, form, label_column)
            names.extend(f"{path}#{row}" for row in range(len(rows)))
            notes.record(rows.shape[1:], str(path), len(rows))
            parts.append(form.preprocess_all(rows))
        elif path.is_dir() and holds_competition(path):
            competition = read_form(path)
            names.extend(f"{path}#{name}" for name in competition.ids)
            notes.record(competition.images.shape[1:], str(path), len(competition.ids))
            parts.append(form.preprocess_all(competition.images))
        else:
            files, passed_over = list_images(path)
            names.extend(map(str, files))
            parts.append(_open_all(files, form, notes, len(names) - len(files), broken, progress))
            for file in passed_over:
                notes.add("file", "passed over as no image", str(file))
    if not parts:
        raise DataError("There are no images to predict. Name images, folders, a CSV or an .npz.")
    return names, np.concatenate(parts), notes.tell()


def load_submission_form(path: str | os.PathLike[str], form: ImageSpec) -> tuple[SubmissionForm, list[str]] | None:
    """Load what a competition wants named, from its folder or its ``test.csv``.

    Parameters
    ----------
    path : path-like
        A competition's folder, the ``test.csv`` in it, or any CSV of pixels without labels; the rows of the latter
        are numbered from 1, as Kaggle does.
    form : ImageSpec
        What the model takes.

    Returns
    -------
    (SubmissionForm, list of str) or None
        With images of the model's size, and what was done to them; None if `path` is nothing of the kind.

    Raises
    ------
    DataError
        A competition's folder, or a CSV, that cannot be read.
    """
    path = Path(path)
    folder = path.parent if path.name == TEST else path
    if holds_competition(folder):
        competition = read_form(folder)
    elif path.suffix.lower() in TABLE_SUFFIXES and path.is_file():
        table = read_pixel_csv(path, need_labels=False, n_pixels=math.prod(form.shape))
        if table.labels is not None:
            return None
        ids = tuple(str(number) for number in range(1, len(table.pixels) + 1))
        images = shape_rows(str(path), table.pixels, (form.height, form.width))
        competition = SubmissionForm(PIXEL_HEADER, ids, images)
    else:
        return None
    notes = _Notes(form)
    notes.record(competition.images.shape[1:], str(path), len(competition.ids))
    return replace(competition, images=form.preprocess_all(competition.images)), notes.tell()


def list_images(path: str | os.PathLike[str]) -> tuple[list[Path], list[Path]]:
    """Return the image files that a path names, and the files passed over because their names are of no image.

    Parameters
    ----------
    path : path-like
        A file, which is taken whatever its name is, or a folder, which is searched with all folders inside.

    Raises
    ------
    SourceNotFoundError
        A folder that cannot be read.
    DataError
        A folder without an image.
    """
    path = Path(path)
    if not path.is_dir():
        return [path], []
    files = list(walk_files(path))
    images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    if not images:
        raise DataError(f"The folder {path} holds no images (PNG, JPEG, WebP, BMP, TIFF or GIF). Name another.")
    return images, [file for file in files if file.suffix.lower() not in IMAGE_SUFFIXES]


class _Notes:
    """Counts what is done to images that do not fit the model, and remembers the first of each kind."""

    def __init__(self, form: ImageSpec) -> None:
        self._form = form
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def record(self, shape: tuple[int, ...], name: str, count: int = 1) -> None:
        """Note images whose shape is not the model's."""
        if self._form.normalization is not None:  # any image is expected, and none is stretched
            return
        height, width = self._form.height, self._form.width
        if shape[:2] != (height, width):
            self.add("image", f"resized to {height}×{width}", f"{name} ({shape[0]}×{shape[1]})", count)
        if len(shape) == 3 and self._form.channels == 1:
            self.add("image", "made grey", name, count)

    def add(self, what: str, done: str, name: str, count: int = 1) -> None:
        """Note what was done to an image or file of this name."""
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


def _read_rows(path: Path, form: ImageSpec, label_column: str | None) -> np.ndarray:
    size = (form.height, form.width)
    if path.suffix.lower() == ".npz":
        return read_npz_images(path, size)
    table = read_pixel_csv(path, label_column, need_labels=False, n_pixels=math.prod(form.shape))
    return shape_rows(str(path), table.pixels, size)


def _open_all(
    files: list[Path],
    form: ImageSpec,
    notes: _Notes,
    first: int,
    broken: dict[int, SkconvError] | None,
    progress: bool,
) -> np.ndarray:
    def open_and_fit(file: Path) -> tuple[tuple[int, ...], np.ndarray] | SkconvError:
        try:
            image = open_image(file, longest=form.longest)
            return image.shape, form.fit(image)
        except (DataError, SourceNotFoundError) as error:
            return error

    images = np.empty((len(files), *form.shape), np.uint8)
    n_read = 0
    opened = show_progress(map_in_threads(open_and_fit, files), "images", len(files), progress=progress)
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

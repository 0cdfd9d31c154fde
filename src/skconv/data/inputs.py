"""Loading of images to predict, from files and folders of any format."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from skconv.data.content import is_table_name
from skconv.data.folder_tree import is_image_file, walk_files
from skconv.data.spec import DataSpec, list_formats
from skconv.exceptions import DataError, ParameterError, SkconvError, SourceNotFoundError
from skconv.images.formats import FORMAT_NAMES
from skconv.images.opening import read_header
from skconv.images.spec import ImageSpec, map_in_threads
from skconv.progress import show_progress


def load_inputs(
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    spec: ImageSpec,
    *,
    label_column: str | None = None,
    image_size: int | tuple[int, ...] | None = None,
    errors: dict[int, SkconvError] | None = None,
    progress: bool = False,
) -> tuple[list[str], np.ndarray, list[str]]:
    """Load images to predict, and resize and convert them for a model.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        Image files, folders of images (with subfolders), CSV files of pixels with or without labels, .npz archives,
        competition folders (their test images).
    spec : ImageSpec
        Format of the model's images.
    label_column : str, optional
        Header of the label column in a CSV; "label" by default.
    image_size : int or tuple of int, optional
        Shape of images that are stored as rows, as in `skconv.data.conversion.shape_rows`; by default the shape of the
        model's images.
    errors : dict, optional
        Receives the errors of unreadable image files by their position in `names`; `images` then lacks these. By
        default the first such error is raised.
    progress : bool, default=False

    Returns
    -------
    names : list of str
        ``path`` of an image file, ``path#row`` of a row (from 0) in a CSV or .npz, ``path#id`` in a competition or in a
        table of image files.
    images : ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
    notes : list of str
        Sentences on conversions that may be unexpected: images resized, or converted to grey or colour, files skipped.

    Raises
    ------
    SourceNotFoundError
        A file or folder does not exist.
    DataError
        There are no images, or an image or table cannot be read.
    ParameterError
        `label_column` or `image_size` is set, but all inputs are image files.
    """
    names: list[str] = []
    parts: list[np.ndarray] = []
    notes = ConversionNotes(spec)
    formats = [each for each in list_formats() if each.read_inputs is not None]
    inputs = [Path(paths)] if isinstance(paths, str | os.PathLike) else list(map(Path, paths))
    readers = [next((each.read_inputs for each in formats if each.accepts(path)), None) for path in inputs]
    if not any(readers) and all(path.exists() for path in inputs):  # a missing file is the cause of its own error
        _check_unused(spec, label_column=label_column, image_size=image_size)
    for path, read in zip(inputs, readers, strict=True):
        skipped: list[Path] = []
        if read is not None:
            ids, images = read(DataSpec(path, label_column=label_column, image_size=image_size), spec)
            found = [f"{path}#{each}" for each in ids]
        else:
            images, skipped = list_images(path)
            found = list(map(str, images))
        if isinstance(images, np.ndarray):
            notes.record(images.shape[1:], str(path), len(images))
            parts.append(spec.preprocess_all(images))
        else:
            parts.append(_open_all(images, spec, notes, len(names), errors, progress))
        for file in skipped:
            notes.add("file", "skipped as not an image", str(file))
        names += found
    if not parts:
        raise DataError("There are no images to predict. Pass image files, folders, a CSV or an .npz.")
    return names, np.concatenate(parts), notes.sentences()


def _check_unused(spec: ImageSpec, **options: object) -> None:
    """Raise `ParameterError` if one of the options is set, because image files have no use for it."""
    for name, value in options.items():
        if value is not None:
            raise ParameterError(
                f"The '{name}' parameter (--{name.replace('_', '-')}) applies to tables and arrays, but the inputs are "
                f"image files, which are converted to the model's images of {spec.width}×{spec.height}. Omit it."
            )


def list_images(path: str | os.PathLike[str]) -> tuple[list[Path], list[Path]]:
    """Return the image files of a path, and its other files.

    If `path` is a file, it is returned regardless of its suffix; a folder is searched with all its subfolders. Raise
    `DataError` for a folder without images.
    """
    path = Path(path)
    if not path.is_dir():
        return [path], []
    images: list[Path] = []
    skipped: list[Path] = []
    for file in walk_files(path):
        (images if is_image_file(file) else skipped).append(file)
    if not images:
        table = next((file for file in skipped if is_table_name(file) or file.suffix.lower() in (".npy", ".npz")), None)
        advice = "another folder" if table is None else f"the file {table}, if it has pixels, or another folder"
        raise DataError(f"The folder {path} has no images ({FORMAT_NAMES}). Pass {advice}.")
    return images, skipped


class ConversionNotes:
    """Counter of the conversions of images for a model, with the first example of each kind."""

    def __init__(self, spec: ImageSpec) -> None:
        self._spec = spec
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def record(self, shape: tuple[int, ...], name: str, count: int = 1, *, is_file: bool = False) -> None:
        """Count the conversions of `count` images of this shape, which is smaller than that of a large image file."""
        if self._spec.preprocessing is not None:  # the step accepts images of any size
            return
        height, width = self._spec.height, self._spec.width
        if shape[:2] != (height, width):
            resized = f"resized to {width}×{height}"
            if is_file and ("image", resized) not in self._first:
                shape = read_header(name)[:2] + shape[2:]
            self.add("image", resized, f"{name} ({shape[1]}×{shape[0]})", count)
        if (len(shape) == 3) != (self._spec.channels == 3):
            self.add("image", f"converted to {'grey' if self._spec.channels == 1 else 'colour'}", name, count)

    def add(self, noun: str, participle: str, name: str, count: int = 1) -> None:
        """Count a conversion, for example of an ``"image"`` that was ``"converted to grey"``."""
        self._counts[noun, participle] += count
        self._first.setdefault((noun, participle), name)

    def sentences(self) -> list[str]:
        """Return one sentence per kind of conversion."""
        return [
            f"1 {noun} was {participle}: {self._first[noun, participle]}."
            if count == 1
            else f"{count:,} {noun}s were {participle}; the first is {self._first[noun, participle]}."
            for (noun, participle), count in self._counts.items()
        ]


def _open_all(
    files: Sequence[Path],
    spec: ImageSpec,
    notes: ConversionNotes,
    start: int,
    errors: dict[int, SkconvError] | None,
    progress: bool,
) -> np.ndarray:
    """Open image files and preprocess them; `start` is the position of the first among all inputs."""

    def open_one(file: Path) -> tuple[tuple[int, ...], np.ndarray] | SkconvError:
        try:
            image = spec.open(file)
            return image.shape, spec.preprocess(image)
        except (DataError, SourceNotFoundError) as error:
            return error

    images = np.empty((len(files), *spec.shape), np.uint8)
    n_read = 0
    results = show_progress(map_in_threads(open_one, files), "images", len(files), progress=progress)
    for index, result in enumerate(results):
        if isinstance(result, SkconvError):
            if errors is None:
                raise result
            # A new exception, because the traceback would keep the content of the file in memory.
            errors[start + index] = type(result)(*result.args)
            continue
        shape, images[n_read] = result
        notes.record(shape, str(files[index]), is_file=True)
        n_read += 1
    return images[:n_read]

"""Reader of tables and data frames that list image files and their labels; `load_images` for a list of files."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skconv.data.dataset import Splits
from skconv.data.folder_tree import walk_files
from skconv.data.groups import NO_GROUPS, ImageGroups, collect_groups, find_named_folders, find_series
from skconv.data.image_files import decode_files
from skconv.data.labels import clean_labels
from skconv.data.spec import DataSpec
from skconv.data.tables.columns import detect_header, find_columns, find_names, has_boxes
from skconv.data.tables.image_matching import (
    ImageIndex,
    check_found,
    index_near,
    match_images,
    note_unlisted,
)
from skconv.data.tables.pixel_layout import split_pixels
from skconv.data.tables.text import MIN_PIXELS, Table, find_column, open_lines, parse_line, read_frame, read_table
from skconv.exceptions import DataError, ParameterError, SourceNotFoundError
from skconv.files import expand_home
from skconv.images.formats import has_image_suffix
from skconv.text import format_count

_N_SAMPLED = 20  # lines
_MAX_COLUMNS = 100  # wider tables are tables of pixels, even if they contain names of files


class Listing(NamedTuple):
    """Image files with their labels as text, the split of each ("train", "valid" or "test"), and their groups."""

    files: list[Path]
    labels: list[str]
    splits: list[str]
    groups: ImageGroups | None


def lists_images(path: Path) -> bool:
    """Return whether a table lists image files: it has few columns and no cells of pixels, or names of image files."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the reader repeats the warnings
        with open_lines(path) as (delimiter, lines):
            rows = [parse_line(line, delimiter) for _, line in islice(lines, _N_SAMPLED)]
    if not rows:
        return False
    if any(len(split_pixels(cell)) >= MIN_PIXELS for cell in rows[-1]):
        return False
    columns = list(zip(*(row for row in rows if len(row) == len(rows[-1])), strict=True))
    has_names = any(sum(map(has_image_suffix, cells)) > len(cells) / 2 for cells in columns)
    return max(len(rows[0]), len(rows[-1])) <= MIN_PIXELS or (has_names and len(rows[0]) < _MAX_COLUMNS)


def read_labelled_files(spec: DataSpec, *, progress: bool = False) -> Splits:
    """Read the images that the table ``spec.path`` lists with their labels.

    The images are in ``spec.images``, by default in the folder of the table and its subfolders. The columns are found
    by `find_columns`, and the files by `match_images`. Raise `DataError` for missing images (unless
    ``spec.skip_unreadable`` is set), rows without a label, and images with two labels; other errors are those of
    `read_images`.
    """
    return _read_listing(read_table(spec.path), _index_images(spec), spec, progress=progress)


def read_labelled_frame(frame: Any, spec: DataSpec, *, progress: bool = False) -> Splits:
    """Read the images that a data frame lists with their labels, as `read_labelled_files` does.

    Without ``spec.images``, the names are used as paths.
    """
    table = read_frame(frame)
    if spec.images is not None:
        return _read_listing(table, _index_images(spec), spec, progress=progress)
    names = {cell for row in table.rows for cell in row if has_image_suffix(cell)}
    files = [path for path in map(Path, sorted(names)) if path.is_file()]
    return _read_listing(table, ImageIndex(Path(), files), spec, progress=progress)


def list_named_files(spec: DataSpec) -> tuple[list[str], list[Path]]:
    """Return the names and files of the images that the table ``spec.path`` lists; labels are not required."""
    index = _index_images(spec)
    table = detect_header(read_table(spec.path), index, spec.image_column, spec.label_column)
    label = find_column(table, spec.label_column, "--label-column")
    column = find_column(table, spec.image_column, "--image-column")
    names = table.column(find_names(table, index, label) if column is None else column)
    found = match_images(table.where, list(dict.fromkeys(names)), index)
    check_found(table.where, names, found, index.folder)
    return names, [found[name] for name in names]


def load_images(
    paths: Iterable[str | os.PathLike[str]],
    *,
    image_size: int | tuple[int, ...] | None = None,
    resize: str | None = None,
    progress: bool = False,
) -> np.ndarray:
    """Load image files as an array for `fit` and `predict` of an estimator.

    Parameters
    ----------
    paths : iterable of path-like
        Image files, in the order of the labels; for example a column of a data frame.
    image_size : int, (height, width) or (height, width, channels), optional
        Size in pixels to which every image is resized, and 1 or 3 channels. By default, images that all have the same
        size, at most 64×64, are not resized; otherwise a size is chosen and printed. For prediction, pass the size of
        the training images.
    resize : {"pad", "crop", "stretch"}, default="pad"
        How an image of another aspect ratio is resized.
    progress : bool, default=False
        Show a progress bar on standard error, if that is a terminal.

    Returns
    -------
    ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
        The images; grey if all files are grey and `image_size` has no number of channels.

    Raises
    ------
    DataError
        No paths, or files that cannot be read; the message lists them.
    ParameterError
        An invalid size or rule.

    Examples
    --------
    >>> frame = pandas.read_csv("labels.csv")  # doctest: +SKIP
    >>> X = skconv.load_images(frame["file"], image_size=32)  # doctest: +SKIP
    >>> classifier = skconv.CNNClassifier().fit(X, frame["label"])  # doctest: +SKIP
    """
    if isinstance(paths, str | os.PathLike):
        raise ParameterError(f"paths is {os.fspath(paths)!r}; expected a list of files. Pass [path] for one image.")
    files = [expand_home(path) for path in paths]
    if not files:
        raise DataError("There are no paths; expected one or more image files.")
    spec = DataSpec(image_size=image_size, resize=resize)
    spec.check_options()
    return decode_files(files, spec, skip_unreadable=False, progress=progress).images


def list_labelled_files(table: Table, index: ImageIndex, spec: DataSpec) -> Listing:
    """Return the image files and labels of a table; errors as in `read_labelled_files`."""
    columns = find_columns(table, index, spec.image_column, spec.label_column, spec.groups)
    table, names = columns.table, columns.table.column(columns.names)
    splits, labels = columns.read_splits(), columns.read_labels()
    rows = _check_cells(table, names, labels, splits)
    cleaned = clean_labels(table.where, [labels[row] for row in rows])
    labels = [*labels]
    for row, label in zip(rows, cleaned, strict=True):
        labels[row] = label
    found = match_images(table.where, list(dict.fromkeys(names[row] for row in rows)), index)
    check_found(table.where, [names[row] for row in rows], found, index.folder, skip_missing=bool(spec.skip_unreadable))
    listed = [row for row in rows if names[row] in found]
    rows = _drop_repeated(table, listed, names, labels, found)
    note_unlisted(table.where, found, index)
    files, labels = [found[names[row]] for row in rows], [labels[row] for row in rows]
    groups = None
    if columns.groups is not None:
        row_files = {row: found[names[row]] for row in listed}
        groups = _read_groups(table, columns.groups, row_files, is_chosen=spec.given_groups is not None)
    elif spec.groups != NO_GROUPS:
        groups = find_named_folders(files, labels, index.folder, len(files)) or _find_series(files, labels)
    return Listing(files, labels, [splits[row] for row in rows], groups)


def _read_groups(table: Table, column: int, row_files: Mapping[int, Path], *, is_chosen: bool) -> ImageGroups | None:
    """Return the groups of the image files of rows; groups that have an image in common are one group.

    Return None if no image is in a group of a column that was not chosen.
    """
    cells = table.column(column)
    found: dict[str, str] = {}
    joined: dict[str, str] = {}  # the group that contains another one

    def follow(group: str) -> str:
        while group in joined:
            group = joined[group]
        return group

    for row, file in row_files.items():
        group, other = follow(cells[row]), follow(found.get(str(file), ""))
        if "" not in (group, other) and group != other:
            joined[group] = other
        found[str(file)] = other or group
    found = {name: follow(group) for name, group in found.items()}
    if not is_chosen and not any(found.values()):  # only rows without a label or an image have groups
        return None
    article = "" if table.header is None else "the column "
    return collect_groups(found, table.where, f"{article}{table.describe(column)}", is_chosen=is_chosen)


def _find_series(files: Sequence[Path], labels: Sequence[str]) -> ImageGroups | None:
    """Return the groups of images in class folders by the names of the files.

    In other folders, a part of the name may be an attribute of the image, such as an age or a kind.
    """
    labels_by_folder: dict[Path, set[str]] = {}
    for file, label in zip(files, labels, strict=True):
        labels_by_folder.setdefault(file.parent, set()).add(label)
    is_sorted = len(labels_by_folder) > 1 and all(len(each) == 1 for each in labels_by_folder.values())
    return find_series(files, labels, len(files)) if is_sorted else None


def _index_images(spec: DataSpec) -> ImageIndex:
    folder = spec.images_path
    if folder is None:
        return index_near(spec.path)
    if not folder.is_dir():
        raise SourceNotFoundError(f"The folder of images {folder} does not exist. Pass an existing folder as --images.")
    return ImageIndex(folder, walk_files(folder), spec.path.parent)


def _read_listing(table: Table, index: ImageIndex, spec: DataSpec, *, progress: bool) -> Splits:
    listing = list_labelled_files(table, index, spec)
    decoded = decode_files(listing.files, spec, progress=progress)
    labels = [listing.labels[position] for position in decoded.positions]
    splits = [listing.splits[position] for position in decoded.positions]
    files = [listing.files[position] for position in decoded.positions]
    return split_rows(table.where, decoded.images, labels, splits, files)._replace(groups=listing.groups)


def split_rows(
    where: str, images: np.ndarray, labels: Sequence[str], splits: Sequence[str], files: Sequence[Path] = ()
) -> Splits:
    """Return images and labels by split; without a split column, all rows are training data."""
    if set(splits) == {"train"}:
        return Splits(images, labels, files=files)
    rows = {split: [row for row, each in enumerate(splits) if each == split] for split in ("train", "valid", "test")}
    if not rows["train"]:
        raise DataError(f"{where} has no rows of the training split. Remove the split column to use all rows.")
    parts = {
        split: (images[each], [labels[row] for row in each]) if each else (None, None) for split, each in rows.items()
    }
    ordered = [files[row] for each in rows.values() for row in each] if files else ()
    train = images[rows["train"]], [labels[row] for row in rows["train"]]
    return Splits(*train, *parts["test"], *parts["valid"], files=ordered)  # type: ignore[misc]


def _check_cells(table: Table, names: list[str], labels: list[str], splits: list[str]) -> list[int]:
    """Return the indices of the rows to use, without splits that have no labels, which are reported in a warning."""
    for split in sorted(set(splits)):
        rows = [row for row, each in enumerate(splits) if each == split]
        if split != "train" and not any(labels[row].strip() for row in rows):
            warnings.warn(
                f"{table.where}: left out {format_count(len(rows), 'row')} of the {split} split, which has no labels.",
                stacklevel=2,
            )
            splits = [each if each != split else "" for each in splits]
    used = [row for row, split in enumerate(splits) if split]
    for what, cells in (("id", names), ("label", labels)):
        missing = [row for row in used if not cells[row].strip()]
        if missing:
            more = f" (and in {len(missing) - 1:,} more rows)" if len(missing) > 1 else ""
            raise DataError(f"{table.locate(missing[0])}: the {what} is missing{more}. Fill it in or delete the line.")
    return used


def _drop_repeated(
    table: Table, rows: list[int], names: list[str], labels: list[str], found: dict[str, Path]
) -> list[int]:
    """Return the first row of each image; raise `DataError` for images with different labels."""
    first: dict[Path, int] = {}
    repeated: list[int] = []
    conflicts: list[int] = []
    for row in rows:
        before = first.setdefault(found[names[row]], row)
        if labels[before] != labels[row]:
            conflicts.append(row)
        elif before != row:
            repeated.append(row)
    if conflicts:
        row, n = conflicts[0], len({found[names[row]] for row in conflicts})
        more = f", and there are several labels of {format_count(n - 1, 'other image')} too" if n > 1 else ""
        remedy = "Delete one of the two lines." if n == 1 else "Leave one line per image."
        if has_boxes(table):
            remedy = "Crop each box into a separate image, and list these images."
        raise DataError(
            f"{table.locate(row)}: the image '{names[row]}' has the labels '{labels[first[found[names[row]]]]}' and "
            f"'{labels[row]}'{more}; expected one label per image. {remedy}"
        )
    if repeated:
        warnings.warn(
            f"{table.where}: left out {format_count(len(repeated), 'repeated row')}, with the image and label of an "
            f"earlier row; the first is '{names[repeated[0]]}'.",
            stacklevel=2,
        )
    return list(first.values())

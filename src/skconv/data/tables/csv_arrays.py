"""Tables of pixels whose labels are in another file: X_train.csv and y_train.csv."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from skconv.data.content import is_table_name
from skconv.data.conversion import shape_rows, warn_if_dark
from skconv.data.dataset import Splits
from skconv.data.folder_tree import list_files
from skconv.data.labels import clean_labels, is_number
from skconv.data.npz_files import parse_names
from skconv.data.tables.columns import ROW_NUMBERS, is_label_header
from skconv.data.tables.pixel_csv import read_pixel_csv
from skconv.data.tables.splits import are_binary, to_bit
from skconv.data.tables.text import MIN_PIXELS, Table, open_lines, parse_line, read_table
from skconv.exceptions import DataError
from skconv.text import format_count

_IGNORED = re.compile(r"\d+\s*[x×]\s*\d+|csv")  # parts of names such as "csvTrainImages 13440x1024"
_Pairs = dict[str, tuple[Path, Path]]  # files of images and of labels, by split


def has_csv_pair(path: Path, exclude: Sequence[str] = ()) -> bool:
    """Return whether a path is a folder with tables of training images and of labels, or the table of such images.

    `exclude` contains patterns of tables in a folder that do not count, as in `skconv.data.folder_tree.read_tree`.
    """
    if not path.is_dir() and not is_table_name(path):
        return False
    pairs = _find_pairs(path if path.is_dir() else path.parent, exclude)
    return "train" in pairs and (path.is_dir() or path == pairs["train"][0])


def find_csv_images(path: Path) -> Path:
    """Return the table with images to predict of a path that `has_csv_pair` accepts: test images in a folder."""
    pairs = _find_pairs(path) if path.is_dir() else {}
    return pairs.get("test", pairs.get("train", (path, path)))[0]


def read_csv_pairs(path: Path, image_size: tuple[int, ...] | None = None, exclude: Sequence[str] = ()) -> Splits:
    """Read images and labels from tables of a folder that are named by split and content, with a note of their names.

    The names are those of `skconv.data.npz_files.read_npz`, also as ``csvTrainImages 13440x1024.csv``; `image_size` and
    `exclude` are as there. Raise `DataError` unless both tables of a split have the same number of rows, and each label
    is one value or one-hot.
    """
    folder = path if path.is_dir() else path.parent
    pairs = _find_pairs(folder, exclude)
    used = [f"{split} images in '{first.name}', labels in '{second.name}'" for split, (first, second) in pairs.items()]
    others = set(_list_tables(folder, exclude)) - {file for pair in pairs.values() for file in pair}
    ignored = f"; not used: {', '.join(sorted(file.name for file in others))}" if others else ""
    warnings.warn(f"{folder}: {'; '.join(used)}{ignored}.", stacklevel=2)
    read = {split: _read_pair(*pair, image_size) for split, pair in pairs.items()}
    return Splits(*read["train"], *read.get("test", (None, None)), *read.get("valid", (None, None)))


def _list_tables(folder: Path, exclude: Sequence[str]) -> list[Path]:
    """Return the tables in a folder; errors as in `list_files`."""
    return list_files(folder, is_table_name, exclude)


def _find_pairs(folder: Path, exclude: Sequence[str] = ()) -> _Pairs:
    """Return the tables of each split that has one of pixels without labels, and one of labels."""
    files: dict[str, list[Path]] = {}
    for file in _list_tables(folder, exclude):
        stem = file.name.lower().removesuffix(".gz").rpartition(".")[0]
        files.setdefault(_IGNORED.sub("", stem), []).append(file)
    roles = {role: [file for name in names for file in files[name]] for role, names in parse_names(files).items()}
    pairs: _Pairs = {}
    for split in ("train", "valid", "test"):
        found = [_prefer(split, roles.get((split, kind), [])) for kind in ("images", "labels")]
        if [len(each) for each in found] == [1, 1] and _has_only_pixels(found[0][0]):
            pairs[split] = found[0][0], found[1][0]
    return pairs


def _prefer(split: str, files: list[Path]) -> list[Path]:
    """Return the files with the name of the split, such as y_train.csv beside classes.csv, if there are any."""
    return [file for file in files if split in file.name.lower()] or files


def _has_only_pixels(path: Path) -> bool:
    """Return whether a table has many columns, numbers in its second line, and no header of labels."""
    try:
        with open_lines(path) as (delimiter, lines):
            rows = [parse_line(line, delimiter) for _, line in islice(lines, 2)]
    except DataError:
        return False
    if len(rows) < 2:
        return False
    first, second = rows
    return len(second) > MIN_PIXELS and all(map(is_number, second)) and not any(map(is_label_header, first))


def _read_pair(images: Path, labels: Path, image_size: tuple[int, ...] | None) -> tuple[np.ndarray, list[str]]:
    n_pixels = None if image_size is None else int(np.prod(image_size))
    table = read_pixel_csv(images, need_labels=False, n_pixels=n_pixels)
    if table.labels is not None:
        raise DataError(
            f"{images} seems to have a label column, and {labels.name} has labels, too. Pass --image-size if all "
            "columns are pixels; remove or rename one of the files otherwise."
        )
    warn_if_dark(str(images), table.pixels)
    names = clean_labels(str(labels), _read_labels(labels, images, len(table.pixels)))
    return shape_rows(str(images), table.pixels, image_size), names


def _read_labels(path: Path, images: Path, n: int) -> list[str]:
    """Return the label of each of `n` images; a table with one more row has a header."""
    table = read_table(path)
    if len(table.rows) == n + 1:
        table = table.split_header()
    if len(table.rows) != n:
        raise DataError(
            f"{images} has {format_count(n, 'image')}, but {path.name} has {format_count(len(table.rows), 'row')}. "
            "Save one label per image, in the same order."
        )
    columns = list(range(table.n_columns))
    if len(columns) > 1 and _has_row_numbers(table):
        del columns[0]
    if len(columns) == 1:
        return table.column(columns[0])
    bits = [[to_bit(row[column]) for column in columns] for row in table.rows]
    if not all(are_binary(table.column(column)) for column in columns) or any(row.count(1) != 1 for row in bits):
        raise DataError(f"{path} has {format_count(len(columns), 'column')}; expected one label per row, or one-hot.")
    names = columns if table.header is None else [table.header[column] for column in columns]
    return [str(names[row.index(1)]) for row in bits]


def _has_row_numbers(table: Table) -> bool:
    """Return whether the first column has row numbers, as pandas writes them."""
    if table.header is not None and table.header[0].lower() not in ROW_NUMBERS | {"id"}:
        return False
    cells = table.column(0)
    return all(map(is_number, cells)) and [float(cell) - float(cells[0]) for cell in cells] == list(range(len(cells)))

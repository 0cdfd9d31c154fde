"""CSV files with one image a row: a label, then the pixels (Kaggle's form), or the pixels alone."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

import numpy as np

from skconv.data.pixels import find_square
from skconv.exceptions import DataError

TABLE_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})
_ROWS_AT_ONCE = 1024
FEWEST_PIXELS = 9
# Columns that number the rows, lower case; Kaggle's test files have some, a pandas index has an empty name.
_ROW_NUMBERS = frozenset({"id", "imageid", "index", "", "unnamed: 0"})


@dataclass(frozen=True)
class PixelTable:
    """Pixels uint8 (n, n_pixels) and the labels as they are written; `labels` is None without a label column."""

    pixels: np.ndarray
    labels: list[str] | None


@dataclass(frozen=True)
class Layout:
    """How the rows of a CSV are divided; `label` and `number` are columns, None where there is none."""

    path: Path
    delimiter: str
    has_header: bool
    n_columns: int
    label: int | None
    number: int | None = None

    @property
    def n_pixels(self) -> int:
        """The number of columns that are neither label nor row number."""
        return self.n_columns - len(self.others)

    @property
    def others(self) -> list[int]:
        """The columns that are no pixels, from left to right."""
        return sorted(column for column in (self.label, self.number) if column is not None)


def read_pixel_csv(
    path: Path, label_column: str | None = None, *, need_labels: bool = True, n_pixels: int | None = None
) -> PixelTable:
    """Read a CSV of pixels, with or without a header and a label column.

    The label is the column called `label_column`, else the one called "label", else the first if what is left
    then has the size of an image: `n_pixels`, else any square. Memory in use is that of the uint8 pixels and a
    thousand rows of text.

    Parameters
    ----------
    path : pathlib.Path
        Commas, semicolons or tabs divide the columns.
    label_column : str, optional
        The label's column by its name in the header.
    need_labels : bool, default=True
        Whether a file without labels, or a row without one, is an error.
    n_pixels : int, optional
        The number of pixels to expect in an image.

    Raises
    ------
    DataError
        Not text, empty, or, with the number of its line: a row with too few or too many values, a pixel that
        is no whole number 0..255, a missing label.
    """
    pixels: list[np.ndarray] = []
    labels: list[str] = []
    with _open_rows(path, label_column, need_labels=need_labels, n_pixels=n_pixels) as (layout, lines):
        while block := list(islice(lines, _ROWS_AT_ONCE)):
            rows = [_cut_out(layout, number, line, labels) for number, line in block]
            pixels.append(_parse_rows(layout, block, rows))
            if need_labels:
                _check_labels(path, block, labels)
    if not pixels:
        raise DataError(f"{path} has a header but no rows. Download or save it again.")
    return PixelTable(np.concatenate(pixels), labels if layout.label is not None else None)


def read_csv_labels(path: Path) -> list[str]:
    """Read the labels of a CSV of pixels, passing over its pixels: five times as fast as all of it.

    Raises
    ------
    DataError
        As `read_pixel_csv`, save for what is wrong with pixels.
    """
    labels: list[str] = []
    with _open_rows(path, None, need_labels=True, n_pixels=None) as (layout, lines):
        while block := list(islice(lines, _ROWS_AT_ONCE)):
            for number, line in block:
                _cut_out(layout, number, line, labels)
            _check_labels(path, block, labels)
    return labels


@contextmanager
def open_table(path: Path) -> Iterator[TextIO]:
    """Open a CSV file as text; what cannot be read inside the block becomes a `DataError`."""
    try:
        with path.open(encoding="utf-8-sig") as stream:
            yield stream
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not a table in text form ({error}). Save it as CSV in UTF-8.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


@contextmanager
def _open_rows(
    path: Path, label_column: str | None, *, need_labels: bool, n_pixels: int | None
) -> Iterator[tuple[Layout, Iterator[tuple[int, str]]]]:
    """Open a CSV of pixels; yield its layout and its rows as numbered lines."""
    with open_table(path) as stream:
        first = stream.readline()
        layout = _find_layout(path, first, label_column, n_pixels)
        if need_labels and layout.label is None:
            raise DataError(
                f"{path} has {layout.n_columns} columns and none is the label; it begins with "
                f"'{first[:20].strip()}'. Put the label first, or pass --label-column with its name."
            )
        yield layout, _number_lines(stream, 2) if layout.has_header else _number_lines(chain([first], stream), 1)


def _split_first(path: Path, line: str) -> tuple[str, list[str]]:
    if not line.strip():
        raise DataError(f"{path} is empty or begins with an empty line; expected a CSV of pixels.")
    delimiter = max(",;\t", key=line.count)
    return delimiter, [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]


def _find_layout(path: Path, first: str, label_column: str | None, n_pixels: int | None) -> Layout:
    delimiter, cells = _split_first(path, first)
    if len(cells) <= FEWEST_PIXELS:
        raise DataError(
            f"{path} has {len(cells)} columns ({', '.join(cells)[:60]}), too few for a label and pixels. "
            "If it names image files and their labels, pass their folder with --images."
        )
    if not _is_header(cells):
        if label_column is not None:
            raise DataError(f"{path} has no header, so it has no column '{label_column}'. Add one, or leave it out.")
        return Layout(path, delimiter, False, len(cells), _guess_label(len(cells), n_pixels))
    names = [cell.lower() for cell in cells]
    number = 0 if names[0] in _ROW_NUMBERS else None
    if label_column is not None:
        if label_column not in cells:
            raise DataError(
                f"{path} has no column '{label_column}'; it begins with {', '.join(cells[:3])}. "
                "Pass --label-column with one of its names."
            )
        label: int | None = cells.index(label_column)
    elif "label" in names:
        label = names.index("label")
    elif number is not None or names[0].startswith("pixel"):
        label = None
    else:
        label = _guess_label(len(cells), n_pixels)
    return Layout(path, delimiter, True, len(cells), label, None if number == label else number)


def _guess_label(n_columns: int, n_pixels: int | None) -> int | None:
    """Without a name to go by, the first column is the label unless all columns together make an image."""
    if n_pixels in (n_columns, n_columns - 1):
        return None if n_columns == n_pixels else 0
    return None if find_square(n_columns) and not find_square(n_columns - 1) else 0


def _is_header(cells: list[str]) -> bool:
    """Tell names from values: a header holds words, or the numbers of its columns, as pandas writes them.

    The first cell says nothing, because a label may be a word.
    """
    n_numbers = sum(map(_is_number, cells[1:]))
    counted = [[str(start + index) for index in range(len(cells) - 1)] for start in (0, 1)]
    return 2 * n_numbers < len(cells) - 1 or (len(cells) > 9 and cells[1:] in counted)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number_lines(lines: Iterable[str], start: int) -> Iterator[tuple[int, str]]:
    return ((number, line) for number, line in enumerate(lines, start) if line.strip())


def _parse_rows(layout: Layout, block: list[tuple[int, str]], rows: list[str]) -> np.ndarray:
    """Return the pixels of some rows; `block` has the same lines as they stand in the file, with numbers."""
    for dtype in (np.uint8, np.float64):  # floats for whole numbers written as 12.0
        try:
            with warnings.catch_warnings():
                # NumPy before 2.4 only warns when it cuts 2.5 down to 2, and every NumPy where rows are empty.
                warnings.simplefilter("error")
                # About 25 million pixels a second, ten times as fast as Python's own csv.
                pixels = np.loadtxt(rows, dtype, delimiter=layout.delimiter, quotechar='"', comments=None, ndmin=2)
        except (ValueError, Warning):
            continue
        # NumPy passes over empty rows: a line with nothing but a label
        if pixels.shape == (len(rows), layout.n_pixels) and (dtype is np.uint8 or _are_whole(pixels)):
            return pixels.astype(np.uint8, copy=False)
    for number, line in block:
        _check_line(layout, number, line)
    raise DataError(f"{layout.path}, lines {block[0][0]} to {block[-1][0]} cannot be read as pixels. Save it again.")


def _check_labels(path: Path, block: list[tuple[int, str]], labels: list[str]) -> None:
    """Raise an error if one of the last labels, those of `block`, is missing."""
    last = labels[-len(block) :]
    if "" in last:
        number = block[last.index("")][0]
        raise DataError(f"{path}, line {number}: the label is missing. Fill it in or delete the line.")


def _are_whole(values: np.ndarray) -> bool:
    return bool(((values >= 0) & (values <= 255) & (values == np.rint(values))).all())


def _cut_out(layout: Layout, number: int, line: str, labels: list[str]) -> str:
    """Return a line without its label and row number; append the label."""
    rest = line
    for column in reversed(layout.others):
        cells = rest.split(layout.delimiter, column + 1)
        if column >= len(cells):
            raise _wrong_length(layout, number, line)
        cell = cells.pop(column).strip().strip('"')
        if column == layout.label:
            labels.append(cell)
        rest = layout.delimiter.join(cells)
    return rest


def _check_line(layout: Layout, number: int, line: str) -> None:
    """Raise the error that names what is wrong with a line."""
    cells = next(csv.reader([line], delimiter=layout.delimiter))
    if len(cells) != layout.n_columns:
        raise _wrong_length(layout, number, line)
    for column, cell in enumerate(cells):
        if column in layout.others:
            continue
        value = float(cell) if _is_number(cell) else np.nan
        if not (0 <= value <= 255 and value == int(value)):
            raise DataError(
                f"{layout.path}, line {number}, column {column + 1}: '{cell.strip()[:30]}' is not a pixel; "
                "expected a whole number 0..255. Correct or delete the line."
            )


def _wrong_length(layout: Layout, number: int, line: str) -> DataError:
    n_cells = line.count(layout.delimiter) + 1
    cut = " Is the file cut off? Download it again." if n_cells < layout.n_columns else " Correct or delete the line."
    return DataError(
        f"{layout.path}, line {number} has {n_cells} values, the first line {layout.n_columns} columns.{cut}"
    )

"""Reader of CSV files with the pixels of one image per row, with or without a label."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skconv.data.content import open_table
from skconv.data.conversion import find_square
from skconv.exceptions import DataError

MIN_PIXELS = 9
_N_ROWS = 1024  # per step
# Lower-case headers of row numbers; pandas writes its index with an empty header.
_ROW_NUMBERS = frozenset({"id", "imageid", "index", "", "unnamed: 0"})


class PixelTable(NamedTuple):
    """Pixels, uint8 (n, n_pixels), and labels as text; `labels` is None if there is no label column."""

    pixels: np.ndarray
    labels: list[str] | None


@dataclass(frozen=True)
class _Layout:
    """Column layout of a CSV; `label` and `number` are the indices of the label and row number, or None."""

    path: Path
    delimiter: str
    has_header: bool
    n_columns: int
    label: int | None
    number: int | None = None

    @property
    def n_pixels(self) -> int:
        """Number of columns that are neither label nor row number."""
        return self.n_columns - len(self.others)

    @property
    def others(self) -> list[int]:
        """Sorted indices of the columns that are not pixels."""
        return sorted(column for column in (self.label, self.number) if column is not None)


def read_pixel_csv(
    path: Path, label_column: str | None = None, *, need_labels: bool = True, n_pixels: int | None = None
) -> PixelTable:
    """Read a CSV of pixels, with or without a header and a label column.

    Columns are separated by commas, semicolons or tabs. The label is the column with the header `label_column`, by
    default "label". Without such a header, it is the first column if the other columns have the size of an image:
    `n_pixels` values, by default any square. The memory used is that of the uint8 pixels and 1024 rows of text.

    Raise `DataError` for a file that is empty or not text, and, with the line number, for a row of another length,
    a pixel that is not an integer 0..255, or, if `need_labels`, a missing label.
    """
    pixels: list[np.ndarray] = []
    labels: list[str] = []
    with _open_rows(path, label_column, need_labels=need_labels, n_pixels=n_pixels) as (layout, lines):
        while block := list(islice(lines, _N_ROWS)):
            rows = [_extract_label(layout, number, line, labels) for number, line in block]
            pixels.append(_parse_rows(layout, block, rows))
            if need_labels:
                _check_labels(path, block, labels)
    if not pixels:
        raise DataError(f"{path} has a header but no rows. Download or save it again.")
    return PixelTable(np.concatenate(pixels), labels if layout.label is not None else None)


def read_csv_labels(path: Path) -> list[str]:
    """Read only the labels of a CSV of pixels, without checking the pixels; five times as fast as `read_pixel_csv`."""
    labels: list[str] = []
    with _open_rows(path, None, need_labels=True, n_pixels=None) as (layout, lines):
        for number, line in lines:
            _extract_label(layout, number, line, labels)
            _check_labels(path, [(number, line)], labels)
    return labels


@contextmanager
def _open_rows(
    path: Path, label_column: str | None, *, need_labels: bool, n_pixels: int | None
) -> Iterator[tuple[_Layout, Iterator[tuple[int, str]]]]:
    """Open a CSV of pixels; yield its layout and its rows as numbered lines."""
    with open_table(path) as stream:
        first = stream.readline()
        layout = _find_layout(path, first, label_column, n_pixels)
        if need_labels and layout.label is None:
            raise DataError(
                f"{path} has {layout.n_columns} columns, but no label column; it begins with "
                f"'{first[:20].strip()}'. Put the label first, or pass its header as --label-column."
            )
        lines = enumerate(stream, 2) if layout.has_header else enumerate(chain([first], stream), 1)
        yield layout, ((number, line) for number, line in lines if line.strip())


def _find_layout(path: Path, first: str, label_column: str | None, n_pixels: int | None) -> _Layout:
    if not first.strip():
        raise DataError(f"{path} is empty or begins with an empty line; expected a CSV of pixels.")
    delimiter = max(",;\t", key=first.count)
    cells = [cell.strip() for cell in next(csv.reader([first], delimiter=delimiter))]
    if len(cells) <= MIN_PIXELS:
        raise DataError(
            f"{path} has {len(cells)} columns ({', '.join(cells)[:60]}), too few for a label and pixels. "
            "If it lists image files and their labels, pass their folder as --images."
        )
    if not _is_header(cells):
        if label_column is not None:
            raise DataError(f"{path} has no header, but the label column is '{label_column}'. Add a header.")
        return _Layout(path, delimiter, False, len(cells), _guess_label(len(cells), n_pixels))
    names = [cell.lower() for cell in cells]
    number = 0 if names[0] in _ROW_NUMBERS else None
    if label_column is not None:
        if label_column not in cells:
            raise DataError(
                f"{path} has no column '{label_column}'; it begins with {', '.join(cells[:3])}. "
                "Pass one of its headers as --label-column."
            )
        label: int | None = cells.index(label_column)
    elif "label" in names:
        label = names.index("label")
    elif number is not None or names[0].startswith("pixel"):
        label = None
    else:
        label = _guess_label(len(cells), n_pixels)
    return _Layout(path, delimiter, True, len(cells), label, None if number == label else number)


def _guess_label(n_columns: int, n_pixels: int | None) -> int | None:
    """Return the index of the label column: 0, or None if all columns together have the size of an image."""
    if n_pixels in (n_columns, n_columns - 1):
        return None if n_columns == n_pixels else 0
    return None if find_square(n_columns) and not find_square(n_columns - 1) else 0


def _is_header(cells: list[str]) -> bool:
    """Return whether a line is a header: its cells, except the first, are mostly words or column numbers."""
    n_numbers = sum(map(_is_number, cells[1:]))
    counted = [[str(start + index) for index in range(len(cells) - 1)] for start in (0, 1)]
    return 2 * n_numbers < len(cells) - 1 or cells[1:] in counted


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _parse_rows(layout: _Layout, block: list[tuple[int, str]], rows: list[str]) -> np.ndarray:
    """Return the pixels of `rows`; `block` contains the original lines with their numbers."""
    for dtype in (np.uint8, np.float64):  # integers may be written as 12.0
        try:
            with warnings.catch_warnings():
                # NumPy before 2.4 truncates 2.5 to 2 with a warning; empty rows cause a warning in every version.
                warnings.simplefilter("error")
                # About 25 million pixels per second, ten times as fast as the csv module.
                pixels = np.loadtxt(rows, dtype, delimiter=layout.delimiter, quotechar='"', comments=None, ndmin=2)
        except (ValueError, Warning):
            continue
        # NumPy skips empty rows, which are lines without pixels.
        if pixels.shape == (len(rows), layout.n_pixels) and (dtype is np.uint8 or _are_whole(pixels)):
            return pixels.astype(np.uint8, copy=False)
    for number, line in block:
        _check_line(layout, number, line)
    raise DataError(
        f"{layout.path}, lines {block[0][0]} to {block[-1][0]} cannot be read as pixels. Save the file again."
    )


def _check_labels(path: Path, block: list[tuple[int, str]], labels: list[str]) -> None:
    """Raise `DataError` if a label is missing; the last items of `labels` belong to `block`."""
    last = labels[-len(block) :]
    if "" in last:
        number = block[last.index("")][0]
        raise DataError(f"{path}, line {number}: the label is missing. Fill it in or delete the line.")


def _are_whole(values: np.ndarray) -> bool:
    return bool(((values >= 0) & (values <= 255) & (values == np.rint(values))).all())


def _extract_label(layout: _Layout, number: int, line: str, labels: list[str]) -> str:
    """Append the label of a line to `labels`; return the line without label and row number."""
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


def _check_line(layout: _Layout, number: int, line: str) -> None:
    """Raise `DataError` for an invalid line, with its number and column."""
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
                "expected an integer 0..255. Correct or delete the line."
            )


def _wrong_length(layout: _Layout, number: int, line: str) -> DataError:
    n_cells = line.count(layout.delimiter) + 1
    truncated = n_cells < layout.n_columns
    remedy = "Is the file truncated? Download it again." if truncated else "Correct or delete the line."
    return DataError(
        f"{layout.path}, line {number} has {n_cells} values, but the first line has {layout.n_columns}. {remedy}"
    )

"""Reader of tables with the pixels of one image per row, with or without a label."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skconv.data.conversion import as_uint8, has_many_fractions, warn_if_dark
from skconv.data.labels import clean_labels, is_number, to_number
from skconv.data.tables.pixel_layout import Layout, find_layout, split_pixels
from skconv.data.tables.splits import parse_split, to_bit
from skconv.data.tables.text import MIN_PIXELS, open_lines, parse_line
from skconv.exceptions import DataError
from skconv.text import format_count

_SPARSE = re.compile(r"\d+:[^:]+")
_N_ROWS = 1024  # per step
_N_SAMPLED = 200  # lines read to find the label and pixel columns


class PixelTable(NamedTuple):
    """Pixels uint8 (n, n_pixels), labels as text, and the split of each row: "train", "valid" or "test".

    `labels` is None without a label column, `splits` without a column of splits.
    """

    pixels: np.ndarray
    labels: list[str] | None
    splits: list[str] | None = None


def read_pixel_csv(
    path: Path, label_column: str | None = None, *, need_labels: bool = True, n_pixels: int | None = None
) -> PixelTable:
    """Read a table of pixels, with or without a header and a label column.

    The columns are found as in `skconv.data.tables.pixel_layout.find_layout`; the pixels are converted as in
    `skconv.data.conversion.as_uint8`. The memory used is that of the uint8 or float32 pixels and 1024 rows of text.

    Raise `DataError` for a file that is empty or not text, and, with the line number, for a row of another length,
    a pixel that is not a number in the range of the other pixels, or, if `need_labels`, a missing label.
    """
    blocks: list[np.ndarray] = []
    labels: list[str] = []
    splits: list[str] = []
    with _open_rows(path, label_column, need_labels=need_labels, n_pixels=n_pixels) as (layout, lines):
        while block := list(islice(lines, _N_ROWS)):
            rows = [_extract_label(layout, number, line, labels, splits) for number, line in block]
            blocks.append(_parse_rows(layout, block, rows))
            if need_labels:
                _check_labels(path, block, labels)
    pixels = _join(str(path), blocks)
    if need_labels:
        warn_if_dark(str(path), pixels)
        labels = clean_labels(str(path), labels)
    parsed = [parse_split(each) or "train" for each in splits]
    return PixelTable(pixels, labels if layout.has_labels else None, parsed if layout.split is not None else None)


def read_csv_labels(path: Path) -> list[str]:
    """Read the labels of a table of pixels without checking the pixels; five times as fast as `read_pixel_csv`."""
    labels: list[str] = []
    with _open_rows(path, None, need_labels=True, n_pixels=None) as (layout, lines):
        for number, line in lines:
            _extract_label(layout, number, line, labels, [])
            _check_labels(path, [(number, line)], labels)
    return clean_labels(str(path), labels)


@contextmanager
def _open_rows(
    path: Path, label_column: str | None, *, need_labels: bool, n_pixels: int | None
) -> Iterator[tuple[Layout, Iterator[tuple[int, str]]]]:
    """Open a table of pixels; yield its layout and its rows as numbered lines."""
    with open_lines(path) as (delimiter, lines):
        sample = list(islice(lines, _N_SAMPLED))
        if not sample:
            raise DataError(f"{path} is empty; expected a table of pixels. Download or save it again.")

        _check_format(path, parse_line(sample[0][1], delimiter), parse_line(sample[-1][1], delimiter))

        def read_cells(columns: Sequence[int], n_skipped: int) -> Iterator[tuple[str, ...]]:
            with open_lines(path) as (_, all_lines):
                for _, line in islice(all_lines, n_skipped, None):
                    cells = parse_line(line, delimiter)
                    if len(cells) > max(columns):
                        yield tuple(cells[column] for column in columns)

        layout = find_layout(
            path, delimiter, [line for _, line in sample], read_cells, label_column=label_column, n_pixels=n_pixels
        )
        if need_labels and not layout.has_labels:
            raise DataError(
                f"{path} has {format_count(layout.n_columns, 'column')}, but no label column; it begins with "
                f"'{sample[0][1][:20].strip()}'. Put the label first, or pass its header as --label-column. Labels in "
                "another file are found by the names: X_train.csv and y_train.csv."
            )
        rows = chain(sample, lines)
        yield layout, islice(rows, int(layout.has_header), None)


def _check_format(path: Path, first: list[str], last: list[str]) -> None:
    """Raise `DataError` for a title above the header, and for the sparse format of LIBSVM."""
    if len(first) == 1 and len(last) > MIN_PIXELS:
        raise DataError(
            f"{path}, line 1 has one value, '{first[0][:30]}', but the last line has {len(last)}. Delete a title."
        )
    if len(last) > 1 and all(_SPARSE.fullmatch(cell) for cell in last[1:]):
        raise DataError(
            f"{path} has columns in the format of LIBSVM, such as '{last[1]}'. Read it with "
            "sklearn.datasets.load_svmlight_file, and save its arrays with numpy.savez."
        )


def _extract_label(layout: Layout, number: int, line: str, labels: list[str], splits: list[str]) -> str:
    """Append the label and split of a line to the lists; return the line without the columns that are not pixels."""
    n_before, n_after = layout.n_before, layout.n_after
    if layout.is_text or '"' in line or layout.delimiter == " " or n_before + n_after < len(layout.others):
        cells = parse_line(line, layout.delimiter)
        if len(cells) != layout.n_columns:
            raise _wrong_length(layout, len(cells), number)
        others = [cells[column] for column in layout.others]
        pixels = [cells[column].replace(",", ".") for column in layout.pixels]
        rest = " ".join(split_pixels(cells[layout.pixels[0]])) if layout.is_text else layout.delimiter.join(pixels)
    else:
        *before, rest = line.rstrip("\r\n").split(layout.delimiter, n_before)
        rest, *after = rest.rsplit(layout.delimiter, n_after)
        others = [*before, *after]
        if len(others) != len(layout.others):
            raise _wrong_length(layout, len(parse_line(line, layout.delimiter)), number)
        if layout.delimiter != "," and "," in rest:
            rest = rest.replace(",", ".")
    for column, cell in zip(layout.others, others, strict=True):
        if column == layout.label:
            labels.append(cell)
        elif column == layout.split:
            splits.append(cell)
    if layout.hot:
        cells_by_column = dict(zip(layout.others, others, strict=True))
        labels.append(_name_hot(layout, number, [cells_by_column[column] for column in layout.hot]))
    return rest


def _name_hot(layout: Layout, number: int, cells: list[str]) -> str:
    """Return the name of the class whose cell is 1; raise `DataError` unless there is one."""
    values = list(map(to_bit, cells))
    if sum(value == 1 for value in values) != 1 or None in values:
        raise DataError(
            f"{layout.path}, line {number}: the one-hot labels are {', '.join(cells)[:60]}; expected one 1."
        )
    return layout.hot_names[values.index(1)]


def _parse_rows(layout: Layout, block: list[tuple[int, str]], rows: list[str]) -> np.ndarray:
    """Return the pixels of `rows`, uint8, or float32 for fractions; `block` has the original lines with numbers."""
    delimiter = " " if layout.is_text else layout.delimiter
    pixels = None
    for dtype in (np.uint8, np.float64):  # integers may be written as 12.0
        try:
            with warnings.catch_warnings():
                # NumPy before 2.4 truncates 2.5 to 2 with a warning; empty rows cause a warning in every version.
                warnings.simplefilter("error")
                # About 25 million pixels per second, ten times as fast as the csv module.
                pixels = np.loadtxt(rows, dtype, delimiter=delimiter, quotechar='"', comments=None, ndmin=2)
        except (ValueError, Warning):
            continue
        # NumPy skips empty rows, which are lines without pixels.
        if len(pixels) != len(rows) or (not layout.is_text and pixels.shape[1] != len(layout.pixels)):
            continue
        if dtype is np.uint8:
            return pixels
        if _are_whole(pixels):
            # Numbers like 0.0 and 1.0 may be part of a table of fractions.
            return pixels.astype(np.uint8 if pixels.max() > 1 else np.float32)
        if np.abs(pixels).max() <= 1 or (_are_grey(pixels) and has_many_fractions(pixels)):
            return pixels.astype(np.float32)
    are_fractions = pixels is not None and np.mean((np.abs(pixels) <= 1) & (pixels != np.rint(pixels))) > 0.5
    for number, line in block:
        _check_line(layout, number, line, are_fractions=are_fractions)
    raise DataError(
        f"{layout.path}, lines {block[0][0]} to {block[-1][0]} cannot be read as pixels. Save the file again."
    )


def _join(where: str, blocks: list[np.ndarray]) -> np.ndarray:
    """Return the pixels of all blocks as uint8."""
    if len({block.shape[1] for block in blocks}) > 1:
        first, other = list(dict.fromkeys(block.shape[1] for block in blocks))[:2]
        raise DataError(
            f"{where} has rows of {first:,} and of {other:,} pixels; expected one size. Save images of one size."
        )
    pixels = np.concatenate(blocks)
    return as_uint8(where, pixels)


def _are_whole(values: np.ndarray) -> bool:
    return _are_grey(values) and bool((values == np.rint(values)).all())


def _are_grey(values: np.ndarray) -> bool:
    return bool(((values >= 0) & (values <= 255)).all())


def _check_labels(path: Path, block: list[tuple[int, str]], labels: list[str]) -> None:
    """Raise `DataError` if a label is missing; the last items of `labels` belong to `block`."""
    last = [label.strip() for label in labels[-len(block) :]]
    if "" in last:
        number = block[last.index("")][0]
        raise DataError(f"{path}, line {number}: the label is missing. Fill it in or delete the line.")


def _check_line(layout: Layout, number: int, line: str, *, are_fractions: bool) -> None:
    """Raise `DataError` for an invalid line, with its number and column."""
    cells = parse_line(line, layout.delimiter)
    if len(cells) != layout.n_columns:
        raise _wrong_length(layout, len(cells), number)
    expected = "a number in -1..1, like most pixels" if are_fractions else "an integer in 0..255"
    for column in layout.pixels:
        for cell in split_pixels(cells[column]) if layout.is_text else [cells[column]]:
            value = to_number(cell) if is_number(cell) else np.nan
            if not (abs(value) <= 1 if are_fractions else 0 <= value <= 255 and value == int(value)):
                raise DataError(
                    f"{layout.path}, line {number}, column {column + 1}: '{cell[:30]}' is not a pixel; expected "
                    f"{expected}. Correct or delete the line."
                )


def _wrong_length(layout: Layout, n_cells: int, number: int) -> DataError:
    truncated = n_cells < layout.n_columns
    remedy = "Is the file truncated? Download it again." if truncated else "Correct or delete the line."
    return DataError(
        f"{layout.path}, line {number} has {format_count(n_cells, 'value')}, but the first line has "
        f"{layout.n_columns}. {remedy}"
    )

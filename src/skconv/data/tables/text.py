"""Text tables: delimiter, rows and columns of CSV, TSV and text files, and of data frames."""

from __future__ import annotations

import csv
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from skconv.data.content import open_table
from skconv.data.conversion import find_square
from skconv.data.labels import is_missing, is_number, normalize_text
from skconv.exceptions import DataError, ParameterError
from skconv.images.formats import has_image_suffix
from skconv.text import format_count

_DELIMITERS = "\t;|, "  # in order of preference: numbers may contain commas, and any text may contain spaces
MIN_PIXELS = 9  # minimum number of values of an image
_N_SAMPLED = 20  # lines
_MAX_LISTED = 20  # headers in a message
_MAX_TITLES = 10  # rows before the header
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)  # first line of some CSV files from Excel


@dataclass(frozen=True)
class Table:
    """Cells of a table as text; `header` is None if there is none, `lines` are the line numbers of the rows."""

    where: str  # file name for messages
    header: list[str] | None
    rows: list[list[str]]
    lines: Sequence[int]

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self.header if self.header is not None else self.rows[0])

    def column(self, index: int, *, raw: bool = False) -> list[str]:
        """Return the cells of a column, in Unicode's composed form and without surrounding spaces unless `raw`."""
        return [row[index] if raw else normalize_text(row[index]) for row in self.rows]

    def locate(self, row: int) -> str:
        """Return file and line of a row for messages."""
        return f"{self.where}, line {self.lines[row]}"

    def describe(self, index: int) -> str:
        """Return the header of a column in quotes, or its number from 1."""
        return f"column {index + 1}" if self.header is None else f"'{self.header[index]}'"

    def describe_all(self) -> str:
        """Return a predicate with the headers of the columns, or their number, for messages."""
        if self.header is None:
            return f"has {format_count(self.n_columns, 'column')} and no header"
        if self.n_columns > _MAX_LISTED:
            return f"has {self.n_columns} columns, of which the first are {', '.join(self.header[:3])}"
        return f"has the columns {', '.join(self.header)}"

    def split_header(self) -> Table:
        """Return the table with its first row as the header."""
        return Table(self.where, list(map(normalize_text, self.rows[0])), self.rows[1:], self.lines[1:])


def read_table(path: Path) -> Table:
    """Read all rows of a text table without interpreting the first as a header.

    Raise `DataError` for a file without rows, and for a row that differs in length from the first.
    """
    with open_lines(path) as (delimiter, numbered):
        numbers: list[int] = []

        def lines() -> Iterator[str]:
            for number, line in numbered:
                numbers.append(number)
                yield line

        rows: list[list[str]] = []
        starts: list[int] = []
        first = 0
        for row in read_cells(lines(), delimiter):
            if any(map(str.strip, row)):
                rows.append([_strip_formula(cell) for cell in row])
                starts.append(numbers[first])
            first = len(numbers)  # a quoted cell may contain line breaks
    rows = _split_quoted_lines(rows)
    if not rows:
        raise DataError(f"{path} has 0 columns and no rows; expected a header such as id,label, and rows.")
    n_comments = _count_comments(rows)
    if n_comments:
        warnings.warn(f"{path}: not used: {format_count(n_comments, 'comment')} before the first row.", stacklevel=2)
        del rows[:n_comments], starts[:n_comments]
    n_titles = _count_titles(rows)
    if n_titles:
        title = " ".join(rows[n_titles - 1]).strip()[:40]
        warnings.warn(f"{path}: line {starts[n_titles - 1]}, '{title}', is not used: it is a title.", stacklevel=2)
        del rows[:n_titles], starts[:n_titles]
    rows[0][0] = rows[0][0].lstrip("# ")
    _align_header(rows)
    for row, number in zip(rows, starts, strict=True):
        if len(row) != len(rows[0]):
            raise DataError(
                f"{path}, line {number} has {format_count(len(row), 'value')}, but the first line has {len(rows[0])}. "
                "Correct or delete the line."
            )
    return Table(str(path), None, rows, starts)


def read_cells(lines: Iterable[str], delimiter: str) -> Iterator[list[str]]:
    """Yield the cells of lines, which may be quoted and contain delimiters and line breaks."""
    if delimiter == " ":  # any number of spaces
        lines = (line.strip() for line in lines)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def parse_line(line: str, delimiter: str) -> list[str]:
    """Return the stripped cells of one line."""
    if delimiter == " " and '"' not in line:
        return line.split()
    return [cell.strip() for cell in next(read_cells([line], delimiter))]


def _align_header(rows: list[list[str]]) -> None:
    """Add the header of row names, which R omits, and remove a last column that is empty, in place."""
    n_header, lengths = len(rows[0]), {len(row) for row in rows[1:]}
    if lengths == {n_header + 1}:
        if any(row[-1] for row in rows[1:]):
            rows[0].insert(0, "")
        else:
            for row in rows[1:]:
                del row[-1]


def _split_quoted_lines(rows: list[list[str]]) -> list[list[str]]:
    """Split lines that are quoted as a whole, and were therefore read as one cell."""
    if not rows or {len(row) for row in rows} != {1}:
        return rows
    lines = [row[0] for row in rows]
    split = list(read_cells(lines, find_delimiter(lines[:_N_SAMPLED])))
    return split if len(split) == len(rows) else rows


def _count_titles(rows: list[list[str]]) -> int:
    """Return how many rows before the header have only one cell with text, as a title or the number of rows."""
    (n_cells, _), *_ = Counter(map(len, rows)).most_common(1)
    for number, row in enumerate(rows[:_MAX_TITLES]):
        has_one = bool(row[0].strip()) and not any(map(str.strip, row[1:]))
        is_row = len(row) == n_cells and (is_number(row[0].strip()) or has_image_suffix(row[0]))
        if n_cells < 2 or not has_one or is_row or has_image_suffix(row[0]):
            return number if number < len(rows) - 1 else 0
    return 0


def _count_comments(rows: list[list[str]]) -> int:
    """Return how many of several first rows that begin with "#" are not the header, which is the last, if it fits."""
    n_marked = next((number for number, row in enumerate(rows) if not row[0].startswith("#")), 0)
    if n_marked < 2:
        return 0
    (n_cells, _), *_ = Counter(map(len, rows[n_marked:])).most_common(1)
    return n_marked - int(len(rows[n_marked - 1]) == n_cells)


def _strip_formula(cell: str) -> str:
    """Return the text of a formula like ``="0012"``, which keeps leading zeros in Excel."""
    return cell[2:-1] if cell.startswith('="') and cell.endswith('"') and len(cell) > 3 else cell


def read_frame(frame: Any) -> Table:
    """Return a data frame of pandas or polars, or anything with `columns` and items, as a table of text."""
    header = [str(name) for name in frame.columns]
    columns = [["" if is_missing(cell) else str(cell) for cell in frame[name]] for name in frame.columns]
    if not columns or not columns[0]:
        raise DataError("The data frame has no rows; expected the names of images and their labels.")
    return Table("the data frame", header, [list(row) for row in zip(*columns, strict=True)], range(len(columns[0])))


def is_frame(source: Any) -> bool:
    """Return whether an object is a data frame, without importing pandas or polars."""
    return hasattr(source, "columns") and hasattr(source, "__getitem__") and not isinstance(source, str)


@contextmanager
def open_lines(path: Path) -> Iterator[tuple[str, Iterator[tuple[int, str]]]]:
    """Open a text table; yield its delimiter and an iterator of its lines, numbered from 1; empty lines are skipped."""
    with open_table(path) as stream:
        numbered = ((number, line) for number, line in enumerate(stream, 1) if line.strip())
        sample = list(islice(numbered, _N_SAMPLED))
        marked = _SEPARATOR_LINE.fullmatch(sample[0][1]) if sample else None
        if marked:
            sample = sample[1:]
        delimiter = marked[1] if marked else find_delimiter([line for _, line in sample])
        yield delimiter, chain(sample, numbered)


def find_delimiter(lines: Sequence[str]) -> str:
    """Return the delimiter that splits most lines into the same number of cells, two or more.

    A delimiter that also splits the first line is preferred, because labels may contain delimiters. Lines of an
    image's pixels below a word are cells of one column with this header.

    Examples
    --------
    >>> find_delimiter(["id;label", "1;1,5", "2;2,5"]), find_delimiter(["im 1.png,big cat", "2.png,dog"])
    (';', ',')
    >>> find_delimiter(["pixels", "0 255 0 255 0 255 0 255 0", "0 1 2 3 4 5 6 7 8"])
    ','
    """
    found = []
    for delimiter in _DELIMITERS:
        rows = [[cell for cell in row if cell or delimiter != " "] for row in read_cells(lines, delimiter)]
        n_cells, n_lines = max(Counter(map(len, rows)).items(), key=lambda item: item[1], default=(0, 0))
        if n_cells > 1 and n_lines > len(lines) / 2:
            # The header of row names is omitted by R.
            if len(rows[0]) == n_cells or len(rows[0]) == n_cells - 1 > 1:
                return delimiter
            if delimiter == " " and len(rows[0]) == 1 and n_cells >= MIN_PIXELS and find_square(n_cells):
                continue
            found.append(delimiter)
    return found[0] if found else ","


def find_column(table: Table, name: str | None, option: str) -> int | None:
    """Return the position of a column by its header, or in a table without header by its number from 1 (-1: the last).

    Return None if `name` is None. If there is no such column, raise a `DataError` that names `option`, for example
    ``"--label-column"``.
    """
    if name is None:
        return None
    if not isinstance(name, str | int):
        raise ParameterError(f"The name of a column is {name!r}; expected text. Pass a header as {option}.")
    name = normalize_text(str(name))
    header = table.header or []
    for same in (str, str.casefold):
        found = [index for index, each in enumerate(header) if same(each) == same(name)]
        if len(found) == 1:
            return found[0]
    if not header and re.fullmatch(r"-?\d+", name):
        number, n = int(name), table.n_columns
        if 1 <= abs(number) <= n:
            return number - 1 if number > 0 else n + number
    if found:
        raise DataError(f"{table.where} has {len(found)} columns named '{name}'; expected one. Rename the others.")
    if header:
        raise DataError(
            f"{table.where} has no column '{name}'; it {table.describe_all()}. Pass the header of a column as {option}."
        )
    raise DataError(
        f"{table.where} has no header, but the column is '{name}'. Add a header, or pass a number from 1 to "
        f"{table.n_columns} (the last is -1) as {option}."
    )

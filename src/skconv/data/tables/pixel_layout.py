"""Columns of a table of pixels (label, split, pixels, unused columns), found by header and content."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from skconv.data.conversion import find_square
from skconv.data.labels import is_number, to_number
from skconv.data.tables.columns import ROW_NUMBERS, is_label_header
from skconv.data.tables.splits import are_binary, is_split_column, to_bit
from skconv.data.tables.text import MIN_PIXELS, Table, find_column, parse_line
from skconv.exceptions import DataError
from skconv.images.formats import has_image_suffix
from skconv.text import format_count

_ID_HEADERS = ROW_NUMBERS | {"id", "imageid", "image_id"}


@dataclass(frozen=True)
class Layout:
    """Columns of a table of pixels, as positions.

    `label` and `split` may be None; one-hot labels are in the columns `hot`, whose classes have the names `hot_names`.
    `pixels` has one position per pixel, or the position of the only column with all pixels of an image as text. All
    other columns are not used.
    """

    path: Path
    delimiter: str
    has_header: bool
    n_columns: int
    label: int | None
    pixels: list[int]
    split: int | None = None
    is_text: bool = False
    hot: Sequence[int] = ()
    hot_names: Sequence[str] = ()

    @property
    def has_labels(self) -> bool:
        """Whether there is a label column, or one-hot labels."""
        return self.label is not None or bool(self.hot)

    @cached_property
    def others(self) -> list[int]:
        """Sorted positions of the columns that are not pixels."""
        return sorted(set(range(self.n_columns)) - set(self.pixels))

    @cached_property
    def n_before(self) -> int:
        """Number of columns before the first pixel."""
        return self.pixels[0]

    @cached_property
    def n_after(self) -> int:
        """Number of columns after the last pixel."""
        return self.n_columns - 1 - self.pixels[-1]


def find_layout(
    path: Path,
    delimiter: str,
    sample: Sequence[str],
    read_cells: Callable[[Sequence[int], int], Iterator[tuple[str, ...]]],
    label_column: str | None = None,
    n_pixels: int | None = None,
) -> Layout:
    """Find the columns of a table of pixels from its first lines, `sample`.

    The label column is, in this order:

    - `label_column`;
    - the column with "label" or a similar word in its header;
    - the only column whose header is not numbered like those of the pixels, or whose values are not numbers;
    - the first or the last column, if its values look like classes, and the number of the other columns is that of the
      pixels of an image: `n_pixels`, by default any square.

    ``read_cells(columns, n)`` yields the cells of some columns in all lines except the first n.

    Warn about every choice that a header does not determine. Raise a `DataError` that names ``--label-column`` if
    several columns may be the label.
    """
    rows = [parse_line(line, delimiter) for line in sample]
    n_columns = len(rows[0])
    rows = [row for row in rows if len(row) == n_columns]  # lines of another length are reported when they are read
    rows[0][0] = rows[0][0].lstrip("# ")
    table = Table(str(path), None, rows, range(1, len(rows) + 1))
    if _is_header(rows):
        table = table.split_header()
    text = _find_text(table)
    if text is None and n_columns <= MIN_PIXELS:
        raise DataError(
            f"{path} has {format_count(n_columns, 'column')} ({', '.join(rows[0])[:60]}), too few for a label and "
            "pixels. If it lists image files and their labels, pass their folder as --images."
        )
    if not table.rows:
        raise DataError(f"{path} has a header but no rows. Download or save it again.")
    split = _find_split(table)
    pixels = [text] if text is not None else _find_pixels(table, split)
    label = find_column(table, label_column, "--label-column")
    hot = [] if label is not None else _find_one_hot(table, split, pixels, n_pixels)
    pixels = [column for column in pixels if column not in hot]
    label, is_certain = (None, False) if hot else _find_label(table, label, split, pixels)
    if text is None:
        pixels = [column for column in pixels if column != label]
        if label is None and not hot:
            label, is_certain = _guess_label(table, pixels, n_pixels, read_cells)
            pixels = [column for column in pixels if column != label]
        pixels = pixels[_has_row_number(table, pixels, n_pixels) :]
    names = [str(each) if table.header is None else table.header[column] for each, column in enumerate(hot)]
    layout = Layout(
        path, delimiter, table.header is not None, n_columns, label, pixels, split, text is not None, hot, names
    )
    _note_layout(layout, table, is_certain)
    return layout


def _is_header(rows: list[list[str]]) -> bool:
    """Return whether the first row is a header: mostly words, consecutive numbers, or a word above numbers."""
    first, others = rows[0], rows[1:]
    numbers = [cell for cell in first if is_number(cell)]
    n_texts = sum(len(split_pixels(cell)) >= MIN_PIXELS for cell in first)
    if 2 * (len(numbers) + n_texts) < len(first):
        return True
    if _is_mangled(first):
        return True
    counted = ([str(start + each) for each in range(len(numbers))] for start in (0, 1))
    if len(numbers) > MIN_PIXELS and numbers in counted:
        return True
    return len(others) > 0 and any(
        re.search("[^\\W\\d_]", cell) is not None
        and not _is_any_number(cell)
        and all(is_number(row[index]) for row in others)
        for index, cell in enumerate(first)
    )


def _is_mangled(first: list[str]) -> bool:
    """Return whether pandas made a header of a row of values: 7, 7.1, 7.2 for the values 7, 7, 7."""
    n_before: Counter[str] = Counter()
    n_repeated = 0
    for cell in first:
        value, point, count = cell.partition(".")
        if point and count != str(n_before[value]):
            return False
        n_repeated += bool(point)
        n_before[value] += 1
    return n_repeated >= MIN_PIXELS


def _find_text(table: Table) -> int | None:
    """Return the column with all pixels of an image as text: ``"0 255 12"`` or ``"[0, 255, 12]"``."""
    for column in range(table.n_columns):
        cells = table.column(column)
        if cells and all(len(split_pixels(cell)) >= MIN_PIXELS and is_number(split_pixels(cell)[0]) for cell in cells):
            return column
    return None


def split_pixels(cell: str) -> list[str]:
    """Split a cell with all pixels of an image into strings, one per pixel."""
    return cell.strip("[] ").replace(",", " ").split()


def _find_split(table: Table) -> int | None:
    headers = enumerate(table.header or [])
    return next((index for index, header in headers if is_split_column(header, table.column(index))), None)


def _find_pixels(table: Table, split: int | None) -> list[int]:
    """Return the columns with numbered headers, else with numbers; label and row numbers may be among them."""
    numeric = [column for column in range(table.n_columns) if column != split and _is_numeric(table, column)]
    numbered = _find_numbered(table)
    return [column for column in numeric if column in numbered] if numbered else numeric


def _find_label(table: Table, given: int | None, split: int | None, pixels: list[int]) -> tuple[int | None, bool]:
    """Return the label column by its header, or the only column without pixels, and whether the header is decisive."""
    if given is not None:
        return given, True
    others = [column for column in range(table.n_columns) if column != split and column not in pixels]
    if table.header is not None:
        others = [column for column in others if table.header[column].lower() not in _ID_HEADERS]
        similar = [column for column, header in enumerate(table.header) if is_label_header(header) and column != split]
        exact = [column for column in similar if table.header[column].lower() == "label"]
        if len(exact or similar) == 1:
            return (exact or similar)[0], True
        others = similar or others
    others = [column for column in others if not all(map(has_image_suffix, table.column(column)))]
    if len(others) > 1:
        described = ", ".join(map(table.describe, others[:12]))
        raise DataError(
            f"{table.where} has several columns that may be the label: {described}. Pass one as --label-column."
        )
    return (others[0], False) if others else (None, False)


def _find_one_hot(table: Table, split: int | None, pixels: list[int], n_pixels: int | None) -> list[int]:
    """Return the columns of one-hot labels: columns without pixels, or the last columns if the rest fits an image."""
    others = [column for column in range(table.n_columns) if column != split and column not in pixels]
    if table.header is not None:
        others = [column for column in others if table.header[column].lower() not in _ID_HEADERS]
    if _are_one_hot(table, others):
        return others
    n = len(pixels)
    if others or _fits(n, n_pixels) or _fits(n - 1, n_pixels):
        return []
    found = [pixels[-k:] for k in range(2, n - MIN_PIXELS) if _fits(n - k, n_pixels) and find_square(n - k)]
    found = [columns for columns in found if _are_one_hot(table, columns)]
    return found[0] if len(found) == 1 else []


def _are_one_hot(table: Table, columns: list[int]) -> bool:
    if len(columns) < 2 or not all(are_binary(table.column(column)) for column in columns):
        return False
    return all(sum(to_bit(row[column]) or 0 for column in columns) == 1 for row in table.rows)


def _guess_label(
    table: Table,
    columns: list[int],
    n_pixels: int | None,
    read_cells: Callable[[Sequence[int], int], Iterator[tuple[str, ...]]],
) -> tuple[int | None, bool]:
    """Return the column, first or last, whose values look more like classes, or None if all columns are pixels.

    The first column is returned if neither looks like classes. The second value is whether the result is certain.
    """
    if len(columns) < 2:
        return None, True
    columns = columns[_has_row_number(table, columns, n_pixels) or _has_row_number(table, columns, n_pixels, 1) :]
    if table.header is not None and re.search(r"[^\W\d_]", table.header[columns[-1]]) and _find_numbered(table):
        return None, True  # the headers are like pixel0, not only numbers
    if _fits(len(columns), n_pixels) or (len(columns) - 1 != n_pixels and _fits(len(columns), None)):
        return None, True
    ends = columns[0], columns[-1]
    cells = zip(*read_cells(ends, int(table.header is not None)), strict=True)
    first, last = map(_rate_as_labels, cells)
    if first == last > 0:
        names = " or ".join(map(table.describe, ends))
        numbers = "" if table.header is not None else f", {ends[0] + 1} or -1,"
        raise DataError(f"{table.where}: the label may be {names}. Pass one of them{numbers} as --label-column.")
    return ends[1] if last > first else ends[0], False


def _is_numeric(table: Table, column: int) -> bool:
    cells = [cell for cell in table.column(column) if cell]
    return sum(map(_is_any_number, cells)) > len(cells) / 2 if cells else True


def _is_any_number(cell: str) -> bool:
    return is_number(cell) or cell.lower() in ("nan", "inf", "-inf")


def _find_numbered(table: Table) -> list[int]:
    """Return the columns whose headers differ only in numbers if these are the majority, else an empty list."""
    if table.header is None:
        return []
    patterns = [re.sub(r"\d+(\.\d+)?", "#", header) for header in table.header]
    (pattern, count), *_ = Counter(patterns).most_common(1)
    if "#" not in pattern or count < MIN_PIXELS or 2 * count <= table.n_columns:
        return []
    return [column for column, each in enumerate(patterns) if each == pattern]


def _fits(n: int, n_pixels: int | None) -> bool:
    """Return whether an image may have `n` values."""
    if n_pixels is not None:
        return n == n_pixels
    return find_square(n) is not None or (n % 3 == 0 and find_square(n // 3) is not None)


def _has_row_number(table: Table, columns: list[int], n_pixels: int | None, n_labels: int = 0) -> bool:
    """Return whether the first column has row numbers, by its header, or by its values if the rest fits an image.

    `n_labels` is the number of columns that will be removed from `columns`.
    """
    if len(columns) < 2 or columns[0] != 0:
        return False
    if table.header is not None and table.header[0].lower() in _ID_HEADERS:
        return True
    cells = table.column(0)
    if len(cells) < 3 or not all(map(is_number, cells)):
        return False
    start = to_number(cells[0])
    is_counted = all(to_number(cell) == start + row for row, cell in enumerate(cells))
    n = len(columns) - n_labels
    return is_counted and _fits(n - 1, n_pixels) and not _fits(n, n_pixels)


def _rate_as_labels(cells: Sequence[str]) -> int:
    """Return 2 for values 0..k or 1..k of similar frequency, 1 for any few whole numbers, 0 otherwise."""
    counts = Counter(cells)
    if len(counts) > len(cells) / 2 or not all(is_number(cell) for cell in counts):
        return 0
    values = sorted({to_number(cell) for cell in counts})
    if len(values) < 2 or not all(value.is_integer() for value in values) or min(counts.values()) < 2:
        return 0
    is_complete = values[0] in (0, 1) and values[-1] - values[0] == len(values) - 1
    return 2 if is_complete and min(counts.values()) >= 0.1 * len(cells) / len(counts) else 1


def _note_layout(layout: Layout, table: Table, is_certain: bool) -> None:
    """Warn about the chosen columns, unless headers determine them and all are used."""
    used = {layout.label, layout.split, *layout.hot, *layout.pixels}
    ignored = [column for column in range(layout.n_columns) if column not in used]
    if is_certain and not ignored and layout.split is None and not layout.is_text:
        return
    parts = [f"labels in {table.describe(layout.label)}"] if layout.label is not None else []
    if layout.hot:
        ends = f"{table.describe(layout.hot[0])} to {table.describe(layout.hot[-1])}"
        parts.append(f"one-hot labels in the {len(layout.hot)} columns {ends}")
    if layout.is_text:
        parts.append(f"pixels as text in {table.describe(layout.pixels[0])}")
    else:
        parts.append(f"{len(layout.pixels):,} columns of pixels")
    if layout.split is not None:
        parts.append(f"splits in {table.describe(layout.split)}")
    if table.header is None:
        parts.append("no header")
    elif _is_mangled(table.header):
        parts.append(
            "the header consists of the values of a row, which is not used (was the file read with pandas.read_csv "
            "without header=None?)"
        )
    if ignored:
        parts.append(f"not used: {', '.join(table.describe(column) for column in ignored[:12])}")
    warnings.warn(f"{layout.path}: {'; '.join(parts)}.", stacklevel=2)

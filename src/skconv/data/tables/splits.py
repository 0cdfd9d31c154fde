"""Columns of a table with the split of each row."""

from __future__ import annotations

import re
from collections.abc import Sequence

from skconv.data.labels import is_number, to_number
from skconv.data.split_names import SPLIT_WORDS, TEST, VALID
from skconv.data.tables.text import Table
from skconv.exceptions import DataError, list_some

_FLAG = re.compile(r"is_?(train|training|valid|val|validation|test)", re.IGNORECASE)  # headers of columns of 0 and 1
_SPLIT_HEADERS = frozenset({"split", "set", "subset", "partition", "usage", "data set", "dataset"})
# Values of a column of splits; "PublicTest" and "PrivateTest" are those of competitions.
_SPLITS = SPLIT_WORDS | {"publictest": VALID, "privatetest": TEST}


def find_split(table: Table) -> int | None:
    """Return the position of the column with the splits, or None.

    In a table without a header, the column has the names of several splits. In a table with a header, the column has
    values such as train and test, or 0 and 1 below a header such as ``is_valid``.
    """
    if table.header is None:
        columns = {index: set(table.column(index)) for index in range(table.n_columns)}
        found = [index for index, cells in columns.items() if len(cells) > 1 and all(map(parse_split, cells))]
        return found[0] if found and table.n_columns > 2 else None
    for index, header in enumerate(table.header):
        if _FLAG.fullmatch(header) and are_binary(table.column(index)):
            return index
        if is_split_column(header, table.column(index)):
            return index
        values = set(table.column(index)) if header.strip().lower() in _SPLIT_HEADERS else set()
        unknown = sorted(value for value in values if not parse_split(value))
        if len(unknown) < len(values):
            raise DataError(
                f"{table.where}: the split column '{header}' also contains "
                f"{list_some([repr(value) for value in unknown], 3)}; expected train, val or test. Correct or delete "
                "these rows, or delete the column."
            )
    return None


def read_splits(table: Table, column: int) -> list[str]:
    """Return the split of each row by a column that `find_split` finds: "train", "valid" or "test"."""
    cells = table.column(column)
    flag = _FLAG.fullmatch(table.header[column]) if table.header is not None else None
    if flag is None:
        return [parse_split(cell) or "train" for cell in cells]
    marked = parse_split(flag[1]) or "train"
    other = "test" if marked == "train" else "train"
    return [marked if to_bit(cell) else other for cell in cells]


def is_split_column(header: str, cells: Sequence[str]) -> bool:
    """Return whether a column has the names of splits, by its header and all its values."""
    return header.strip().lower() in _SPLIT_HEADERS and all(parse_split(cell) for cell in set(cells))


def parse_split(cell: str) -> str | None:
    """Return "train", "valid" or "test" for a usual name of a split, else None."""
    return _SPLITS.get(cell.strip().lower().replace(" ", ""))


def are_binary(cells: Sequence[str]) -> bool:
    """Return whether all values are 0 or 1, or true or false."""
    return all(to_bit(cell) is not None for cell in set(cells))


def to_bit(cell: str) -> int | None:
    """Return 0 or 1 for a number or a word with this value, else None.

    Examples
    --------
    >>> [to_bit(cell) for cell in ("1.0", " False", "TRUE", "2", "yes")]
    [1, 0, 1, None, None]
    """
    cell = cell.strip().lower()
    if cell in ("true", "false"):
        return int(cell == "true")
    return int(to_number(cell)) if is_number(cell) and to_number(cell) in (0, 1) else None

"""Detection of tables beside the images of a folder whose labels differ from the class folders."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from skconv.data.columns import detect_header, find_names, is_label_header
from skconv.data.image_matching import ImageIndex
from skconv.data.labels import is_number
from skconv.data.tables import Table, open_lines, read_cells
from skconv.exceptions import DataError

_MAX_TABLES = 5  # maximum number of tables that are examined
_N_ROWS = 2000
_N_CHECKED = 200  # rows whose images are searched
_AGREEMENT = 0.9  # minimum share of the images of each class that have its most frequent value


def find_table(tables: Sequence[Path], files: Sequence[Path], folder: Path) -> Path | None:
    """Return a table that lists images of a folder, preferably with labels; None if there is no such table."""
    index = ImageIndex(folder, files)
    found = {path: _read_rows(path, index) for path in _sort_tables(tables)}
    listing = {path: rows for path, rows in found.items() if rows is not None}
    with_labels = (
        path for path, (table, names) in listing.items() if _find_candidates(table, _list_values(table, names))
    )
    return next(with_labels, next(iter(listing), None))


def check_tables(tables: Sequence[Path], files: Sequence[Path], labels: Sequence[str], folder: Path) -> None:
    """Raise `DataError` if a table in or above the class folders has other labels for their images.

    `labels` are the class folders of `files`.
    """
    if not tables:
        return
    classes = dict(zip(files, labels, strict=True))
    index = ImageIndex(folder, files)
    for path in _sort_tables(tables):
        found = _read_rows(path, index)
        if found is None:
            continue
        table, names = found
        rows = _match_rows(table, names, index)
        by_folder = [classes[file] for file in rows.values()]
        values = _list_values(table, names, rows)
        candidates = _find_candidates(table, values)
        if len(set(by_folder)) < 2 or not candidates or any(_agree(by_folder, each) for each in values.values()):
            continue
        first, second, *_ = dict.fromkeys(by_folder)
        raise DataError(
            f"{path} lists images of the folders '{first}' and '{second}' with other labels than these folders. Pass "
            f"the table as the source to use its labels, or --exclude '{path.name}' to use the folders as classes."
        )


def _sort_tables(tables: Sequence[Path]) -> list[Path]:
    return sorted(tables, key=lambda path: (len(path.parts), path))[:_MAX_TABLES]


def _read_rows(path: Path, index: ImageIndex) -> tuple[Table, int] | None:
    """Return the first rows of a table and its column of images; None if it does not list images of the index."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with open_lines(path) as (delimiter, lines):
                rows = list(islice(read_cells((line for _, line in lines), delimiter), _N_ROWS))
            rows = [row for row in rows if len(row) == len(rows[-1]) > 1]
            table = detect_header(Table(str(path), None, rows, range(1, len(rows) + 1)), index)
            names = find_names(table, index)
        except (DataError, IndexError):
            return None
    is_list = 2 * len(_match_rows(table, names, index)) > len(_select_rows(table))
    return (table, names) if is_list else None


def _match_rows(table: Table, names: int, index: ImageIndex) -> dict[int, Path]:
    """Return the image files of evenly spaced rows, by row; rows without a file are left out."""
    matches = {row: index.find(table.rows[row][names]).files for row in _select_rows(table)}
    return {row: files[0] for row, files in matches.items() if len(files) == 1}


def _select_rows(table: Table) -> range:
    return range(0, len(table.rows), max(1, len(table.rows) // _N_CHECKED))


def _list_values(table: Table, names: int, rows: Iterable[int] | None = None) -> dict[int, list[str]]:
    """Return the values of all columns except the image column, in some or all rows."""
    chosen = [table.rows[row] for row in (range(len(table.rows)) if rows is None else rows)]
    return {column: [row[column].strip() for row in chosen] for column in range(table.n_columns) if column != names}


def _find_candidates(table: Table, values: dict[int, list[str]]) -> list[int]:
    """Return the columns that may be labels, judged by the header, as the only column, or by having few words."""
    several = [column for column, cells in values.items() if 1 < len(set(cells)) <= len(cells) / 2]
    named = [column for column in several if table.header is not None and is_label_header(table.header[column])]
    words = [column for column in several if not all(map(is_number, values[column]))]
    return named or (several if len(values) == 1 else words)


def _agree(folders: Sequence[str], values: Sequence[str]) -> bool:
    """Return whether most images of each folder have the same value, which differs between the folders."""
    by_folder: dict[str, Counter[str]] = {}
    for folder, value in zip(folders, values, strict=True):
        by_folder.setdefault(folder, Counter())[value] += 1
    most = [counts.most_common(1)[0] for counts in by_folder.values()]
    pure = sum(count for _, count in most) >= _AGREEMENT * len(folders)
    return pure and len({value for value, _ in most}) == len(most)

"""Detection of tables beside the images of a folder: tables with their labels, and tables of pixels."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from skconv.data.labels import is_number
from skconv.data.split_names import TRAIN, split_name
from skconv.data.tables.columns import detect_header, find_names, is_label_header
from skconv.data.tables.image_matching import ImageIndex
from skconv.data.tables.pixel_layout import split_pixels
from skconv.data.tables.text import Table, open_lines, parse_line, read_cells
from skconv.exceptions import DataError

_DOCUMENTS = frozenset({"license", "licence", "copying", "credits", "attribution", "authors", "readme"})
_MAX_TABLES = 5  # maximum number of tables that are examined
_N_ROWS = 2000
_N_CHECKED = 200  # rows whose images are searched
_MAX_COLUMNS = 100  # wider tables are tables of pixels
_MIN_REGULAR = 0.8  # minimum share of lines with the same number of cells
_MIN_NUMBERS = 64  # pixels of a small image, 8×8
_AGREEMENT = 0.9  # minimum share of the images of each class that have its most frequent value
_MAIN_SHARE = 0.9  # minimum share of the images of a folder beside which the other folders are no classes
_N_FIGURES = 10  # maximum number of images in each of these other folders, which may be figures of a document


def find_table(
    tables: Sequence[Path], files: Sequence[Path], folder: Path, split: str = TRAIN, *, need_labels: bool = False
) -> Path | None:
    """Return a table that lists images of a folder, preferably with labels; None if there is no such table.

    Tables that are named after another split than that of the images are examined last. With `need_labels`, tables
    without a column that may be labels are left out.
    """
    index = ImageIndex(folder, files)
    found = {path: read_rows(path, index) for path in sort_tables(tables, split)}
    listing = {path: rows for path, rows in found.items() if rows is not None}
    with_labels = (
        path for path, (table, names) in listing.items() if _find_candidates(table, _list_values(table, names))
    )
    return next(with_labels, None if need_labels else next(iter(listing), None))


def find_pixel_table(tables: Sequence[Path]) -> Path | None:
    """Return a table with the pixels of one image per row, preferably of training images; None if there is none."""
    return next(filter(_has_pixels, sort_tables(tables)), None)


def _has_pixels(path: Path) -> bool:
    """Return whether the second line of a table has as many numbers as a small image has pixels."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with open_lines(path) as (delimiter, lines):
                rows = [parse_line(line, delimiter) for _, line in islice(lines, 2)]
        except DataError:
            return False
    if len(rows) < 2 or len(rows[0]) != len(rows[1]):
        return False
    return sum(is_number(part) for cell in rows[1] for part in split_pixels(cell)) >= _MIN_NUMBERS


def check_tables(tables: Sequence[Path], files: Sequence[Path], labels: Sequence[str], folder: Path) -> None:
    """Raise `DataError` if a table in or above the class folders has other labels for their images.

    Raise it also if a table has labels for images in a single folder, and the other folders have few images. `labels`
    are the class folders of `files`.
    """
    if not tables:
        return
    sizes = Counter(labels)
    classes = dict(zip(files, labels, strict=True))
    index = ImageIndex(folder, files)
    for path in sort_tables(tables):
        found = read_rows(path, index)
        if found is None:
            continue
        table, names = found
        rows = match_rows(table, names, index)
        by_folder = [classes[file] for file in rows.values()]
        values = _list_values(table, names, rows)
        candidates = _find_candidates(table, values)
        first, *others = dict.fromkeys(by_folder)
        if not candidates or any(others and _agree(by_folder, each) for each in values.values()):
            continue
        if others:
            shown = f"the folders '{first}' and '{others[0]}' with other labels than these folders"
        elif _is_only_class(first, sizes) and not _repeats_class(first, table, values):
            shown = f"the folder '{first}', which has nearly all images, with labels"
        else:
            continue
        raise DataError(
            f"{path} lists images of {shown}. Pass the table as the source to use its labels, or --exclude "
            f"'{path.name}' to use the folders as classes."
        )


def _is_only_class(name: str, sizes: Counter[str]) -> bool:
    """Return whether a folder has nearly all images, and the other folders only a few each."""
    others = [size for folder, size in sizes.items() if folder != name]
    return sizes[name] >= _MAIN_SHARE * sizes.total() and max(others, default=0) <= _N_FIGURES


def _repeats_class(name: str, table: Table, values: dict[int, list[str]]) -> bool:
    """Return whether a column has the name of a folder, or is named as labels, and has the same value in all rows."""
    header = table.header or [""] * table.n_columns
    constant = {column: cells[0] for column, cells in values.items() if len(set(cells)) == 1}
    return any(value.lower() == name.lower() or is_label_header(header[column]) for column, value in constant.items())


def sort_tables(tables: Sequence[Path], split: str = TRAIN) -> list[Path]:
    """Return the first tables by level and name; those whose name or folder is that of another split are last.

    Licences and similar documents, which may list all images, are left out.
    """

    def is_other(path: Path) -> bool:
        named = split_name(path.name.partition(".")[0]) or split_name(path.parent.name)
        return named is not None and named[0] != split

    tables = [path for path in tables if path.name.partition(".")[0].lower() not in _DOCUMENTS]
    return sorted(tables, key=lambda path: (is_other(path), len(path.parts), path))[:_MAX_TABLES]


def read_rows(path: Path, index: ImageIndex) -> tuple[Table, int] | None:
    """Return the first rows of a table and its column of images; None if it does not list images of the index."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with open_lines(path) as (delimiter, lines):
                rows = list(islice(read_cells((line for _, line in lines), delimiter), _N_ROWS))
            regular = [row for row in rows if 1 < len(row) == len(rows[-1]) <= _MAX_COLUMNS]
            if len(regular) < _MIN_REGULAR * len(rows):  # text with spaces, such as a licence that lists images
                return None
            table = detect_header(Table(str(path), None, regular, range(1, len(regular) + 1)), index)
            names = find_names(table, index)
        except (DataError, IndexError):
            return None
    is_list = 2 * len(match_rows(table, names, index)) > len(_select_rows(table))
    return (table, names) if is_list else None


def match_rows(table: Table, names: int, index: ImageIndex, rows: range | None = None) -> dict[int, Path]:
    """Return the image files of rows, by default evenly spaced ones, by row; rows without a file are left out."""
    matches = {row: index.find(table.rows[row][names]) for row in (_select_rows(table) if rows is None else rows)}
    known = set(index.files)  # paths such as ../raw/1.jpg may be those of files outside the folder
    # A file in another folder with another form of the number is probably another image.
    return {
        row: match.files[0]
        for row, match in matches.items()
        if len(match.files) == 1 and match.files[0] in known and not (match.is_changed and match.n_other)
    }


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

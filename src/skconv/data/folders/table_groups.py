"""Groups of the images in class folders by a column of a table beside them, such as the person in each image."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

from skconv.data.folders.table_files import match_rows, read_rows, sort_tables
from skconv.data.groups import ImageGroups, has_groups
from skconv.data.tables.columns import find_named_groups
from skconv.data.tables.image_matching import ImageIndex
from skconv.data.tables.text import Table, read_table
from skconv.exceptions import DataError
from skconv.text import format_count


def find_table_groups(
    tables: Sequence[Path], files: Sequence[Path], labels: Sequence[str], root: Path, n_train: int
) -> ImageGroups | None:
    """Return the groups of images by the group column of a table, or None.

    The table is the first that lists at least half of the training images, which are the first `n_train` files. The
    column is found by its header, such as patient_id. `labels` are the class folders of `files`; a class has training
    images of at least three groups.
    """
    index = ImageIndex(root, files)
    for path in sort_tables(tables):
        found = read_rows(path, index)
        table = None if found is None or found[0].header is None else _read_all(path)
        if found is None or table is None or table.n_columns != found[0].n_columns:
            continue
        names = found[1]
        column = find_named_groups(table, [each for each in range(table.n_columns) if each != names])
        if column is None:
            continue
        cells, matches = table.column(column), match_rows(table, names, index, range(len(table.rows)))
        by_name = {str(file): cells[row] for row, file in matches.items() if cells[row]}
        if has_groups(files[:n_train], labels[:n_train], by_name):
            n_others = len(files) - len(by_name)
            others = f" (without {format_count(n_others, 'image')})" if n_others else ""
            return ImageGroups(by_name, f"the column {table.describe(column)} of {path}{others}")
    return None


def _read_all(path: Path) -> Table | None:
    """Return a table with a header, or None if a row has another length."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return read_table(path).split_header()
        except DataError:
            return None

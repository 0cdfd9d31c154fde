"""Columns of a table by content and header: names of images, labels, splits."""

from __future__ import annotations

import re
import warnings
from typing import NamedTuple

from skconv.data.groups import NO_GROUPS, is_group_column, is_key_header
from skconv.data.labels import is_number
from skconv.data.tables.image_matching import ImageIndex
from skconv.data.tables.splits import are_binary, find_split, read_splits, to_bit
from skconv.data.tables.text import Table, find_column
from skconv.exceptions import DataError
from skconv.images.formats import has_image_suffix
from skconv.text import format_count

# Lower-case headers of row numbers; pandas writes its index with an empty header.
ROW_NUMBERS = frozenset({"", "index", "unnamed: 0", "unnamed: 0.1", "row", "row_number"})
_LABEL_WORDS = frozenset(
    {"label", "labels", "class", "classes", "category", "categories", "target", "targets"}
    | {"species", "breed", "diagnosis", "digit", "emotion"}
)
_GLUED = re.compile("(id|idx|index|no|num|number|name|code)$")  # as in classname
# Letters and digits of the headers of bounding boxes.
_BOX_CORNER = re.compile(r"(?:roi|bbox|box|bb)?(x1|y1|xmin|ymin|minx|miny|xc|yc|xcenter|ycenter)")
_BOX_HEADERS = frozenset({"bbox", "bndbox", "boundingbox", "box", "regionshapeattributes"})
_N_SAMPLED = 1000  # rows
_MIN_ROWS = 10  # fewer rows have too few values of each class


class Columns(NamedTuple):
    """Positions of the columns of a table that lists images; several positions in `labels` are one-hot labels."""

    table: Table
    names: int
    labels: list[int]
    split: int | None
    groups: int | None = None

    def read_splits(self) -> list[str]:
        """Return the split of each row: "train", "valid" or "test"."""
        return ["train"] * len(self.table.rows) if self.split is None else read_splits(self.table, self.split)

    def read_labels(self) -> list[str]:
        """Return the label of each row as text; empty if it is missing."""
        if len(self.labels) == 1:
            return self.table.column(self.labels[0], raw=True)
        header = self.table.header or [str(number) for number in range(1, self.table.n_columns + 1)]
        hot = ([index for index in self.labels if to_bit(row[index]) == 1] for row in self.table.rows)
        return [header[indices[0]] for indices in hot]


def find_columns(
    table: Table,
    index: ImageIndex,
    image_column: str | None = None,
    label_column: str | None = None,
    group_column: str | None = None,
) -> Columns:
    """Find the columns with the names of images, with the labels, and with groups, if there are any.

    The image column contains names of files in `index`, or names with the suffix of an image file. The label column is
    the only remaining column, or has "label" or a similar word in its header. Columns of 0 and 1 with a single 1 per
    row are one-hot labels. Columns of row numbers are ignored. With `group_column` "none", there are no groups.
    Warn about every choice between columns. Raise `DataError` if a choice is ambiguous; the message names the option to
    pass.
    """
    given = None if group_column == NO_GROUPS else group_column
    if table.header is None:
        table = detect_header(table, index, image_column, label_column, given)
    if not table.rows:
        raise DataError(f"{table.where} has a header but no rows; expected a line such as id,label per image.")
    if table.n_columns < 2:
        raise DataError(
            f"{table.where} has {format_count(table.n_columns, 'column')}; expected a header such as id,label, and "
            "rows. If the pixels are in another table, pass its folder, with names such as X_train.csv and y_train.csv."
        )
    label = find_column(table, label_column, "--label-column")
    names = find_column(table, image_column, "--image-column")
    if names is None:
        names = find_names(table, index, label)
    if names == label:
        raise DataError(
            f"{table.where}: {table.describe(names)} is both the image column and the label column. Pass another "
            "column as --image-column."
        )
    split = find_split(table)
    split = None if split in (names, label) else split
    others = [each for each in range(table.n_columns) if each not in (names, split) and _is_informative(table, each)]
    groups = find_column(table, given, "--groups")
    if groups is None:
        groups = find_named_groups(table, [each for each in others if each != label])
    if groups is not None and groups in (names, label, split):
        raise DataError(
            f"{table.where}: {table.describe(groups)} is the column of groups, and also of images, labels or splits. "
            "Pass another column as --groups."
        )
    rest = [each for each in others if each != groups]
    candidates = rest if given is not None or _excludes_label(table, rest, groups) else others
    labels = [label] if label is not None else _find_labels(table, candidates)
    is_used = groups not in labels and group_column != NO_GROUPS
    columns = Columns(table, names, labels, split, groups if is_used else None)
    _note_choice(columns, others)
    return columns


def find_named_groups(table: Table, columns: list[int]) -> int | None:
    """Return the first column of groups by its header and repeated values, or None."""
    header = table.header or [""] * table.n_columns
    return next((each for each in columns if is_group_column(header[each], table.column(each))), None)


def _excludes_label(table: Table, rest: list[int], groups: int | None) -> bool:
    """Return whether a group column is not the label: a column such as lesion_id, if one of the rest may be the label.

    A column such as animal may be the label.
    """
    is_key = groups is not None and table.header is not None and is_key_header(table.header[groups])
    return is_key and any(_may_be_label(table.column(each)) for each in rest)


def is_label_header(header: str) -> bool:
    """Return whether a header has a word such as "label" or "class".

    Examples
    --------
    >>> [is_label_header(header) for header in ("Label", "ClassId", "classname", "target_class", "y", "classified_by")]
    [True, True, True, True, True, False]
    """
    words = [word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", header)]
    return header.lower() == "y" or any(_GLUED.sub("", word) in _LABEL_WORDS or word in _LABEL_WORDS for word in words)


def has_boxes(table: Table) -> bool:
    """Return whether headers are those of bounding boxes, as of annotations for object detection."""
    headers = [re.sub("[^a-z0-9]", "", header.lower()) for header in table.header or []]
    corners = {match[1].replace("min", "")[0] for match in map(_BOX_CORNER.fullmatch, headers) if match}
    return len(corners) > 1 or not _BOX_HEADERS.isdisjoint(headers)


def detect_header(table: Table, index: ImageIndex, *given: str | None) -> Table:
    """Return the table with its first row as header, unless the first row names an image."""
    first = [cell.strip() for cell in table.rows[0]]
    folded = {cell.casefold() for cell in first}
    if any(name is not None and str(name).casefold() in folded for name in given):
        return table.split_header()
    if any(map(has_image_suffix, first)):
        return table
    found = [position for position, cell in enumerate(first) if cell and index.find(cell).files]
    # Labels may also be names of files: 3 and 3.png. A header has no numbers.
    if found and (any(map(is_number, first)) or not any(map(is_label_header, first))):
        return table
    return table.split_header()


def find_names(table: Table, index: ImageIndex, label: int | None = None) -> int:
    """Return the column whose values are names of images; row numbers and label columns are excluded."""
    step = max(1, len(table.rows) // _N_SAMPLED)
    ranked: dict[int, tuple[bool, bool, int]] = {}
    files = {}
    for column in range(table.n_columns):
        cells = [row[column] for row in table.rows[::step]]
        has_suffix = sum(map(has_image_suffix, cells)) > len(cells) / 2
        header = "" if table.header is None else table.header[column]
        is_excluded = table.header is not None and (header.lower() in ROW_NUMBERS or is_label_header(header))
        if column == label or (is_excluded and not has_suffix):
            continue
        matches = {cell: index.find(cell).files for cell in set(cells)}
        files[column] = {cell: found[0] for cell, found in matches.items() if found}
        if files[column] or has_suffix:
            ranked[column] = (has_suffix, len(matches) == len(cells), len(set(files[column].values())))
    if not ranked:
        raise DataError(
            f"{table.where} lists no image of the folder {index.folder}; it {table.describe_all()}. Pass the folder "
            "of the images as --images, or the column with their names as --image-column; to predict, pass the images "
            "or their folder instead of the table."
        )
    best = max(ranked, key=lambda column: (ranked[column], -column))
    rivals = [
        column
        for column in ranked
        if ranked[column][:2] == ranked[best][:2]
        and ranked[column][2] > ranked[best][2] / 2
        and set(files[column].values()) != set(files[best].values())
    ]
    if rivals:
        described = " and ".join(table.describe(column) for column in sorted([best, *rivals])[:2])
        raise DataError(f"{table.where}: {described} both contain names of images. Pass one of them as --image-column.")
    return _check_same_order(table, [best, *(column for column in ranked if column != best)], ranked, files)


def _check_same_order(
    table: Table, columns: list[int], ranked: dict[int, tuple[bool, bool, int]], files: dict[int, dict]
) -> int:
    """Return the first column; raise `DataError` if a column of the same rank refers to different images."""
    best = columns[0]
    for column in columns[1:]:
        if ranked[column] != ranked[best]:
            continue
        for row in table.rows[:_N_SAMPLED]:
            if files[column].get(row[column]) != files[best].get(row[best]):
                described = f"{table.describe(best)} and {table.describe(column)}"
                raise DataError(
                    f"{table.where}: {described} name different images. Pass one of them as --image-column."
                )
    return best


def _is_informative(table: Table, column: int) -> bool:
    """Return whether a column may be a label: not empty, and without the header of row numbers."""
    if table.header is None:
        cells = table.column(column)
        return any(cells) and cells not in ([str(each + start) for each in range(len(cells))] for start in (0, 1))
    header = table.header[column].lower()
    return header not in ROW_NUMBERS and (header != "" or any(table.column(column)))


def _find_labels(table: Table, columns: list[int]) -> list[int]:
    """Return the label column among the columns that are not names, or the columns of one-hot labels."""
    if not columns:
        raise DataError(
            f"{table.where} {table.describe_all()}: there is no label column. Pass its header or number as "
            "--label-column."
        )
    if len(columns) == 1:
        return columns
    headers = {} if table.header is None else {column: table.header[column] for column in columns}
    exact = [column for column, header in headers.items() if header.lower() == "label"]
    if len(exact) == 1:
        return exact
    one_hot = _find_one_hot(table, columns)
    if one_hot:
        return one_hot
    similar = [column for column, header in headers.items() if is_label_header(header)]
    candidates = similar or [column for column in columns if _may_be_label(table.column(column))] or columns
    if len(candidates) > 1 and _are_equivalent(table, candidates):
        words = [column for column in candidates if not all(map(is_number, table.column(column)))]
        candidates = (words or candidates)[:1]
    if len(candidates) == 1:
        return candidates
    described = ", ".join(map(table.describe, candidates))
    raise DataError(
        f"{table.where} has several columns that may be the label: {described}. Pass one as --label-column."
    )


def _may_be_label(cells: list[str]) -> bool:
    """Return whether a column may contain classes: at least two, each with two rows on average if the table is long."""
    n_values = len(set(cells))
    return n_values > 1 and (len(cells) < _MIN_ROWS or n_values <= len(cells) / 2)


def _find_one_hot(table: Table, columns: list[int]) -> list[int]:
    """Return the columns of 0 and 1 if there are two or more, and each row has a single 1; else an empty list."""
    binary = [column for column in columns if are_binary(table.column(column))]
    sums = {sum(to_bit(row[column]) or 0 for column in binary) for row in table.rows}
    n_used = sum(any(to_bit(row[column]) for row in table.rows) for column in binary)
    if n_used < 2 or sums != {1}:
        if len(binary) > 2 and binary == columns:
            first, last = table.describe(binary[0]), table.describe(binary[-1])
            raise DataError(
                f"{table.where}: the columns {first} to {last} have {min(sums):g} to {max(sums):g} ones per row; "
                "expected a single 1, for the class of the image. Pass one of these columns as --label-column."
            )
        return []
    return binary


def _are_equivalent(table: Table, columns: list[int]) -> bool:
    """Return whether columns distinguish the same classes, for example by number and by name."""
    first = table.column(columns[0])
    for column in columns[1:]:
        pairs = set(zip(first, table.column(column), strict=True))
        if not len(pairs) == len({pair[0] for pair in pairs}) == len({pair[1] for pair in pairs}):
            return False
    return True


def _note_choice(columns: Columns, others: list[int]) -> None:
    """Warn about the chosen columns, unless they are the first two of a table with a header and no other column."""
    table = columns.table
    ignored = [column for column in others if column not in columns.labels and column != columns.groups]
    is_plain = table.header is not None and columns.split is columns.groups is None
    if is_plain and not ignored and len(columns.labels) == 1:
        return
    parts = [f"images in {table.describe(columns.names)}"]
    if len(columns.labels) > 1:
        first, last = columns.labels[0], columns.labels[-1]
        parts.append(
            f"one-hot labels in the {len(columns.labels)} columns {table.describe(first)} to {table.describe(last)}"
        )
    else:
        parts.append(f"labels in {table.describe(columns.labels[0])}")
    if columns.split is not None:
        parts.append(f"splits in {table.describe(columns.split)}")
    if columns.groups is not None:
        parts.append(f"groups in {table.describe(columns.groups)}")
    if table.header is None:
        parts.append("no header")
    if ignored:
        parts.append(f"not used: {', '.join(table.describe(column) for column in ignored)}")
    if has_boxes(table):
        parts.append("bounding boxes are not used")
    warnings.warn(f"{table.where}: {'; '.join(parts)}.", stacklevel=2)

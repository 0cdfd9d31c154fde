"""Note on tables beside class folders that list the images of splits, such as train.txt and test.txt."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from skconv.data.split_names import SPLITS, TRAIN, split_name
from skconv.data.tables.image_matching import ImageIndex
from skconv.data.tables.text import open_lines, parse_line
from skconv.exceptions import DataError

_N_LINES = 200


def note_split_tables(tables: Sequence[Path], files: Sequence[Path], root: Path) -> None:
    """Warn about tables that are named after splits and list different images of class folders without splits."""
    named = {table: split_name(table.name.partition(".")[0]) for table in sorted(tables, key=lambda each: each.suffix)}
    candidates = {table: found[0] for table, found in named.items() if found is not None and not found[1]}
    if len({*candidates.values()}) < 2 or TRAIN not in candidates.values():
        return
    index = ImageIndex(root, files)
    listed: dict[str, tuple[Path, set[Path]]] = {}
    for table, split in candidates.items():
        images = _find_images(table, index)
        if images and split not in listed and all(images.isdisjoint(others) for _, others in listed.values()):
            listed[split] = table, images
    if TRAIN in listed and len(listed) > 1:
        names = ", ".join(str(listed[split][0]) for split in SPLITS if split in listed)
        warnings.warn(
            f"{names} list the images of splits and are not used. To use these splits, move the images into folders "
            "such as train/CLASS and test/CLASS, or pass a table with the columns image, label and split.",
            stacklevel=3,
        )


def _find_images(table: Path, index: ImageIndex) -> set[Path]:
    """Return the images that the first lines of a table list; none if half of the lines list no image."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with open_lines(table) as (delimiter, lines):
                rows = [parse_line(line, delimiter) for _, line in islice(lines, _N_LINES)]
        except DataError:
            return set()
    found = [_find_image(row, index) for row in rows]
    images = {each for each in found if each is not None}
    return images if 2 * sum(each is not None for each in found) > len(rows) else set()


def _find_image(row: Sequence[str], index: ImageIndex) -> Path | None:
    """Return the only image that a cell of a row names, or None."""
    matches = [index.find(cell).files for cell in row if not cell.isdecimal()]
    return next((files[0] for files in matches if len(files) == 1), None)

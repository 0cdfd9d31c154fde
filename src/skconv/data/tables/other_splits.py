"""Notes on tables that are not used: those of other splits, and other tables of a competition."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from skconv.data.content import is_table_name
from skconv.data.folder_tree import list_files
from skconv.data.split_names import TRAIN, split_name
from skconv.exceptions import list_some


def note_other_splits(path: Path) -> None:
    """Warn about tables of other splits that are not used: test.csv beside train.csv, or test/a.csv of train/a.csv."""
    stem = _get_stem(path)
    found: list[Path] = []
    with suppress(OSError):  # a folder above may be unreadable
        named = split_name(stem)
        if named is not None and named[0] == TRAIN:
            beside = [each for each in path.parent.iterdir() if is_table_name(each)]
            found = [each for each in beside if _is_other(split_name(_get_stem(each)), named)]
        elif named is None and (named := split_name(path.absolute().parent.name)) is not None and named[0] == TRAIN:
            folders = [
                each for each in path.absolute().parent.parent.iterdir() if _is_other(split_name(each.name), named)
            ]
            found = [each / path.name for each in folders if (each / path.name).is_file()]
    if found:
        listed = list_some([str(each) for each in sorted(found)], 3)
        warnings.warn(
            f"{path} is the table of the training split; not used: {listed}. To score the model on a table with "
            "labels, pass it to skconv evaluate.",
            stacklevel=2,
        )


def note_other_tables(folder: Path, used: Sequence[str], exclude: Sequence[str]) -> None:
    """Warn about tables of a competition's folder that are not used; other samples of submissions are ignored."""

    def is_other(path: Path) -> bool:
        name = path.name.lower().removesuffix(".gz")
        return name.endswith((".csv", ".tsv")) and path.name not in used and "submission" not in name

    found = [path.name for path in list_files(folder, is_other, exclude)]
    if found:
        warnings.warn(
            f"{folder}: not used: {list_some(found, 5)}. To use a table with labels, pass it as the source, or to "
            "skconv evaluate.",
            stacklevel=3,
        )


def _get_stem(path: Path) -> str:
    return path.name.partition(".")[0]


def _is_other(split: tuple[str, str] | None, training: tuple[str, str]) -> bool:
    """Return whether a name is that of another split of the same data."""
    return split is not None and split[0] != TRAIN and split[1] == training[1]

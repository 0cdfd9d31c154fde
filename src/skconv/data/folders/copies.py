"""Folders that repeat other folders: copies of class folders and splits, versions of images, whole data sets."""

from __future__ import annotations

import filecmp
import os
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from skconv.data.folder_tree import ImageFolder, descend, list_training, quote_names
from skconv.data.split_names import split_name
from skconv.exceptions import DataError

_N_COMPARED = 50  # pairs of files whose content is compared
_SHARE = 0.5  # minimum share of equal names; a lower share is probably a coincidence


def is_copy(folder: ImageFolder, other: ImageFolder) -> bool:
    """Return whether another folder has all images of a folder, with the same names.

    The content of up to 50 pairs of files is compared.
    """
    originals = {image.relative_to(other.path): image for image in other.list_images()}
    images = folder.list_images()
    pairs = [(image, originals.get(image.relative_to(folder.path))) for image in images]
    step = max(1, len(pairs) // _N_COMPARED)
    return all(original for _, original in pairs) and all(_are_equal(*pair) for pair in pairs[::step])


def _are_equal(first: Path, second: Path | None) -> bool:
    with suppress(OSError):
        return second is not None and filecmp.cmp(first, second, shallow=False)
    return False


def split_copies(top: ImageFolder, root: Path) -> tuple[list[ImageFolder], list[ImageFolder]]:
    """Return the class folders in `top`, and the folders in `top` that are copies of the others.

    Archives often contain a data set twice: the folders ``yes``, ``no`` and ``data``, with the folders ``yes`` and
    ``no`` again in ``data``. Raise `DataError` if a folder contains folders with the names of the folders beside it,
    but other images. Folders that all contain such folders, as numbered classes with numbered folders do, are
    classes. `root` is the source.
    """
    classes: list[ImageFolder] = []
    copies: list[ImageFolder] = []
    by_name = {folder.name: folder for folder in top.folders}
    for folder in top.folders:
        inner = descend(folder).folders
        beside = [by_name[each.name] for each in inner if each.name in by_name and each.name != folder.name]
        if len(beside) < 2 or len(beside) < len(inner):
            classes.append(folder)
        elif all(is_copy(each, original) for each, original in zip(inner, beside, strict=True)):
            copies.append(folder)
        elif any(each.name in by_name for original in beside for each in original.folders):
            classes.append(folder)
        else:
            path = folder.path.relative_to(root)
            raise DataError(
                f"The folder {folder.path} contains folders with the names of the folders beside it: "
                f"{quote_names(each.name for each in inner)}. Pass --exclude "
                f"'{path.as_posix()}' to leave it out, --class-level -1 to use the images of all these folders, or "
                f"--class-level {len(path.parts)} if '{folder.name}' is a class."
            )
    return classes, copies


def check_classes(folders: Sequence[ImageFolder], root: Path, notes: list[str]) -> None:
    """Raise `DataError` if folders are data sets or versions of the same images rather than classes.

    A data set contains splits with class folders, whose names are also those of other data sets. Versions contain the
    same folders, with files of the same names, unless these folders are splits. Add a note if the names of the files
    are only running numbers.
    """
    if len(folders) < 2:
        return
    level = len(folders[0].path.relative_to(root).parts)
    for folder in folders if not _have_own_groups(folders) else ():
        data_set = _find_data_set(folder)
        if data_set is not None:
            raise DataError(
                f"The folder {folder.path} contains the splits "
                f"{quote_names(split.name for split in data_set.folders)}: is it a data set or a class? Pass "
                f"{data_set.path} as the source, or --class-level {level} if the folders "
                f"{quote_names(other.name for other in folders)} are the classes."
            )
    inner = [descend(folder) for folder in folders]
    names, *others = {frozenset(each.name for each in folder.folders) for folder in inner}
    if others or len(names) < 2 or all(map(split_name, names)):
        return
    repeated = find_versions([("", folder) for folder in inner])
    if not repeated:
        return
    found = (
        f"The folders {quote_names(folder.name for folder in folders)} in {folders[0].path.parent} contain the "
        f"same folders, such as '{inner[0].folders[0].name}', with files of the same names. If they are versions of "
        f"the same images, pass one of them as the source, such as {folders[0].path}"
    )
    if _are_numbered(repeated, len(folders)):
        notes.append(f"{found}.")
        return
    deeper = len(inner[0].folders[0].path.relative_to(root).parts)
    raise DataError(f"{found}; else pass the level of the classes: --class-level {level} or {deeper}.")


def _find_data_set(folder: ImageFolder) -> ImageFolder | None:
    """Return the folder of several splits, or of only a training split, with class folders, in single folders."""
    while True:
        training = list_training(folder)
        n_splits = len({found[0] for each in folder.folders if (found := split_name(each.name)) is not None})
        if any(len(descend(each).folders) > 1 for each in training) and (len(folder.folders) == 1 or n_splits > 1):
            return folder
        if len(folder.folders) != 1:
            return None
        folder = folder.folders[0]


def _have_own_groups(folders: Sequence[ImageFolder]) -> bool:
    """Return whether each folder contains a training split, whose folders mostly have other names in each folder.

    Such folders are classes with groups, such as patients, in each split.
    """
    inner = [[descend(each).folders for each in list_training(folder)] for folder in folders]
    counts = Counter(each.name for groups in inner for group in groups for each in group)
    n_repeated = sum(count for count in counts.values() if count > 1)
    return all(inner) and n_repeated <= _SHARE * counts.total()


def find_versions(folders: Sequence[tuple[str, ImageFolder]]) -> list[list[Path]]:
    """Return the groups of images with the same name if they are most images, else an empty list.

    Names are paths below the folder, without the suffix; those in folders with the same key are compared.
    """
    by_name: dict[tuple[str, str], list[Path]] = {}
    for key, folder in folders:
        start = len(str(folder.path))
        for image in folder.list_images():
            name, _ = os.path.splitext(str(image)[start:])  # noqa: PTH122  methods of paths are slow for many files
            by_name.setdefault((key, name), []).append(image)
    repeated = [images for images in by_name.values() if len(images) > 1]
    return repeated if sum(map(len, repeated)) > _SHARE * sum(map(len, by_name.values())) else []


def _are_numbered(groups: Sequence[Sequence[Path]], n_folders: int) -> bool:
    """Return whether the names of most images differ only in their numbers, as those of the frames of a film."""
    names = {re.sub(r"\d+", "", images[0].stem) for images in groups}
    return len(names) <= _SHARE * sum(map(len, groups)) / n_folders

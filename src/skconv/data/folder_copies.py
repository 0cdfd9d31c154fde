"""Folders that repeat other folders: copies of class folders and splits, versions of images, whole data sets."""

from __future__ import annotations

import filecmp
from collections.abc import Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path

from skconv.data.folder_tree import ImageFolder, descend, quote_names
from skconv.data.split_names import TRAIN, split_name
from skconv.exceptions import DataError

_N_COMPARED = 50  # pairs of files whose content is compared
_SHARE = 0.5  # minimum share of equal names; below it, equal names are coincidences


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
    but other images. `root` is the source.
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
        else:
            path = folder.path.relative_to(root)
            raise DataError(
                f"The folder {folder.path} contains folders with the names of the folders beside it: "
                f"{quote_names(each.name for each in inner)}. Pass --exclude "
                f"'{path.as_posix()}' to leave it out, --class-level -1 to use the images of all these folders, or "
                f"--class-level {len(path.parts)} if '{folder.name}' is a class."
            )
    return classes, copies


def check_classes(folders: Sequence[ImageFolder], root: Path) -> None:
    """Raise `DataError` if folders are data sets or versions of the same images rather than classes.

    A data set contains splits with class folders. Versions contain the same folders, with files of the same names,
    unless these folders are splits.
    """
    if len(folders) < 2:
        return
    level = len(folders[0].path.relative_to(root).parts)
    inner = [descend(folder) for folder in folders]
    for folder, each in zip(folders, inner, strict=True):
        if _has_splits(each):
            raise DataError(
                f"The folder {folder.path} contains the splits {quote_names(split.name for split in each.folders)}: is "
                f"it a data set or a class? Pass {each.path} as the source, or --class-level {level} if the folders "
                f"{quote_names(other.name for other in folders)} are the classes."
            )
    names, *others = {frozenset(each.name for each in folder.folders) for folder in inner}
    if not others and len(names) > 1 and not all(map(split_name, names)) and _have_same_files(inner):
        deeper = len(inner[0].folders[0].path.relative_to(root).parts)
        raise DataError(
            f"The folders {quote_names(folder.name for folder in folders)} in {folders[0].path.parent} contain the "
            f"same folders, such as '{inner[0].folders[0].name}', with files of the same names. If they are versions "
            f"of the same images, pass one of them as the source, such as {folders[0].path}; else pass the level of "
            f"the classes: --class-level {level} or {deeper}."
        )


def _has_splits(folder: ImageFolder) -> bool:
    """Return whether a folder contains several splits, or only a training split, with class folders."""
    named = [split_name(each.name) for each in folder.folders]
    training = [
        each for each, found in zip(folder.folders, named, strict=True) if found is not None and found[0] == TRAIN
    ]
    if not any(len(descend(each).folders) > 1 for each in training):
        return False
    return len(named) == 1 or len({found[0] for found in named if found is not None}) > 1


def _have_same_files(folders: Sequence[ImageFolder]) -> bool:
    """Return whether half of the images of a folder have the name of an image in another, in folders of one name."""
    names = [{(image.parent.name, image.stem) for image in folder.list_images()} for folder in folders]
    return any(len(first & second) > _SHARE * min(len(first), len(second)) for first, second in combinations(names, 2))

"""Class folders at a requested level of a folder of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from skconv.data.folder_tree import ImageFolder, quote_names
from skconv.data.folders.copies import find_versions
from skconv.data.split_names import SPLITS, TRAIN, split_name
from skconv.exceptions import DataError


def find_class_folders(tree: ImageFolder, level: int, notes: list[str]) -> dict[str, list[ImageFolder]]:
    """Return the class folders at a level, by split.

    Level 1 are the folders in `tree`, level 2 the folders in these. Level -1 are the folders that contain the image
    files, level -2 the folders that contain these. Other folders of the path are ignored, except those named train,
    valid or test, which are splits. Names with a number, such as test2, are those of splits only if there is a
    training split. Without such a folder, the images are training images.

    Add notes on the classes and splits, and on versions of the same images. Raise `DataError` if there are fewer than
    two classes.
    """
    paths = [path for path in _list_paths(tree, ()) if path[-1].images]
    depths = [level if level > 0 else len(path) + 1 + level for path in paths]
    found = [(path, path[depth - 1]) for path, depth in zip(paths, depths, strict=True) if 1 <= depth <= len(path)]
    others = [[folder.name for folder in path if folder is not chosen] for path, chosen in found]
    has_training = any(split_name(name) == (TRAIN, "") for each in others for name in each)
    splits: dict[str, dict[Path, ImageFolder]] = {}
    for (path, chosen), other in zip(found, others, strict=True):
        last = path[-1]
        named = [split_name(name, numbers=not has_training) for name in other]
        split = next((each[0] for each in named if each is not None and not each[1]), TRAIN)
        folder = splits.setdefault(split, {}).setdefault(chosen.path, ImageFolder(chosen.path))
        if last is chosen:
            folder.images.extend(last.images)
        else:
            folder.folders.append(ImageFolder(last.path, last.images))
    training = list(splits.get(TRAIN, {}).values())
    names = list(dict.fromkeys(folder.name for folder in training))
    if len(names) < 2:
        shown = f"only one folder of training images, '{names[0]}'" if names else "no folder with training images"
        held_out = " and ".join(split for split in SPLITS[1:] if split in splits)
        if held_out:
            shown += f" (other folders are named after the split {held_out})"
        deepest = max((len(path) for path in paths), default=0)
        raise DataError(
            f"{tree.path} has {shown}, at level {level}; the deepest folder is at level {deepest}. Pass another "
            "class_level (--class-level)."
        )
    notes.append(f"The classes are the folders at level {level} of {tree.path}: {quote_names(sorted(names))}.")
    _note_joined(training, notes)
    if len(splits) > 1:
        counts = [
            f"{sum(each.n_images for each in splits[name].values()):,} ({name})" for name in SPLITS if name in splits
        ]
        notes.append(f"Images by the names of the other folders: {', '.join(counts)}.")
    return {name: list(splits[name].values()) for name in SPLITS if name in splits}


def _note_joined(folders: Sequence[ImageFolder], notes: list[str]) -> None:
    """Add a note if most images have the name of another image of their class, or a class has several folders."""
    repeated = find_versions([(folder.name, folder) for folder in folders])
    if repeated:
        n_images, n_repeated = sum(folder.n_images for folder in folders), sum(map(len, repeated))
        notes.append(
            f"{n_repeated:,} of {n_images:,} training images have the name of another image of their class, such as "
            f"{repeated[0][0]} and {repeated[0][1]}. If these are versions of one image, the accuracy on held-out "
            "images is too high: leave all but one of the folders out with --exclude."
        )
        return
    by_name: dict[str, list[ImageFolder]] = {}
    for folder in folders:
        by_name.setdefault(folder.name, []).append(folder)
    name, same = max(by_name.items(), key=lambda item: len(item[1]))
    if len(same) > 1:
        notes.append(
            f"Folders of the same name are one class: '{name}' has the images of {len(same)} folders, such as "
            f"{same[0].path} and {same[1].path}. If these are different classes, give the folders different names."
        )


def _list_paths(tree: ImageFolder, path: tuple[ImageFolder, ...]) -> Iterator[tuple[ImageFolder, ...]]:
    """Yield the path of folders to each folder below `tree`."""
    for folder in tree.folders:
        yield (*path, folder)
        yield from _list_paths(folder, (*path, folder))

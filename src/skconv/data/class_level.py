"""Class folders at a requested level of a folder of images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from skconv.data.folder_tree import ImageFolder
from skconv.data.split_names import SPLITS, TRAIN, split_name
from skconv.exceptions import DataError, list_some

_SHARE = 0.5  # minimum share of images with the name of another image; a lower share is probably a coincidence


def find_class_folders(tree: ImageFolder, level: int, notes: list[str]) -> dict[str, list[ImageFolder]]:
    """Return the class folders at a level, by split.

    Level 1 are the folders in `tree`, level 2 the folders in these. Level -1 are the folders that contain the image
    files, level -2 the folders that contain these. Other folders of the path are ignored, except those named train,
    valid or test, which are splits. Without such a folder, the images are training images.

    Add notes on the classes and splits, and on versions of the same images. Raise `DataError` if there are fewer than
    two classes.
    """
    paths = [path for path in _list_paths(tree, ()) if path[-1].images]
    splits: dict[str, dict[Path, ImageFolder]] = {}
    for path in paths:
        depth = level if level > 0 else len(path) + 1 + level
        if not 1 <= depth <= len(path):
            continue
        chosen, last = path[depth - 1], path[-1]
        named = [split_name(folder.name) for folder in path if folder is not chosen]
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
        deepest = max((len(path) for path in paths), default=0)
        raise DataError(
            f"{tree.path} has {shown}, at level {level}; the deepest folder is at level {deepest}. Pass another "
            "class_level (--class-level)."
        )
    quoted = list_some([f"'{name}'" for name in sorted(names)], 5)
    notes.append(f"The classes are the folders at level {level} of {tree.path}: {quoted}.")
    _note_versions(training, notes)
    if len(splits) > 1:
        counts = [
            f"{sum(each.n_images for each in splits[name].values()):,} ({name})" for name in SPLITS if name in splits
        ]
        notes.append(f"Images by the names of the other folders: {', '.join(counts)}.")
    return {name: list(splits[name].values()) for name in SPLITS if name in splits}


def _note_versions(folders: Sequence[ImageFolder], notes: list[str]) -> None:
    """Add a note if most images of the classes have the name of another image of their class."""
    by_name: dict[tuple[str, str], list[Path]] = {}
    for folder in folders:
        start = len(str(folder.path))
        for image in folder.list_images():  # text, because methods of paths are slow for many files
            by_name.setdefault((folder.name, str(image)[start:].rpartition(".")[0]), []).append(image)
    repeated = [images for images in by_name.values() if len(images) > 1]
    n_images, n_repeated = sum(map(len, by_name.values())), sum(map(len, repeated))
    if n_repeated > _SHARE * n_images:
        notes.append(
            f"{n_repeated:,} of {n_images:,} training images have the name of another image of their class, such as "
            f"{repeated[0][0]} and {repeated[0][1]}. If these are versions of one image, the accuracy on held-out "
            "images is too high: leave all but one of the folders out with --exclude."
        )


def _list_paths(tree: ImageFolder, path: tuple[ImageFolder, ...]) -> Iterator[tuple[ImageFolder, ...]]:
    """Yield the path of folders to each folder below `tree`."""
    for folder in tree.folders:
        yield (*path, folder)
        yield from _list_paths(folder, (*path, folder))

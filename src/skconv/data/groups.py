"""Groups of images that are not independent: frames of a series, versions of an image, images of one patient."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skconv.exceptions import DataError
from skconv.text import format_count

NO_GROUPS = "none"  # value of the option `groups` for images that are independent
_MIN_GROUPS = 3  # minimum number of groups of a class: one each to train, to validate and to test
_MIN_SHARE = 0.5  # minimum share of the images of a class that are in a group with another image
# Of names such as 00000_00029.ppm, person1_bacteria_12.jpeg and "scan3 (2).png": the part before the last number.
_SERIES = re.compile(r"(.*\d.*)[ _.-]+[a-z]*[ _.-]?\(?\d+\)?", re.IGNORECASE)
_VERSION = re.compile(r"(.+)\.rf\.[0-9a-f]+", re.IGNORECASE)  # Roboflow names the versions of an image so
_GROUP_WORD = (
    "(patient|subject|participant|individual|person|animal|specimen|lesion|slide|track|series|sequence|video|clip|"
    "scene|driver|signer|speaker|writer|group)s?"
)
_GROUP_HEADER = re.compile(f"{_GROUP_WORD}(id|no|nr|num|number|name|code|key)?")
_GROUP_FOLDER = re.compile(rf"{_GROUP_WORD}[ _-]*(id|no|nr)?[ _.-]*\d+", re.IGNORECASE)
# Folders named after a recording are numbered anew in each class or split; those of a patient have one name everywhere.
_RECORDING = re.compile("slide|track|series|sequence|video|clip|scene|group", re.IGNORECASE)
_KEY_HEADER = re.compile(".*(id|no|nr|num|number|code|key)")
# Names that are a date, or a date and a time, are those of single photographs, not of a series.
_DATE = re.compile(r"\D*(19|20)\d\d[-_.]?[01]\d[-_.]?[0-3]\d([-_. T]+[0-2]\d[-_.h]?[0-5]\d([-_.m]?[0-5]\d)?\d*s?)?")


@dataclass(frozen=True)
class ImageGroups:
    """Group of each image, by the name of the image as in `Dataset.list_names`; other images are in no group.

    `origin` describes how the groups were found, and `is_chosen` is true if they were chosen with the option `groups`.
    """

    by_name: Mapping[str, str]
    origin: str
    is_chosen: bool = False

    def encode(self, names: Iterable[str]) -> np.ndarray:
        """Return a number per image, int64 (n,), which is the same for all images of a group.

        Examples
        --------
        >>> ImageGroups({"a1.png": "a", "a2.png": "a"}, "test").encode(["a1.png", "b.png", "a2.png"]).tolist()
        [0, 1, 0]
        """
        codes: dict[tuple[bool, str], int] = {}
        keys = ((name in self.by_name, self.by_name.get(name, name)) for name in names)
        return np.array([codes.setdefault(key, len(codes)) for key in keys], np.int64)


def find_series(files: Sequence[Path], labels: Sequence[str], n_train: int) -> ImageGroups | None:
    """Return the groups of images whose names differ only in the last number, or None.

    The part before the last number contains another number, and the name is not a date. Images of a series are in one
    folder. Of the training images, which are the first `n_train` files, a class with series has at least three, and at
    least half of the images of one class are in a series.
    """
    keys = [_name_series(file) for file in files]
    sizes, classes = Counter(keys), _collect_by_class(keys[:n_train], labels[:n_train])
    n_repeated = {label: sum(sizes[key] > 1 for key in each) for label, each in classes.items()}
    if not any(n_repeated[label] >= _MIN_SHARE * len(each) for label, each in classes.items()):
        return None
    if any(n_repeated[label] and len(set(each)) < _MIN_GROUPS for label, each in classes.items()):
        return None
    largest = sizes.most_common(1)[0][0]
    first, second = [file.name for file, key in zip(files, keys, strict=True) if key == largest][:2]
    by_name = {str(file): key for file, key in zip(files, keys, strict=True) if sizes[key] > 1}
    return ImageGroups(by_name, f"the names of the files, such as {first} and {second}")


def find_folder_groups(files: Sequence[Path], labels: Sequence[str], root: Path, n_train: int) -> ImageGroups | None:
    """Return the groups of images in numbered folders besides those of the classes, such as one per patient, or None.

    Each class has training images, which are the first `n_train` files, in at least three such folders. `labels` are
    names of folders.
    """
    parents = [file.parent.relative_to(root).parts for file in files]
    keys = ["/".join(part for part in each if part != label) for each, label in zip(parents, labels, strict=True)]
    numbered = all(re.search(r"\d", key) for key in set(keys))
    classes = _collect_by_class(keys[:n_train], labels[:n_train])
    if not numbered or any(len(set(each)) < _MIN_GROUPS for each in classes.values()):
        return None
    by_name = {str(file): key for file, key in zip(files, keys, strict=True)}
    return ImageGroups(by_name, f"folders such as '{keys[0]}'")


def find_named_folders(files: Sequence[Path], labels: Sequence[str], root: Path, n_train: int) -> ImageGroups | None:
    """Return the groups of images by folders named after a group, such as patient00012, or None.

    At least half of the training images, which are the first `n_train` files, are in such folders, which are not those
    of their class, and a class has images of at least three groups. Folders of a patient in several classes or splits
    are one group; those of a recording, such as clip1, are not.
    """
    parents = {parent: _find_group_folder(parent, root) for parent in {file.parent for file in files}}
    folders = [parents[file.parent] for file in files]
    by_name = {
        str(file): folder.as_posix() if _RECORDING.match(folder.name) else folder.name
        for file, folder, label in zip(files, folders, labels, strict=True)
        if folder is not None and folder.name != label
    }
    if not has_groups(files[:n_train], labels[:n_train], by_name):
        return None
    return ImageGroups(by_name, f"folders such as '{next(iter(by_name.values()))}'")


def _find_group_folder(folder: Path, root: Path) -> Path | None:
    """Return the highest folder below `root` in a path that is named after a group, or None."""
    path = folder.relative_to(root) if folder.is_relative_to(root) else folder
    return next((each for each in reversed([path, *path.parents]) if is_group_folder(each.name)), None)


def is_group_folder(name: str) -> bool:
    """Return whether a folder is named after a group.

    Examples
    --------
    >>> [is_group_folder(name) for name in ("patient00012", "Subject 3", "scan1", "patient")]
    [True, True, False, False]
    """
    return _GROUP_FOLDER.fullmatch(name) is not None


def has_groups(files: Sequence[Path], labels: Sequence[str], by_name: Mapping[str, str]) -> bool:
    """Return whether half of the images are in groups, and the images of a class in at least three of them."""
    grouped = [(by_name[str(file)], label) for file, label in zip(files, labels, strict=True) if str(file) in by_name]
    n_groups = Counter(label for _, label in set(grouped))
    return len(grouped) >= _MIN_SHARE * len(files) and max(n_groups.values(), default=0) >= _MIN_GROUPS


def match_groups(files: Sequence[Path], pattern: re.Pattern[str], root: Path) -> ImageGroups:
    """Return the groups that a pattern with one group finds in the names of the files of a folder.

    Warnings and errors as in `collect_groups`.
    """
    matches = {str(file): pattern.search(file.name) for file in files}
    found = {name: "" if match is None else match[1] or "" for name, match in matches.items()}
    return collect_groups(found, str(root), f"the pattern '{pattern.pattern}'", is_chosen=True)


def collect_groups(found: Mapping[str, str], where: str, origin: str, *, is_chosen: bool) -> ImageGroups:
    """Return the groups of images from the group of each image by name, which is empty if the image is in no group.

    Warn about images in no group; raise `DataError` if there are only such images.
    """
    by_name = {name: group for name, group in found.items() if group}
    first = next((name for name in found if name not in by_name), "")
    if not by_name:
        raise DataError(f"{where}: no image has a group, by {origin}; the first image is {first}. Correct --groups.")
    if first:
        warnings.warn(
            f"{where} has {format_count(len(found) - len(by_name), 'image')} without a group, by {origin}; each is a "
            f"group of its own. The first is {first}.",
            stacklevel=3,
        )
    return ImageGroups(by_name, origin, is_chosen)


def _collect_by_class(keys: Sequence[str], labels: Sequence[str]) -> dict[str, list[str]]:
    classes: dict[str, list[str]] = {}
    for key, label in zip(keys, labels, strict=True):
        classes.setdefault(label, []).append(key)
    return classes


def _name_series(file: Path) -> str:
    """Return the folder and the common part of the names of a series, or the whole path."""
    match = _VERSION.fullmatch(file.stem)
    if match is None and _DATE.fullmatch(file.stem) is None:
        match = _SERIES.fullmatch(file.stem)
    return str(file if match is None else file.parent / match[1])


def is_group_column(header: str, cells: Sequence[str]) -> bool:
    """Return whether a column contains groups, such as patients, by its header and repeated values.

    Empty cells are not repeated values.

    Examples
    --------
    >>> [is_group_column(header, ["7", "7", "8"]) for header in ("lesion_id", "Patient ID", "image_id", "age")]
    [True, True, False, False]
    """
    is_named = _GROUP_HEADER.fullmatch(re.sub("[^a-z]", "", header.lower())) is not None
    present = [cell for cell in cells if cell]
    return is_named and len(set(cells)) > 1 and len(set(present)) < len(present)


def is_key_header(header: str) -> bool:
    """Return whether the header of a group column is that of a key, which is not a label.

    Examples
    --------
    >>> [is_key_header(header) for header in ("lesion_id", "animal")]
    [True, False]
    """
    return _KEY_HEADER.fullmatch(re.sub("[^a-z]", "", header.lower())) is not None

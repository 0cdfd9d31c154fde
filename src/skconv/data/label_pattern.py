"""Class names in the names of image files, such as crazing_12.jpg or cat.3.jpg."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from skconv.data.folder_tree import ImageFolder
from skconv.data.split_names import TEST, TRAIN, VALID, split_name
from skconv.exceptions import DataError, ParameterError, list_some
from skconv.text import format_count

# Of names such as cat__1.jpg, cat_1.jpg, cat-1.jpg, cat.1.jpg, "cat 1.jpg", cat1.jpg, id_1_label_cat.jpg and 1_cat.jpg.
_WORD = r"([^\W_]+)"
_SUGGESTED = (
    "^(.+)__",
    "^(.+)_",
    "^(.+)-",
    r"^(.+?)\.",
    "^(.+) ",
    r"^(\D+)\d",
    f"[Ll]abel[_-]?{_WORD}",
    f"[Cc]lass[_-]?{_WORD}",
    rf"[ _-]{_WORD}\.[^.]+$",
)
_MIN_PER_CLASS = 3  # images of each class by file names, to suggest a pattern
_MIN_MATCHING = 0.9  # fraction of the file names


def compile_pattern(pattern: str, name: str = "label_pattern") -> re.Pattern[str]:
    """Compile a regular expression with one group; raise `ParameterError`, with the name of the option, for others."""
    try:
        compiled = re.compile(pattern)
    except (re.error, TypeError) as error:
        raise ParameterError(f"The '{name}' {pattern!r} is no regular expression: {error}.") from error
    if compiled.groups != 1:
        raise ParameterError(
            f"The '{name}' {pattern!r} has {format_count(compiled.groups, 'part')} in parentheses; expected a regular "
            r"expression with one, such as '^(.+)_\d+'."
        )
    return compiled


def find_labels(tree: ImageFolder, pattern: str, notes: list[str]) -> dict[str, dict[str, list[Path]]]:
    """Return the images of each class, by split, with the classes that a pattern finds in the names of the files.

    The pattern is a regular expression with one group, searched in the name without the folders. Folders named train,
    valid or test are splits, with a number in the name only if there is a training split; other folders are ignored.
    Add notes on the classes, and on images that are left out:
    those whose names do not match, and splits whose names contain no class of the training images. Raise `DataError`
    for fewer than two classes.
    """
    compiled = compile_pattern(pattern)
    splits: dict[str, dict[str, list[Path]]] = {}
    unmatched: Counter[str] = Counter()
    first: dict[str, Path] = {}
    numbers = not _has_training_split(tree)
    images = list(_list_images(tree, TRAIN, numbers))
    for split, path in images:
        match = compiled.search(path.name)
        if match is None or not match[1]:
            unmatched[split] += 1
            first.setdefault(split, path)
        else:
            splits.setdefault(split, {}).setdefault(match[1], []).append(path)
    classes = splits.get(TRAIN, {})
    if len(classes) < 2:
        found = f"one class, '{next(iter(classes))}'" if classes else "no class"
        example = next((path for _, path in images), None)
        shown = f"; the first image is '{example.name}'" if example else ""
        raise DataError(
            f"{tree.path}: the label_pattern (--label-pattern) '{pattern}' finds {found} in the names of the training "
            f"images{shown}. Expected at least two classes. Correct the pattern."
        )
    shown = list_some([f"'{name}' ({len(files):,})" for name, files in sorted(classes.items())], 5)
    notes.append(f"The classes are parts of the file names: {shown}.")
    for split in [split for split in splits if not splits[split].keys() & classes.keys()]:
        files = [file for each in splits.pop(split).values() for file in each]
        notes.append(
            f"Left out {_count_images(len(files), split)}, because their names contain no class of the training "
            f"images; the first is {files[0]}."
        )
    for split, count in unmatched.items():
        notes.append(
            f"Left out {_count_images(count, split)} whose names do not match the label pattern; the first is "
            f"{first[split]}."
        )
    return splits


def _count_images(count: int, split: str) -> str:
    kind = {TRAIN: "", VALID: "validation ", TEST: "test "}[split]
    return format_count(count, f"{kind}image")


def _has_training_split(folder: ImageFolder) -> bool:
    """Return whether a folder below is named after the training split."""
    return any(split_name(inner.name) == (TRAIN, "") or _has_training_split(inner) for inner in folder.folders)


def _list_images(folder: ImageFolder, split: str, numbers: bool) -> Iterator[tuple[str, Path]]:
    """Yield the split and path of each image of a folder and its subfolders; `numbers` is as in `split_name`."""
    for image in folder.images:
        yield split, image
    for inner in folder.folders:
        named = split_name(inner.name, numbers=numbers)
        yield from _list_images(inner, split if named is None or named[1] else named[0], numbers)


def suggest_pattern(images: Sequence[Path]) -> str:
    """Return a pattern for file names that contain a class and a number, or "" if there seems to be none.

    Examples
    --------
    >>> suggest_pattern([Path(f"{name}_{number}.jpg") for name in ("cat", "dog") for number in range(3)])
    '^(.+)_'
    >>> suggest_pattern([Path(f"photo_{number}.jpg") for number in range(6)])
    ''
    """
    for pattern in _SUGGESTED:
        matches = [re.search(pattern, path.name) for path in images]
        counts = Counter(match[1] for match in matches if match is not None)
        is_complete = counts.total() >= _MIN_MATCHING * len(images)
        if len(counts) > 1 and is_complete and min(counts.values()) >= _MIN_PER_CLASS:
            return pattern
    return ""

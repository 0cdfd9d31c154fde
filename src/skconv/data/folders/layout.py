"""Layout of a folder of images: which folders are classes, and which are splits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skconv.data.folder_tree import ImageFolder, OtherFiles, descend, quote_names, read_tree
from skconv.data.folders.advice import suggest_source, too_few_classes
from skconv.data.folders.class_level import find_class_folders
from skconv.data.folders.copies import check_classes, is_copy, split_copies
from skconv.data.folders.masks import check_masks
from skconv.data.folders.table_files import find_table
from skconv.data.groups import is_group_folder
from skconv.data.label_pattern import find_labels
from skconv.data.labels import normalize_text, sort_names
from skconv.data.split_names import SPLITS, TEST, TRAIN, VALID, split_name, strip_fillers
from skconv.exceptions import DataError, list_some
from skconv.files import escape_undecodable
from skconv.text import format_count


@dataclass
class FileSplit:
    """Image files of a split and their class names."""

    files: list[Path] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)

    def add(self, label: str, files: Sequence[Path]) -> None:
        """Append files of one class."""
        self.files.extend(files)
        self.labels.extend([label] * len(files))

    def without(self, classes: set[str]) -> FileSplit:
        """Return the files of all other classes."""
        pairs = [pair for pair in zip(self.files, self.labels, strict=True) if pair[1] not in classes]
        return FileSplit([file for file, _ in pairs], [label for _, label in pairs])


@dataclass
class FolderLayout:
    """Splits of the folder of images `root`, and notes on what was guessed or left out."""

    root: Path
    splits: dict[str, FileSplit] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left_out: list[ImageFolder] = field(default_factory=list)
    tables: list[Path] = field(default_factory=list)

    def leave_out(self, folders: Sequence[ImageFolder], reason: str) -> None:
        """Record folders as left out, and add a note with the reason."""
        self.left_out.extend(folders)
        number = format_count(sum(folder.n_images for folder in folders), "image")
        self.notes.append(f"Left out {number} in {quote_names(folder.name for folder in folders)}: {reason}.")


def find_layout(
    root: Path,
    exclude: Sequence[str] | None = None,
    class_level: int | None = None,
    label_pattern: str | None = None,
) -> FolderLayout:
    """Find classes and splits in a folder.

    The classes are the folders at the highest level with two or more folders that contain images. A class has all
    images below its folder. Folders named train, valid or test, in any usual spelling, are splits if they contain class
    folders, or if every class folder contains them. `exclude` is as in `read_tree`; with any pattern, masks are not
    searched for. `class_level` is the level of the class folders, as in `find_class_folders`. With `label_pattern`, the
    classes are parts of the file names, as in `find_labels`.

    Raise `DataError` for fewer than two class folders, or folders whose meaning is not clear.
    """
    tree, others = read_tree(root, exclude or ())
    if label_pattern is not None:
        return _read_pattern(tree, others, label_pattern)
    top = tree if class_level is not None else descend(tree)
    layout = FolderLayout(root, tables=others.tables)
    if top is not tree:
        layout.notes.append(f"The classes are the folders in {top.path}.")
    if class_level is not None:
        folders_by_split = find_class_folders(tree, class_level, layout.notes)
        splits: Any = {split: _name_classes(folders) for split, folders in folders_by_split.items()}
    else:
        splits = _find_splits(top, layout, others) or _find_inner_splits(top, layout)
    for name, folders in splits.items():
        if exclude is None:
            check_masks(folders)
        layout.splits[name] = _collect(folders)
        if class_level is None:
            _note_inner_folders(folders, root, layout.notes)
    if len(set(layout.splits[TRAIN].labels)) < 2:
        raise too_few_classes(top, others)
    _note_outsiders(layout, tree, others)
    return layout


def _read_pattern(tree: ImageFolder, others: OtherFiles, pattern: str) -> FolderLayout:
    """Return the layout of a folder whose file names contain the classes."""
    layout = FolderLayout(tree.path)
    for split, classes in find_labels(tree, pattern, layout.notes).items():
        layout.splits[split] = FileSplit()
        for name in sort_names(list(classes)):
            layout.splits[split].add(class_name(name), classes[name])
    _note_others(layout, tree, others)
    return layout


def _find_splits(
    top: ImageFolder, layout: FolderLayout, others: OtherFiles
) -> dict[str, dict[str, list[ImageFolder]]] | None:
    """Return the class folders of each split if the folders of `top` are splits, else None."""
    named = {folder.name: split_name(folder.name) for folder in top.folders}
    rests = {found[1] for found in named.values() if found is not None and found[0] == TRAIN}
    for rest in sorted(rests):
        groups = {split: [f for f in top.folders if named[f.name] == (split, rest)] for split in SPLITS}
        if len(rests) == 1 and not groups[VALID] and not groups[TEST]:  # such as train_mini and val
            groups |= {split: [f for f in top.folders if named[f.name] == (split, "")] for split in (VALID, TEST)}
        training = groups[TRAIN][0]
        several = sum(map(bool, groups.values())) > 1
        if len(descend(training).folders) < 2 or (rest and not several):
            continue
        used = [folder for folders in groups.values() for folder in folders]
        outside = [folder for folder in top.folders if folder not in used]
        if outside and not several:
            raise DataError(
                f"{top.path} has the folder '{training.name}' with class folders beside "
                f"{quote_names(folder.name for folder in outside)}: is it a class or a split? Rename it, or pass "
                f"{training.path} as the source."
            )
        _drop_repeated(groups, layout)
        if outside:
            layout.leave_out(outside, "they are in no split")
        return _read_splits({split: folders[0] for split, folders in groups.items() if folders}, layout)
    with_numbers = {name: split_name(name, numbers=True) for name in named}
    held_out = [f.name for f in top.folders if with_numbers[f.name] in ((VALID, ""), (TEST, "")) and len(f.folders) > 1]
    if held_out:
        raise DataError(
            f"{top.path} has the folder '{held_out[0]}' with class folders, but no folder 'train': is it a class or a "
            "split? Rename the folder of the training images, or pass the folder with the classes as the source."
        )
    found = [each for each in with_numbers.values() if each is not None and each[1]]
    rests = {rest for _, rest in found}
    if len(found) == len(named) and 1 < len(rests) < len({*found}):  # such as train_cat and test_0
        raise DataError(
            f"The folders {quote_names(named)} in {top.path} are named after a split and a class. Move the images of "
            "each class into folders such as train/CLASS and test/CLASS."
        )
    if not any(found is not None and found[0] == TRAIN for found in named.values()):
        _check_held_out(top, [folder for folder in top.folders if named[folder.name] is not None], layout.root)
    kinds = {found[0] if found else "" for found in named.values()}
    names = {found[1] if found else strip_fillers(name) for name, found in named.items()}
    # Names that are equal except for the split, such as train2017 and val2017, or images and test_images.
    if kinds != {""} and len(names) == 1 and (len(kinds) > 1 or len(named) == 1):
        raise DataError(
            f"The folders {quote_names(named)} of {top.path} do not contain class folders. "
            f"{suggest_source(top, others)}"
        )
    return None


def _check_held_out(top: ImageFolder, held_out: Sequence[ImageFolder], root: Path) -> None:
    """Raise `DataError` if the only folder beside folders named after validation or test splits has class folders."""
    others = [folder for folder in top.folders if folder not in held_out]
    if len(others) == 1 and held_out and len(descend(others[0]).folders) > 1:
        raise DataError(
            f"{top.path} has the folder '{others[0].name}' with class folders, and otherwise only folders named after "
            f"splits: {quote_names(folder.name for folder in held_out)}. To train on '{others[0].name}', pass "
            f"{descend(others[0]).path} as the source. If all these folders are classes, pass --class-level "
            f"{len(top.path.relative_to(root).parts) + 1}."
        )


def _drop_repeated(groups: dict[str, list[ImageFolder]], layout: FolderLayout) -> None:
    """Leave out copies of the folder of a split, in place; raise `DataError` if other folders of the split remain."""
    for split, folders in groups.items():
        copies = [folder for folder in folders[1:] if is_copy(folder, folders[0])]
        if copies:
            layout.leave_out(copies, f"they are copies of the images in '{folders[0].name}'")
            groups[split] = [folder for folder in folders if folder not in copies]
    repeated = {split: folders for split, folders in groups.items() if len(folders) > 1}
    if repeated:
        split, folders = next(iter(repeated.items()))
        options = [f"--exclude '{folder.name}'" for each in repeated.values() for folder in each[1:]]
        level, *others = {len(descend(folder).path.relative_to(layout.root).parts) + 1 for folder in folders}
        use_all = "" if others else f", or pass --class-level {level} to use the images of all"
        raise DataError(
            f"{folders[0].path.parent} has {len(folders)} folders for the split '{split}': "
            f"{quote_names(folder.name for folder in folders)}. Leave one out, for example with {' '.join(options)}"
            f"{use_all}."
        )


def _drop_copies(top: ImageFolder, layout: FolderLayout) -> list[ImageFolder]:
    """Return the class folders in `top`; copies of them in another folder are left out."""
    classes, copies = split_copies(top, layout.root)
    if copies:
        layout.leave_out(copies, "they are copies of the images in the folders next to it")
    return classes


def _read_splits(folders: dict[str, ImageFolder], layout: FolderLayout) -> dict[str, dict[str, list[ImageFolder]]]:
    """Return the class folders of each split; a split without labels is left out."""
    training = descend(folders[TRAIN])
    splits = {TRAIN: _name_classes(_drop_copies(training, layout))}
    used = [f"{folders[TRAIN].name} ({TRAIN})"]
    for split in (VALID, TEST):
        if split not in folders:
            continue
        inner = folders[split]
        while len(inner.folders) == 1 and not _name_classes(inner.folders).keys() & splits[TRAIN].keys():
            inner = inner.folders[0]
        classes = _name_classes(_drop_copies(inner, layout))
        if not classes.keys() & splits[TRAIN].keys():
            if len(classes) > 1:
                raise DataError(
                    f"None of the folders {quote_names(classes)} in {inner.path} is a class of {training.path}, which "
                    f"has {quote_names(splits[TRAIN])}. Use the same names in both folders, or leave the folder out "
                    f"with --exclude '{folders[split].name}'."
                )
            table = find_table(layout.tables, inner.list_images(), inner.path, split, need_labels=True)
            advice = f"; if {table} has their labels, score the model on it with skconv evaluate" if table else ""
            layout.leave_out([folders[split]], f"they are not in class folders, so they have no labels{advice}")
            continue
        missing = [name for name in splits[TRAIN] if name not in classes]
        if missing:
            layout.notes.append(f"The {split} split has no images of class {quote_names(missing)}.")
        splits[split] = classes
        used.append(f"{folders[split].name} ({split})")
    if len(used) > 1 and [each.partition(" ")[0] for each in used] != [TRAIN, TEST]:
        layout.notes.append(f"The folders {', '.join(used)} are used as splits.")
    return splits


def _find_inner_splits(top: ImageFolder, layout: FolderLayout) -> dict[str, dict[str, list[ImageFolder]]]:
    """Return the class folders per split; all are training data unless each class folder contains split folders."""
    class_folders = _drop_copies(top, layout)
    check_classes(class_folders, layout.root, layout.notes)
    classes = _name_classes(class_folders)
    found: dict[str, dict[str, list[ImageFolder]]] = {}
    for name, folders in classes.items():
        for inner in (inner for folder in folders for inner in folder.folders):
            named = split_name(inner.name)
            if named is None or named[1]:
                return {TRAIN: classes}
            found.setdefault(named[0], {}).setdefault(name, []).append(inner)
    has_own_images = any(folder.images for folder in class_folders)
    if has_own_images or TRAIN not in found or found[TRAIN].keys() != classes.keys():
        return {TRAIN: classes}
    splits = {split: found[split] for split in SPLITS if split in found}
    layout.notes.append(f"The class folders contain folders of the splits {', '.join(splits)}.")
    return splits


def _name_classes(folders: Iterable[ImageFolder]) -> dict[str, list[ImageFolder]]:
    """Return the folders of each class; a class has several folders if their names differ only in Unicode form."""
    classes: dict[str, list[ImageFolder]] = {}
    for folder in folders:
        classes.setdefault(class_name(folder.name), []).append(folder)
    return classes


def class_name(name: str) -> str:
    r"""Return the name of a class from that of its folder, with escapes for bytes that are not UTF-8.

    The name has composed Unicode (NFC) and no surrounding white space.

    Examples
    --------
    >>> class_name("cafe\u0301") == "caf\u00e9", class_name("caf\udce9")
    (True, 'caf\\xe9')
    """
    return normalize_text(escape_undecodable(name)) or name


def _collect(classes: dict[str, list[ImageFolder]]) -> FileSplit:
    """Return the images of all class folders."""
    split = FileSplit()
    for name in sort_names(list(classes)):
        split.add(name, [image for folder in classes[name] for image in folder.list_images()])
    return split


def _note_inner_folders(classes: dict[str, list[ImageFolder]], root: Path, notes: list[str]) -> None:
    """Add notes on images in deeper folders, and on classes with two folders."""
    for name, folders in classes.items():
        if len(folders) > 1:
            notes.append(f"The folders {quote_names(folder.name for folder in folders)} are one class, '{name}'.")
    class_folders = [folder for folders in classes.values() for folder in folders]
    nested = [inner for folder in class_folders for inner in folder.folders]
    if not nested:
        return
    n_nested = sum(inner.n_images for inner in nested)
    notes.append(
        f"The class folders contain {format_count(len(nested), 'folder')} with {n_nested:,} of "
        f"{sum(folder.n_images for folder in class_folders):,} images, such as {nested[0].path}. Their classes are "
        f"the outer folders: {quote_names(classes)}."
    )
    if all(is_group_folder(each.name) for each in nested):
        return
    inside = {frozenset(inner.name for folder in folders for inner in folder.folders) for folders in classes.values()}
    if len(inside) == 1 and len(next(iter(inside))) > 1:
        level = len(nested[0].path.relative_to(root).parts)
        notes.append(
            f"All class folders contain the same folders {quote_names(sorted(*inside))}. If these are the classes, "
            f"pass class_level={level} (--class-level {level})."
        )
    elif not any(folder.images for folder in class_folders):
        advice = "If the innermost folders are the classes, pass class_level=-1 (--class-level -1)."
        if advice not in notes:  # of another split
            notes.append(advice)


def _note_outsiders(layout: FolderLayout, tree: ImageFolder, others: OtherFiles) -> None:
    """Add notes on the files that are in no split, and on folders without images."""
    n_beside = tree.n_images - sum(each.n_images for each in layout.left_out)
    n_beside -= sum(len(split.files) for split in layout.splits.values())
    if n_beside:
        used = {file for split in layout.splits.values() for file in split.files}
        used.update(image for folder in layout.left_out for image in folder.list_images())
        first = next(image for image in tree.list_images() if image not in used)
        layout.notes.append(
            f"Left out {format_count(n_beside, 'image')} outside the class folders; the first is {first}."
        )
    _note_others(layout, tree, others)


def _note_others(layout: FolderLayout, tree: ImageFolder, others: OtherFiles) -> None:
    """Add notes on folders without images, excluded files and files that are no images."""
    empty = [f"{folder.path.name}/{name}" for folder in _iterate(tree) for name in folder.other_folders]
    if empty:
        layout.notes.append(f"Ignored {format_count(len(empty), 'folder')} without images: {list_some(empty, 5)}.")
    if others.n_excluded:
        layout.notes.append(f"Left out {format_count(others.n_excluded, 'file')}, because of --exclude.")
    if others.unmatched:
        layout.notes.append(f"These patterns of --exclude have no effect: {quote_names(others.unmatched)}.")
    n_others = others.kinds.total()
    if n_others:
        layout.notes.append(
            f"Not read as images: {format_count(n_others, 'other file')}: {others.describe()}; the first is "
            f"{others.first}."
        )


def _iterate(tree: ImageFolder) -> Iterable[ImageFolder]:
    yield tree
    for folder in tree.folders:
        yield from _iterate(folder)

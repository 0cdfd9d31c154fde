"""Advice on folders of images in which no classes are found."""

from __future__ import annotations

from pathlib import Path

from skconv.data.folder_tree import ImageFolder, OtherFiles, list_training, quote_names
from skconv.data.folders.table_files import find_pixel_table, find_table
from skconv.data.label_pattern import suggest_pattern
from skconv.data.other_files import describe_other, may_have_labels
from skconv.exceptions import DataError
from skconv.text import format_count

_REMEDY = "Put the images of each class into a folder named after it"
_DETECTION = frozenset({"annotations", "annotation", "labels", "bboxes"})  # folders beside images, in lower case


def too_few_classes(top: ImageFolder, others: OtherFiles) -> DataError:
    """Return the error for a folder with fewer than two class folders."""
    found = "no images and no folder per class"
    if top.folders:
        found = f"only one folder of images, '{top.folders[0].name}'"
    elif top.images:
        found = f"{format_count(len(top.images), 'image')}, but no folder per class"
    if top.other_folders:
        verb = "has" if len(top.other_folders) == 1 else "have"
        found += f"; {quote_names(top.other_folders)} {verb} no images"
    if others.kinds:
        found += f"; other files: {others.describe()}"
    return DataError(f"{top.path} has {found}. {suggest_source(top, others)}")


def suggest_source(top: ImageFolder, others: OtherFiles) -> str:
    """Return what to do with a folder without classes, by its other files and the names of its images."""
    images = [image for folder in list_training(top) for image in folder.list_images()] or top.list_images()
    if not images:
        for suffix in (".npz", ".npy"):
            if suffix in others.examples:
                return f"Pass a file with images and labels as the source; the first is {others.examples[suffix]}."
        for example in others.examples.values():
            found = describe_other(Path(example))
            if found is not None:
                return f"{example} {found[0]}. {found[1]}"
    stems = {image.stem for image in images}
    tables = [table for table in others.tables if table.stem not in stems]  # others are annotations of one image
    table = find_table(tables, images, top.path)
    if table is not None:
        is_near = any(image.is_relative_to(table.parent) for image in images)
        return f"If {table} has the labels, pass it as the source{'' if is_near else f' and {top.path} as --images'}."
    table = find_pixel_table(tables)
    if table is not None:
        return f"If {table} has pixels and labels, pass it as the source."
    pattern = suggest_pattern(images)
    if pattern:
        return f"If the file names contain the class, as in '{images[0].name}', pass --label-pattern '{pattern}'."
    if any(name.lower() in _DETECTION for name in others.folders) or _has_annotations(others, len(images)):
        return f"{_REMEDY}. If annotations mark objects in the images, crop the objects first."
    labels = next((each for each in others.examples.values() if images and may_have_labels(Path(each))), None)
    if labels is not None:
        return (
            f"If {labels} has the labels, save the names of the images and their labels as CSV, and pass the CSV file."
        )
    fix = "Expected at least two, one per class: add another class folder" if top.folders else _REMEDY
    return f"{fix}; if a table has the labels, pass it as the source and the folder of the images as --images."


def _has_annotations(others: OtherFiles, n_images: int) -> bool:
    """Return whether other files are annotations of objects: a COCO file, or XML, text or JSON per image."""
    is_coco = others.examples.get(".json", "").lower().endswith("coco.json")
    return is_coco or max(others.kinds[suffix] for suffix in (".xml", ".txt", ".json")) > n_images / 2 > 0

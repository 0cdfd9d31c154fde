"""Reader of competition folders: ``train.csv`` and ``test.csv`` with pixels, or with ids and folders of images."""

from __future__ import annotations

import csv
import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from skconv.competitions.tables import find_label, read_header, read_ids
from skconv.data.catalog.lookup import CatalogEntry, get_entry
from skconv.data.content import open_table
from skconv.data.conversion import shape_rows
from skconv.data.dataset import Dataset, Splits, SubmissionForm
from skconv.data.folder_tree import count_image_folders, is_excluded, list_folders, walk_files
from skconv.data.formats import check_no_groups, note_excluded
from skconv.data.image_files import SampledSizes, read_images
from skconv.data.labels import sort_names
from skconv.data.spec import FORMATS, DataSpec, Format
from skconv.data.tables.columns import find_names
from skconv.data.tables.image_matching import ImageIndex, check_found, index_near, match_images
from skconv.data.tables.image_tables import Listing, list_labelled_files, lists_images, split_rows
from skconv.data.tables.other_splits import note_other_tables
from skconv.data.tables.pixel_csv import read_csv_labels, read_pixel_csv
from skconv.data.tables.text import read_table
from skconv.exceptions import DataError, SourceNotFoundError, list_some
from skconv.images.spec import ImageSpec
from skconv.text import format_count

TRAIN, TEST, SAMPLE, ANSWERS = "train.csv", "test.csv", "sample_submission.csv", "answers.csv"
TRAIN_FOLDER, TEST_FOLDER = "train", "test"
PIXEL_HEADER, ID_HEADER = ("ImageId", "Label"), ("id", "label")
# Header, first and last id of a submission to the original competitions.
_FORMS = {"kaggle-digits": (PIXEL_HEADER, 1, 28_000), "identify-the-apparels": (ID_HEADER, 60_001, 70_000)}


def is_competition(folder: Path, exclude: Sequence[str] = ()) -> bool:
    """Return whether a folder contains ``train.csv`` and ``test.csv``, but no class folders.

    Several folders in ``train`` are class folders. So are several folders of images beside tables that list images,
    if there is neither a folder ``train`` nor a sample submission. Files and folders that match `exclude`, as in
    `read_tree`, do not count.
    """

    def is_included(path: Path) -> bool:
        return not is_excluded(path, folder, exclude)

    if not all((folder / name).is_file() and is_included(folder / name) for name in (TRAIN, TEST)):
        return False
    images = folder / TRAIN_FOLDER
    if images.is_dir() and is_included(images):
        inner = list_folders(images, folder, exclude)
        while len(inner) == 1:  # such as train/train
            inner = list_folders(inner[0], folder, exclude)
        return not inner
    return count_image_folders(folder, exclude) < 2 or (folder / SAMPLE).is_file() or not lists_images(folder / TRAIN)


def read_competition(spec: DataSpec, *, progress: bool = False) -> tuple[Splits, SubmissionForm]:
    """Return the splits of a competition's folder, ``spec.path``, and the format of a submission.

    The folder contains ``train.csv`` (label and pixels) and ``test.csv`` (pixels), or ``train.csv`` (``id,label``),
    ``test.csv`` (``id``) and the folders ``train`` and ``test`` with one image per id. Optional files are
    ``sample_submission.csv``, with the header and order of a submission, and ``answers.csv``, with the labels of the
    test images in the format of a submission; without ``answers.csv`` there is no test split. ``train.csv`` may also
    have columns of splits and groups. Size, resize rule and preprocessing of image files are those of `spec`.

    Raise `DataError` if a table cannot be read, or if the tables and images do not match.
    """
    folder = spec.path
    train, test = folder / TRAIN, folder / TEST
    if not lists_images(train):
        check_no_groups(spec)
        table = read_pixel_csv(train, n_pixels=_count_pixels(spec.row_shape))
        labels, images = table.labels or [], shape_rows(str(train), table.pixels, spec.row_shape)
        splits = split_rows(str(train), images, labels, table.splits or ["train"] * len(labels))
        form = _make_form(folder, None, _read_test_pixels(test, spec.row_shape), labels)
        return _add_answers(splits, form, folder / ANSWERS), form
    files, labels, rows, groups = _list_training_files(spec)
    ids, test_files = _list_test_files(spec)
    # Read all images in one call, so that either all are grey or all are in colour.
    images = read_images([*files, *test_files], spec, progress=progress)
    form = _make_form(folder, ids, images[len(files) :], labels)
    splits = split_rows(str(train), images[: len(files)], labels, rows, files)._replace(groups=groups)
    if (folder / ANSWERS).is_file():
        test_file = dict(zip(ids, test_files, strict=True))
        splits = splits._replace(files=[*splits.files, *(test_file[name] for name in form.ids)])
    return _add_answers(splits, form, folder / ANSWERS), form


def _add_answers(splits: Splits, form: SubmissionForm, answers: Path) -> Splits:
    """Return the splits with the images to predict as test split if there is a file with their labels.

    Raise `DataError` if there is another test split.
    """
    if not answers.is_file():
        return splits
    if splits.test_images is not None:
        raise DataError(
            f"{answers.parent / TRAIN} has rows of the test split, and {answers} has the labels of another one. Delete "
            "the column of splits, or the file."
        )
    return splits._replace(test_images=form.images, test_labels=read_submission(answers, form))


def read_form(spec: DataSpec, *, progress: bool = False) -> SubmissionForm:
    """Read only the test images of a competition; parameters and errors as in `read_competition`.

    If ``spec.form`` is the format of a model with a resize rule, image files are resized by it, with a warning.
    """
    folder, model = spec.path, spec.form
    train, test = folder / TRAIN, folder / TEST
    if not lists_images(train):
        shape = spec.row_shape or (None if model is None else (model.height, model.width))
        return _make_form(folder, None, _read_test_pixels(test, shape), read_csv_labels(train))
    ids, files = _list_test_files(spec)
    if model is not None and model.resize is None:  # trained on images that were not resized, or were preprocessed
        spec = replace(spec, form=None)
    elif model is not None and any(size != (model.height, model.width) for size in SampledSizes.read(files).sizes):
        warnings.warn(f"The test images of {folder} are resized to {model.width}×{model.height}.", stacklevel=2)
    images = read_images(files, spec, progress=progress)
    return _make_form(folder, ids, images, _list_training_files(spec).labels)


def load_folder(spec: DataSpec, *, progress: bool = False) -> Dataset:
    """Load a competition's folder as a data set; class names and licence are set if the competition is recognised."""
    note_excluded(spec)
    note_other_tables(spec.path, (TRAIN, TEST, SAMPLE, ANSWERS), spec.exclude or ())
    splits, form = read_competition(spec, progress=progress)
    dataset = replace(splits.to_dataset(spec.short_name, str(spec.path)), submission=form)
    if lists_images(spec.path / TRAIN):  # files are preprocessed or resized while they are read
        resize = spec.resize_rule if spec.normalize is None else None
        dataset = replace(dataset, preprocessing=spec.normalize, resize=resize)
    entry = recognize_competition(form)
    return dataset if entry is None else replace(dataset, class_names=entry.class_names, licence=entry.licence)


def recognize_competition(form: SubmissionForm) -> CatalogEntry | None:
    """Return the catalog entry of the competition with this submission format, ids and labels, or None."""
    for name, (header, first, last) in _FORMS.items():
        entry = get_entry(name)
        if (form.header, len(form.ids), form.ids[0], form.ids[-1]) != (header, last - first + 1, str(first), str(last)):
            continue
        if form.class_labels == tuple(str(number) for number in range(len(entry.class_names))):
            return entry
    return None


def read_submission(path: str | os.PathLike[str], form: SubmissionForm) -> list[str]:
    """Return the labels of a submission in the order of ``form.ids``.

    Raise `DataError` with the line number for a wrong header, a missing, duplicate, unknown or misplaced id, an unknown
    label, or content after the last row.
    """
    file, known = Path(path), frozenset(form.class_labels)
    labels: list[str] = []
    with open_table(file) as stream:
        rows = csv.reader(stream)
        header = next(rows, [])
        if tuple(header) != form.header:
            found = f"'{','.join(header)[:60]}'" if header else "missing"
            remedy = "Correct it."
            if header[:3] == ["input", "label", "confidence"]:
                remedy = "This is a table of predictions; skconv predict --out submission.csv writes a submission."
            raise DataError(f"{file}, line 1: the header is {found}; expected '{','.join(form.header)}'. {remedy}")
        for row in rows:
            where = f"{file}, line {rows.line_num}"
            if len(labels) == len(form.ids):
                raise DataError(f"{where}: there is content after the last of {len(form.ids)} rows. Delete it.")
            if len(row) != 2:
                found = format_count(len(row), "value") if row else "an empty line"
                raise DataError(f"{where}: {found}; expected id '{form.ids[len(labels)]}' and its label. Correct it.")
            if row[0] != form.ids[len(labels)]:
                raise DataError(f"{where}: {_explain_id(row[0], form.ids, len(labels))}")
            if row[1] not in known:
                found = f"the label is '{row[1][:30]}'" if row[1] else "the label is missing"
                raise DataError(f"{where}: {found}; expected one of {list_some(form.class_labels)}. Correct it.")
            labels.append(row[1])
    if len(labels) < len(form.ids):
        raise DataError(
            f"{file} ends after line {len(labels) + 1}, with {len(labels)} of {len(form.ids)} rows; "
            f"the next id is '{form.ids[len(labels)]}'. The file may be truncated; write it again."
        )
    return labels


def _explain_id(found: str, ids: tuple[str, ...], row: int) -> str:
    if found in ids[:row]:
        return f"id '{found}' is a duplicate of row {ids.index(found) + 1}; expected '{ids[row]}'. Delete one of them."
    if found in ids:
        return (
            f"the id is '{found}'; expected '{ids[row]}'. A row is missing, or the order differs from that of "
            "sample_submission.csv. Add or reorder rows."
        )
    return f"'{found[:30]}' is not an id of the competition; expected '{ids[row]}'. Correct it."


def _read_test_pixels(test: Path, image_size: tuple[int, ...] | None) -> np.ndarray:
    table = read_pixel_csv(test, need_labels=False, n_pixels=_count_pixels(image_size))
    if table.labels is not None:
        raise DataError(
            f"{test} has a label column; expected only pixels. Pass {TRAIN} as the source, or remove the labels."
        )
    return shape_rows(str(test), table.pixels, image_size)


def _count_pixels(image_size: tuple[int, ...] | None) -> int | None:
    return None if image_size is None else math.prod(image_size)


def _list_training_files(spec: DataSpec) -> Listing:
    train = spec.path / TRAIN
    index = _index_images(spec, train, TRAIN_FOLDER)
    table = read_table(train)
    label = find_label(spec.path / SAMPLE, table)
    options = DataSpec(train, label_column=label, skip_unreadable=spec.skip_unreadable, groups=spec.groups)
    return list_labelled_files(table, index, options)


def _list_test_files(spec: DataSpec) -> tuple[list[str], list[Path]]:
    """Return the ids of the test images and their files."""
    test = spec.path / TEST
    index = _index_images(spec, test, TEST_FOLDER)
    table = read_table(test).split_header()
    column = find_names(table, index) if table.n_columns > 2 else 0
    ids = table.column(column) if table.n_columns > 2 else read_ids(test)[1]
    others = [each for each in range(table.n_columns) if each != column and len(set(table.column(each))) > 1]
    if others:
        ignored = list_some([table.describe(each) for each in others], 5)
        warnings.warn(
            f"{test}: not used: {ignored}. To score a model on labels in this table, pass it to skconv evaluate.",
            stacklevel=2,
        )
    found = match_images(str(test), ids, index)
    check_found(str(test), ids, found, index.folder)
    return ids, [found[name] for name in ids]


def _index_images(spec: DataSpec, table: Path, name: str) -> ImageIndex:
    """Return the files of the folder `name` beside a table, or of all folders beside the table if it does not exist."""

    def select(files: Sequence[Path]) -> list[Path]:
        return [file for file in files if not is_excluded(file, spec.path, spec.exclude or ())]

    folder = table.parent / name
    if folder.is_dir():
        return ImageIndex(folder, select(walk_files(folder)), table.parent)
    found = index_near(table)
    index = ImageIndex(found.folder, select(found.files))
    if not index.files or any((table.parent / each).is_dir() for each in (TRAIN_FOLDER, TEST_FOLDER)):
        raise SourceNotFoundError(
            f"{table} lists images, but their folder {folder} does not exist. Put the images there, or pass {TRAIN} as "
            "the source and the folder of the images as --images."
        )
    return index


def _make_form(folder: Path, ids: list[str] | None, images: np.ndarray, labels: list[str]) -> SubmissionForm:
    """Return the format of a submission; `ids` is None for a table of pixels, whose rows have no ids."""
    class_labels = tuple(sort_names(labels))
    sample = folder / SAMPLE
    has_sample = sample.is_file()
    if has_sample and (n_columns := read_table(sample).n_columns) > 2:
        warnings.warn(
            f"{sample} has {format_count(n_columns, 'column')} and is not used; expected two columns, id and label.",
            stacklevel=2,
        )
        has_sample = False
    if not has_sample:
        header, ids = (
            (PIXEL_HEADER, number_rows(len(images))) if ids is None else (read_header(folder / TEST, ids), ids)
        )
        return SubmissionForm(header, tuple(ids), images, class_labels)
    header, expected = read_ids(sample)
    if len(expected) != len(images):
        raise DataError(
            f"{sample} has {len(expected)} rows, but {folder / TEST} has {len(images)}. Download both files again."
        )
    if ids is None:
        _check_numbers(sample, expected)
    elif ids != expected:
        position = {name: index for index, name in enumerate(ids)}
        for line, name in enumerate(expected, 2):
            if name not in position:
                raise DataError(
                    f"{sample}, line {line}: the id '{name}' is not in {folder / TEST}. Download both files again."
                )
        images = images[[position[name] for name in expected]]
    return SubmissionForm(header, tuple(expected), images, class_labels)


def _check_numbers(sample: Path, ids: list[str]) -> None:
    """Raise `DataError` unless the ids are consecutive numbers, because those of rows of pixels are row numbers."""
    first = int(ids[0]) if ids[0].isdecimal() else 1
    for line, (found, expected) in enumerate(zip(ids, range(first, first + len(ids)), strict=True), 2):
        if found != str(expected):
            raise DataError(
                f"{sample}, line {line}: the id is '{found[:30]}'; expected '{expected}', because the rows of "
                f"{TEST} are numbered in order. Download the file again."
            )


def number_rows(n: int) -> list[str]:
    """Return the ids of rows of pixels, numbered from 1 as on Kaggle."""
    return [str(row) for row in range(1, n + 1)]


def _read_inputs(spec: DataSpec, model: ImageSpec) -> tuple[Sequence[str], np.ndarray]:
    form = read_form(replace(spec, form=model))
    return form.ids, form.images


FORMATS.register(
    "competition",
    Format(
        accepts=is_competition,
        read=lambda spec, progress: load_folder(spec, progress=progress),
        read_inputs=_read_inputs,
        priority=1,
        folder_options=frozenset({"exclude", "groups"}),
    ),
)

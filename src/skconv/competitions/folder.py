"""Reading a competition's folder: ``train.csv`` and ``test.csv`` with their pixels or beside folders of images."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np

from skconv.competitions.submissions import SubmissionForm, check_submission
from skconv.data.folders import find_images, read_id_labels, read_images
from skconv.data.labels import sort_names
from skconv.data.pixel_csv import FEWEST_PIXELS, open_table, read_csv_labels, read_pixel_csv
from skconv.data.pixels import shape_rows
from skconv.data.splits import Splits
from skconv.exceptions import DataError, SourceNotFoundError

TRAIN, TEST, SAMPLE, ANSWERS = "train.csv", "test.csv", "sample_submission.csv", "answers.csv"
TRAIN_FOLDER, TEST_FOLDER = "train", "test"
# Kaggle's, where there is no sample_submission.csv that says otherwise.
PIXEL_HEADER = ("ImageId", "Label")


def holds_competition(folder: Path) -> bool:
    """Tell whether a folder has a competition's tables; images in a folder per class are another form of data."""
    if not all((folder / name).is_file() for name in (TRAIN, TEST)):
        return False
    images = folder / TRAIN_FOLDER
    return not (images.is_dir() and any(entry.is_dir() for entry in os.scandir(images)))


def read_competition(
    folder: Path, image_size: tuple[int, int] | None = None, *, progress: bool = False
) -> tuple[Splits, SubmissionForm]:
    """Read a competition's folder.

    Parameters
    ----------
    folder : pathlib.Path
        With ``train.csv`` (a label and pixels a row) and ``test.csv`` (pixels), or with ``train.csv``
        (``id,label``), ``test.csv`` (``id``) and the folders ``train`` and ``test`` with an image an id;
        perhaps with ``sample_submission.csv``, which then tells header and order of a submission; perhaps
        with ``answers.csv``, the hidden labels in the form of a submission.
    image_size : (height, width) or None, default=None
        As in `load_dataset`.
    progress : bool, default=False
        Show a bar for folders of images.

    Returns
    -------
    splits : Splits
        The test split is the images of the form with their answers, None without ``answers.csv``.
    form : SubmissionForm

    Raises
    ------
    DataError
        A table that cannot be read, or tables and images that do not belong together.
    """
    train, test = folder / TRAIN, folder / TEST
    if _has_pixels(train):
        table = read_pixel_csv(train)
        labels = table.labels or []
        train_images = shape_rows(str(train), table.pixels, image_size)
        ids, test_images = None, _read_test_pixels(test, image_size)
    else:
        labels_by_id = read_id_labels(train)
        labels, ids = list(labels_by_id.values()), _read_ids(test)
        files = _find(train, folder / TRAIN_FOLDER, list(labels_by_id))
        # Together, so that all are grey or all in colour.
        images = read_images([*files, *_find(test, folder / TEST_FOLDER, ids)], image_size, progress=progress)
        train_images, test_images = images[: len(files)], images[len(files) :]
    form = _make_form(folder, ids, test_images, labels)
    if not (folder / ANSWERS).is_file():
        return Splits(train_images, labels), form
    answers = check_submission(folder / ANSWERS, form, form.class_labels)
    return Splits(train_images, labels, form.images, answers), form


def read_form(folder: Path, *, progress: bool = False) -> SubmissionForm:
    """Read of a competition's folder only what is to be named; the images to learn from are passed over.

    Parameters and errors are those of `read_competition`.
    """
    train, test = folder / TRAIN, folder / TEST
    if _has_pixels(train):
        return _make_form(folder, None, _read_test_pixels(test, None), read_csv_labels(train))
    ids = _read_ids(test)
    images = read_images(_find(test, folder / TEST_FOLDER, ids), None, progress=progress)
    return _make_form(folder, ids, images, list(read_id_labels(train).values()))


def _has_pixels(table: Path) -> bool:
    with open_table(table) as stream:
        first = stream.readline()
    return max(map(first.count, ",;\t")) >= FEWEST_PIXELS


def _read_test_pixels(test: Path, image_size: tuple[int, int] | None) -> np.ndarray:
    table = read_pixel_csv(test, need_labels=False)
    if table.labels is not None:
        raise DataError(
            f"{test} has a label column; that of a competition has pixels only. Pass {TRAIN} as the source, or take "
            "the labels away."
        )
    return shape_rows(str(test), table.pixels, image_size)


def _find(table: Path, folder: Path, ids: list[str]) -> list[Path]:
    if not folder.is_dir():
        raise SourceNotFoundError(f"{table} names images, but there is no folder {folder}. Put them there.")
    return find_images(table, folder, ids)


def _make_form(folder: Path, ids: list[str] | None, images: np.ndarray, labels: list[str]) -> SubmissionForm:
    """Put together what a submission needs; `ids` are None for rows of pixels, which have none."""
    class_labels = tuple(sort_names(labels))
    sample = folder / SAMPLE
    if not sample.is_file():
        header = PIXEL_HEADER if ids is None else _read_header(folder / TEST)
        wanted = ids or [str(number) for number in range(1, len(images) + 1)]
        return SubmissionForm(header, tuple(wanted), images, class_labels)
    wanted = _read_ids(sample)
    if len(wanted) != len(images):
        raise DataError(f"{sample} has {len(wanted)} rows, {folder / TEST} {len(images)}. Download them again.")
    if ids is None:
        _check_numbers(sample, wanted)
    elif ids != wanted:
        position = {name: index for index, name in enumerate(ids)}
        for line, name in enumerate(wanted, 2):
            if name not in position:
                raise DataError(f"{sample}, line {line}: '{name}' is not in {folder / TEST}. Download them again.")
        images = images[[position[name] for name in wanted]]
    return SubmissionForm(_read_header(sample), tuple(wanted), images, class_labels)


def _check_numbers(sample: Path, ids: list[str]) -> None:
    """Check that the ids number the rows of a CSV of pixels, from whatever number on."""
    first = int(ids[0]) if ids[0].isdecimal() else 1
    for line, (came, expected) in enumerate(zip(ids, range(first, first + len(ids)), strict=True), 2):
        if came != str(expected):
            raise DataError(
                f"{sample}, line {line}: the id is '{came[:30]}'; expected '{expected}', because rows of pixels "
                "are numbered in their order. Download it again."
            )


def _read_header(table: Path) -> tuple[str, str]:
    """Return the names of the columns of ids and labels."""
    with open_table(table) as stream:
        cells = [cell.strip() for cell in next(csv.reader(stream), [])]
    return (cells[0], cells[1] if len(cells) > 1 else "label")


def _read_ids(table: Path) -> list[str]:
    """Read the first column of a table with a header; the labels beside it mean nothing."""
    ids: dict[str, None] = {}
    with open_table(table) as stream:
        rows = csv.reader(stream)
        header = next(rows, [])
        if len(header) not in (1, 2):
            raise DataError(f"{table} has {len(header)} columns; expected an id, and perhaps a label. Is it the file?")
        for row in rows:
            if not any(row):
                continue
            where, name = f"{table}, line {rows.line_num}", row[0].strip()
            if len(row) != len(header):
                raise DataError(f"{where} has {len(row)} values, the header {len(header)}. Correct or delete it.")
            if name in ids or not name:
                what = f"id '{name}' came before" if name else "the id is missing"
                raise DataError(f"{where}: {what}. Correct or delete it.")
            ids[name] = None
    if not ids:
        raise DataError(f"{table} has a header but no rows; expected an id a line. Download it again.")
    return list(ids)

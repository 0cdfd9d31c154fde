"""Reader of competition folders: ``train.csv`` and ``test.csv`` with pixels, or with ids and folders of images."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from skconv.data.catalog import CatalogEntry, get_entry
from skconv.data.content import open_rows, open_table
from skconv.data.conversion import shape_rows, sort_names
from skconv.data.dataset import Dataset, Splits, SubmissionForm
from skconv.data.folders import find_images, read_id_labels
from skconv.data.image_files import read_images
from skconv.data.pixel_csv import MIN_PIXELS, read_csv_labels, read_pixel_csv
from skconv.data.spec import FORMATS, DataSpec, Format
from skconv.exceptions import DataError, SourceNotFoundError, list_some
from skconv.images.spec import ImageSpec

TRAIN, TEST, SAMPLE, ANSWERS = "train.csv", "test.csv", "sample_submission.csv", "answers.csv"
TRAIN_FOLDER, TEST_FOLDER = "train", "test"
PIXEL_HEADER, ID_HEADER = ("ImageId", "Label"), ("id", "label")
# Header, first and last id of a submission to the original competitions.
_FORMS = {"kaggle-digits": (PIXEL_HEADER, 1, 28_000), "identify-the-apparels": (ID_HEADER, 60_001, 70_000)}


def is_competition(folder: Path) -> bool:
    """Return whether a folder contains ``train.csv`` and ``test.csv``, but no class folders in ``train``."""
    if not all((folder / name).is_file() for name in (TRAIN, TEST)):
        return False
    images = folder / TRAIN_FOLDER
    return not (images.is_dir() and any(entry.is_dir() for entry in os.scandir(images)))


def read_competition(
    folder: Path, image_size: tuple[int, int] | None = None, *, progress: bool = False
) -> tuple[Splits, SubmissionForm]:
    """Return the splits of a competition's folder and the format of a submission.

    The folder contains ``train.csv`` (label and pixels) and ``test.csv`` (pixels), or ``train.csv`` (``id,label``),
    ``test.csv`` (``id``) and the folders ``train`` and ``test`` with one image per id. Optional files are
    ``sample_submission.csv``, with the header and order of a submission, and ``answers.csv``, with the labels of the
    test images in the format of a submission; without ``answers.csv`` there is no test split.

    Raise `DataError` if a table cannot be read, or if the tables and images do not match.
    """
    train, test = folder / TRAIN, folder / TEST
    if _has_pixels(train):
        table = read_pixel_csv(train)
        labels = table.labels or []
        train_images = shape_rows(str(train), table.pixels, image_size)
        ids, test_images = None, _read_test_pixels(test, image_size)
    else:
        labels_by_id = read_id_labels(train)
        labels, (_, ids) = list(labels_by_id.values()), _read_ids(test)
        files = _find(train, folder / TRAIN_FOLDER, list(labels_by_id))
        test_files = _find(test, folder / TEST_FOLDER, ids)
        # Read all images in one call, so that either all are grey or all are in colour.
        images = read_images([*files, *test_files], DataSpec(image_size=image_size), progress=progress)
        train_images, test_images = images[: len(files)], images[len(files) :]
    form = _make_form(folder, ids, test_images, labels)
    if not (folder / ANSWERS).is_file():
        return Splits(train_images, labels), form
    return Splits(train_images, labels, form.images, read_submission(folder / ANSWERS, form)), form


def read_form(folder: Path, *, progress: bool = False) -> SubmissionForm:
    """Read only the test images of a competition; parameters and errors as in `read_competition`."""
    train, test = folder / TRAIN, folder / TEST
    if _has_pixels(train):
        return _make_form(folder, None, _read_test_pixels(test, None), read_csv_labels(train))
    _, ids = _read_ids(test)
    images = read_images(_find(test, folder / TEST_FOLDER, ids), DataSpec(), progress=progress)
    return _make_form(folder, ids, images, list(read_id_labels(train).values()))


def load_folder(folder: Path, image_size: tuple[int, int] | None = None, *, progress: bool = False) -> Dataset:
    """Load a competition's folder as a data set; class names and licence are set if the competition is recognised."""
    splits, form = read_competition(folder, image_size, progress=progress)
    dataset = replace(splits.to_dataset(DataSpec(folder).short_name, str(folder)), submission=form)
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
                found = f"{len(row)} values" if row else "an empty line"
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


def _has_pixels(table: Path) -> bool:
    with open_table(table) as stream:
        first = stream.readline()
    return max(map(first.count, ",;\t")) >= MIN_PIXELS


def _read_test_pixels(test: Path, image_size: tuple[int, int] | None) -> np.ndarray:
    table = read_pixel_csv(test, need_labels=False)
    if table.labels is not None:
        raise DataError(
            f"{test} has a label column; expected only pixels. Pass {TRAIN} as the source, or remove the labels."
        )
    return shape_rows(str(test), table.pixels, image_size)


def _find(table: Path, folder: Path, ids: list[str]) -> list[Path]:
    if not folder.is_dir():
        raise SourceNotFoundError(f"{table} lists images, but their folder {folder} does not exist. Put them there.")
    return find_images(table, folder, ids)


def _make_form(folder: Path, ids: list[str] | None, images: np.ndarray, labels: list[str]) -> SubmissionForm:
    """Return the format of a submission; `ids` is None for a table of pixels, whose rows have no ids."""
    class_labels = tuple(sort_names(labels))
    sample = folder / SAMPLE
    if not sample.is_file():
        header, ids = (PIXEL_HEADER, number_rows(len(images))) if ids is None else _read_ids(folder / TEST)
        return SubmissionForm(header, tuple(ids), images, class_labels)
    header, expected = _read_ids(sample)
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


def _read_ids(table: Path) -> tuple[tuple[str, str], list[str]]:
    """Return the header and the ids, the first column, of a table with one or two columns."""
    ids: dict[str, None] = {}
    with open_rows(table) as (header, rows):
        if len(header) not in (1, 2):
            raise DataError(f"{table} has {len(header)} columns; expected an id and at most a label. Correct the file.")
        for where, (name, *_) in rows:
            if name in ids or not name:
                problem = f"duplicate id '{name}'" if name else "the id is missing"
                raise DataError(f"{where}: {problem}. Correct or delete the line.")
            ids[name] = None
    if not ids:
        raise DataError(f"{table} has a header but no rows; expected one id per line. Download the file again.")
    return (header[0], header[1] if len(header) > 1 else "label"), list(ids)


def _read_inputs(spec: DataSpec, model: ImageSpec) -> tuple[Sequence[str], np.ndarray]:
    form = read_form(spec.path)
    return form.ids, form.images


FORMATS.register(
    "competition",
    Format(
        accepts=is_competition,
        read=lambda spec, progress: load_folder(spec.path, spec.size, progress=progress),
        read_inputs=_read_inputs,
        priority=1,
    ),
)

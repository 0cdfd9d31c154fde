"""Submissions to competitions: loading of the images to predict; writing, checking and scoring of submissions."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from skconv.competitions.folder import (
    ANSWERS,
    PIXEL_HEADER,
    TEST,
    is_competition,
    number_rows,
    read_form,
    read_submission,
)
from skconv.competitions.making import list_competitions, open_competition
from skconv.data.catalog.lookup import get_entry
from skconv.data.dataset import SubmissionForm
from skconv.data.formats import is_table, read_pixel_rows
from skconv.data.inputs import ConversionNotes
from skconv.data.spec import DataSpec
from skconv.data.tables.image_tables import lists_images
from skconv.exceptions import DataError, list_some
from skconv.files import atomic_write
from skconv.images.spec import ImageSpec
from skconv.signature import expand_paths
from skconv.text import format_percent


def load_submission_form(
    path: str | os.PathLike[str], spec: ImageSpec, image_size: int | tuple[int, ...] | None = None
) -> tuple[SubmissionForm, list[str]] | None:
    """Load the test images of a competition and the format of a submission, with notes as in `load_inputs`.

    `path` is a competition's folder, its ``test.csv``, or any CSV file of pixels without labels, whose rows are
    numbered from 1 as on Kaggle, with images of the shape `image_size`, by default that of `spec`. Return None for any
    other path. The images are converted to `spec`.
    """
    path = Path(path)
    folder = path.parent if path.name == TEST else path
    if is_competition(folder):
        form = read_form(DataSpec(folder, image_size=image_size, form=spec))
    elif is_table(path) and not lists_images(path):
        images, labelled = read_pixel_rows(DataSpec(path, image_size=image_size), spec)
        if labelled:
            return None
        form = SubmissionForm(PIXEL_HEADER, tuple(number_rows(len(images))), images)
    else:
        return None
    notes = ConversionNotes(spec)
    notes.record(form.images.shape[1:], str(path), len(form.ids))
    return replace(form, images=spec.preprocess_all(form.images)), notes.sentences()


def write_submission(path: str | os.PathLike[str], form: SubmissionForm, labels: Iterable[object]) -> None:
    r"""Write a submission to a CSV file; an existing file is replaced atomically.

    `labels` contains one label per id, in the order of ``form.ids``, written as in the competition's ``train.csv``:
    the label of class ``k`` is ``form.class_labels[k]``. Raise `DataError` for another number of labels, or a label
    that the competition does not have.

    Examples
    --------
    >>> import tempfile, pathlib, numpy
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "submission.csv"
    >>> form = SubmissionForm(("ImageId", "Label"), ("1", "2"), numpy.zeros((2, 28, 28), numpy.uint8))
    >>> write_submission(file, form, [7, 3])
    >>> file.read_text()
    'ImageId,Label\n1,7\n2,3\n'
    """
    names = [str(label) for label in labels]
    if len(names) != len(form.ids):
        raise DataError(
            f"The submission has {len(names)} labels for {len(form.ids)} ids. Pass one label per id, in the same order."
        )
    unknown = set(names) - set(form.class_labels)
    if form.class_labels and unknown:
        raise DataError(f"The label '{min(unknown)}' is unknown; expected one of {list_some(form.class_labels)}.")
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(form.header)
        writer.writerows(zip(form.ids, names, strict=True))


@dataclass(frozen=True)
class SubmissionCheck:
    """Result of the check of a valid submission, with its score.

    Parameters
    ----------
    submission, competition : str
        Path of the submission, and of the competition's folder.
    rows : int
        Number of labelled images.
    accuracy, low, high : float or None
        Accuracy, 0..1, with its 95 % interval; None if the folder has no answers.
    """

    submission: str
    competition: str
    rows: int
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        valid = f"{self.submission} is a valid submission to {self.competition}: {self.rows:,} rows."
        if self.accuracy is None or self.low is None or self.high is None:
            return f"{valid}\nNo score: the folder has no answers.csv."
        accuracy, low, high = (format_percent(each, 3) for each in (self.accuracy, self.low, self.high))
        return f"{valid}\nAccuracy {accuracy} (95 % interval {low} to {high})."


@expand_paths
def check_competition(
    submission: str | os.PathLike[str],
    competition: str | os.PathLike[str],
    *,
    data_home: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> SubmissionCheck:
    """Check a submission to a competition, and score it if the competition's folder has ``answers.csv``.

    Parameters
    ----------
    submission : path-like
        CSV file of the submission.
    competition : str or path-like
        Name of a competition, or its folder.
    data_home : path-like, optional
        As in `skconv.load_dataset`.
    progress : bool, default=False
        Show a progress bar on standard error while the competition's files are made or read.

    Returns
    -------
    SubmissionCheck

    Raises
    ------
    DataError
        If the submission is invalid (the message has the line number), or the competition is unknown or cannot be read.
    """
    from skconv.evaluation.metrics import wilson_interval

    if competition in list_competitions():
        folder = open_competition(get_entry(str(competition)), data_home=data_home, download=True, progress=progress)
    else:
        folder = Path(competition)
        if not is_competition(folder):
            raise DataError(
                f"{competition} is not a competition: the folder has no train.csv and test.csv. Pass the folder of a "
                f"competition, or one of {', '.join(list_competitions())}."
            )
    form = read_form(DataSpec(folder), progress=progress)
    labels = read_submission(submission, form)
    if not (folder / ANSWERS).is_file():
        return SubmissionCheck(str(submission), str(folder), len(labels))
    answers = read_submission(folder / ANSWERS, form)
    n_correct = sum(label == answer for label, answer in zip(labels, answers, strict=True))
    low, high = wilson_interval(n_correct, len(labels))
    return SubmissionCheck(str(submission), str(folder), len(labels), n_correct / len(labels), low, high)

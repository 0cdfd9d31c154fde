"""What a competition wants handed in: its form, writing it, and checking it line by line."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skconv.data.pixel_csv import open_table
from skconv.exceptions import DataError, list_some
from skconv.files import atomic_write


@dataclass(frozen=True, eq=False)  # an array has no single truth value to compare by
class SubmissionForm:
    """The images that a competition wants named, and the form in which it wants the names.

    Parameters
    ----------
    header : (str, str)
        The file's first line: ``("ImageId", "Label")``.
    ids : tuple of str
        The first column, in the order wanted.
    images : ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
        The image of each id.
    class_labels : tuple of str, default=()
        How each class is written in the second column, in the order of the data set's class names: ``"0"``
        where the class is called "T-shirt/top". Empty where nobody knows.

    Raises
    ------
    DataError
        There are not as many ids as images.
    """

    header: tuple[str, str]
    ids: tuple[str, ...]
    images: np.ndarray
    class_labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.images):
            raise DataError(
                f"A submission of {len(self.ids)} ids came with {len(self.images)} images; expected one an id."
            )


def write_submission(path: str | os.PathLike[str], form: SubmissionForm, labels: Iterable[object]) -> None:
    r"""Write labels in the form that a competition wants. An existing file is replaced in one step.

    Parameters
    ----------
    path : path-like
        The CSV file.
    form : SubmissionForm
    labels : iterable
        One an id, in the order of ``form.ids``, as they are written in the competition's ``train.csv``. For
        positions among a data set's class names take ``form.class_labels[position]``.

    Raises
    ------
    DataError
        Not one label an id, or a label that the competition does not have.
    OutputError
        The file cannot be written; an existing one is as it was.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "submission.csv"
    >>> form = SubmissionForm(("ImageId", "Label"), ("1", "2"), np.zeros((2, 28, 28), np.uint8))
    >>> write_submission(file, form, [7, 3])
    >>> file.read_text()
    'ImageId,Label\n1,7\n2,3\n'
    >>> check_submission(file, form, "0123456789")
    ['7', '3']
    """
    names = [str(label) for label in labels]
    if len(names) != len(form.ids):
        raise DataError(f"There are {len(names)} labels for {len(form.ids)} ids. Pass one an id, in their order.")
    unknown = set(names) - set(form.class_labels)
    if form.class_labels and unknown:
        raise DataError(f"'{min(unknown)}' is none of the competition's labels ({list_some(form.class_labels)}).")
    with atomic_write(path) as beside, beside.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(form.header)
        writer.writerows(zip(form.ids, names, strict=True))


def check_submission(path: str | os.PathLike[str], form: SubmissionForm, labels_allowed: Sequence[str]) -> list[str]:
    """Check a submission as strictly as the strictest judge, and return its labels.

    Parameters
    ----------
    path : path-like
        The CSV file.
    form : SubmissionForm
        What the competition wants.
    labels_allowed : sequence of str
        The labels that the competition has, in most cases ``form.class_labels``.

    Returns
    -------
    list of str
        The label of each id, in the order of ``form.ids``.

    Raises
    ------
    DataError
        Another header, an id that is missing, doubled, unknown or out of order, a label that the competition does
        not have, or anything after the last row; the message names the line.
    """
    file, known = Path(path), frozenset(labels_allowed)
    labels: list[str] = []
    with open_table(file) as stream:
        rows = csv.reader(stream)
        header = next(rows, [])
        if tuple(header) != form.header:
            came = f"'{','.join(header)[:60]}'" if header else "missing"
            mend = "Correct it."
            if header[:3] == ["input", "label", "confidence"]:
                mend = (
                    "It is a table of predictions; skconv predict --out submission.csv writes the competition's form."
                )
            raise DataError(f"{file}, line 1: the header is {came}; expected '{','.join(form.header)}'. {mend}")
        for row in rows:
            where = f"{file}, line {rows.line_num}"
            if len(labels) == len(form.ids):
                raise DataError(f"{where}: something follows the last of {len(form.ids)} rows. Delete it.")
            if len(row) != 2:
                came = f"{len(row)} values" if row else "an empty line"
                raise DataError(f"{where}: {came}; expected id '{form.ids[len(labels)]}' and its label. Correct it.")
            if row[0] != form.ids[len(labels)]:
                raise DataError(f"{where}: {_explain_id(row[0], form.ids, len(labels))}")
            if row[1] not in known:
                came = f"the label is '{row[1][:30]}'" if row[1] else "the label is missing"
                raise DataError(f"{where}: {came}; expected one of {list_some(labels_allowed)}. Correct it.")
            labels.append(row[1])
    if len(labels) < len(form.ids):
        raise DataError(
            f"{file} ends after line {len(labels) + 1}: {len(labels)} of {len(form.ids)} rows; "
            f"the next id is '{form.ids[len(labels)]}'. Is the file cut off? Write it again."
        )
    return labels


def _explain_id(came: str, ids: tuple[str, ...], row: int) -> str:
    if came in ids[:row]:
        return f"id '{came}' came before, in row {ids.index(came) + 1}; expected '{ids[row]}'. Delete one of the two."
    if came in ids:
        return (
            f"id '{came}' came and '{ids[row]}' was expected. A row is missing, or the rows are in another order: "
            "keep that of sample_submission.csv."
        )
    return f"'{came[:30]}' is no id of the competition; expected '{ids[row]}'. Correct it."

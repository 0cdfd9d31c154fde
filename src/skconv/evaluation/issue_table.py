"""What an audit suspects: the record, its table, the images it is about, contact sheets."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skconv.exceptions import DataError, SourceNotFoundError
from skconv.files import write_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from skconv.data.dataset import Dataset

TABLE_NAME = "suspects.csv"
# In the order in which they are told; what each means.
KINDS = {
    "broken": "cannot be opened as an image",
    "blank": "shows nothing",
    "label": "is probably labelled wrong",
    "overlap": "is in the training and in the test split",
    "duplicate": "appears twice",
    "near duplicate": "appears twice, almost the same",
}


@dataclass(frozen=True)
class LabelIssue:
    """An image that deserves a look.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    image : str
        Its file, or the split and its number in it, from 0.
    label : str
        As given.
    suggestion : str
        Of a wrong label: what it seems to be; else empty.
    confidence : float or None
        Of a wrong label: how probable that is, by a network that has not seen the image.
    other : str
        Of a duplicate: the image it equals, with its label where that differs; of a broken image: why.
    """

    kind: str
    image: str
    label: str
    suggestion: str = ""
    confidence: float | None = None
    other: str = ""

    @property
    def caption(self) -> list[str]:
        """Lines to be written under the image."""
        name = Path(self.image).name
        if self.kind == "label":
            return [name, f"{self.label} → {self.suggestion}", f"{100 * (self.confidence or 0):.1f} %"]
        return [name, self.label]

    def __str__(self) -> str:
        told = {
            "label": f"{self.label}, looks like {self.suggestion} ({self.confidence or 0:.1%})",
            "broken": self.other,
            "blank": self.label,
        }
        return f"  {self.image}: {told.get(self.kind, f'{self.label}, like {self.other}')}"


class Images:
    """The images of both splits in one row."""

    def __init__(self, dataset: Dataset) -> None:
        from skconv.data.folders import list_class_files

        self.dataset = dataset
        self.n_train = len(dataset.train_labels)
        self.images, self.labels = dataset.train_images, dataset.train_labels
        if dataset.test_images is not None and dataset.test_labels is not None:
            self.images = np.concatenate([self.images, dataset.test_images])
            self.labels = np.concatenate([self.labels, dataset.test_labels])
        files = list_class_files(Path(dataset.source)) if Path(dataset.source).is_dir() else []
        self.files = files if len(files) == len(self.labels) else []

    def name(self, position: int) -> str:
        """Return the file of an image, or its split and number."""
        if self.files:
            return str(self.files[position])
        is_test = position >= self.n_train
        return f"{'test' if is_test else 'train'} {position - is_test * self.n_train}"

    def label(self, position: int) -> str:
        """Return the name of an image's class, as given."""
        return self.dataset.class_names[self.labels[position]]


def write_suspects(path: Path, suspects: Sequence[LabelIssue]) -> None:
    """Write a row for each suspect."""
    columns = list(LabelIssue.__dataclass_fields__)
    write_table(path, columns, ([getattr(each, name) for name in columns] for each in suspects))


def read_suspects(folder: str | os.PathLike[str]) -> list[LabelIssue]:
    """Read the table that an audit wrote.

    Raises
    ------
    SourceNotFoundError
        There is none in the folder.
    DataError
        It is no such table.
    """
    path = Path(folder) / TABLE_NAME
    if not path.is_file():
        raise SourceNotFoundError(f"There is no {path}. Name a folder that skconv audit SOURCE --out FOLDER wrote.")
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = csv.DictReader(stream, strict=True)
            if rows.fieldnames != list(LabelIssue.__dataclass_fields__):
                raise ValueError("its columns are others")
            return [_read_row(row) for row in rows]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as the table of an audit ({error}). Run skconv audit again.") from error


def _as_written(name: str) -> str:
    """Return a name as it stands in the table: the bytes of a file's name need not be text."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _read_row(row: dict[str, str]) -> LabelIssue:
    suspect = LabelIssue(**{**row, "confidence": float(row["confidence"]) if row.get("confidence") else None})  # type: ignore[arg-type]
    if suspect.kind not in KINDS:
        raise ValueError(f"unknown kind '{suspect.kind}'")
    return suspect


def find_label_issues(suspects: Sequence[LabelIssue], images: Images) -> list[int]:
    """Return where each suspect stands among the images.

    Raises
    ------
    DataError
        One is not among them, or with another label: the audit was of other data.
    """
    places = {_as_written(images.name(position)): position for position in range(len(images.labels))}
    found = [places.get(each.image, -1) for each in suspects]
    for suspect, position in zip(suspects, found, strict=True):
        if position < 0 or images.label(position) != suspect.label:
            raise DataError(
                f"The audit is of other data than {images.dataset.name}, which has no image '{suspect.image}' "
                f"labelled '{suspect.label}'. Run skconv audit on it, from the same folder, or leave the audit out."
            )
    return found


def draw_kind(images: np.ndarray, suspects: Sequence[LabelIssue], positions: Sequence[int], *, most: int) -> Figure:
    """Draw a contact sheet of the first suspects of one kind.

    Parameters
    ----------
    images : ndarray of uint8
        All images.
    suspects : sequence of n Suspect
        Of one kind.
    positions : sequence of n int
        Where each stands among the images.
    most : int
        How many are drawn.
    """
    from skconv.reports.image_grids import draw_suspects

    drawn = images[np.asarray(positions[:most])]
    title = f"Each {KINDS[suspects[0].kind]} ({len(drawn):,} of {len(suspects):,})."
    return draw_suspects(drawn, [each.caption for each in suspects[:most]], title)

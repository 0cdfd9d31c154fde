"""Label issues of a data set (probably wrong labels, duplicates, blank images), and their CSV table."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skconv.data.splitting import find_first
from skconv.exceptions import DataError, SourceNotFoundError, missing_package
from skconv.files import write_table
from skconv.text import format_percent

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset

TABLE_NAME = "issues.csv"
# Headings, in the order of the report.
KINDS = {
    "broken": "images that cannot be opened",
    "blank": "blank images",
    "label": "probably wrong labels",
    "overlap": "images in the training split and in another split",
    "duplicate": "duplicates",
    "near duplicate": "near duplicates",
}
_MAX_BLANK = 8  # grey levels between the darkest and the brightest pixel of a blank image
_COARSE = 7  # blocks per side of the coarse images; their distance excludes most pairs
_NEIGHBOURS = 10  # neighbour whose distance is the local scale of features
_ROWS, _COLUMNS = 1024, 8192  # images per block of the distance matrix: 32 MB


@dataclass(frozen=True)
class LabelIssue:
    """An image that should be checked by a person."""

    kind: str  # a key of `KINDS`
    image: str  # its file, or its split and index
    label: str  # as given
    suggestion: str = ""  # of a wrong label: the predicted label
    confidence: float | None = None  # of a wrong label: the out-of-fold probability of the suggestion
    other: str = ""  # of a duplicate: the equal image, and its label if different; of an unreadable image: the error

    @property
    def caption(self) -> list[str]:
        """Lines of text below the image in an image grid."""
        name = Path(self.image).name
        if self.kind == "label":
            return [name, f"{self.label} → {self.suggestion}", format_percent(self.confidence or 0, 1)]
        return [name, self.label]

    def __str__(self) -> str:
        details = {
            "label": f"{self.label}, looks like {self.suggestion} ({format_percent(self.confidence or 0, 1)})",
            "broken": self.other,
            "blank": self.label,
        }
        return f"  {self.image}: {details.get(self.kind, f'{self.label}, like {self.other}')}"


class NamedImages:
    """The images of a data set, training split first, with their names and labels."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.n_train = len(dataset.train_labels)
        self.images, self.labels = dataset.train_images, dataset.train_labels
        for split in ("valid", "test"):
            images, labels = getattr(dataset, f"{split}_images"), getattr(dataset, f"{split}_labels")
            if images is not None:
                self.images = np.concatenate([self.images, images])
                self.labels = np.concatenate([self.labels, labels])
        self.names = dataset.list_names()

    def name(self, position: int) -> str:
        """Return the file of an image, or its split and index."""
        return self.names[position]

    def label(self, position: int) -> str:
        """Return the given label of an image."""
        return self.dataset.class_names[self.labels[position]]


def find_label_issues(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Return the indices of images with a probably wrong label, those with the least probable label first.

    `probabilities` (n, k) are out of fold: each row was predicted by a model that was not trained on the image.

    References
    ----------
    Northcutt, Jiang, Chuang: "Confident learning: estimating uncertainty in dataset labels", JAIR 70, 2021.
    """
    try:
        from cleanlab.filter import find_label_issues as rank_label_issues
    except ImportError as error:
        raise missing_package("finding label issues", "cleanlab", "reliability") from error
    exact = np.asarray(probabilities, np.float64)
    exact = exact / exact.sum(1, keepdims=True)
    # This filter had the highest precision and recall on MNIST with 1 % of the labels changed.
    found = rank_label_issues(
        labels, exact, return_indices_ranked_by="self_confidence", filter_by="prune_by_class", n_jobs=1
    )
    return np.asarray(found, np.int64)


def find_blanks(images: np.ndarray) -> np.ndarray:
    """Return the indices of blank uint8 images, whose pixels differ by at most 8 grey levels.

    Examples
    --------
    >>> find_blanks(np.stack([np.full((4, 4), 9, np.uint8), np.arange(16, dtype=np.uint8).reshape(4, 4)])).tolist()
    [0]
    """
    axes = tuple(range(1, images.ndim))
    return np.flatnonzero(images.max(axes).astype(int) - images.min(axes) <= _MAX_BLANK)


def find_duplicates(images: np.ndarray) -> np.ndarray:
    """Return pairs of equal uint8 images, int64 (m, 2): the index of the first one, then that of a duplicate.

    Examples
    --------
    >>> find_duplicates(np.array([[[1]], [[2]], [[1]], [[1]]], np.uint8)).tolist()
    [[0, 2], [0, 3]]
    """
    first = find_first(images)
    copies = np.flatnonzero(first != np.arange(len(first)))
    return np.stack([first[copies], copies], axis=1)


def find_near_duplicates(images: np.ndarray, tolerance: float = 0.03) -> np.ndarray:
    """Return pairs of almost equal uint8 images, as after lossy compression: int64 (m, 2), the smaller index first.

    `tolerance` is the maximum root mean square difference between the pixels of a pair, as a fraction of 255. All pairs
    are first compared by block means, whose distance is a lower bound of the exact distance; only pairs within the
    tolerance are then compared pixel by pixel.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 250, (3, 8, 8), dtype=np.uint8)
    >>> find_near_duplicates(np.concatenate([images, images[1:2] + 3])).tolist()
    [[1, 3]]
    """
    coarse = _shrink(images)
    squares = (coarse**2).sum(1)
    max_distance = coarse.shape[1] * (255 * tolerance) ** 2
    pairs = []
    for rows, columns in _iterate_blocks(len(images)):
        distances = squares[rows, None] + squares[columns] - 2 * coarse[rows] @ coarse[columns].T
        close = np.argwhere(distances <= max_distance + 1e-5 * squares.max())  # margin for float32 rounding
        close += np.array([rows.start, columns.start])
        for one, other in close[close[:, 0] < close[:, 1]].tolist():
            difference = images[one].astype(np.float32) - images[other]
            if (difference**2).mean() <= (255 * tolerance) ** 2:
                pairs.append((one, other))
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def find_similar(features: np.ndarray, max_ratio: float = 0.6) -> np.ndarray:
    """Return pairs of images with similar features, as after cropping or flipping: int64 (m, 2), smaller index first.

    `features` are the output of a pretrained network, float (n, d). The angle between the features of a pair must be
    less than `max_ratio` times that to the tenth nearest neighbour of each, because all images of a homogeneous data
    set are similar. At least 20 images are needed; for fewer, the result is empty.

    Examples
    --------
    >>> features = np.random.default_rng(0).normal(size=(30, 100))
    >>> find_similar(np.concatenate([features, features[2:3] + 0.1])).tolist()
    [[2, 30]]
    """
    if len(features) < 2 * _NEIGHBOURS:
        return np.empty((0, 2), np.int64)
    directions = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)

    def measure(rows: slice, columns: slice) -> np.ndarray:
        return np.sqrt(np.maximum(2 - 2 * directions[rows] @ directions[columns].T, 0))

    n_rows = max(1, _ROWS * _COLUMNS // len(directions))  # bounds the memory
    blocks = [slice(start, start + n_rows) for start in range(0, len(directions), n_rows)]
    # The image itself is the nearest, so the tenth neighbour is at position 10.
    scale = np.concatenate(
        [np.partition(measure(block, slice(None)), _NEIGHBOURS, axis=1)[:, _NEIGHBOURS] for block in blocks]
    )
    pairs = []
    for rows, columns in _iterate_blocks(len(directions)):
        limits = max_ratio * np.minimum(scale[rows, None], scale[columns])
        close = np.argwhere(measure(rows, columns) < limits) + np.array([rows.start, columns.start])
        pairs += close[close[:, 0] < close[:, 1]].tolist()
    return np.array(sorted(pairs), np.int64).reshape(-1, 2)


def write_issues(path: Path, issues: Sequence[LabelIssue]) -> None:
    """Write one row per issue to a CSV file."""
    columns = list(LabelIssue.__dataclass_fields__)
    write_table(path, columns, ([getattr(issue, name) for name in columns] for issue in issues))


def read_issues(folder: str | os.PathLike[str]) -> list[LabelIssue]:
    """Read the label issues in the output folder of an audit."""
    path = Path(folder) / TABLE_NAME
    if not path.is_file():
        raise SourceNotFoundError(f"There is no {path}. Pass a folder written by skconv audit SOURCE --out FOLDER.")
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = csv.DictReader(stream, strict=True)
            if rows.fieldnames != list(LabelIssue.__dataclass_fields__):
                raise ValueError("unexpected columns")
            return [_parse_row(row) for row in rows]
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as the table that skconv audit writes ({error}). Run skconv audit again."
        ) from error


def locate_issues(issues: Sequence[LabelIssue], images: NamedImages) -> list[int]:
    """Return the index of the image of each issue; raise `DataError` if the audit is of other data."""
    # Escape bytes that are invalid in UTF-8, as in the table.
    names = [
        images.name(position).encode("utf-8", "backslashreplace").decode() for position in range(len(images.labels))
    ]
    positions = {name: position for position, name in enumerate(names)}
    found = [positions.get(issue.image, -1) for issue in issues]
    for issue, position in zip(issues, found, strict=True):
        if position < 0 or images.label(position) != issue.label:
            raise DataError(
                f"The audit is of other data than {images.dataset.name}, which has no image '{issue.image}' "
                f"labelled '{issue.label}'. Run skconv audit on this data, from the same folder, or omit the audit."
            )
    return found


def _parse_row(row: dict[str, str]) -> LabelIssue:
    issue = LabelIssue(**{**row, "confidence": float(row["confidence"]) if row.get("confidence") else None})  # type: ignore[arg-type]
    if issue.kind not in KINDS:
        raise ValueError(f"unknown kind '{issue.kind}'")
    return issue


def _shrink(images: np.ndarray) -> np.ndarray:
    """Return the means of up to 7×7 blocks of each image, float32 (n, blocks)."""
    grey = images if images.ndim == 3 else images.mean(3)
    height, width = grey.shape[1:]
    # The coarse distance is a lower bound only if all blocks have equal size.
    high, wide = max(1, height // _COARSE), max(1, width // _COARSE)
    rows, columns = height // high, width // wide
    if rows * high < height or columns * wide < width:
        return grey.reshape(len(grey), -1).astype(np.float32)
    blocks = grey.reshape(len(grey), rows, high, columns, wide)
    return blocks.mean((2, 4), dtype=np.float32).reshape(len(grey), -1)


def _iterate_blocks(n: int) -> Iterator[tuple[slice, slice]]:
    """Yield blocks of the upper triangle of an (n, n) matrix, as slices of rows and columns."""
    for row in range(0, n, _ROWS):
        for column in range(row - row % _COLUMNS, n, _COLUMNS):
            yield slice(row, min(row + _ROWS, n)), slice(column, min(column + _COLUMNS, n))

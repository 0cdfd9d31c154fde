"""Results of the recognition of numbers: digits, cells of a grid, grids, and all numbers in an image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from skconv.digits.ocr.cuts import Box
from skconv.digits.ocr.segmentation import Mark
from skconv.inference import UNSURE, Alternative
from skconv.text import format_count, format_percent

EMPTY = "."  # text of an empty cell


@dataclass(frozen=True)
class DigitReading:
    """A recognised digit.

    Parameters
    ----------
    label : str
        "0" to "9", or "?" if the confidence is below the requested minimum.
    confidence : float
        Probability of the most probable digit, 0..1.
    box : (int, int, int, int)
        Left, top, right, bottom in pixels of the upright image; right and bottom are exclusive.
    alternatives : tuple of Alternative
        Other labels, most probable first; for the label "?", the most probable digit is the first alternative.
    image : ndarray of uint8, shape (28, 28)
        Input of the network, light ink on background 0; not part of the JSON.
    ood_score : float or None, default=None
        Out-of-distribution score, higher for images less like the training images, see `OnnxClassifier.ood_threshold`.
        None if the model has no score.
    """

    label: str
    confidence: float
    box: Box
    alternatives: tuple[Alternative, ...]
    image: np.ndarray = field(compare=False, repr=False)
    ood_score: float | None = None

    def mask_below(self, min_confidence: float) -> DigitReading:
        """Return the reading, with the label "?" and its label as first alternative if the confidence is too low."""
        if self.confidence >= min_confidence:
            return self
        best = Alternative(self.label, self.confidence)
        return replace(self, label=UNSURE, alternatives=(best, *self.alternatives))

    def to_json(self) -> dict[str, Any]:
        """Return label, confidence, box, alternatives and, if there is one, the score as JSON values."""
        record: dict[str, Any] = {
            "label": self.label,
            "confidence": self.confidence,
            "box": self.box,
            "alternatives": [asdict(alternative) for alternative in self.alternatives],
        }
        return record if self.ood_score is None else {**record, "ood_score": self.ood_score}


@dataclass(frozen=True)
class CellReading:
    """The number in a cell of a grid.

    Parameters
    ----------
    row, column : int
        Position in the grid, from 0.
    confidence : float
        Probability that the number is correct or that the cell is empty, 0..1.
    box : (int, int, int, int)
        Left, top, right, bottom of the cell in pixels of the upright image.
    digits : tuple of DigitReading
        Digits of the number; none if the cell is empty.
    marks : tuple of Mark
        Commas, dots and dashes; `position` is the number of digits before the mark.
    """

    row: int
    column: int
    confidence: float
    box: Box
    digits: tuple[DigitReading, ...] = ()
    marks: tuple[Mark, ...] = ()

    @property
    def text(self) -> str | None:
        """The number; None if the cell is empty."""
        return "".join(digit.label for digit in self.digits) or None

    def to_json(self) -> dict[str, Any]:
        """Return row, column, text, confidence and box as JSON values."""
        return {
            "row": self.row,
            "column": self.column,
            "text": self.text,
            "confidence": self.confidence,
            "box": self.box,
        }


@dataclass(frozen=True)
class GridReading:
    """The numbers in a ruled grid.

    Parameters
    ----------
    rows, columns : int
        Number of rows and of columns.
    box : (int, int, int, int)
        Left, top, right, bottom of the grid in pixels of the upright image.
    cells : tuple of CellReading
        All cells, empty ones included, row by row from left to right.
    """

    rows: int
    columns: int
    box: Box
    cells: tuple[CellReading, ...]

    @property
    def texts(self) -> list[list[str | None]]:
        """The number in each cell, None if it is empty: one list per row."""
        texts = [cell.text for cell in self.cells]
        return [texts[start : start + self.columns] for start in range(0, len(texts), self.columns)]

    @property
    def n_filled(self) -> int:
        """Number of cells that are not empty."""
        return sum(cell.text is not None for cell in self.cells)

    def to_json(self) -> dict[str, Any]:
        """Return rows, columns, box and cells as JSON values."""
        return {
            "rows": self.rows,
            "columns": self.columns,
            "box": self.box,
            "cells": [cell.to_json() for cell in self.cells],
        }

    def __str__(self) -> str:
        return f"{self.rows} × {self.columns} cells, {self.n_filled:,} of them with a number"


@dataclass(frozen=True)
class NumberReading:
    """The numbers in one image.

    Parameters
    ----------
    input : str
        Path of the image, or "image N" for the N-th array.
    text : str
        Digits in reading order, lines separated by newlines; empty if there is no ink. A grid has one line per row and
        "." for an empty cell. Cells are separated by a space if one of them has several digits. Grids are separated by
        an empty line.
    confidence : float
        Probability that the whole text is correct, 0..1.
    digits : tuple of DigitReading
        One reading per digit of the text, in the same order.
    marks : tuple of Mark
        Commas, dots and dashes; `position` is the number of characters of the text before the mark.
    error : str or None, default=None
        Error message if the image could not be read; the text is then empty and the confidence 0.
    grids : tuple of GridReading
        Ruled grids, from top to bottom; none if the numbers were read in lines.
    n_outside : int, default=0
        Number of marks outside the grids, of the size of a digit, which were not read.
    """

    input: str
    text: str
    confidence: float
    digits: tuple[DigitReading, ...] = ()
    marks: tuple[Mark, ...] = ()
    error: str | None = None
    grids: tuple[GridReading, ...] = ()
    n_outside: int = 0

    def mask_below(self, min_confidence: float) -> NumberReading:
        """Return the reading with "?" for each digit whose confidence is below `min_confidence`."""
        if all(digit.confidence >= min_confidence for digit in self.digits):
            return self
        if self.grids:
            grids = [
                replace(grid, cells=tuple(_mask_cell(cell, min_confidence) for cell in grid.cells))
                for grid in self.grids
            ]
            return join_grids(self.input, grids, self.n_outside)
        digits = tuple(digit.mask_below(min_confidence) for digit in self.digits)
        labels = iter(digits)
        text = "".join(character if character == "\n" else next(labels).label for character in self.text)
        return replace(self, text=text, digits=digits)

    def to_json(self) -> dict[str, Any]:
        """Return the reading as JSON values; without grids or an error, without their keys."""
        record: dict[str, Any] = {
            "input": self.input,
            "text": self.text,
            "confidence": self.confidence,
            "digits": [digit.to_json() for digit in self.digits],
            "marks": [asdict(mark) for mark in self.marks],
        }
        if self.grids:
            record["grids"] = [grid.to_json() for grid in self.grids]
            record["n_outside"] = self.n_outside
        return record if self.error is None else {**record, "error": self.error}

    def __str__(self) -> str:
        if self.error is not None:
            return f"{self.input}: error: {self.error}"
        confidence = format_percent(self.confidence, 1)
        text = self.text or "nothing to read"
        if self.grids:
            kind = "grid of " if len(self.grids) == 1 else f"{len(self.grids)} grids of "
            text = f"{kind}{' and '.join(map(str, self.grids))}"
        lines = [f"{self.input}: {text} ({confidence})".replace("\n", "\n  ")]
        if self.grids:
            lines += [f"  {line}".rstrip() for line in self.text.split("\n")]
        masked = [digit for digit in self.digits if digit.label == UNSURE]
        lines += [f"  ? at {digit.box}: {', '.join(map(str, digit.alternatives))}" for digit in masked]
        return "\n".join(lines)


def join_grids(name: str, grids: Sequence[GridReading], n_outside: int = 0) -> NumberReading:
    """Return the reading of an image that contains grids."""
    text, marks = "", []
    for number, grid in enumerate(grids):
        separator = " " if any(len(cell.digits) > 1 for cell in grid.cells) else ""
        text += "\n\n" if number else ""
        for cell in grid.cells:
            if cell.column:
                text += separator
            elif cell.row:
                text += "\n"
            marks += [Mark(len(text) + mark.position, mark.box) for mark in cell.marks]
            text += cell.text or EMPTY
    cells = [cell for grid in grids for cell in grid.cells]
    confidence = math.prod(cell.confidence for cell in cells)
    digits = tuple(digit for cell in cells for digit in cell.digits)
    return NumberReading(name, text, confidence, digits, tuple(marks), grids=tuple(grids), n_outside=n_outside)


def _mask_cell(cell: CellReading, min_confidence: float) -> CellReading:
    return replace(cell, digits=tuple(digit.mask_below(min_confidence) for digit in cell.digits))


def describe_grids(reading: NumberReading) -> str:
    """Return a sentence on the grids in an image, and on marks outside that were not read."""
    grids = " and ".join(f"{grid.rows} × {grid.columns}" for grid in reading.grids)
    kind = "a grid" if len(reading.grids) == 1 else f"{len(reading.grids)} grids"
    n_empty = sum(grid.rows * grid.columns - grid.n_filled for grid in reading.grids)
    outside = f"; {format_count(reading.n_outside, 'mark')} outside were not read" if reading.n_outside else ""
    return f"{reading.input} contains {kind} of {grids} cells, {n_empty:,} of them empty{outside}."

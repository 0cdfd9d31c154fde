"""`read`: the numbers in people's own images, without torch."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.commands.predict import check_confidence, warn_if_broken
from skconv.commands.results import UNSURE, Alternative
from skconv.exceptions import DataError, OutputError, SkconvError, SourceNotFoundError
from skconv.files import atomic_write, write_table
from skconv.progress import show_progress
from skconv.reports.figure_names import check_figure_name

if TYPE_CHECKING:
    from skconv.digits.ocr.recognition import NumberReading

_HEADER = ("input", "text", "confidence")
_ALTERNATIVES = 2


@dataclass(frozen=True)
class DigitFound:
    """One digit in an image.

    Parameters
    ----------
    label : str
        The digit; "?" where its confidence is below what was asked for.
    confidence : float
        How sure the model is of the most probable digit, 0..1.
    box : tuple of int
        Left, top, right and bottom in pixels of the upright image; right and bottom are the first outside.
    alternatives : tuple of Alternative
        What else it may be, best first; after "?" the most probable digit too.
    """

    label: str
    confidence: float
    box: tuple[int, int, int, int]
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True)
class MarkFound:
    """A comma, dot or dash between digits: no part of the text, but the place of the decimals.

    Parameters
    ----------
    position : int
        How many characters of the text stand before it.
    box : tuple of int
        As of `DigitFound`.
    """

    position: int
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class ImageReading:
    """What stands in one image.

    Parameters
    ----------
    input : str
        The file, or "image N" for the N-th array.
    text : str
        The digits in reading order, lines divided by line breaks; empty where there is nothing to read.
    confidence : float
        How sure it is that the whole text is right, 0..1.
    digits : tuple of DigitFound
        One for each character of the text, line breaks apart.
    marks : tuple of MarkFound
        Commas, dots and dashes.
    error : str or None
        Why the image could not be read; its text is then empty and its confidence 0. None where it was.
    """

    input: str
    text: str
    confidence: float
    digits: tuple[DigitFound, ...]
    marks: tuple[MarkFound, ...]
    error: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the reading as plain values; the error only where there is one."""
        record = asdict(self)
        if self.error is None:
            del record["error"]
        return record

    def __str__(self) -> str:
        if self.error is not None:
            return f"{self.input}: error: {self.error}"
        lines = [f"{self.input}: {self.text or 'nothing to read'} ({self.confidence:.1%})".replace("\n", "\n  ")]
        unsure = [digit for digit in self.digits if digit.label == UNSURE]
        lines += [f"  ? at {digit.box}: {', '.join(map(str, digit.alternatives))}" for digit in unsure]
        return "\n".join(lines)


@dataclass(frozen=True)
class ReadResult:
    """What `read` found.

    Parameters
    ----------
    readings : tuple of ImageReading
        One an image, in the order of the inputs.
    written, drawn : str
        What was written and drawn where, as sentences; empty if nothing was. What was written is not printed.
    """

    readings: tuple[ImageReading, ...]
    written: str = ""
    drawn: str = ""

    @property
    def text(self) -> str:
        """The text of all images, divided by line breaks."""
        return "\n".join(each.text for each in self.readings)

    @property
    def n_broken(self) -> int:
        """How many of the images could not be read."""
        return sum(each.error is not None for each in self.readings)

    def to_json(self) -> dict[str, Any]:
        """Return the readings as plain values."""
        return {"readings": [each.to_json() for each in self.readings]}

    def __str__(self) -> str:
        lines = [self.written] if self.written else [str(each) for each in self.readings]
        return "\n".join([*lines, self.drawn] if self.drawn else lines)


def read(
    images: str | os.PathLike[str] | np.ndarray | Sequence[str | os.PathLike[str] | np.ndarray],
    *,
    model: str | os.PathLike[str] = "digits",
    out: str | os.PathLike[str] | None = None,
    annotate: str | os.PathLike[str] | None = None,
    min_confidence: float = 0.0,
    progress: bool = False,
) -> ReadResult:
    """Read the handwritten numbers in images: photographs, scans, drawings, of one number or a page of them.

    Parameters
    ----------
    images : path-like, ndarray of uint8 (h, w) or (h, w, 3), or a sequence of them
        Image files, folders of images, or pixels.
    model : path-like, default="digits"
        The model that names the digits: the bundled one, or a folder with a model of digits of your own, of 28×28
        pixels. A class "nothing" in it says what is no digit.
    out : path-like or None, default=None
        A CSV file to write: input, text, confidence; where an image could not be read also the error.
    annotate : path-like or None, default=None
        Draw the digits' boxes, labels and confidence on the image: a PNG file for one image, a folder (made if
        need be) for several.
    min_confidence : float, default=0
        A digit whose confidence is below this becomes "?"; its alternatives say what it may be. 0..1.
    progress : bool, default=False
        Show a progress bar on standard error, if that is a terminal.

    Returns
    -------
    ReadResult
        Text, confidence, and box and alternatives of every digit. Of several images, those that cannot be read have
        an `error` instead, and a warning counts them.

    Raises
    ------
    ModelFileError
        The model is incomplete, altered, or refused because it could run code.
    SourceNotFoundError, DataError
        The only image is not there or cannot be read; a model of something else than digits.
    OutputError
        `out` or `annotate` cannot be written; an existing file is as it was.
    ParameterError
        `min_confidence` outside 0..1.

    Warns
    -----
    UserWarning
        How many of several images could not be read.

    Examples
    --------
    >>> import skconv
    >>> skconv.read(np.full((60, 200), 255, np.uint8)).text
    ''
    """
    from skconv.digits.ocr.recognition import check_digit_model, read_image
    from skconv.images.opening import open_image
    from skconv.images.spec import map_in_threads
    from skconv.inference import OnnxClassifier

    check_confidence(min_confidence)
    named = _name_images(images)
    target = None if annotate is None else _AnnotationTarget(annotate, [name for name, _ in named])
    reader = OnnxClassifier(model)
    check_digit_model(reader)

    broken: dict[int, SkconvError] = {}

    def read_one(item: tuple[int, tuple[str, Path | np.ndarray]]) -> ImageReading:
        position, (name, source) = item
        try:
            image = source if isinstance(source, np.ndarray) else open_image(source)
            found = read_image(reader, image)
        except (DataError, SourceNotFoundError) as error:
            broken[position] = type(error)(str(error)) if broken else error  # as of `load_inputs`
            return ImageReading(name, "", 0.0, (), (), str(error))
        reading = describe_reading(name, found, min_confidence)
        if target is not None:
            target.draw(position, image, reading)
        return reading

    readings = tuple(
        show_progress(map_in_threads(read_one, enumerate(named)), "reading", len(named), progress=progress)
    )
    warn_if_broken(broken, len(named))
    drawn = "" if target is None else f"Drew the digits of {_count(len(readings) - len(broken))} in {annotate}."
    if out is None:
        return ReadResult(readings, drawn=drawn)
    header = _write_readings(out, readings)
    return ReadResult(readings, f"Wrote {','.join(header)} of {_count(len(readings))} to {out}.", drawn)


class _AnnotationTarget:
    """Where the images with boxes go: one file, or a folder with a file an image."""

    def __init__(self, path: str | os.PathLike[str], names: list[str]) -> None:
        self._path = Path(path)
        if len(names) == 1:
            check_figure_name(path, names)
            self._files = [self._path]
            return
        if self._path.suffix.lower() == ".png" or (self._path.exists() and not self._path.is_dir()):
            raise OutputError(f"{len(names):,} images are drawn into a folder; got '{self._path}'. Name a folder.")
        width = len(str(len(names)))  # images of several folders may have the same name
        self._files = [self._path / f"{k:0{width}}-{Path(name).stem}.png" for k, name in enumerate(names, start=1)]
        for file, name in zip(self._files, names, strict=True):
            check_figure_name(file, [name])

    def draw(self, position: int, image: np.ndarray, reading: ImageReading) -> None:
        from skconv.reports.annotations import Box, draw_boxes

        boxes = [Box(*digit.box, digit.label, digit.confidence) for digit in reading.digits]
        annotated = draw_boxes(image, boxes)
        if len(self._files) > 1:
            self._path.mkdir(parents=True, exist_ok=True)
        with atomic_write(self._files[position]) as beside:
            annotated.save(beside, format="PNG")


def _name_images(
    images: str | os.PathLike[str] | np.ndarray | Sequence[str | os.PathLike[str] | np.ndarray],
) -> list[tuple[str, Path | np.ndarray]]:
    from skconv.data.inputs import list_images

    several = [images] if isinstance(images, str | os.PathLike | np.ndarray) else images
    named: list[tuple[str, Path | np.ndarray]] = []
    for number, each in enumerate(several, start=1):
        if isinstance(each, np.ndarray):
            named.append((f"image {number}", each))
        elif isinstance(each, str | os.PathLike):
            named.extend((str(file), file) for file in list_images(each)[0])
        else:
            raise DataError(f"An image of {type(each).__name__} came; expected a file's path or an array of uint8.")
    if not named:
        raise DataError("There are no images to read. Name images or folders of images.")
    return named


def describe_reading(name: str, reading: NumberReading, min_confidence: float = 0.0) -> ImageReading:
    """Return the record of one image's reading; digits below `min_confidence` become "?"."""
    digits = []
    for digit in reading.digits:
        others = tuple(Alternative(label, confidence) for label, confidence in digit.alternatives[:_ALTERNATIVES])
        label = digit.label
        if digit.confidence < min_confidence:
            label, others = UNSURE, (Alternative(digit.label, digit.confidence), *others)
        digits.append(DigitFound(label, digit.confidence, digit.box, others))
    labels = iter(digits)
    text = "".join(character if character == "\n" else next(labels).label for character in reading.text)
    marks = tuple(MarkFound(mark.position, mark.box) for mark in reading.marks)
    return ImageReading(name, text, reading.confidence, tuple(digits), marks)


def _write_readings(path: str | os.PathLike[str], readings: Sequence[ImageReading]) -> tuple[str, ...]:
    """Write a table, and return its header."""
    errors = any(each.error is not None for each in readings)
    header = (*_HEADER, *(["error"] if errors else []))
    rows = (
        (each.input, each.text, f"{each.confidence:.6f}", *([each.error or ""] if errors else [])) for each in readings
    )
    with atomic_write(path) as beside:
        write_table(beside, header, rows)
    return header


def _count(number: int) -> str:
    return "1 image" if number == 1 else f"{number:,} images"

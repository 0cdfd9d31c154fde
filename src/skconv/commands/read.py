"""`read`: read handwritten numbers in photos and scans, without torch."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from skconv.commands import Result
from skconv.commands.model_argument import check_model
from skconv.commands.options import PREDICTION_DEFAULTS, PredictionOptions
from skconv.commands.predict import check_confidence
from skconv.commands.prediction_inputs import warn_if_broken
from skconv.commands.prediction_tables import format_confidence
from skconv.exceptions import DataError, OutputError, ParameterError, SkconvError, SourceNotFoundError
from skconv.files import atomic_write, check_new_file, check_writable_folder, write_table
from skconv.progress import show_progress
from skconv.signature import expand_options
from skconv.text import format_count, format_percent

if TYPE_CHECKING:
    from PIL import Image

    from skconv.digits.ocr.readings import NumberReading

_MIN_SIDE, _MAX_SIDE = 640, 1600  # longer side in pixels, for legible labels and images that fit on a screen
_HIGH_CONFIDENCE = 0.9
# Blue and orange are distinguishable with any colour vision deficiency, and in grey.
_BLUE, _ORANGE, _WHITE = (0, 90, 181), (200, 80, 0), (255, 255, 255)


@dataclass(frozen=True)
class ReadResult(Result):
    """Result of `read`.

    Parameters
    ----------
    readings : tuple of skconv.digits.ocr.readings.NumberReading
        One record per image, in the order of the inputs.
    written, drawn : str
        Messages about the written and the drawn files; empty if there are none.
    """

    readings: tuple[NumberReading, ...]
    written: str = ""
    drawn: str = ""

    @property
    def text(self) -> str:
        """The texts of all images, joined by newlines."""
        return "\n".join(reading.text for reading in self.readings)

    @property
    def n_broken(self) -> int:
        """Number of images that could not be read."""
        return sum(reading.error is not None for reading in self.readings)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values."""
        return {"readings": [reading.to_json() for reading in self.readings]}

    def __str__(self) -> str:
        lines = [self.written] if self.written else [str(reading) for reading in self.readings]
        return "\n".join([*lines, self.drawn] if self.drawn else lines)


@expand_options(PredictionOptions, PREDICTION_DEFAULTS)
def read(
    images: str | os.PathLike[str] | np.ndarray | Sequence[str | os.PathLike[str] | np.ndarray],
    *,
    model: str | os.PathLike[str] = "digits",
    layout: str = "auto",
    **options: Unpack[PredictionOptions],
) -> ReadResult:
    """Read the handwritten numbers in photos, scans or drawings: one number, a page of numbers, or a ruled grid.

    Parameters
    ----------
    images : path-like, ndarray of uint8 (h, w) or (h, w, 3), or a sequence of them
        Image files, folders of images, or arrays.
    model : path-like, default="digits"
        Classifier of digits: the bundled model, or the folder of a model trained on normalised 28×28 digits. Its class
        "nothing", if any, is the background class.
    layout : {"auto", "lines", "grid"}, default="auto"
        "auto" reads the cells of ruled grids, such as forms and puzzles, and the lines of images without a grid.
        "lines" ignores grids. "grid" refuses images without a grid.
    out : path-like or None, default=None
        CSV file to write, with the columns input, text, confidence, and error if an image could not be read.
    annotate : path-like or None, default=None
        Draw boxes, labels and confidences on the images: a PNG file for one image, a folder for several. The folder
        is created if necessary.
    min_confidence : float, default=0
        Minimum confidence, 0..1. Digits below it are replaced by "?"; `alternatives` lists the candidates.
    progress : bool, default=False
        Show a progress bar on standard error if that is a terminal.

    Returns
    -------
    ReadResult
        Text and confidence of each image; box and alternatives of each digit; rows, columns and cells of ruled grids.
        If one of several images cannot be read, its record has an `error` instead.

    Raises
    ------
    ModelFileError
        If the model is incomplete, altered, or refused because it could run code.
    SourceNotFoundError, DataError
        If the only image does not exist or cannot be read, or contains no grid although `layout` is "grid", or the
        model does not classify digits.
    OutputError
        If `out` or `annotate` cannot be written; an existing file is unchanged.
    ParameterError
        If `min_confidence` is outside 0..1, or `layout` has another value.

    Warns
    -----
    UserWarning
        If some of several images could not be read, or images were read as grids because `layout` is "auto".

    Examples
    --------
    >>> import skconv
    >>> skconv.read(np.full((60, 200), 255, np.uint8)).text
    ''
    """
    from skconv.digits import check_digit_model
    from skconv.digits.ocr.pages import check_layout, read_page
    from skconv.digits.ocr.readings import NumberReading
    from skconv.images.opening import open_image
    from skconv.images.spec import map_in_threads
    from skconv.inference import OnnxClassifier

    out, annotate, min_confidence = options["out"], options["annotate"], options["min_confidence"]
    check_confidence(min_confidence)
    check_layout(layout)
    inputs = _list_inputs(images)
    check_model(model, "skconv read IMAGE --model RUN", inputs)
    sources = _list_sources(inputs)
    if out is not None:
        check_new_file(out, suffix=".csv", inputs=[name for name, _ in sources])
    figures = None if annotate is None else _list_figures(annotate, [name for name, _ in sources])
    classifier = OnnxClassifier(model)
    check_digit_model(classifier)

    broken: dict[int, SkconvError] = {}

    def read_one(item: tuple[int, tuple[str, Path | np.ndarray]]) -> NumberReading:
        position, (name, source) = item
        try:
            image = source if isinstance(source, np.ndarray) else open_image(source)
            reading = read_page(classifier, image, name, layout).mask_below(min_confidence)
        except (DataError, SourceNotFoundError) as error:
            # A traceback references the image; only the first error, which may be raised, needs it.
            broken[position] = type(error)(*error.args) if broken else error
            return NumberReading(name, "", 0.0, error=str(error))
        if figures is not None:
            if len(figures) > 1:
                figures[position].parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(figures[position]) as temporary:
                draw_reading(image, reading).save(temporary, format="PNG")
        return reading

    results = map_in_threads(read_one, enumerate(sources))
    readings = tuple(show_progress(results, "reading", len(sources), progress=options["progress"]))
    warn_if_broken(broken, len(sources))
    if note := _describe_grids(readings, layout):
        warnings.warn(note, stacklevel=2)
    n, n_read = len(readings), len(readings) - len(broken)
    drawn = "" if annotate is None else f"Drew the digits of {format_count(n_read, 'image')} in {annotate}."
    if out is None:
        return ReadResult(readings, drawn=drawn)
    columns = ["input", "text", "confidence", *(["error"] if broken else [])]
    records = ([each.input, each.text, format_confidence(each), each.error or ""] for each in readings)
    with atomic_write(out) as unfinished:
        write_table(unfinished, columns, (record[: len(columns)] for record in records))
    return ReadResult(readings, f"Wrote the readings of {format_count(n, 'image')} to {out}.", drawn)


def _describe_grids(readings: Sequence[NumberReading], layout: str) -> str | None:
    """Return a note on images that were read as grids, and on marks outside grids; None if there is nothing to note."""
    from skconv.digits.ocr.readings import describe_grids

    found = [reading for reading in readings if reading.grids]
    noted = found if layout == "auto" else [reading for reading in found if reading.n_outside]
    if not noted:
        return None
    n_outside = sum(reading.n_outside for reading in found[1:])
    others = f" Of the other images, {len(found) - 1} of {len(readings) - 1} contain a grid" if len(found) > 1 else ""
    if n_outside:
        others += f", with {format_count(n_outside, 'mark')} outside"
    advice = " To read the numbers in lines instead, pass the layout lines." if layout == "auto" else ""
    return f"{describe_grids(noted[0])}{others and others + '.'}{advice}"


def _list_inputs(images: Any) -> list[Any]:
    """Return the argument `images` as a list."""
    is_single = isinstance(images, str | os.PathLike | np.ndarray) or not isinstance(images, Iterable)
    return [images] if is_single else list(images)


def _list_sources(inputs: Sequence[Any]) -> list[tuple[str, Path | np.ndarray]]:
    """Return name and source of each image; raise `ParameterError` for inputs that are neither paths nor arrays."""
    from skconv.data.inputs import list_images

    sources: list[tuple[str, Path | np.ndarray]] = []
    for number, image in enumerate(inputs, start=1):
        if isinstance(image, np.ndarray):
            sources.append((f"image {number}", image))
        elif isinstance(image, str | os.PathLike):
            sources.extend((str(file), file) for file in list_images(image)[0])
        else:
            raise ParameterError(
                f"Got an image of type {type(image).__name__}; expected a path or an array of uint8. "
                "Convert a PIL image by numpy.array(image)."
            )
    if not sources:
        raise DataError("There are no images to read. Pass images or folders of images.")
    return sources


def _list_figures(path: str | os.PathLike[str], names: list[str]) -> list[Path]:
    """Return the PNG file of each annotated image: `path`, or numbered files in the folder `path` for several."""
    target = Path(path)
    if len(names) == 1:
        check_new_file(path, suffix=".png", inputs=names)
        return [target]
    if target.suffix.lower() == ".png" or (target.exists() and not target.is_dir()):
        raise OutputError(f"annotate is '{target}'; expected a folder for {len(names):,} images. Pass a folder.")
    width = len(str(len(names)))  # numbers distinguish files of the same name in several folders
    files = [target / f"{k:0{width}}-{Path(name).stem}.png" for k, name in enumerate(names, start=1)]
    check_writable_folder(target)
    for file, name in zip(files, names, strict=True):
        if file.exists():
            check_new_file(file, inputs=[name])
    return files


def draw_reading(image: np.ndarray, reading: NumberReading) -> Image.Image:
    """Return an image with the boxes and labels of its digits: RGB, longer side 640 to 1600 pixels.

    Digits of low confidence are orange, and their confidence is written. A white strip at the top leaves space for the
    labels of the first line.
    """
    # Draw with Pillow, because matplotlib takes long to import.
    from PIL import Image, ImageDraw, ImageFont

    drawing = Image.fromarray(image).convert("RGB")
    longest = max(drawing.size)
    scale = min(max(longest, _MIN_SIDE), _MAX_SIDE) / longest
    size = (max(1, round(drawing.width * scale)), max(1, round(drawing.height * scale)))
    heights = sorted(scale * (digit.box[3] - digit.box[1]) for digit in reading.digits) or [0.0]
    font_size = int(
        min(max(heights[len(heights) // 2] / 3, 12), 40)
    )  # a third of the median box height, limited to legible sizes
    strip = round(1.5 * font_size)
    canvas = Image.new("RGB", (size[0], size[1] + strip), _WHITE)
    canvas.paste(drawing.resize(size, Image.Resampling.BILINEAR), (0, strip))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(font_size)
    for digit in reading.digits:
        is_confident = digit.confidence >= _HIGH_CONFIDENCE
        colour = _BLUE if is_confident else _ORANGE
        left, top, right, bottom = (round(scale * side) for side in digit.box)
        draw.rectangle((left, top + strip, max(left, right - 1), max(top, bottom - 1) + strip), outline=colour, width=2)
        text = digit.label if is_confident else f"{digit.label} {format_percent(digit.confidence, 0)}"
        anchor = (left, top + strip - 1)
        draw.rectangle(draw.textbbox(anchor, text, font=font, anchor="lb"), fill=colour)
        draw.text(anchor, text, fill=_WHITE, font=font, anchor="lb")
    return canvas

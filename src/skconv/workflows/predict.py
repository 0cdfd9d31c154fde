"""`predict`: name the class of pictures with a saved model, without torch."""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Sequence

from skconv.files import write_beside
from skconv.workflows.results import Prediction, PredictionResult


def predict(
    model: str | os.PathLike[str],
    inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str] | None = None,
    label_column: str | None = None,
) -> PredictionResult:
    """Name the class of pictures.

    Parameters
    ----------
    model : path-like
        A model folder, or a run folder with one.
    inputs : path-like or sequence of path-like
        Pictures, folders of pictures, CSV or ``.npz`` files of pixels.
    out : path-like or None, default=None
        A CSV file to write: input, label, confidence. An existing file is replaced in one step.
    label_column : str or None, default=None
        Column of a CSV to leave out because it holds labels.

    Returns
    -------
    PredictionResult
        Label and confidence of every picture, in the order of the inputs.

    Raises
    ------
    ModelFileError
        The model is incomplete, altered, or refused because it could run code.
    SourceNotFoundError, DataError
        An input that is not there, or is not a picture.
    OutputError
        `out` cannot be written; an existing file is as it was.

    Warns
    -----
    UserWarning
        What was done to the pictures to make them fit the model: resized, made grey.
    """
    from skconv.data.inputs import load_inputs
    from skconv.reader import Reader

    reader = Reader(model)
    channels, height, width = reader.input_shape
    paths = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    names, images, notes = load_inputs(paths, height=height, width=width, channels=channels, label_column=label_column)
    for note in notes:
        warnings.warn(note, stacklevel=2)
    probabilities = reader.predict_proba(images)
    predictions = tuple(
        Prediction(name, reader.class_names[position], float(row[position]))
        for name, row, position in zip(names, probabilities, probabilities.argmax(axis=1), strict=True)
    )
    if out is not None:
        _write_predictions(out, predictions)
    return PredictionResult(predictions)


def _write_predictions(path: str | os.PathLike[str], predictions: Sequence[Prediction]) -> None:
    # A file name that is not valid text must not make the whole CSV unreadable.
    with (
        write_beside(path) as beside,
        beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(["input", "label", "confidence"])
        writer.writerows([each.input, each.label, f"{each.confidence:.6f}"] for each in predictions)

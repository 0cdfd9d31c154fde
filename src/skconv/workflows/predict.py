"""`predict`: name the class of pictures with a saved model, without torch."""

from __future__ import annotations

import csv
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from skconv.exceptions import DataError
from skconv.files import write_beside
from skconv.workflows.results import Prediction, PredictionResult

if TYPE_CHECKING:
    from skconv.data.submissions import SubmissionForm
    from skconv.reader import Reader

_PREDICTION_HEADER = ("input", "label", "confidence")


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
        Pictures, folders of pictures, CSV or ``.npz`` files of pixels; of a contest's folder, the pictures to
        be named.
    out : path-like or None, default=None
        A CSV file to write: input, label, confidence. If `inputs` is one contest's folder, or one CSV of pixels
        without labels, and the file's name begins with "submission", it is written as the contest wants it
        handed in. An existing file is replaced in one step.
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
        An input that is not there, or is not a picture; a contest whose labels the model does not have.
    OutputError
        `out` cannot be written; an existing file is as it was.

    Warns
    -----
    UserWarning
        What was done to the pictures to make them fit the model: resized, made grey.
    """
    from skconv.data.inputs import load_inputs, load_submission_form
    from skconv.data.submissions import write_submission
    from skconv.reader import Reader

    reader = Reader(model)
    channels, height, width = reader.input_shape
    paths = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    found = None
    if len(paths) == 1 and label_column is None and _is_submission(out):
        found = load_submission_form(paths[0], height=height, width=width, channels=channels)
    if found is None:
        form = None
        names, images, notes = load_inputs(
            paths, height=height, width=width, channels=channels, label_column=label_column
        )
    else:
        form, notes = found
        names, images = [f"{paths[0]}#{name}" for name in form.ids], form.images
        labels = _choose_labels(reader, form)  # before the work, because the model may be the wrong one
    for note in notes:
        warnings.warn(note, stacklevel=2)
    probabilities = reader.predict_proba(images)
    positions = probabilities.argmax(axis=1)
    predictions = tuple(
        Prediction(name, reader.class_names[position], float(row[position]))
        for name, row, position in zip(names, probabilities, positions, strict=True)
    )
    if out is None:
        return PredictionResult(predictions)
    if form is None:
        _write_predictions(out, predictions)
    else:
        write_submission(out, form, [labels[position] for position in positions])
    header = _PREDICTION_HEADER if form is None else form.header
    return PredictionResult(predictions, f"Wrote {','.join(header)} of {len(predictions):,} pictures to {out}.")


def _is_submission(out: str | os.PathLike[str] | None) -> bool:
    return out is not None and Path(out).name.startswith("submission")


def _choose_labels(reader: Reader, form: SubmissionForm) -> tuple[str, ...]:
    """Return how a contest writes each class of a model: by its name, or by its label where that is a number."""
    labels = tuple(str(label) for label in reader.classes_.tolist())
    for choice in (reader.class_names, labels):
        if not form.class_labels or set(choice) <= set(form.class_labels):
            return choice
    raise DataError(
        f"The model's classes ({', '.join(reader.class_names[:10])}) are not the contest's "
        f"({', '.join(form.class_labels[:10])}). Take a model that was trained on the contest's pictures."
    )


def _write_predictions(path: str | os.PathLike[str], predictions: Sequence[Prediction]) -> None:
    # A file name that is not valid text must not make the whole CSV unreadable.
    with (
        write_beside(path) as beside,
        beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(_PREDICTION_HEADER)
        writer.writerows([each.input, each.label, f"{each.confidence:.6f}"] for each in predictions)

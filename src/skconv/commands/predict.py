"""`predict`: name the class of images with a saved model, without torch."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skconv.commands.results import Prediction, PredictionResult
from skconv.exceptions import DataError, ParameterError, SkconvError
from skconv.files import atomic_write, write_table
from skconv.inference import UNSURE, Alternative
from skconv.reports.style import check_figure_path

if TYPE_CHECKING:
    from skconv.competitions.submissions import SubmissionForm
    from skconv.inference import OnnxClassifier
    from skconv.model_io.held_out import HeldOut

_PREDICTION_HEADER = ("input", "label", "confidence")
_ALTERNATIVES = 2
_LOOKED_AT = 3  # images of nothing in which numbers are looked for: to read one takes longer than to name it
MOST_DRAWN = 200


def predict(
    model: str | os.PathLike[str],
    inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    out: str | os.PathLike[str] | None = None,
    label_column: str | None = None,
    annotate: str | os.PathLike[str] | None = None,
    min_confidence: float = 0.0,
    coverage: float | None = None,
    progress: bool = False,
) -> PredictionResult:
    """Name the class of images.

    Parameters
    ----------
    model : path-like
        A model folder, a run folder with one, or "digits", the model of handwritten digits that is always there: it
        takes anybody's images of one digit each, and its class "nothing" says that there is none.
    inputs : path-like or sequence of path-like
        Images, folders of images, CSV or ``.npz`` files of pixels; of a competition's folder, the images to
        be named.
    out : path-like or None, default=None
        A CSV file to write: input, label, confidence; with `coverage` also the labels, parted by "|", and where an
        image could not be read the error. If `inputs` is
        one competition's folder, or one CSV of pixels without labels, and the file's name begins with "submission",
        it is written as the competition wants it handed in. An existing file is replaced in one step.
    label_column : str or None, default=None
        Column of a CSV to leave out because it holds labels.
    annotate : path-like or None, default=None
        A PNG file to draw: the images as the model saw them, with label and confidence, the first 200 of them.
    min_confidence : float, default=0
        A label whose confidence is below this becomes "?"; its alternatives say what it may be. 0..1.
    coverage : float or None, default=None
        Give each image the set of labels that holds the true one with this probability, above 0 and below 1: for
        images like those of the training. Needs the extra "reliability", and a model that was trained with a validation
        split, or as an ensemble.
    progress : bool, default=False
        Show a progress bar on standard error, if that is a terminal.

    Returns
    -------
    PredictionResult
        Label and confidence of every image, in the order of the inputs. Of several images, those that cannot be
        read have an `error` instead, and a warning counts them.

    Raises
    ------
    ModelFileError
        The model is incomplete, altered, or refused because it could run code.
    SourceNotFoundError, DataError
        The only image is not there, or is none; a table, an archive or a folder that cannot be read; a competition
        whose labels the model does not have.
    OutputError
        `out` or `annotate` cannot be written; an existing file is as it was.
    ParameterError
        `min_confidence` or `coverage` outside 0..1, or a coverage that the model was not saved for.

    Warns
    -----
    UserWarning
        What was done to the images to make them fit the model: resized, made grey. How many could not be read.
        One that shows no digit, by its class "nothing", seems to hold a number: `skconv.read` takes it.
    """
    from skconv.commands.reliability import load_held_out
    from skconv.evaluation.conformal import check_coverage
    from skconv.inference import OnnxClassifier

    check_confidence(min_confidence)
    if coverage is not None:
        check_coverage(coverage)
    paths = [inputs] if isinstance(inputs, str | os.PathLike) else list(inputs)
    if annotate is not None:
        check_figure_path(annotate, paths)
    reader = OnnxClassifier(model)
    held_out = None if coverage is None else load_held_out(reader)
    asked = _load(paths, reader, out, label_column, progress=progress)
    warn_if_broken(asked.broken, len(asked.names))
    probabilities = reader.predict_proba(asked.images)
    if reader.image_spec.normalization == "digit":  # so that others need not load what reads numbers
        _note_number(reader, asked.read, probabilities)
    answered = tuple(
        describe_prediction(name, row, order, reader.class_names, min_confidence)
        for name, row, order in zip(asked.read, probabilities, order_best(probabilities), strict=True)
    )
    if held_out is not None and coverage is not None:
        answered = _add_sets(answered, reader, held_out, probabilities, coverage)
    drawn = "" if annotate is None or not answered else _draw(annotate, asked.images, answered)
    each_answered = iter(answered)
    predictions = tuple(
        Prediction(name, "", 0.0, error=str(asked.broken[k])) if k in asked.broken else next(each_answered)
        for k, name in enumerate(asked.names)
    )
    if out is None:
        return PredictionResult(predictions, drawn=drawn)
    if asked.form is None:
        header = _write_predictions(out, predictions)
    else:
        from skconv.competitions.submissions import write_submission

        write_submission(out, asked.form, [asked.labels[position] for position in probabilities.argmax(axis=1)])
        header = asked.form.header
    written = f"Wrote {','.join(header)} of {len(predictions):,} images to {out}."
    return PredictionResult(predictions, written, drawn)


@dataclass(frozen=True)
class _Asked:
    """The images to be named.

    Parameters
    ----------
    names : list of str
        Of all of them.
    images : ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
        Of those that can be read.
    broken : dict of int to SkconvError
        Why the others cannot, by position.
    form, labels
        What a competition wants handed in, and how it writes each class; None and nothing where it is no competition.
    """

    names: list[str]
    images: np.ndarray
    broken: dict[int, SkconvError]
    form: SubmissionForm | None = None
    labels: tuple[str, ...] = ()

    @property
    def read(self) -> list[str]:
        """The names of those that can be read."""
        return [name for position, name in enumerate(self.names) if position not in self.broken]


def _load(
    paths: list[str | os.PathLike[str]],
    reader: OnnxClassifier,
    out: str | os.PathLike[str] | None,
    label_column: str | None,
    *,
    progress: bool,
) -> _Asked:
    """Load the images, and tell what was done to them."""
    from skconv.competitions.folder import holds_competition
    from skconv.data.inputs import load_inputs, load_submission_form

    found = None
    if len(paths) == 1 and label_column is None and _is_submission(out):
        found = load_submission_form(paths[0], reader.image_spec)
    if found is not None:
        form, notes = found
        labels = _choose_labels(reader, form)  # before the work, because the model may be the wrong one
        asked = _Asked([f"{paths[0]}#{name}" for name in form.ids], form.images, {}, form, labels)
    else:
        broken: dict[int, SkconvError] = {}
        names, images, notes = load_inputs(
            paths, reader.image_spec, label_column=label_column, broken=broken, progress=progress
        )
        asked = _Asked(names, images, broken)
        if out is not None and len(paths) == 1 and holds_competition(Path(paths[0])):
            notes.append(
                f"{out} is a table of predictions. To write a submission to the competition, call it submission.csv, "
                "or anything else that begins with submission."
            )
    for note in notes:
        warnings.warn(note, stacklevel=3)
    return asked


def _add_sets(
    predictions: tuple[Prediction, ...],
    reader: OnnxClassifier,
    held_out: HeldOut,
    probabilities: np.ndarray,
    coverage: float,
) -> tuple[Prediction, ...]:
    from skconv.commands.reliability import make_sets

    names = np.array(reader.class_names, object)
    sets = make_sets(reader, held_out, probabilities, coverage)
    return tuple(replace(each, labels=tuple(names[chosen])) for each, chosen in zip(predictions, sets, strict=True))


def warn_if_broken(errors: Mapping[int, SkconvError], n: int) -> None:
    """Warn of those of `n` images, by position, that cannot be read; of a single image its error is raised."""
    if not errors:
        return
    first = errors[min(errors)]
    if n == 1:
        raise first
    told = "" if len(errors) == 1 else " The first of them:"
    warnings.warn(f"{len(errors):,} of {n:,} images could not be read.{told} {first}", stacklevel=3)


def check_confidence(value: object) -> None:
    """Raise `ParameterError` unless `value`, called min_confidence, is a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ParameterError(f"min_confidence is {value!r}; expected a share from 0 to 1, as 0.95 for 95 %.")


def order_best(probabilities: np.ndarray) -> np.ndarray:
    """Return the positions of the most probable classes, best first, (n, at most 3); the first of equals first."""
    return np.argsort(-probabilities, axis=1, kind="stable")[:, : 1 + _ALTERNATIVES]


def describe_prediction(
    name: str, row: np.ndarray, order: np.ndarray, class_names: tuple[str, ...], min_confidence: float = 0.0
) -> Prediction:
    """Return the record of one image from its probabilities, shape (k,), and its row of `order_best`."""
    answers = tuple(Alternative(class_names[position], float(row[position])) for position in order)
    best = answers[0]
    if best.confidence < min_confidence:
        return Prediction(name, UNSURE, best.confidence, answers)
    return Prediction(name, best.label, best.confidence, answers[1:])


def _note_number(reader: OnnxClassifier, names: Sequence[str], probabilities: np.ndarray) -> None:
    """Point to `read` where one of the first few files that a digit model named "nothing" holds several digits."""
    from skconv.digits import BACKGROUND_LABEL
    from skconv.digits.ocr.recognition import read_image, reads_digits
    from skconv.images.opening import open_image
    from skconv.model_io.folder import BUNDLED

    if BACKGROUND_LABEL not in reader.class_names or not reads_digits(reader):
        return
    own = "" if reader.folder == BUNDLED.get("digits") else f" --model {shlex.quote(str(reader.folder))}"
    nothing = np.flatnonzero(probabilities.argmax(axis=1) == reader.class_names.index(BACKGROUND_LABEL)).tolist()
    for file in [names[k] for k in nothing if Path(names[k]).is_file()][:_LOOKED_AT]:
        digits = [digit for digit in read_image(reader, open_image(file)).digits if digit.confidence > 0.5]
        if len(digits) > 1:
            warnings.warn(
                f"{file} seems to hold {len(digits)} digits, and predict names one. For whole numbers: "
                f"skconv read {shlex.quote(file)}{own}",
                stacklevel=3,
            )
            return


def _draw(path: str | os.PathLike[str], images: np.ndarray, predictions: Sequence[Prediction]) -> str:
    from skconv.reports.image_grids import draw_predictions
    from skconv.reports.style import save_figure

    shown = predictions[:MOST_DRAWN]
    figure = draw_predictions(images[:MOST_DRAWN], [each.label for each in shown], [each.confidence for each in shown])
    save_figure(figure, path)
    return f"Drew {'' if len(shown) == len(predictions) else 'the first '}{len(shown):,} images in {path}."


def _is_submission(out: str | os.PathLike[str] | None) -> bool:
    return out is not None and Path(out).name.startswith("submission")


def _choose_labels(reader: OnnxClassifier, form: SubmissionForm) -> tuple[str, ...]:
    """Return how a competition writes each class of a model: by its name, or by its label where that is a number."""
    labels = tuple(str(label) for label in reader.classes_.tolist())
    for choice in (reader.class_names, labels):
        if not form.class_labels or set(choice) <= set(form.class_labels):
            return choice
    raise DataError(
        f"The model's classes ({', '.join(reader.class_names[:10])}) are not the competition's "
        f"({', '.join(form.class_labels[:10])}). Take a model that was trained on the competition's images."
    )


def _write_predictions(path: str | os.PathLike[str], predictions: Sequence[Prediction]) -> tuple[str, ...]:
    """Write a table, and return its header."""
    sets = any(each.labels is not None for each in predictions)
    errors = any(each.error is not None for each in predictions)
    header = (*_PREDICTION_HEADER, *(["labels"] if sets else []), *(["error"] if errors else []))
    rows = (
        (
            each.input,
            each.label,
            f"{each.confidence:.6f}",
            *(["|".join(each.labels or ())] if sets else []),
            *([each.error or ""] if errors else []),
        )
        for each in predictions
    )
    with atomic_write(path) as beside:
        write_table(beside, header, rows)
    return header

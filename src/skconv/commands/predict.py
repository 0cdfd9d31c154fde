"""`predict`: classify images with a saved model, without torch."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from skconv.commands import Result
from skconv.commands.model_argument import check_model
from skconv.commands.options import PREDICTION_DEFAULTS, PredictionOptions
from skconv.commands.prediction_inputs import LoadedInputs, list_paths, load_competition, load_images, warn_if_broken
from skconv.commands.prediction_tables import write_predictions
from skconv.exceptions import ParameterError
from skconv.files import check_new_file
from skconv.inference import OnnxClassifier, Prediction, describe_predictions
from skconv.signature import expand_options
from skconv.text import format_count

_MAX_SEARCHED = 3  # background images searched for numbers; reading one takes longer than classifying it
_MAX_DRAWN = 200


@dataclass(frozen=True)
class PredictionResult(Result):
    """Result of `predict`.

    Parameters
    ----------
    predictions : tuple of Prediction
        One record per image, in the order of the inputs.
    written, drawn : str
        Messages about the written and the drawn file; empty without one. ``str(result)`` omits the predictions if they
        were written.
    """

    predictions: tuple[Prediction, ...]
    written: str = ""
    drawn: str = ""

    @property
    def n_broken(self) -> int:
        """Number of images that could not be read."""
        return sum(each.error is not None for each in self.predictions)

    def to_json(self) -> dict[str, Any]:
        """Return the predictions as plain values."""
        return {"predictions": [each.to_json() for each in self.predictions]}

    def __str__(self) -> str:
        lines = [self.written] if self.written else [str(each) for each in self.predictions]
        return "\n".join([*lines, self.drawn] if self.drawn else lines)


@expand_options(PredictionOptions, PREDICTION_DEFAULTS)
def predict(
    model: str | os.PathLike[str],
    inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    label_column: str | None = None,
    image_size: int | tuple[int, ...] | None = None,
    top: int | None = None,
    probabilities: bool = False,
    coverage: float | None = None,
    **options: Unpack[PredictionOptions],
) -> PredictionResult:
    """Classify images.

    Parameters
    ----------
    model : path-like
        A model folder, a run folder with one, or "digits", the bundled model of handwritten digits. It accepts photos
        and scans of one digit each; its class "nothing" is for images without a digit.
    inputs : path-like or sequence of path-like
        Images, folders of images, CSV or ``.npz`` files of pixels; for a competition's folder, its test images.
    out : path-like or None, default=None
        CSV file to write or replace, with the columns input, label and confidence, and the column error if an image
        cannot be read. If the model has an out-of-distribution score, ood_score and unlike_training are further
        columns. `coverage` adds the column labels, separated by "|"; `top` adds label_1, confidence_1, label_2
        …; `probabilities` adds a column probability_NAME per class. If the name of the file begins with "submission",
        and `inputs` is the folder of a competition or one CSV of pixels without labels, the file is written in the
        format of the competition.
    label_column : str or None, default=None
        Name of the label column of a CSV; the column is ignored.
    image_size : int, (height, width), (height, width, channels) or (channels, height, width), optional
        Shape of images that are stored as rows of pixels; by default the shape of the model's images, if these are
        grey.
    annotate : path-like or None, default=None
        PNG file to draw: the model inputs of the first 200 images, with label and confidence.
    min_confidence : float, default=0
        Minimum confidence, 0..1. Labels below it are replaced by "?"; `alternatives` lists the candidates.
    top : int or None, default=None
        Number of most probable classes to list with their probabilities, at least 1. If the model has fewer classes,
        all classes are listed.
    probabilities : bool, default=False
        Add the probability of every class to the records.
    coverage : float or None, default=None
        Compute prediction sets, which contain the true label with this probability, above 0 and below 1, for images
        similar to the training images. Requires an ensemble or a model trained with a validation split.
    progress : bool, default=False
        Show a progress bar if standard error is a terminal.

    Returns
    -------
    PredictionResult
        Label and confidence of every image, in the order of the inputs. If one of several images cannot be read, its
        record has an `error` instead.

    Raises
    ------
    ModelFileError
        If the model is incomplete, altered, or refused because it could run code.
    SourceNotFoundError, DataError
        If the only image is missing or not an image, if a table, archive or folder cannot be read, or if the classes
        are not those of the competition.
    OutputError
        If `out` or `annotate` cannot be written, does not end in ``.csv`` or ``.png``, respectively, or is one of the
        inputs; raised before the images are loaded. An existing file is unchanged.
    ParameterError
        If `min_confidence`, `top` or `coverage` is out of range, or if the model has no held-out predictions for
        `coverage`. Or if a submission is written with `top`, `probabilities` or `coverage`, which it cannot contain.

    Warns
    -----
    UserWarning
        If images were resized or converted for the model, or could not be read. Or if an image predicted as "nothing"
        seems to contain a number, which `skconv.read` can read.
    """
    from skconv.commands.scoring import make_sets

    out, annotate = options["out"], options["annotate"]
    check_confidence(options["min_confidence"])
    _check_requests(top, coverage)
    paths = list_paths(inputs)
    _check_outputs(out, annotate, paths)
    check_model(model, "skconv predict RUN IMAGE", paths)
    classifier = OnnxClassifier(model)
    if coverage is not None:
        make_sets(classifier, np.empty((0, len(classifier.class_names))), coverage)  # raises before images are loaded
    loaded = None
    if out is not None and label_column is None:
        loaded = load_competition(paths, classifier, Path(out), image_size)
    if loaded is not None and (top is not None or probabilities or coverage is not None):
        raise ParameterError(
            f"{out} is a submission, which contains labels only. Omit top, probabilities and coverage, or choose a "
            "name that does not begin with submission."
        )
    if loaded is None:
        loaded = load_images(paths, classifier, out, label_column, image_size, progress=options["progress"])
    warn_if_broken(loaded.broken, len(loaded.names))
    predicted_proba, ood_scores = classifier.predict_with_ood(loaded.images)
    if classifier.image_spec.preprocessing == "digit":  # avoids importing number recognition for other models
        _suggest_read(classifier, loaded.readable, predicted_proba)
    predicted = describe_predictions(
        loaded.readable,
        predicted_proba,
        classifier.class_names,
        options["min_confidence"],
        top=top,
        with_probabilities=probabilities,
        ood_scores=ood_scores,
        ood_threshold=classifier.ood_threshold,
    )
    if coverage is not None:
        names, sets = np.array(classifier.class_names, object), make_sets(classifier, predicted_proba, coverage)
        predicted = tuple(replace(each, labels=tuple(names[one])) for each, one in zip(predicted, sets, strict=True))
    drawn = "" if annotate is None or not predicted else _draw(annotate, loaded.images, predicted)
    predictions = loaded.add_broken(predicted)
    written = "" if out is None else _write(out, loaded, predictions, classifier.class_names, predicted_proba)
    return PredictionResult(predictions, written, drawn)


def _check_outputs(
    out: str | os.PathLike[str] | None, annotate: str | os.PathLike[str] | None, paths: Sequence[str | os.PathLike[str]]
) -> None:
    """Raise an error if the CSV file `out` or the drawing `annotate` cannot be written."""
    if annotate is not None:
        from skconv.reports.style import check_matplotlib

        check_matplotlib()
    for output, suffix in ((out, ".csv"), (annotate, ".png")):
        if output is not None:
            check_new_file(output, suffix=suffix, inputs=paths)


def _write(
    out: str | os.PathLike[str],
    loaded: LoadedInputs,
    predictions: tuple[Prediction, ...],
    class_names: tuple[str, ...],
    probabilities: np.ndarray,
) -> str:
    """Write the predictions as a table, or as the submission of a competition; return a message."""
    if loaded.form is None:
        write_predictions(out, predictions, class_names)
    else:
        from skconv.competitions.submissions import write_submission

        write_submission(out, loaded.form, [loaded.labels[best] for best in probabilities.argmax(axis=1)])
    errors = f", and {format_count(len(loaded.broken), 'error')}," if loaded.broken else ""
    return f"Wrote the predictions of {format_count(len(loaded.readable), 'image')}{errors} to {out}."


def _check_requests(top: int | None, coverage: float | None) -> None:
    """Raise `ParameterError` if the number of classes or the coverage is out of range."""
    from skconv.evaluation.conformal import check_coverage

    if top is not None and (isinstance(top, bool) or not isinstance(top, int) or top < 1):
        raise ParameterError(f"The 'top' parameter must be None or an integer of at least 1. Got {top!r}.")
    if coverage is not None:
        check_coverage(coverage)


def check_confidence(value: object) -> None:
    """Raise `ParameterError` unless `value`, passed as `min_confidence`, is a number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ParameterError(
            f"The 'min_confidence' parameter must be a number from 0 to 1, such as 0.95. Got {value!r}."
        )


def _suggest_read(classifier: OnnxClassifier, names: Sequence[str], probabilities: np.ndarray) -> None:
    """Warn if one of the first files predicted as background contains several digits."""
    from skconv.digits import BACKGROUND_LABEL, reads_digits

    if BACKGROUND_LABEL not in classifier.class_names:
        return
    is_background = probabilities.argmax(axis=1) == classifier.class_names.index(BACKGROUND_LABEL)
    files = [name for name, found in zip(names, is_background, strict=True) if found and Path(name).is_file()]
    if not files:
        return
    from skconv.digits.ocr.pages import read_page
    from skconv.images.opening import open_image
    from skconv.registry import MODELS

    if not reads_digits(classifier):
        return
    own = "" if classifier.folder == MODELS.get("digits") else f" --model {shlex.quote(str(classifier.folder))}"
    for file in files[:_MAX_SEARCHED]:
        digits = [digit for digit in read_page(classifier, open_image(file)).digits if digit.confidence > 0.5]
        if len(digits) > 1:
            warnings.warn(
                f"{file} seems to contain {len(digits)} digits; predict returns one label per image. To read numbers: "
                f"skconv read {shlex.quote(file)}{own}",
                stacklevel=3,
            )
            return


def _draw(path: str | os.PathLike[str], images: np.ndarray, predictions: Sequence[Prediction]) -> str:
    from skconv.reports.image_grids import draw_predictions
    from skconv.reports.style import save_figure

    shown = predictions[:_MAX_DRAWN]
    figure = draw_predictions(images[:_MAX_DRAWN], [each.label for each in shown], [each.confidence for each in shown])
    save_figure(figure, path)
    return (
        f"Drew {'' if len(shown) == len(predictions) else 'the first '}{format_count(len(shown), 'image')} in {path}."
    )

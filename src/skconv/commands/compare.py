"""`compare`: compare two saved models on the same images, without torch."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from skconv.commands import Result
from skconv.commands.model_argument import check_model
from skconv.commands.paired_scoring import ScoredPair, align_predictions, score_pair
from skconv.commands.scoring import describe_images
from skconv.data.spec import DataOptions
from skconv.evaluation.paired import (
    DIFFERENCE_COLUMNS,
    MIN_DECISIVE,
    SIGNIFICANCE,
    PairedScores,
    compare_predictions,
    list_differences,
)
from skconv.evaluation.score_table import format_class_differences, format_p_value
from skconv.files import atomic_write, check_new_file, write_table
from skconv.signature import expand_options
from skconv.text import align_columns, format_count, format_percent

if TYPE_CHECKING:
    from skconv.inference import OnnxClassifier
    from skconv.reports.sections import ScoredSource

_WARM_UP, _MIN_TIMED, _MAX_TIMED = 5, 10, 200  # predictions per model
_MAX_SECONDS = 5.0  # of the timed predictions, if there are at least `_MIN_TIMED`
_MIN_IMAGES = 100  # with fewer, a difference below six points cannot be significant


@dataclass(frozen=True)
class ComparedModel:
    """One of two compared models.

    Parameters
    ----------
    model : str
        The model folder.
    accuracy, low, high : float
        Accuracy, 0..1, with its 95 % interval.
    log_loss : float
        Mean of -log(probability of the true class).
    seconds_per_image : float
        Median time of a prediction of one image, in seconds, on one thread; without reading and resizing the image.
    bytes : int
        Size of the ONNX file.
    input : str
        Size and channels of the images.
    n_seen : int or None
        Number of images that the model was trained on, as in `EvaluationResult`.
    sha256 : str
        Checksum of the weights.
    """

    model: str
    accuracy: float
    low: float
    high: float
    log_loss: float
    seconds_per_image: float
    bytes: int
    input: str
    n_seen: int | None
    sha256: str


@dataclass(frozen=True)
class ComparisonResult(PairedScores, Result):
    """Result of `compare`: all fields of `PairedScores`, and the following.

    Parameters
    ----------
    models : tuple of ComparedModel
        The first and the second model.
    is_same_model : bool
        Whether both models have the same weights, network, classes and images.
    data : str
        Name of the data.
    split : {"test", "unseen", "all"}
        Images compared, as in `EvaluationResult`. "unseen" excludes the images that any of the two was trained on.
    n_left_out : int
        Number of excluded images.
    differences : tuple of tuple of str
        One row per image for which the predicted classes differ: name of the image, true class, and the predicted class
        and the confidence of the first and of the second model. Not part of the JSON object.
    written : str
        The CSV file of these rows; empty if `out` is None.
    """

    models: tuple[ComparedModel, ComparedModel]
    is_same_model: bool
    data: str
    split: str
    n_left_out: int
    differences: tuple[tuple[str, ...], ...]
    written: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, without the rows of single images."""
        record = super().to_json()
        del record["differences"]
        return record

    @property
    def verdict(self) -> str:
        """One sentence on the difference in accuracy."""
        first, second = (each.model for each in self.models)
        if self.is_same_model:
            return f"{first} and {second} are the same model: their weights have the same sha256."
        test = f"McNemar's test: p {format_p_value(self.p_value)}"
        if self.p_value >= SIGNIFICANCE:
            return f"The accuracies of {first} and {second} do not differ significantly ({test})."
        better, worse = (second, first) if self.difference > 0 else (first, second)
        return f"{better} is more accurate than {worse} ({test})."

    def describe_images(self) -> str:
        """Return a description of the images of the comparison."""
        images = describe_images(self.data, self.split, self.n, self.n_left_out, "neither was")
        return f"{images}, n = {self.n:,}"

    def list_scores(self) -> list[list[str]]:
        """Return rows of text: score, first model, second model, difference."""
        first, second = self.models
        loss = ""
        if self.log_loss_low is not None:
            loss = f" (95 % interval {self.log_loss_low:+.4f} to {self.log_loss_high:+.4f})"
        return [
            [
                "accuracy",
                *(format_percent(each.accuracy) for each in self.models),
                f"{100 * self.difference:+.2f} points (95 % interval {100 * self.low:+.2f} to {100 * self.high:+.2f})",
            ],
            ["log loss", *(f"{each.log_loss:.4f}" for each in self.models), f"{self.log_loss_difference:+.4f}{loss}"],
            [
                "time per image",
                *(f"{1000 * each.seconds_per_image:.3f} ms" for each in self.models),
                f"× {second.seconds_per_image / first.seconds_per_image:.2f}",
            ],
            [
                "ONNX file",
                *(f"{each.bytes / 1e6:.2f} MB" for each in self.models),
                f"× {second.bytes / first.bytes:.2f}",
            ],
            ["input", *(each.input for each in self.models), ""],
        ]

    def list_disagreements(self) -> str:
        """Return the number of images that are classified differently, and by which model correctly."""
        neither = self.n_different - self.n_only_first - self.n_only_second
        return (
            f"{format_count(self.n_different, 'image')} classified differently: {self.n_only_first:,} correctly by the "
            f"first model only, {self.n_only_second:,} by the second only, {neither:,} by neither."
        )

    def __str__(self) -> str:
        first, second = (each.model for each in self.models)
        lines = [f"first: {first}", f"second: {second}", f"on {self.describe_images()}", ""]
        lines += align_columns([["score", "first", "second", "second - first"], *self.list_scores()], left=(0, 3))
        lines += ["", self.verdict, self.list_disagreements()]
        lines += ["", *format_class_differences(self.per_class)]
        return "\n".join([*lines, "", f"Wrote these images to {self.written}."] if self.written else lines)


@expand_options(DataOptions)
def compare(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] | None = None,
    progress: bool = False,
    **data: Unpack[DataOptions],
) -> ComparisonResult:
    """Compare two models on the same images: accuracy, log loss, recall per class, time and size.

    The images are those of the test split of `source` or, without one, those that neither model was trained on. They
    are resized and preprocessed for each model. Classes are matched by name.

    Parameters
    ----------
    first, second : path-like
        Model folders, or run folders with one. Differences are those of the second model minus the first.
    source : str or path-like
        As in `skconv.load_dataset`. Its class names must be among those of both models, in any order.
    out : path-like or None, default=None
        CSV file to write or replace, with a row for each image that the models classify differently: its name and true
        class, and the predicted class and the confidence of each model.
    progress : bool, default=False
        Show progress bars on standard error.
    images, image_column, label_column, image_size, resize
        As in `skconv.load_dataset`.
    skip_unreadable, exclude, class_level, label_pattern, groups, min_class_size, drop_class, data_home
        As in `skconv.load_dataset`.

    Returns
    -------
    ComparisonResult
        The difference in accuracy with Tango's 95 % score interval and the p value of McNemar's exact test, all other
        differences, and the images that the models classify differently.

    Raises
    ------
    ModelFileError
        If a model is incomplete, altered, or refused because it could run code.
    SourceNotFoundError, DownloadError, UnknownNameError
        If the data cannot be found or downloaded.
    DataError
        As in `skconv.evaluate`, for any of the two models. Or if no image remains that neither was trained on.
    ParameterError
        If `image_size` is set for models of different image sizes.
    OutputError
        If the CSV file cannot be written.

    Warns
    -----
    UserWarning
        As in `skconv.evaluate`, with the name of the model. Or if the models have different classes, or images of
        different sizes, or fewer than 100 images are compared.

    Notes
    -----
    The tests consider the choice of the images only. Two networks trained with different seeds also differ.
    """
    if out is not None:
        check_new_file(out, suffix=".csv", inputs=[source])
    for model in (first, second):
        check_model(model, "skconv compare RUN RUN DATA", [source])
    pair = score_pair(first, second, source, progress=progress, **data)
    result = compare_scored((os.fspath(first), os.fspath(second)), pair)
    if out is None:
        return result
    with atomic_write(out) as unfinished:
        write_table(unfinished, DIFFERENCE_COLUMNS, result.differences)
    return replace(result, written=str(out))


def compare_scored(models: tuple[str, str], pair: ScoredPair) -> ComparisonResult:
    """Compare the predictions of two models for the images that both were scored on, and measure their speed.

    `models` are the names to print.
    """
    both = align_predictions(models, pair)
    scores = compare_predictions(both.labels, *both.probabilities, both.class_names)
    _warn_of_few_images(models, len(both.names))
    n, n_all = len(both.names), len(pair[0].positions)
    if pair[0].split == "unseen":
        n_all += pair[0].n_seen or 0
    seconds = _measure_speed(pair, both.rows)
    return ComparisonResult(
        **vars(scores),
        models=(
            _describe_model(models[0], pair[0], both.labels, both.probabilities[0], seconds[0]),
            _describe_model(models[1], pair[1], both.labels, both.probabilities[1], seconds[1]),
        ),
        is_same_model=_identify(pair[0].classifier) == _identify(pair[1].classifier),
        data=pair[0].dataset.name,
        split="test" if pair[0].split == "test" else "unseen" if n < n_all else "all",
        n_left_out=n_all - n,
        differences=tuple(list_differences(both.names, both.labels, *both.probabilities, both.class_names)),
    )


def _warn_of_few_images(models: tuple[str, str], n: int) -> None:
    """Warn if so few images are compared that only large differences can be significant."""
    if n >= _MIN_IMAGES:
        return
    limit = f"a difference in accuracy below {100 * MIN_DECISIVE / n:.3g} points cannot be significant"
    if n < MIN_DECISIVE:
        limit = f"no difference in accuracy can be significant with fewer than {MIN_DECISIVE}"
    warnings.warn(
        f"{models[0]} and {models[1]} are compared on only {format_count(n, 'image')}: {limit}. Pass data with more "
        "images that neither was trained on.",
        stacklevel=3,
    )


def _describe_model(
    model: str, scored: ScoredSource, labels: np.ndarray, probabilities: np.ndarray, seconds: float
) -> ComparedModel:
    """Return accuracy, log loss, speed and size of one model."""
    from skconv.evaluation.metrics import measure_log_losses, wilson_interval
    from skconv.model_io.folder import ONNX_NAME, WEIGHTS_NAME

    config = scored.classifier.config
    n_correct = int((probabilities.argmax(1) == labels).sum())
    low, high = wilson_interval(n_correct, len(labels))
    channels, height, width = config.input.shape
    return ComparedModel(
        model=model,
        accuracy=n_correct / len(labels),
        low=low,
        high=high,
        log_loss=float(measure_log_losses(labels, probabilities).mean()),
        seconds_per_image=seconds,
        bytes=config.files[ONNX_NAME].bytes,
        input=f"{width}×{height} {'grey' if channels == 1 else 'colour'}",
        n_seen=scored.n_seen,
        sha256=config.files[WEIGHTS_NAME].sha256,
    )


def _identify(classifier: OnnxClassifier) -> tuple[Any, ...]:
    """Return what determines the predictions of a model: weights, network, classes and input."""
    from skconv.model_io.folder import WEIGHTS_NAME

    config = classifier.config
    return config.files[WEIGHTS_NAME].sha256, config.network, config.class_names, config.input


def _measure_speed(pair: ScoredPair, rows: Sequence[np.ndarray]) -> list[float]:
    """Return the median time in seconds that each model takes to predict one image.

    The models take turns, so that a change of the machine's speed affects both alike. One thread is used, because idle
    threads of one model would slow down the other.
    """
    from skconv.inference import OnnxClassifier

    classifiers = [OnnxClassifier(each.classifier.folder, threads=1) for each in pair]
    times: list[list[float]] = [[], []]
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the range of a single image
        for turn in range(_WARM_UP + _MAX_TIMED):
            for k in (0, 1) if turn % 2 else (1, 0):
                image = pair[k].images[rows[k][turn % len(rows[k])]][None]
                begin = time.perf_counter()
                classifiers[k].predict_proba(image)
                times[k].append(time.perf_counter() - begin)
            if turn >= _WARM_UP + _MIN_TIMED and time.perf_counter() - start > _MAX_SECONDS:
                break
    return [float(np.median(each[_WARM_UP:])) for each in times]

"""`evaluate`: score a saved model on labelled data, without torch."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.commands.results import EvaluationResult
from skconv.exceptions import DataError, list_some
from skconv.files import check_new_folder
from skconv.reports.sections import ScoredSource

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset
    from skconv.inference import OnnxClassifier

_FEW = 0.01  # of a test split: official ones hold a few images twice


@dataclass(frozen=True, eq=False)
class UnseenImages:
    """Images of a source that a model was not trained on, in the shape that the model takes.

    Parameters
    ----------
    dataset : Dataset
        The whole data set.
    split : {"test", "unseen", "all"}
        Which of its images these are, as in `EvaluationResult`.
    n_seen : int or None
        As in `EvaluationResult`.
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        The images.
    labels : ndarray of int, shape (n,)
        Their classes, as indices into the classes of the data set.
    """

    dataset: Dataset
    split: str
    n_seen: int | None
    images: np.ndarray
    labels: np.ndarray


def evaluate(
    model: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    data_home: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    label_column: str | None = None,
    image_size: tuple[int, int] | None = None,
    coverage: float | None = None,
    corruptions: bool = False,
    against: str | os.PathLike[str] | None = None,
    report: str | os.PathLike[str] | None = None,
    progress: bool = False,
) -> EvaluationResult:
    """Score a model on the test split of `source`, or where it has none, on the images it was not trained on.

    A model folder that `skconv.train` wrote remembers the images of its training; they are known again by their
    pixels, whatever file they come from.

    Parameters
    ----------
    model : path-like
        A model folder, or a run folder with one.
    source : str or path-like
        What `skconv.load_dataset` takes. Its class names must be among the model's, in any order.
    data_home, images, label_column, image_size
        As in `skconv.load_dataset`.
    coverage : float or None, default=None
        Measure prediction sets as well that shall hold the true class so often, above 0 and below 1.
    corruptions : bool, default=False
        Measure the accuracy on damaged images as well: seventeen ways, each at five strengths.
    against : str, path-like or None, default=None
        Data of other things than the model's classes, as `source`: measure how well a score tells its images, chosen
        in the same way, from those of `source`. Its labels are not used. Needs a model that was trained with a
        validation split, or as an ensemble.
    report : path-like or None, default=None
        A new folder to write: ``scores.json`` and figures of the mistakes, of what confidence is worth, and of the
        damaged images.
    progress : bool, default=False
        Show the progress of downloads on standard error.

    Returns
    -------
    EvaluationResult
        Accuracy with its 95 % interval, and all other scores.

    Raises
    ------
    ModelFileError
        The model is incomplete, altered, or refused because it could run code.
    SourceNotFoundError, DownloadError, UnknownNameError
        Data that cannot be found or fetched.
    DataError
        Images of another size than the model's, or classes it does not know. Or the model was trained on more than
        1 % of the test split, or on all there is: its score would flatter.
    ParameterError
        A coverage that is none, or that the model was not saved for; or it was saved without what `against` needs.
    OutputError
        The report's folder exists and is not empty, or cannot be written.

    Warns
    -----
    UserWarning
        The model was trained on a few images of the test split, or does not know what it was trained on. Or the
        images were made grey or colour to make them fit the model.
    """
    from skconv.commands.reliability import (
        load_held_out,
        measure_corruptions,
        measure_out_of_distribution,
        measure_sets,
        write_report,
    )
    from skconv.evaluation.conformal import check_coverage
    from skconv.evaluation.metrics import format_scores
    from skconv.inference import OnnxClassifier

    if report is not None:
        check_new_folder(report)
    if coverage is not None:
        check_coverage(coverage)
    if coverage is not None or against is not None:
        load_held_out(OnnxClassifier(model))  # before the work, because the model may have none
    scored = score_source(
        model,
        source,
        data_home=data_home,
        images=images,
        label_column=label_column,
        image_size=image_size,
        progress=progress,
    )
    others = None
    if against is not None:
        found = _load_fitting(scored.classifier, against, image_size=image_size, data_home=data_home, progress=progress)
        others = _choose_unseen(scored.classifier, found)
    scores = scored.scores
    result = EvaluationResult(
        accuracy=scores.accuracy,
        low=scores.low,
        high=scores.high,
        n=scores.n,
        model=str(model),
        data=scored.dataset.name,
        split=scored.split,
        n_seen=scored.n_seen,
        scores=scores.to_json(),
        text=format_scores(scores),
        sets=None if coverage is None else measure_sets(scored, coverage),
        corruptions=measure_corruptions(scored, progress=progress) if corruptions else None,
        against=None if others is None else measure_out_of_distribution(scored, others),
    )
    if report is not None:
        write_report(report, scored, result)
    return result


def choose_size(
    reader: OnnxClassifier, source: str | os.PathLike[str], image_size: tuple[int, int] | None
) -> tuple[int, int] | None:
    """Return the size to bring images to: that asked for, else of the files of a folder the model's own."""
    from skconv.data.folders import list_class_files

    if image_size is None and Path(source).is_dir() and list_class_files(Path(source)):
        return reader.image_spec.height, reader.image_spec.width
    return image_size


def score_source(
    model: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    data_home: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    label_column: str | None = None,
    image_size: tuple[int, int] | None = None,
    progress: bool = False,
) -> ScoredSource:
    """Score a model as `evaluate` does, and return the images and answers too; parameters and errors are the same."""
    from skconv.evaluation.metrics import score_predictions
    from skconv.inference import OnnxClassifier

    reader = OnnxClassifier(model)
    dataset = _load_fitting(
        reader,
        source,
        data_home=data_home,
        images=images,
        label_column=label_column,
        image_size=image_size,
        progress=progress,
    )
    unseen = _choose_unseen(reader, dataset)
    positions = _match_classes(reader.class_names, dataset)
    probabilities = reader.predict_proba(unseen.images)
    labels = positions[unseen.labels]
    return ScoredSource(
        classifier=reader,
        dataset=dataset,
        split=unseen.split,
        n_seen=unseen.n_seen,
        images=unseen.images,
        labels=labels,
        probabilities=probabilities,
        scores=score_predictions(labels, probabilities, reader.class_names),
    )


def _load_fitting(
    reader: OnnxClassifier, source: str | os.PathLike[str], *, image_size: tuple[int, int] | None, **options: Any
) -> Dataset:
    """Load data for a model; the options are those of `load_dataset`."""
    from skconv.data.sources import load_dataset

    size = choose_size(reader, source, image_size)
    return load_dataset(source, image_size=size, normalize=reader.image_spec.normalization, **options)


def _choose_unseen(reader: OnnxClassifier, dataset: Dataset) -> UnseenImages:
    """Return the images that a model can be scored on, in its form; warn of what was done and what is known."""
    split, images, labels = "test", dataset.test_images, dataset.test_labels
    if images is None or labels is None:
        split, images, labels = "all", dataset.train_images, dataset.train_labels
    images, note = preprocess_images(reader, dataset, images)
    known, leak = _find_seen(reader, dataset.name, split, images)
    for each in (note, leak):
        if each:
            warnings.warn(each, stacklevel=3)
    if split == "all" and known is not None and known.any():
        split, images, labels = "unseen", images[~known], labels[~known]
    return UnseenImages(dataset, split, None if known is None else int(known.sum()), images, labels)


def _find_seen(reader: OnnxClassifier, name: str, split: str, images: np.ndarray) -> tuple[np.ndarray | None, str]:
    """Return which images the model was trained on, bool (n,), and what is to be told of it.

    None where the model does not know. Images that would make the score worthless are an error.
    """
    from skconv.model_io.fingerprints import read_fingerprints

    seen = read_fingerprints(reader.folder, reader.config)
    if seen is None:
        return None, (
            "The model folder does not say which images the model was trained on. If some of these are among them, "
            "the score flatters."
        )
    known = seen.contains(images)
    n_seen, n = int(known.sum()), len(known)
    if split == "all" and n_seen == n:
        raise DataError(
            f"All {n:,} images of {name} were in this model's training data: there is none to score it on. "
            "Evaluate it on images it was not trained on."
        )
    if split == "all" or not n_seen:
        return known, ""
    told = f"{n_seen:,} of the {n:,} images of {name}'s test split were in this model's training data"
    if n_seen > _FEW * n:
        raise DataError(
            f"{told}: the score would flatter. Train a model on the training split of {name} alone, or evaluate this "
            "one on images it was not trained on."
        )
    return known, f"{told} too; they are scored with the others."


def preprocess_images(reader: OnnxClassifier, dataset: Dataset, images: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the images in the model's colours, and what was done for it; another size is an error."""
    form = replace(reader.image_spec, normalization=None)  # they are normalised already
    if dataset.image_shape == form.shape:
        return images, ""
    if dataset.image_shape[:2] != form.shape[:2]:
        raise DataError(
            f"The images of {dataset.name} have shape {dataset.image_shape}; the model takes {form.shape}. "
            f"Bring them to that shape (--image-size {form.height}x{form.width}) or train a model on such images."
        )
    done = "grey" if form.channels == 1 else "colour"
    return form.preprocess_all(images), f"The images of {dataset.name} were made {done}, as the model takes them."


def _match_classes(class_names: tuple[str, ...], dataset: Dataset) -> np.ndarray:
    """Positions of the data's classes among the model's, shape (number of the data's classes,)."""
    unknown = [name for name in dataset.class_names if name not in class_names]
    if unknown:
        which = list_some(unknown) if len(unknown) < len(dataset.class_names) else "all of them"
        raise DataError(
            f"{dataset.name} has classes that the model does not know: {which}. The data's classes: "
            f"{list_some(dataset.class_names)}. The model's classes: {list_some(class_names)}. Classes are compared by "
            "name, in any order. Rename the data's, or evaluate the model on data of its own classes."
        )
    return np.array([class_names.index(name) for name in dataset.class_names])

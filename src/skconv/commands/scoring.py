"""Scoring of a saved model on a data set: choose unseen images, match classes, predict, read held-out predictions."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Unpack

import numpy as np

from skconv.exceptions import DataError, ParameterError, list_some
from skconv.text import format_count

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset
    from skconv.data.spec import DataOptions
    from skconv.inference import OnnxClassifier
    from skconv.model_io.records import HeldOut
    from skconv.reports.sections import ScoredSource

_MIN_HELD_OUT = 100  # minimum number of held-out images for calibration and for saving held-out predictions
_MAX_FRACTION = 0.2  # maximum validation_fraction that is suggested
_MAX_LEAK = 0.01  # share of a test split; official splits contain a few duplicates of training images


class UnseenImages(NamedTuple):
    """Images of a source that a model was not trained on, preprocessed for the model; see `EvaluationResult`."""

    dataset: Dataset
    split: str
    n_seen: int | None
    images: np.ndarray
    labels: np.ndarray  # indices into the classes of the data set
    names: list[str]  # of the images, as in `Dataset.list_names`
    positions: np.ndarray  # of the images among those of the split or source, before any are left out


def score_source(
    model: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    progress: bool = False,
    **data: Unpack[DataOptions],
) -> ScoredSource:
    """Score a model and return scores, images and predictions; parameters and errors are those of `evaluate`."""
    from skconv.inference import OnnxClassifier

    classifier = OnnxClassifier(model)
    return score_dataset(classifier, load_for_model(classifier, source, progress=progress, **data))


def score_dataset(classifier: OnnxClassifier, dataset: Dataset) -> ScoredSource:
    """Score a model on the images of a data set that it was not trained on; errors and warnings as in `evaluate`."""
    from skconv.evaluation.metrics import score_predictions
    from skconv.reports.sections import ScoredSource

    unseen = choose_unseen(classifier, dataset)
    positions = _match_classes(classifier.class_names, dataset)
    probabilities, ood_scores = classifier.predict_with_ood(unseen.images)
    labels = positions[unseen.labels]
    return ScoredSource(
        classifier=classifier,
        dataset=dataset,
        split=unseen.split,
        n_seen=unseen.n_seen,
        images=unseen.images,
        labels=labels,
        names=unseen.names,
        positions=unseen.positions,
        probabilities=probabilities,
        ood_scores=ood_scores,
        scores=score_predictions(labels, probabilities, classifier.class_names),
    )


def describe_images(name: str, split: str, n: int, n_seen: int | None, models: str = "it was not") -> str:
    """Return a description of the scored images of the data `name`; the other arguments as in `EvaluationResult`.

    `models` is the subject and verb before "trained on".
    """
    images = {
        "test": f"the test split of {name}",
        "all": f"all images of {name}",
        "unseen": f"the {n:,} of {n + (n_seen or 0):,} images of {name} that {models} trained on",
    }
    return images[split]


def load_for_model(
    classifier: OnnxClassifier,
    source: str | os.PathLike[str],
    *,
    progress: bool = False,
    **data: Unpack[DataOptions],
) -> Dataset:
    """Load data with the preprocessing, and by default the size and the resize rule, of the model's images."""
    from skconv.data.spec import DataSpec

    form = classifier.image_spec
    return DataSpec(source, normalize=form.preprocessing, form=form, **data).load(progress=progress)


def choose_unseen(classifier: OnnxClassifier, dataset: Dataset) -> UnseenImages:
    """Return the images to score a model on, preprocessed; warn about conversions, copies and leaks."""
    split, images, labels = "test", dataset.test_images, dataset.test_labels
    names = dataset.list_names()
    if images is None or labels is None:
        split, images, labels = "all", dataset.train_images, dataset.train_labels
        names = names[: len(labels)]
    else:
        names = names[-len(labels) :]
    images, note = convert_images(classifier, dataset, images)
    seen, leak = _find_seen(classifier, dataset.name, split, images)
    for each in (note, leak):
        if each:
            warnings.warn(each, stacklevel=3)
    positions = np.arange(len(labels))
    if split == "all" and seen is not None and seen.any():
        split, images, labels, positions = "unseen", images[~seen], labels[~seen], positions[~seen]
        names = [names[k] for k in positions]
    return UnseenImages(dataset, split, None if seen is None else int(seen.sum()), images, labels, names, positions)


def _find_seen(classifier: OnnxClassifier, name: str, split: str, images: np.ndarray) -> tuple[np.ndarray | None, str]:
    """Return a mask of the images that the model was trained on, bool (n,) or None if unknown, and a warning or ""."""
    from skconv.model_io.records import read_fingerprints

    fingerprints = read_fingerprints(classifier.folder, classifier.config)
    if fingerprints is None:
        return None, (
            "The model folder has no training fingerprints. If the model was trained on some of these images, its "
            "score is too high."
        )
    seen = fingerprints.contains(images)
    n_seen, n = int(seen.sum()), len(seen)
    if split == "all" and n_seen == n:
        raise DataError(
            f"All {n:,} images of {name} were in this model's training data: none remains to score it on. "
            "Evaluate it on images it was not trained on."
        )
    if split == "all":
        return seen, _describe_copies(classifier, name, n_seen)
    if not n_seen:
        return seen, ""
    leak = f"This model's training data contains {n_seen:,} of the {n:,} images of {name}'s test split"
    if n_seen > _MAX_LEAK * n:
        raise DataError(
            f"{leak}: the score would be too high. Train a model on the training split of {name} alone, or evaluate "
            "this one on images it was not trained on."
        )
    return seen, f"{leak}, included in the score."


def _describe_copies(classifier: OnnxClassifier, name: str, n_seen: int) -> str:
    """Return a note on images that equal training images, but were not trained on; "" if there are none."""
    n_copies = n_seen - classifier.config.data.n_train
    if n_copies < 1 or classifier.config.parameters.get("init_from") is not None:  # then n_seen includes other images
        return ""
    verb = "equals a training image" if n_copies == 1 else "equal training images"
    return (
        f"{format_count(n_copies, 'image')} of {name} that the model was not trained on {verb}. The score is computed "
        "without them."
    )


def convert_images(classifier: OnnxClassifier, dataset: Dataset, images: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the images with the model's channels, and a note if they were converted; the size must match."""
    spec = replace(classifier.image_spec, preprocessing=None)  # already applied when the data was loaded
    if dataset.image_shape == spec.shape:
        return images, ""
    if dataset.image_shape[:2] != spec.shape[:2]:
        raise DataError(
            f"The images of {dataset.name} are {dataset.image_shape[1]}×{dataset.image_shape[0]} pixels; the model "
            f"expects {spec.width}×{spec.height}. Resize them (--image-size {spec.height}x{spec.width}, height x "
            "width) or train a model on such images."
        )
    kind = "greyscale" if spec.channels == 1 else "colour"
    return spec.preprocess_all(images), f"The images of {dataset.name} were converted to {kind}, as the model expects."


def _match_classes(class_names: tuple[str, ...], dataset: Dataset) -> np.ndarray:
    """Return the index in `class_names`, the model's classes, of each class of the data set.

    Numbers without a class of the same name are matched by value, with a warning.
    """
    names = list(dataset.class_names)
    positions = {name: position for position, name in enumerate(class_names)}
    by_value = {name: k for name, k in _match_by_value(class_names, names).items() if name not in positions}
    if by_value:
        example = next(iter(by_value))
        warnings.warn(
            f"{dataset.name}: classes are matched by value, such as {example} and {class_names[by_value[example]]}.",
            stacklevel=3,
        )
    positions |= by_value
    unknown = [name for name in names if name not in positions]
    if unknown:
        which = list_some(unknown) if len(unknown) < len(names) else "all of them"
        raise DataError(
            f"{dataset.name} has classes that the model does not have: {which}. The data's classes: "
            f"{list_some(dataset.class_names)}. The model's classes: {list_some(class_names)}. Classes are matched by "
            "name, in any order. Rename the classes of the data, pass another column of a table as --label-column, "
            "leave classes out with --drop-class, or use data with the model's classes."
        )
    return np.array([positions[name] for name in names])


def _match_by_value(class_names: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    """Return the index in `class_names` of each name with the same value, as of 16 for 00016.

    Empty unless all names are numbers, and the values of each list differ.
    """
    from skconv.data.labels import is_number, to_number

    if not all(map(is_number, (*class_names, *names))):
        return {}
    values = {to_number(name): position for position, name in enumerate(class_names)}
    found = {name: values[to_number(name)] for name in names if to_number(name) in values}
    return found if len(values) == len(class_names) and len(set(found.values())) == len(found) else {}


def load_held_out(classifier: OnnxClassifier) -> HeldOut:
    """Return the model's predictions of held-out images; raise `ParameterError` if it was saved without them."""
    from skconv.model_io.records import read_held_out

    held_out = read_held_out(classifier.folder, classifier.config)
    if held_out is None:
        raise ParameterError(
            "The model was saved without predictions of held-out images; prediction sets require them. "
            f"{_suggest_held_out(classifier.config.data.n_train)}"
        )
    return held_out


def check_has_score(classifier: OnnxClassifier) -> None:
    """Raise `ParameterError` if the model has no out-of-distribution score."""
    if classifier.config.ood is None:
        raise ParameterError(
            "The model was saved without an out-of-distribution score. Train it again with this version, on at least "
            "200 images and with a false_alarm_rate."
        )


def _suggest_held_out(n_train: int) -> str:
    """Return how to train a model with held-out predictions on the same number of images."""
    if n_train < _MIN_HELD_OUT:
        return (
            f"Held-out predictions need at least {_MIN_HELD_OUT} training images; the model was trained on {n_train}. "
            "Add images."
        )
    ensemble = "an ensemble (skconv ensemble), which predicts each training image by a member not trained on it"
    fraction = max(0.05, math.ceil(100 * _MIN_HELD_OUT / n_train) / 100)
    if fraction > _MAX_FRACTION:
        return f"Train {ensemble}."
    return (
        f"Train it again with --set training.validation_fraction={fraction:g}, which holds out "
        f"{math.ceil(fraction * n_train):,} of the {n_train:,} training images, or train {ensemble}."
    )


def make_sets(classifier: OnnxClassifier, probabilities: np.ndarray, coverage: float) -> np.ndarray:
    """Return the prediction set of each image, bool (n, n_classes); see `predict_sets`."""
    from skconv.evaluation.conformal import select_classes

    return select_classes(probabilities, find_set_threshold(classifier, coverage))


def find_set_threshold(classifier: OnnxClassifier, coverage: float) -> float:
    """Return the min probability of the classes in a prediction set of a saved model; see `find_threshold`."""
    from skconv.evaluation.conformal import find_threshold

    held_out = load_held_out(classifier)
    network = classifier.config.network
    average = network.options.get("average", "probabilities") if network.name == "ensemble" else None
    return find_threshold(held_out.probabilities, held_out.labels, coverage, average=average)

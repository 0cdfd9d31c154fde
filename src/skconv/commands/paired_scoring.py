"""Scoring of two saved models on the same data: load it for both, score, select the common images, match classes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar, Unpack

import numpy as np

from skconv.commands.scoring import score_dataset
from skconv.data.spec import DataOptions, DataSpec
from skconv.exceptions import DataError, ParameterError, list_some

if TYPE_CHECKING:
    from skconv.data.dataset import Dataset
    from skconv.inference import OnnxClassifier
    from skconv.reports.sections import ScoredSource

T = TypeVar("T")
ScoredPair = tuple["ScoredSource", "ScoredSource"]


class PairedPredictions(NamedTuple):
    """Predictions of two models for the same images, with the same classes."""

    names: list[str]  # of the images
    labels: np.ndarray  # indices into `class_names`, int (n,)
    probabilities: tuple[np.ndarray, np.ndarray]  # float32 (n, k) of each model; 0 for a class that it does not have
    class_names: tuple[str, ...]  # of both models
    rows: tuple[np.ndarray, np.ndarray]  # of the images in the predictions of each model, int (n,)


def score_pair(
    first: str | os.PathLike[str],
    second: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    progress: bool = False,
    **data: Unpack[DataOptions],
) -> ScoredPair:
    """Score two models on the same data; parameters, errors and warnings are those of `compare`."""
    from skconv.inference import OnnxClassifier

    names = os.fspath(first), os.fspath(second)
    classifiers = OnnxClassifier(first), OnnxClassifier(second)
    datasets = _load_for_both(names, classifiers, source, progress=progress, **data)
    scored = []
    for name, classifier, dataset in zip(names, classifiers, datasets, strict=True):
        try:
            scored.append(_relay_warnings(partial(score_dataset, classifier, dataset), f"{name}: "))
        except DataError as error:
            raise DataError(f"{name}: {error}") from error
    return scored[0], scored[1]


def align_predictions(models: tuple[str, str], pair: ScoredPair) -> PairedPredictions:
    """Return the predictions of two models, named `models`, for the images that both were scored on.

    Warn about classes that one of the models lacks; raise `DataError` if there are no common images.
    """
    rows = _find_common(models, pair)
    class_names = _merge_classes(models, pair)
    index = {name: k for k, name in enumerate(class_names)}
    columns = [np.array([index[name] for name in each.classifier.class_names]) for each in pair]
    probabilities = []
    for each, chosen, own in zip(pair, rows, columns, strict=True):
        aligned = np.zeros((len(chosen), len(class_names)), np.float32)
        aligned[:, own] = each.probabilities[chosen]
        probabilities.append(aligned)
    return PairedPredictions(
        names=[pair[0].names[k] for k in rows[0]],
        labels=columns[0][pair[0].labels[rows[0]]],
        probabilities=(probabilities[0], probabilities[1]),
        class_names=class_names,
        rows=rows,
    )


def _load_for_both(
    names: tuple[str, str],
    classifiers: tuple[OnnxClassifier, OnnxClassifier],
    source: str | os.PathLike[str],
    *,
    progress: bool,
    **data: Unpack[DataOptions],
) -> list[Dataset]:
    """Load the data with the image size and preprocessing of each model, once if these are the same."""
    forms = [each.image_spec for each in classifiers]
    sizes = [f"{form.width}×{form.height}" for form in forms]
    if sizes[0] != sizes[1]:
        described = f"{sizes[0]} pixels ({names[0]}) and {sizes[1]} ({names[1]})"
        if data.get("image_size") is not None:
            raise ParameterError(
                f"The models expect images of different sizes, {described}; the 'image_size' parameter would set one "
                "size for both. Omit it (--image-size): the images are resized for each model."
            )
        warnings.warn(
            f"The models expect images of different sizes, {described}. The images are resized for each.", stacklevel=3
        )
        # Models without a rule were trained on images that were not resized.
        forms = [replace(form, resize=form.resize or "stretch") for form in forms]
    if forms[0] == forms[1]:
        forms = forms[:1]
    shown: set[str] = set()
    specs = [DataSpec(source, normalize=form.preprocessing, form=form, **data) for form in forms]
    datasets = [_relay_warnings(partial(spec.load, progress=progress), shown=shown) for spec in specs]
    return [datasets[0], datasets[-1]]


def _relay_warnings(function: Callable[[], T], prefix: str = "", shown: set[str] | None = None) -> T:
    """Return the value of a function; repeat its warnings with a prefix, without those in `shown`, and add them."""
    shown = set() if shown is None else shown
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            return function()
    finally:
        for each in caught:
            text = f"{prefix}{each.message}"
            if text not in shown:
                shown.add(text)
                warnings.warn(text, each.category, stacklevel=3)


def _find_common(models: tuple[str, str], pair: ScoredPair) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of both models, int (n,) each, with the predictions of the same images."""
    first, second = pair
    name = first.dataset.name
    common, *rows = np.intersect1d(first.positions, second.positions, assume_unique=True, return_indices=True)
    if not len(common):
        raise DataError(
            f"Each image of {name} was in the training data of {models[0]} or {models[1]}: none remains to compare "
            "them on. Compare them on images that neither was trained on."
        )
    described = [
        [(each.names[k], each.classifier.class_names[each.labels[k]]) for k in chosen]
        for each, chosen in zip(pair, rows, strict=True)
    ]
    if described[0] != described[1]:
        raise DataError(f"The images of {name} or their labels have changed during the comparison. Repeat it.")
    return rows[0], rows[1]


def _merge_classes(models: tuple[str, str], pair: ScoredPair) -> tuple[str, ...]:
    """Return the classes of both models; warn about classes that one of them lacks."""
    own = [each.classifier.class_names for each in pair]
    for model, names, others in ((models[0], own[0], own[1]), (models[1], own[1], own[0])):
        if extra := [name for name in names if name not in others]:
            warnings.warn(
                f"Only {model} has the class{'es' if len(extra) > 1 else ''} {list_some(extra)}. No image of "
                f"{'them' if len(extra) > 1 else 'it'} is compared; every such prediction counts as wrong.",
                stacklevel=3,
            )
    return tuple(dict.fromkeys(own[0] + own[1]))

"""Inputs of `predict`: images, folders, tables, archives and the test images of a competition."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import DataError, ParameterError, SkconvError
from skconv.inference import OnnxClassifier, Prediction

if TYPE_CHECKING:
    from skconv.data.dataset import SubmissionForm


def list_paths(inputs: Any) -> list[str | os.PathLike[str]]:
    """Return the inputs as a list of paths; raise `ParameterError` for other types."""
    if isinstance(inputs, str | os.PathLike):
        return [inputs]
    paths = list(inputs) if isinstance(inputs, Iterable) else [inputs]
    for each in paths:
        if not isinstance(each, str | os.PathLike):
            raise ParameterError(
                f"Got an input of type {type(each).__name__}; expected paths of images, folders, CSV or .npz files. "
                "For arrays, use OnnxClassifier(model).predict."
            )
    return paths


@dataclass(frozen=True)
class LoadedInputs:
    """Images to predict."""

    names: list[str]  # names of all images
    images: np.ndarray  # readable images, uint8 (n, height, width) or (n, height, width, 3)
    broken: Mapping[int, SkconvError]  # errors of unreadable images, by position
    form: SubmissionForm | None = None  # submission format of a competition
    labels: tuple[str, ...] = ()  # the competition's label of each class of the model

    def add_broken(self, predictions: Iterable[Prediction]) -> tuple[Prediction, ...]:
        """Return a record per image: the predictions of readable images, and the errors of unreadable images."""
        remaining = iter(predictions)
        return tuple(
            Prediction(name, "", 0.0, error=str(self.broken[k])) if k in self.broken else next(remaining)
            for k, name in enumerate(self.names)
        )

    @property
    def readable(self) -> list[str]:
        """Names of the images that could be read."""
        return [name for position, name in enumerate(self.names) if position not in self.broken]


def load_competition(
    paths: Sequence[str | os.PathLike[str]],
    classifier: OnnxClassifier,
    out: Path,
    image_size: int | tuple[int, ...] | None,
) -> LoadedInputs | None:
    """Load the test images of a competition if it is the only input and `out` has the name of a submission."""
    from skconv.competitions.submissions import load_submission_form

    if len(paths) != 1 or not out.name.startswith("submission"):
        return None
    found = load_submission_form(paths[0], classifier.image_spec, image_size)
    if found is None:
        return None
    form, notes = found
    labels = _choose_labels(classifier, form)
    _warn(notes)
    return LoadedInputs([f"{paths[0]}#{name}" for name in form.ids], form.images, {}, form, labels)


def load_images(
    paths: Sequence[str | os.PathLike[str]],
    classifier: OnnxClassifier,
    out: str | os.PathLike[str] | None,
    label_column: str | None,
    image_size: int | tuple[int, ...] | None,
    *,
    progress: bool,
) -> LoadedInputs:
    """Load images, and warn about conversions."""
    from skconv.data.inputs import load_inputs

    broken: dict[int, SkconvError] = {}
    names, images, notes = load_inputs(
        paths,
        classifier.image_spec,
        label_column=label_column,
        image_size=image_size,
        errors=broken,
        progress=progress,
    )
    if out is not None and len(paths) == 1:
        from skconv.competitions.folder import is_competition

        if is_competition(Path(paths[0])):
            notes.append(
                f"{out} is a table of predictions. To write a submission to the competition, choose a name that begins "
                "with submission, for example submission.csv."
            )
    _warn(notes)
    return LoadedInputs(names, images, broken)


def _warn(notes: Iterable[str]) -> None:
    for note in notes:
        warnings.warn(note, stacklevel=4)


def _choose_labels(classifier: OnnxClassifier, form: SubmissionForm) -> tuple[str, ...]:
    """Return the competition's label of each class of the model: the class name, or the encoded label."""
    labels = tuple(str(label) for label in classifier.classes_.tolist())
    for choice in (classifier.class_names, labels):
        if not form.class_labels or set(choice) <= set(form.class_labels):
            return choice
    raise DataError(
        f"The model's classes ({', '.join(classifier.class_names[:10])}) are not the competition's "
        f"({', '.join(form.class_labels[:10])}). Use a model that was trained on the competition's images."
    )


def warn_if_broken(errors: Mapping[int, SkconvError], n: int) -> None:
    """Warn about unreadable images, or raise the error if there is one image; `errors` has the positions as keys."""
    if not errors:
        return
    first = errors[min(errors)]
    if n == 1:
        raise first
    prefix = "" if len(errors) == 1 else " The first error:"
    warnings.warn(f"{len(errors):,} of {n:,} images could not be read.{prefix} {first}", stacklevel=3)

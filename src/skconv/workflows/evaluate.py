"""`evaluate`: score a saved model on labelled data, without torch."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from skconv.exceptions import DataError
from skconv.workflows.results import EvaluationResult

if TYPE_CHECKING:
    import numpy as np

    from skconv.data.dataset import Dataset
    from skconv.reader import Reader


def evaluate(
    model: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    data_home: str | os.PathLike[str] | None = None,
    images: str | os.PathLike[str] | None = None,
    label_column: str | None = None,
    image_size: tuple[int, int] | None = None,
    progress: bool = False,
) -> EvaluationResult:
    """Score a model on the test split of `source`, or on all of it where it has none.

    Parameters
    ----------
    model : path-like
        A model folder, or a run folder with one.
    source : str or path-like
        What `skconv.load_dataset` takes. Its class names must be among the model's, in any order.
    data_home, images, label_column, image_size
        As in `skconv.load_dataset`.
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
        Pictures of another size than the model's, or classes it does not know.

    Warns
    -----
    UserWarning
        The source has no test split and is what the model was trained on: the score flatters. Or the pictures
        were made grey or colour to make them fit the model.
    """
    from skconv.data.sources import load_dataset
    from skconv.evaluation.scores import format_scores, score_predictions
    from skconv.reader import Reader

    reader = Reader(model)
    dataset = load_dataset(
        source,
        data_home=data_home,
        images=images,
        label_column=label_column,
        image_size=image_size,
        progress=progress,
    )
    split, pictures, labels = "test", dataset.test_images, dataset.test_labels
    if pictures is None or labels is None:
        split, pictures, labels = "all", dataset.train_images, dataset.train_labels
    pictures, note = _fit_channels(reader, dataset, pictures)
    positions = _match_classes(reader.class_names, dataset)
    if note:
        warnings.warn(note, stacklevel=2)
    if split == "all" and dataset.fingerprint == reader.config.data.fingerprint:
        warnings.warn(
            f"{dataset.name} has no test split and the model was trained on most of these pictures: "
            "the accuracy of new pictures is lower. The run's scores.json has that of the held-out ones.",
            stacklevel=2,
        )
    scores = score_predictions(positions[labels], reader.predict_proba(pictures), reader.class_names)
    return EvaluationResult(
        accuracy=scores.accuracy,
        low=scores.low,
        high=scores.high,
        n=scores.n,
        model=str(model),
        data=dataset.name,
        split=split,
        scores=scores.to_json(),
        text=format_scores(scores),
    )


def _fit_channels(reader: Reader, dataset: Dataset, pictures: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the pictures in the model's colours, and what was done for it; another size is an error."""
    channels, height, width = reader.input_shape
    expected = (height, width) if channels == 1 else (height, width, channels)
    if dataset.image_shape == expected:
        return pictures, ""
    if dataset.image_shape[:2] != (height, width) or channels not in (1, 3):
        raise DataError(
            f"The pictures of {dataset.name} have shape {dataset.image_shape}; the model takes {expected}. "
            f"Bring them to that shape (--image-size {height}x{width}) or train a model on such pictures."
        )
    from skconv.pictures.opening import convert_pictures

    done = "grey" if channels == 1 else "colour"
    converted = convert_pictures(pictures, height, width, channels)
    return converted, f"The pictures of {dataset.name} were made {done}, as the model takes them."


def _match_classes(class_names: tuple[str, ...], dataset: Dataset) -> np.ndarray:
    """Positions of the data's classes among the model's, shape (number of the data's classes,)."""
    import numpy as np

    unknown = [name for name in dataset.class_names if name not in class_names]
    if unknown:
        raise DataError(
            f"{dataset.name} has classes the model does not know: {_shorten(unknown)}. The model's classes: "
            f"{_shorten(class_names)}. Evaluate it on data of its own classes."
        )
    return np.array([class_names.index(name) for name in dataset.class_names])


def _shorten(names: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(names[:10]) + more

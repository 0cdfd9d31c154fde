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
        Pictures of another shape than the model's, or classes it does not know.

    Warns
    -----
    UserWarning
        The source has no test split and is the one the model was trained on: the score flatters.
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
    _check_shape(reader, dataset)
    positions = _match_classes(reader.class_names, dataset)
    split, pictures, labels = "test", dataset.test_images, dataset.test_labels
    if pictures is None or labels is None:
        split, pictures, labels = "all", dataset.train_images, dataset.train_labels
    if split == "all" and dataset.source == reader.config.data.source:
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


def _check_shape(reader: Reader, dataset: Dataset) -> None:
    channels, height, width = reader.input_shape
    expected = (height, width) if channels == 1 else (height, width, channels)
    if dataset.image_shape != expected:
        raise DataError(
            f"The pictures of {dataset.name} have shape {dataset.image_shape}; the model takes {expected}. "
            f"Bring them to that shape (--image-size {height}x{width}) or train a model on such pictures."
        )


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

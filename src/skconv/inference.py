"""Inference from a model folder with onnxruntime, without torch and scikit-learn."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from skconv.exceptions import DataError, ParameterError
from skconv.images.arrays import RangeCheck, describe_invalid, describe_shape
from skconv.model_io.folder import ONNX_NAME, check_has_onnx, find_model_folder, read_config, read_verified
from skconv.model_io.onnx import OOD_OUTPUT_NAME, OUTPUT_NAMES, open_session, run_session
from skconv.text import format_percent

_BATCH = 256  # images; only one batch is copied to float32 at a time
_MAX_SHOWN = 12  # class names in `repr`

_ABANDONED: list[Any] = []  # sessions of a parent process
_N_ALTERNATIVES = 2
UNSURE = "?"  # label of a prediction whose confidence is below the requested minimum


@dataclass(frozen=True)
class Alternative:
    """A less probable class and its probability."""

    label: str
    confidence: float

    def __str__(self) -> str:
        return f"{self.label} {format_percent(self.confidence, 1)}"


@dataclass(frozen=True)
class Prediction:
    """Prediction of one image.

    Parameters
    ----------
    input : str
        Path of the image, or the table and row that it was read from.
    label : str
        Name of the most probable class; "?" if its confidence is below the requested minimum.
    confidence : float
        Probability of the most probable class, 0..1.
    alternatives : tuple of Alternative
        Next most probable classes, in descending order; if the label is "?", including the most probable class.
    labels : tuple of str or None
        Prediction set: often one class, may be empty. None if no coverage was requested.
    top : tuple of Alternative or None
        The requested number of most probable classes, in descending order. None unless requested.
    probabilities : dict of str to float or None
        Probability of every class, in the order of the model's classes. None unless requested.
    error : str or None
        Error message if the image could not be read; its label is then empty and its confidence 0. None otherwise.
    ood_score : float or None
        Out-of-distribution score, higher for images less like the training images. None if the model has no score.
    unlike_training : bool or None
        Whether the score is above the threshold of the model. None if the model has no score.
    """

    input: str
    label: str
    confidence: float
    alternatives: tuple[Alternative, ...] = ()
    labels: tuple[str, ...] | None = None
    top: tuple[Alternative, ...] | None = None
    probabilities: dict[str, float] | None = None
    error: str | None = None
    ood_score: float | None = None
    unlike_training: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain values, without those that are None."""
        # `asdict` copies every value, which takes longer than the prediction of a small image.
        record = {key: value for key, value in vars(self).items() if value is not None}
        for key in ("alternatives", "top"):
            if key in record:
                record[key] = tuple(dict(vars(each)) for each in record[key])
        return record

    def __str__(self) -> str:
        if self.error is not None:
            return f"{self.input}: error: {self.error}"
        sets = "" if self.labels is None else f" {{{', '.join(self.labels)}}}"
        if self.probabilities is not None:
            sets += "; " + ", ".join(f"{name} {format_percent(share, 1)}" for name, share in self.probabilities.items())
        if self.unlike_training:
            sets += "; unlike the training images"
        if self.top is not None:
            first = f"{UNSURE} " if self.label == UNSURE else ""
            return f"{self.input}: {first}{', '.join(map(str, self.top))}{sets}"
        if self.label != UNSURE:
            return f"{self.input}: {self.label} ({format_percent(self.confidence, 1)}){sets}"
        return f"{self.input}: {UNSURE} ({', '.join(map(str, self.alternatives))}){sets}"


def describe_predictions(
    names: Sequence[str],
    probabilities: np.ndarray,
    class_names: tuple[str, ...],
    min_confidence: float = 0.0,
    *,
    top: int | None = None,
    with_probabilities: bool = False,
    ood_scores: np.ndarray | None = None,
    ood_threshold: float | None = None,
) -> tuple[Prediction, ...]:
    """Return one `Prediction` per image, from names and probabilities of shape (n, n_classes).

    `top` is the number of most probable classes to list. `with_probabilities` adds the probability of every class.
    `ood_scores` (n,) and `ood_threshold` are those of `OnnxClassifier`, None for a model without them.
    """
    n_candidates = 1 + _N_ALTERNATIVES
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, : max(n_candidates, top or 0)]
    predictions = []
    scores = [None] * len(names) if ood_scores is None else ood_scores.tolist()
    for name, row, best, score in zip(names, probabilities, order, scores, strict=True):
        ranked = tuple(Alternative(class_names[k], float(row[k])) for k in best)
        first, candidates = ranked[0], ranked[:n_candidates]
        is_unsure = first.confidence < min_confidence
        predictions.append(
            Prediction(
                name,
                UNSURE if is_unsure else first.label,
                first.confidence,
                candidates if is_unsure else candidates[1:],
                top=None if top is None else ranked[:top],
                probabilities=dict(zip(class_names, row.tolist(), strict=True)) if with_probabilities else None,
                ood_score=score,
                unlike_training=None if score is None or ood_threshold is None else score > ood_threshold,
            )
        )
    return tuple(predictions)


class OnnxClassifier:
    """Classifier loaded from a model folder.

    It loads in a fraction of a second, because it imports only NumPy and onnxruntime. Instances are thread-safe.

    Parameters
    ----------
    path : path-like
        Model folder, run folder of ``skconv train --out``, or ``"digits"`` for the bundled model. The sha256 of every
        file is verified.
    threads : int or None, default=None
        Threads per prediction, at least 1; None uses one per core.

    Attributes
    ----------
    config : ModelConfig
        Content of ``config.json``.
    classes_ : ndarray of shape (k,)
        Labels, in the order of the columns of the probabilities.
    class_names : tuple of str
        Name of each class, in the same order.
    input_shape : (int, int, int)
        Channels, height and width of the images.
    image_spec : ImageSpec
        Size, channels and preprocessing; ``image_spec.preprocess(image)`` converts any image.
    ood_threshold : float or None
        Out-of-distribution score above which an image is unlike the training images; None if the model has no score.

    Raises
    ------
    SourceNotFoundError
        If `path` does not exist.
    ModelFileError
        If `path` is a pickle, or a folder that is incomplete, altered, of another format or without ONNX.
    ParameterError
        If `threads` is below 1.
    """

    def __init__(self, path: str | os.PathLike[str], *, threads: int | None = None) -> None:
        if threads is not None and (not isinstance(threads, int) or threads < 1):
            raise ParameterError(f"The 'threads' parameter must be None or an integer of at least 1. Got {threads!r}.")
        self.threads = threads
        self.folder = find_model_folder(path)
        self.config = read_config(self.folder)
        check_has_onnx(self.folder, self.config)
        self.classes_ = self.config.label_array
        self.class_names = self.config.class_names
        self.input_shape = self.config.input.shape
        self.ood_threshold = None if self.config.ood is None else self.config.ood.threshold
        self.image_spec = self.config.input.image_spec

    def __repr__(self) -> str:
        channels, height, width = self.input_shape
        names = [" ".join(name.split()) for name in self.class_names]
        shown = ", ".join(names[:_MAX_SHOWN]) + (", …" if len(names) > _MAX_SHOWN else "")
        return (
            f"<OnnxClassifier of {self.folder}: network {self.config.network.name}, {width}×{height} pixels in "
            f"{'grey' if channels == 1 else 'colour'}, {len(names)} classes: {shown}>"
        )

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        """Return the probability of each class for each image.

        Parameters
        ----------
        images : ndarray of uint8, integer, bool or float
            Images in the range of the training images (0..255 for most models), as (n, h, w), (n, h, w, c),
            (n, c, h, w) or, for grey, (n, h * w). An ambiguous shape is interpreted as channels last. A memory map is
            read in batches of 256 images.

        Returns
        -------
        ndarray of float32, shape (n, k)
            Each row sums to 1; columns as in `classes_`.

        Raises
        ------
        DataError
            If the shape does not match the model, or the images are not finite numbers.

        Warns
        -----
        UserWarning
            If the range of the pixels clearly differs from that of the training images: 0..1 instead of 0..255.
        """
        return self._predict(images, OUTPUT_NAMES[1:])[0]

    def predict_with_ood(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the probabilities of `predict_proba` and the out-of-distribution scores of images.

        Parameters, errors and warnings are those of `predict_proba`.

        Returns
        -------
        probabilities : ndarray of float32, shape (n, k)
        scores : ndarray of float32, shape (n,), or None
            Higher for images less like the training images; those above `ood_threshold` are unlike them. None if the
            model has no score, because it was trained without one or saved by an earlier version.

        Examples
        --------
        >>> model = OnnxClassifier("runs/mnist-fast")  # doctest: +SKIP
        >>> probabilities, scores = model.predict_with_ood(images)  # doctest: +SKIP
        >>> unlike_training = scores > model.ood_threshold  # doctest: +SKIP
        """
        if self.ood_threshold is None:
            return self._predict(images, OUTPUT_NAMES[1:])[0], None
        probabilities, scores = self._predict(images, (*OUTPUT_NAMES[1:], OOD_OUTPUT_NAME))
        return probabilities, scores

    def _predict(self, images: np.ndarray, outputs: Sequence[str]) -> list[np.ndarray]:
        """Return outputs of the ONNX graph for images of any form that `predict_proba` accepts."""
        images = self._to_channels_first(images)
        shapes = {OOD_OUTPUT_NAME: (len(images),)}
        results = [np.empty(shapes.get(name, (len(images), len(self.classes_))), np.float32) for name in outputs]
        check = RangeCheck(self.config.input.pixel_range)
        for start in range(0, len(images), _BATCH):
            part = images[start : start + _BATCH]
            with np.errstate(over="ignore"):  # raised below as an error with the index of the image
                batch = np.ascontiguousarray(part, dtype=np.float32)
            invalid = "" if part.dtype.itemsize == 1 else describe_invalid(batch, start)
            if invalid:
                raise DataError(invalid)
            check.add(part if part.dtype.itemsize == 1 else batch)
            for result, values in zip(results, run_session(self._runner, batch, outputs), strict=True):
                result[start : start + _BATCH] = values
        message = check.describe()
        if message:
            warnings.warn(message, stacklevel=3)
        return results

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the most probable label of each image, shape (n,), from `classes_`.

        The labels of a model that a command has trained are indices into `class_names`.

        Parameters, errors and warnings are those of `predict_proba`.
        """
        return self.classes_[self.predict_proba(images).argmax(1)]

    def __getstate__(self) -> dict[str, Any]:
        # The session cannot be pickled or copied; each copy opens its own.
        return {name: value for name, value in self.__dict__.items() if name not in ("_session", "_process")}

    @property
    def _runner(self) -> Any:
        """The session, opened anew in a process that was forked after the first prediction."""
        if self.__dict__.get("_process") != os.getpid():
            # Its threads do not exist in this process; its destructor would wait for them.
            _ABANDONED.append(self.__dict__.pop("_session", None))
            self._process = os.getpid()
        return self._session

    @cached_property
    def _session(self) -> Any:
        path = self.folder / ONNX_NAME
        content = read_verified(path, self.config.files[ONNX_NAME])
        return open_session(path, self.config, self.threads, content)

    def _to_channels_first(self, images: np.ndarray) -> np.ndarray:
        """Return the images as a view of shape (n, channels, height, width)."""
        try:
            images = np.asarray(images)  # drops masks, retains memory maps
        except ValueError as error:
            raise DataError(
                f"The images are not an array ({error}). Resize them to one size and stack them."
            ) from error
        if images.dtype.kind not in "buif":
            is_path = images.ndim < 2 and images.size and isinstance(images.flat[0], str | os.PathLike)
            fix = " Read image files first with skconv.load_images." if is_path else ""
            raise DataError(f"The images have dtype {images.dtype}; expected numbers, preferably uint8.{fix}")
        channels, height, width = self.input_shape
        shape = images.shape[1:]
        if shape == (height, width, channels):
            return np.moveaxis(images, 3, 1)
        if shape == (channels, height, width):
            return images
        rows = ((height * width,), (1, height * width), (height * width, 1))
        if channels == 1 and shape in ((height, width), *rows):
            return images.reshape(-1, 1, height, width)
        raise DataError(describe_shape(images.shape, self.input_shape))

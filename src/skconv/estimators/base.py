"""`BaseImageClassifier`: input validation, prediction, calibration and saving of image classifiers."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_array, check_X_y
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
from torch import Tensor

from skconv.estimators import persistence
from skconv.estimators.inputs import as_images, as_labels, check_no_label_column, check_same_order, describe_reading
from skconv.estimators.ood import OodMixin
from skconv.estimators.pretrained_features import compute_logits
from skconv.estimators.validation import (
    MIN_CALIBRATION,
    combine_weights,
    encode_labels,
    find_classes,
    to_image_tensor,
    weigh_classes,
)
from skconv.evaluation.calibration import fit_calibration
from skconv.exceptions import DataError, ParameterError
from skconv.images.arrays import RangeCheck, describe_shape
from skconv.model_io.records import HeldOut
from skconv.networks.pretrained import PretrainedNetwork
from skconv.training.batches import ImageDataset
from skconv.training.progress import RunPart
from skconv.training.threads import use_threads
from skconv.training.torch_state import standard_torch_state

_MIN_EXPORTED = 100  # images for which the export of a pretrained network to onnxruntime pays
_RANGE_IMAGES = 4096  # images per part, so that a memory map is not loaded as a whole


class BaseImageClassifier(OodMixin, ClassifierMixin, BaseEstimator):
    """Base class of the image classifiers.

    Subclasses must define `fit`, `load` and the parameter `calibrate`. `fit` must set `net_`, `classes_`,
    `class_prior_`, `image_shape_`, `held_out_`, `ood_` and the attributes that `skconv.estimators.persistence` saves.
    """

    held_out_: HeldOut | None
    image_shape_: tuple[int, int, int]
    pixel_range_: tuple[float, float] | None
    run_part = RunPart()  # position among several fits, for the progress output
    n_scored_after = 0  # number of images that the caller predicts after `fit`; the time limit includes it
    class_names: Sequence[str] = ()  # names of `classes_` in warnings; by default the labels

    @standard_torch_state()
    def decision_function(self, X: Any) -> np.ndarray:
        """Return the logits, float32 (n, n_classes), or for two classes their difference, (n,)."""
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    @standard_torch_state()
    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, float32 (n, n_classes), in the order of `classes_`."""
        return torch.from_numpy(self._logits(X)).softmax(dim=1).numpy()

    @standard_torch_state()
    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable label of each image, (n,)."""
        positions = self._logits(X).argmax(axis=1)  # raises if unfitted, before `classes_` is used
        return self.classes_[positions]

    def adjust_prior(self, prior: Mapping[Any, float]) -> Self:
        """Correct the probabilities for class frequencies other than those of the training images.

        Parameters
        ----------
        prior : mapping of label to float
            Expected fraction of each class, above 0, with a sum of 1 for all classes, else below 1. The rest is divided
            among the other classes in the proportions of the training images.

        Returns
        -------
        self
            Classifier with shifted logits and adjusted `held_out_`.

        Raises
        ------
        ParameterError
            If a label is unknown or a fraction is out of range.

        References
        ----------
        M. Saerens, P. Latinne, C. Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities",
        Neural Computation 14 (2002), 21-41.

        Examples
        --------
        >>> classifier.adjust_prior({"nothing": 0.01})  # doctest: +SKIP
        """
        check_is_fitted(self, "class_prior_")
        if prior:
            self._shift_logits(find_prior_shifts(prior, self.class_prior_, self.classes_))
        return self

    @standard_torch_state()
    def save(self, folder: str | os.PathLike[str], **facts: Any) -> None:
        """Write the model folder: weights, configuration, ONNX graph, held-out probabilities and card.

        Parameters
        ----------
        folder : path-like
            New or empty folder.
        class_names : sequence of str, optional
            Name of each of `classes_`; by default the labels as text.
        data : DataConfig, optional
            Description of the training data.
        scores : mapping of str to float, optional
            Scores for the card: ``{"test_accuracy": 0.9957}``.
        per_class : sequence of mappings, default=()
            Scores of each class for the card: name, precision, recall, f1 and support.
        command : str, default=""
            Command line that reproduces the model, for the card.
        fingerprints : TrainingFingerprints, optional
            Hashes of the training images; `skconv.evaluate` refuses to score the model on them.
        normalization : {"digit"}, optional
            Preprocessing of images before prediction; none by default.
        resize : {"pad", "crop", "stretch"}, optional
            Rule by which training images of another aspect ratio were resized, for the images to predict.
        images : array-like, optional
            Images of the training or test data on which ONNX and the network are compared, besides random images.

        Raises
        ------
        OutputError
            If the folder is not empty or cannot be written.
        ModelFileError
            If the weights contain NaN or infinity.

        Warns
        -----
        UserWarning
            If the ONNX export fails, or the logits of ONNX and the network differ. The model is then saved without
            ONNX, and only `load` can use it.
        """
        check_is_fitted(self)
        persistence.save(self, folder, **facts)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    @property
    def _n_threads(self) -> int | str:
        """Number of threads, or "auto"."""
        return self.n_threads

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _validate(self, X: Any, *y: Any, reset: bool) -> Any:
        """Validate X, or X and y, as scikit-learn does; `n_features_in_` is the number of values per image.

        Values that are not finite are permitted; `to_image_tensor` refuses them with the number of the image.
        """
        X = as_images(X)
        shape = tuple(X.shape)  # some data frames have no ndim
        if len(shape) < 2:
            raise DataError(
                f"X has shape {shape}; expected images, (n, height, width), or rows, (n, features). Reshape your data: "
                "X.reshape(1, -1) for one image."
            )
        if not reset and shape in self._shapes_of_one_image():
            raise DataError(describe_shape(shape, self.image_shape_))
        y = tuple(as_labels(each, shape[0]) for each in y)
        try:
            if len(shape) == 2:
                return validate_data(self, X, *y, reset=reset, ensure_all_finite=False)
            if reset:
                self.n_features_in_ = math.prod(shape[1:])
            check = check_X_y if y else check_array
            return check(X, *y, allow_nd=True, ensure_all_finite=False, estimator=self)
        except ValueError as error:
            hint = ""
            if not reset and len(shape) == 2 and shape[1] == self.n_features_in_ + 1:
                hint = " If the label is among the columns, remove it."
            raise DataError(" ".join(str(error).split()) + hint) from error

    def _shapes_of_one_image(self) -> list[tuple[int, ...]]:
        """Return the shapes that a single image may have and a batch may not."""
        channels, height, width = self.image_shape_
        if channels == 1:
            # A batch of rows has height * width columns, which equals the width of one image only at a height of 1.
            return [(height, width), (height, width, 1)] if height > 1 else []
        return [(height, width, channels), (channels, height, width)]

    def _check_training_data(
        self, X: Any, y: Any, sample_weight: Any, class_weight: Any, classes: Any = None
    ) -> ImageDataset:
        """Return validated images, labels and weights; before `net_` exists, set the attributes of the data."""
        first = not hasattr(self, "net_")
        check_same_order(X, y)
        X, y = self._validate(X, y, reset=first)
        try:
            check_classification_targets(y)
        except ValueError as error:
            raise DataError(" ".join(str(error).split())) from error
        images = to_image_tensor(X)
        if first:
            check_no_label_column(X, y)
            self.classes_ = find_classes(y if classes is None else classes)
            _, channels, height, width = images.shape
            self.image_shape_ = channels, height, width
            message = describe_reading(X.shape, self.image_shape_)
            if message:
                warnings.warn(message, stacklevel=4)
        self._check_image_shape(images, X.shape)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, X, dtype=np.float64)
        labels = encode_labels(y, self.classes_)
        weights = combine_weights(sample_weight, class_weight, y, self.classes_)
        if first:
            counts = np.bincount(labels, weights, minlength=len(self.classes_))
            self.class_prior_ = counts / counts.sum()
        if weights is None:
            return ImageDataset(images, labels)
        used = np.flatnonzero(weights)  # images of weight 0 must not affect batch statistics
        positions = None if len(used) == len(weights) else torch.from_numpy(used)
        return ImageDataset(images, labels, torch.from_numpy(weights), positions)

    def _check_validation_data(self, X: Any, y: Any) -> ImageDataset:
        try:
            X, y = self._validate(X, y, reset=False)
            images = to_image_tensor(X)
            self._check_image_shape(images, X.shape)
        except ValueError as error:  # the messages name X and y, as those of the training images
            raise DataError(f"Validation images (X_val, y_val): {error}") from error
        return ImageDataset(images, encode_labels(y, self.classes_, name="y_val"))

    def _check_image_shape(self, images: Tensor, shape: tuple[int, ...]) -> None:
        """Raise `DataError` unless images, from an array of this shape, have the shape of the training images."""
        if tuple(images.shape[1:]) != self.image_shape_:
            raise DataError(describe_shape(tuple(shape), self.image_shape_))

    def _warn_of_range(self, images: Tensor, *, stacklevel: int) -> None:
        """Warn if the pixels clearly differ from the range of the training images."""
        check = RangeCheck(self.pixel_range_)
        for part in images.split(_RANGE_IMAGES):
            check.add(part.numpy())
        message = check.describe()
        if message:
            warnings.warn(message, stacklevel=stacklevel + 1)

    def _extend_range(self, images: Tensor) -> None:
        """Extend the range of the training images to further ones; warn if they clearly differ from it."""
        if self.pixel_range_ is not None:
            self._warn_of_range(images, stacklevel=4)
            low, high = self.pixel_range_
            self.pixel_range_ = min(low, float(images.min())), max(high, float(images.max()))

    def _logits(self, X: Any) -> np.ndarray:
        return self._forward(self._read_images(X)).numpy()

    def _read_images(self, X: Any) -> ImageDataset:
        """Return validated images to predict; warn if their range clearly differs from that of the training images."""
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        images = to_image_tensor(X)
        self._check_image_shape(images, X.shape)
        self._warn_of_range(images, stacklevel=5)
        return ImageDataset(images)

    @torch.inference_mode()
    def _forward(self, images: ImageDataset) -> Tensor:
        """Return the logits of images, float32 (n, n_classes), on the CPU."""
        net = self.net_
        with use_threads(self._n_threads, adapt=net.device == "cpu"):
            if net.device == "cpu" and isinstance(net.module_, PretrainedNetwork) and len(images) >= _MIN_EXPORTED:
                return compute_logits(net.module_, images)
            return torch.cat([logits.cpu() for logits in net.forward_iter(images, training=False)]).float()

    def _calibrate_by(self, logits: np.ndarray, labels: np.ndarray, class_weight: Any) -> None:
        """Calibrate the network on held-out images, weighted as in training, and set `held_out_`.

        `logits` are float (n, n_classes), each row up to a constant; `labels` are indices into `classes_`, int64 (n,).
        """
        self.held_out_ = None
        if self.calibrate and len(labels) >= MIN_CALIBRATION:
            weights = weigh_classes(class_weight, self.classes_[labels], self.classes_)
            with_biases = self.calibrate != "temperature"
            temperature, biases = fit_calibration(logits, labels, weights, with_biases=with_biases)
            layer = self.net_.module_.logit_calibration
            layer.scale(1 / temperature)
            layer.shift(biases.tolist())
            self.held_out_ = HeldOut(softmax(logits / temperature + biases, axis=1), labels, temperature)

    def _shift_logits(self, shifts: np.ndarray) -> None:
        self.net_.module_.logit_calibration.shift(shifts.tolist())
        if self.held_out_ is not None:
            probabilities = shift_probabilities(self.held_out_.probabilities, shifts)
            self.held_out_ = replace(self.held_out_, probabilities=probabilities)


def find_prior_shifts(prior: Mapping[Any, float], trained: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """Return the logit shift of each class, float64 (n_classes,), that replaces the prior of the training images.

    `prior` maps labels to expected fractions. The rest is divided among the other classes in the proportions of
    `trained`, the fraction of each of `classes` among the training images. Raise `ParameterError` for an unknown label
    or invalid fractions.
    """
    unknown = [label for label in prior if label not in classes.tolist()]
    if unknown:
        raise ParameterError(f"The prior has the unknown class {unknown[0]!r}; expected any of {classes.tolist()}.")
    named = np.isin(classes, list(prior))
    total = math.fsum(prior.values())
    is_whole = math.isclose(total, 1)  # such as 0.7 + 0.2 + 0.1, which is not exactly 1
    if min(prior.values(), default=1.0) <= 0 or not (total < 1 or is_whole) or is_whole != bool(named.all()):
        raise ParameterError(
            f"The prior is {dict(prior)!r}; expected fractions above 0, with a sum of 1 if all classes are given, else "
            "below 1."
        )
    expected = np.array([prior.get(label, np.nan) for label in classes.tolist()])
    shifts = np.where(named, np.log(expected) - np.log(trained), 0.0)
    if not named.all():
        shifts[named] -= np.log(1 - total) - np.log(1 - trained[named].sum())
    return shifts


def shift_probabilities(probabilities: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Return probabilities, (n, n_classes), with `shifts` added to their logits."""
    return softmax(np.log(probabilities.clip(np.finfo(np.float32).tiny)) + shifts, axis=1)

"""`BaseImageClassifier`: what every fitted classifier of images does the same way."""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_array, check_X_y
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from skconv.estimators import persistence
from skconv.estimators.validation import to_image_tensor
from skconv.exceptions import DataError
from skconv.training.batches import ImageDataset


class BaseImageClassifier(ClassifierMixin, BaseEstimator):
    """Base of the classifiers: checking images, predicting and saving.

    A subclass has `fit` and `load`, and once fitted `net_`, `classes_`, `image_shape_` and what
    `skconv.estimators.persistence` asks for.
    """

    def decision_function(self, X: Any) -> np.ndarray:
        """Return logits (n, n_classes), float32; for two classes the difference of the two, (n,)."""
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class, float32 (n, n_classes), in the order of `classes_`."""
        return torch.from_numpy(self._logits(X)).softmax(dim=1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable label of each image, (n,)."""
        positions = self._logits(X).argmax(axis=1)
        return self.classes_[positions]

    def save(self, folder: str | os.PathLike[str], **facts: Any) -> None:
        """Write the model folder: weights, configuration, ONNX graph and card.

        Keywords are those of `skconv.estimators.persistence.save`: class_names, data, scores, command, seen,
        held_out, normalization, per_class.
        """
        check_is_fitted(self)
        persistence.save(self, folder, **facts)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _validate(self, X: Any, *y: Any, reset: bool) -> Any:
        """Check X, or X and y, as scikit-learn does; `n_features_in_` counts all values of an image."""
        if not hasattr(X, "shape"):
            X = np.asarray(X)
        if len(X.shape) <= 2:  # not all frames have ndim
            return validate_data(self, X, *y, reset=reset)
        if reset:
            self.n_features_in_ = math.prod(X.shape[1:])
        check = check_X_y if y else check_array
        return check(X, *y, allow_nd=True, estimator=self)

    def _check_image_shape(self, images: Tensor) -> None:
        if tuple(images.shape[1:]) != self.image_shape_:
            came, expected = (f"{c} channel(s) of {h}×{w}" for c, h, w in (images.shape[1:], self.image_shape_))
            raise DataError(f"X holds images of {came}; this classifier was fitted on images of {expected}.")

    @torch.inference_mode()
    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        X = self._validate(X, reset=False)
        images = to_image_tensor(X)
        self._check_image_shape(images)
        batches = self.net_.forward_iter(ImageDataset(images), training=False)
        return torch.cat([logits.cpu() for logits in batches]).float().numpy()

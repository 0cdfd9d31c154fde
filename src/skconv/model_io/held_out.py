"""Predictions for held-out images, saved with a model for prediction sets and the out-of-distribution score."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skconv.exceptions import ModelFileError
from skconv.model_io.config import ModelConfig
from skconv.model_io.folder import HELD_OUT_NAME, read_optional
from skconv.model_io.serialization import FIX, parse_arrays


@dataclass(frozen=True, eq=False)  # comparing arrays gives an array
class HeldOut:
    """Predictions for images that were not trained on.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n, k)
        Calibrated probabilities.
    labels : ndarray of int64, shape (n,)
        True classes, 0..k-1.
    temperature : float, default=1.0
        The fitted temperature; the weights of the saved network include it.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    temperature: float = 1.0

    def to_bytes(self) -> bytes:
        """Return the content of a safetensors file."""
        from safetensors.numpy import save

        arrays: dict[str, np.ndarray] = {
            "probabilities": np.ascontiguousarray(self.probabilities, np.float32),
            "labels": np.ascontiguousarray(self.labels, np.int64),
            "temperature": np.array([self.temperature], np.float32),
        }
        return bytes(save(arrays))

    @classmethod
    def from_bytes(cls, content: bytes, n_classes: int, where: str = HELD_OUT_NAME) -> HeldOut:
        """Read the output of `to_bytes`.

        Raises
        ------
        ModelFileError
            If the content is not a safetensors file of predictions for `n_classes` classes.
        """
        arrays = parse_arrays(content, where)
        expected = {
            "probabilities": (np.float32, (n_classes,)),
            "labels": (np.int64, ()),
            "temperature": (np.float32, ()),
        }
        fits = set(arrays) == set(expected) and all(
            arrays[name].dtype == kind and arrays[name].ndim == 1 + len(shape) and arrays[name].shape[1:] == shape
            for name, (kind, shape) in expected.items()
        )
        if not fits or len(arrays["temperature"]) != 1 or len(arrays["labels"]) != len(arrays["probabilities"]):
            raise ModelFileError(f"{where} does not hold probabilities of {n_classes} classes with labels. {FIX}")
        probabilities, labels = arrays["probabilities"], arrays["labels"]
        if not (np.isfinite(probabilities).all() and ((labels >= 0) & (labels < n_classes)).all()):
            raise ModelFileError(f"{where} holds NaN, infinity or unknown classes. {FIX}")
        return cls(probabilities, labels, float(arrays["temperature"][0]))


def read_held_out(folder: Path, config: ModelConfig) -> HeldOut | None:
    """Return the held-out predictions of the model in `folder`; None if it was saved without.

    Raises
    ------
    ModelFileError
        If the file is missing, altered, or of another kind.
    """
    content = read_optional(folder, config, HELD_OUT_NAME)
    return None if content is None else HeldOut.from_bytes(content, len(config.classes), str(folder / HELD_OUT_NAME))

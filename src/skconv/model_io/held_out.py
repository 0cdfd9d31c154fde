"""`HeldOut`: what a model answered to images that it was not trained on, kept with it for its prediction sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skconv.exceptions import ModelFileError
from skconv.model_io.config import ModelConfig
from skconv.model_io.folder import HELD_OUT_NAME, read_verified

_MOST_BYTES = 2**30
_MEND = "Copy the model folder again, or train again."


@dataclass(frozen=True, eq=False)  # arrays have no single truth value to compare by
class HeldOut:
    """Answers to validation images.

    Parameters
    ----------
    probabilities : ndarray of float32, shape (n, k)
        The finished model's.
    labels : ndarray of int64, shape (n,)
        The true classes, as positions 0..k-1.
    temperature : float
        What the logits of the trained network were divided by; the saved network has it in its weights.
    """

    probabilities: np.ndarray
    labels: np.ndarray
    temperature: float = 1.0

    def to_bytes(self) -> bytes:
        """Return the content of a safetensors file."""
        from safetensors.numpy import save

        tensors: dict[str, np.ndarray] = {
            "probabilities": np.ascontiguousarray(self.probabilities, np.float32),
            "labels": np.ascontiguousarray(self.labels, np.int64),
            "temperature": np.array([self.temperature], np.float32),
        }
        return bytes(save(tensors))

    @classmethod
    def from_bytes(cls, content: bytes, n_classes: int, where: str = HELD_OUT_NAME) -> HeldOut:
        """Read what `to_bytes` wrote.

        Raises
        ------
        ModelFileError
            No safetensors file, or one that holds anything but such answers.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            tensors = load(content)
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise ModelFileError(f"{where} is not a safetensors file ({reason}). {_MEND}") from error
        expected = {
            "probabilities": (np.float32, (n_classes,)),
            "labels": (np.int64, ()),
            "temperature": (np.float32, ()),
        }
        fits = set(tensors) == set(expected) and all(
            tensors[name].dtype == kind and tensors[name].ndim == 1 + len(shape) and tensors[name].shape[1:] == shape
            for name, (kind, shape) in expected.items()
        )
        if not fits or len(tensors["temperature"]) != 1 or len(tensors["labels"]) != len(tensors["probabilities"]):
            raise ModelFileError(f"{where} does not hold probabilities of {n_classes} classes with labels. {_MEND}")
        probabilities, labels = tensors["probabilities"], tensors["labels"]
        if not (np.isfinite(probabilities).all() and ((labels >= 0) & (labels < n_classes)).all()):
            raise ModelFileError(f"{where} holds NaN, infinity or unknown classes. {_MEND}")
        return cls(probabilities, labels, float(tensors["temperature"][0]))


def read_held_out(folder: Path, config: ModelConfig) -> HeldOut | None:
    """Return the answers that the model in `folder` was saved with; None if there are none.

    Raises
    ------
    ModelFileError
        The file is missing, altered, or not of this kind.
    """
    record = config.files.get(HELD_OUT_NAME)
    if record is None:
        return None
    path = folder / HELD_OUT_NAME
    if record.bytes > _MOST_BYTES:
        raise ModelFileError(f"{path} is said to hold {record.bytes:,} bytes; at most {_MOST_BYTES:,} are read.")
    return HeldOut.from_bytes(read_verified(path, record), len(config.classes), str(path))

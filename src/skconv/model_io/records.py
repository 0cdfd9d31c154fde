"""Optional files of a model folder: training fingerprints and predictions for held-out images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skconv.exceptions import DataError, ModelFileError
from skconv.model_io.config import ModelConfig
from skconv.model_io.folder import FINGERPRINTS_NAME, HELD_OUT_NAME, read_optional
from skconv.model_io.serialization import FIX, parse_arrays

_BYTES = 5  # per hash; with 60,000 training images, one in 18 million new images collides
_TENSOR = "hashes"


class TrainingFingerprints:
    """A set of images, stored as hashes of five bytes (n, 5); the images cannot be reconstructed.

    Two images are equal if they have the same height, width, channels and pixels; a shift by one pixel or lossy
    compression makes a different image.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 256, (10, 8, 8), np.uint8)
    >>> fingerprints = TrainingFingerprints.from_images(images[:6])
    >>> len(fingerprints), fingerprints.count(images), fingerprints.contains(images[4:8]).tolist()
    (6, 6, [True, True, False, False])
    """

    def __init__(self, hashes: np.ndarray) -> None:
        self._hashes = np.unique(_to_numbers(hashes))

    @classmethod
    def from_images(cls, images: np.ndarray) -> TrainingFingerprints:
        """Hash images, uint8 (n, height, width) or (n, height, width, 3); a memory map is permitted."""
        return cls(_hash_images(images))

    @classmethod
    def from_bytes(cls, content: bytes, where: str = FINGERPRINTS_NAME) -> TrainingFingerprints:
        """Read the output of `to_bytes`; raise `ModelFileError`, with the file name `where`, for other content."""
        arrays = parse_arrays(content, where)
        hashes = arrays.get(_TENSOR)
        if len(arrays) != 1 or hashes is None or hashes.dtype != np.uint8 or hashes.shape[1:] != (_BYTES,):
            held = ", ".join(f"'{name[:40]}' {each.dtype} {each.shape}" for name, each in list(arrays.items())[:3])
            raise ModelFileError(f"{where} has {held or 'nothing'}; expected '{_TENSOR}' uint8 (n, {_BYTES}). {FIX}")
        return cls(hashes)

    def to_bytes(self) -> bytes:
        """Return a safetensors file with the sorted hashes, uint8 (n, 5)."""
        from safetensors.numpy import save

        return bytes(save({_TENSOR: self._to_array()}))

    def union(self, other: TrainingFingerprints) -> TrainingFingerprints:
        """Return the union of both sets."""
        return TrainingFingerprints(np.concatenate([self._to_array(), other._to_array()]))

    def contains(self, images: np.ndarray) -> np.ndarray:
        """Return which images are in the set, bool (n,)."""
        return np.isin(_to_numbers(_hash_images(images)), self._hashes)

    def count(self, images: np.ndarray) -> int:
        """Return how many of `images` are in the set."""
        return int(self.contains(images).sum())

    def __len__(self) -> int:
        """Return the number of different images."""
        return len(self._hashes)

    def _to_array(self) -> np.ndarray:
        return np.ascontiguousarray(self._hashes.astype(">u8").view(np.uint8).reshape(-1, 8)[:, -_BYTES:])


@dataclass(frozen=True, eq=False)  # because == of arrays does not return a bool
class HeldOut:
    """Predictions for images that the model was not trained on."""

    probabilities: np.ndarray  # calibrated, float32 (n, k)
    labels: np.ndarray  # true classes 0..k-1, int64 (n,)
    temperature: float = 1.0  # fitted temperature; the saved weights include it

    def to_bytes(self) -> bytes:
        """Serialise the probabilities, labels and temperature to the bytes of a safetensors file."""
        from safetensors.numpy import save

        arrays: dict[str, np.ndarray] = {
            "probabilities": np.ascontiguousarray(self.probabilities, np.float32),
            "labels": np.ascontiguousarray(self.labels, np.int64),
            "temperature": np.array([self.temperature], np.float32),
        }
        return bytes(save(arrays))

    @classmethod
    def from_bytes(cls, content: bytes, n_classes: int, where: str = HELD_OUT_NAME) -> HeldOut:
        """Read the output of `to_bytes`; raise `ModelFileError` unless it has predictions for `n_classes` classes."""
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
            raise ModelFileError(f"{where} does not contain probabilities of {n_classes} classes with labels. {FIX}")
        probabilities, labels = arrays["probabilities"], arrays["labels"]
        if not (np.isfinite(probabilities).all() and ((labels >= 0) & (labels < n_classes)).all()):
            raise ModelFileError(f"{where} contains NaN, infinity or unknown classes. {FIX}")
        return cls(probabilities, labels, float(arrays["temperature"][0]))


def read_fingerprints(folder: Path, config: ModelConfig) -> TrainingFingerprints | None:
    """Return the training fingerprints of the model in `folder`, or None if it was saved without them."""
    content = read_optional(folder, config, FINGERPRINTS_NAME)
    return None if content is None else TrainingFingerprints.from_bytes(content, str(folder / FINGERPRINTS_NAME))


def read_held_out(folder: Path, config: ModelConfig) -> HeldOut | None:
    """Return the held-out predictions of the model in `folder`, or None if it was saved without them."""
    content = read_optional(folder, config, HELD_OUT_NAME)
    return None if content is None else HeldOut.from_bytes(content, len(config.classes), str(folder / HELD_OUT_NAME))


def _hash_images(images: np.ndarray) -> np.ndarray:
    """Return a hash of shape and pixels of each image, uint8 (n, 5)."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[3:] not in ((), (3,)):
        raise DataError(
            f"The images are {images.dtype} of shape {images.shape}; expected uint8 of shape (n, height, width) or "
            "(n, height, width, 3)."
        )
    shape = np.array(images.shape[1:], "<u4").tobytes()  # 8 or 12 bytes; the parameter `person` accepts up to 16
    digests = [hashlib.blake2b(image.tobytes(), digest_size=_BYTES, person=shape).digest() for image in images]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _BYTES)


def _to_numbers(hashes: np.ndarray) -> np.ndarray:
    """Return hashes (n, 5) as uint64 (n,), which NumPy can sort and search."""
    padded = np.zeros((len(hashes), 8), np.uint8)
    padded[:, -_BYTES:] = hashes
    return padded.view(">u8")[:, 0].astype(np.uint64)

"""Training fingerprints: a hash of every training image, so that a model is not scored on them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from skconv.exceptions import DataError, ModelFileError
from skconv.model_io.config import ModelConfig
from skconv.model_io.folder import FINGERPRINTS_NAME, read_optional
from skconv.model_io.serialization import FIX, parse_arrays

_BYTES = 5  # per hash: with 60,000 training images, a new image collides once in 18 million
_TENSOR = "hashes"


class TrainingFingerprints:
    """A set of images, stored as hashes of five bytes; the images cannot be reconstructed.

    Two images are equal if they have the same height, width, channels and pixels; a shift by one pixel or lossy
    compression makes another image.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, 5)
        As `to_bytes` writes them; see `from_images`.

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
        """Hash images.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
            May be a memory map.

        Raises
        ------
        DataError
            If dtype or shape is another.
        """
        return cls(_hash_images(images))

    @classmethod
    def from_bytes(cls, content: bytes, where: str = FINGERPRINTS_NAME) -> TrainingFingerprints:
        """Read the output of `to_bytes`.

        Raises
        ------
        ModelFileError
            If the content is not a safetensors file of hashes.
        """
        arrays = parse_arrays(content, where)
        hashes = arrays.get(_TENSOR)
        if len(arrays) != 1 or hashes is None or hashes.dtype != np.uint8 or hashes.shape[1:] != (_BYTES,):
            held = ", ".join(f"'{name[:40]}' {each.dtype} {each.shape}" for name, each in list(arrays.items())[:3])
            raise ModelFileError(f"{where} holds {held or 'nothing'}; expected '{_TENSOR}' uint8 (n, {_BYTES}). {FIX}")
        return cls(hashes)

    def to_bytes(self) -> bytes:
        """Return a safetensors file with the sorted hashes, uint8 (n, 5)."""
        from safetensors.numpy import save

        return bytes(save({_TENSOR: self._to_array()}))

    def union(self, other: TrainingFingerprints) -> TrainingFingerprints:
        """Return the set of the images of both."""
        return TrainingFingerprints(np.concatenate([self._to_array(), other._to_array()]))

    def contains(self, images: np.ndarray) -> np.ndarray:
        """Return which images are in the set, bool (n,); parameters and errors as in `from_images`."""
        return np.isin(_to_numbers(_hash_images(images)), self._hashes)

    def count(self, images: np.ndarray) -> int:
        """Return how many of the images are in the set."""
        return int(self.contains(images).sum())

    def __len__(self) -> int:
        """Return the number of different images."""
        return len(self._hashes)

    def _to_array(self) -> np.ndarray:
        return np.ascontiguousarray(self._hashes.astype(">u8").view(np.uint8).reshape(-1, 8)[:, -_BYTES:])


def read_fingerprints(folder: Path, config: ModelConfig) -> TrainingFingerprints | None:
    """Return the training fingerprints of the model in `folder`; None if it was saved without.

    Raises
    ------
    ModelFileError
        If the file is missing, altered, or of another kind.
    """
    content = read_optional(folder, config, FINGERPRINTS_NAME)
    return None if content is None else TrainingFingerprints.from_bytes(content, str(folder / FINGERPRINTS_NAME))


def _hash_images(images: np.ndarray) -> np.ndarray:
    """Return a hash of shape and pixels of each image, uint8 (n, 5)."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[3:] not in ((), (3,)):
        raise DataError(
            f"The images are {images.dtype} of shape {images.shape}; expected uint8 of shape (n, height, width) or "
            "(n, height, width, 3)."
        )
    shape = np.array(images.shape[1:], "<u4").tobytes()  # 8 or 12 bytes; the parameter `person` takes up to 16
    digests = [hashlib.blake2b(image.tobytes(), digest_size=_BYTES, person=shape).digest() for image in images]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _BYTES)


def _to_numbers(hashes: np.ndarray) -> np.ndarray:
    """Return hashes (n, 5) as uint64 (n,), which NumPy can sort and search."""
    padded = np.zeros((len(hashes), 8), np.uint8)
    padded[:, -_BYTES:] = hashes
    return padded.view(">u8")[:, 0].astype(np.uint64)

"""`TrainingFingerprints`: which images a model was trained on, so that it is never scored on them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from skconv.exceptions import DataError, ModelFileError
from skconv.model_io.config import ModelConfig
from skconv.model_io.folder import FINGERPRINTS_NAME, read_verified

_BYTES = 5  # of a hash: among 60,000 images a new one is taken for known once in 18 million times
_TENSOR = "hashes"
_MOST_BYTES = 2**30  # 200 million images
_MEND = "Copy the model folder again, or train again."


class TrainingFingerprints:
    """A set of images, remembered as a hash of five bytes each; the images cannot be had back from it.

    An image is known again if it has the same height, width, channels and pixels. One that was moved by a pixel or
    saved as JPEG since is another.

    Parameters
    ----------
    hashes : ndarray of uint8, shape (n, 5)
        As `to_bytes` writes them; see `from_images`.

    Examples
    --------
    >>> images = np.random.default_rng(0).integers(0, 256, (10, 8, 8), np.uint8)
    >>> seen = TrainingFingerprints.from_images(images[:6])
    >>> len(seen), seen.count(images), seen.contains(images[4:8]).tolist()
    (6, 6, [True, True, False, False])
    """

    def __init__(self, hashes: np.ndarray) -> None:
        self._hashes = np.unique(_to_numbers(hashes))

    @classmethod
    def from_images(cls, images: np.ndarray) -> TrainingFingerprints:
        """Remember images.

        Parameters
        ----------
        images : ndarray of uint8, shape (n, height, width) or (n, height, width, 3)
            May be a memory map.

        Raises
        ------
        DataError
            Another dtype or shape.
        """
        return cls(_hash_images(images))

    @classmethod
    def from_bytes(cls, content: bytes, where: str = FINGERPRINTS_NAME) -> TrainingFingerprints:
        """Read what `to_bytes` wrote.

        Raises
        ------
        ModelFileError
            No safetensors file, or one that holds anything but such hashes.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            tensors = load(content)
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise ModelFileError(f"{where} is not a safetensors file ({reason}). {_MEND}") from error
        hashes = tensors.get(_TENSOR)
        if len(tensors) != 1 or hashes is None or hashes.dtype != np.uint8 or hashes.shape[1:] != (_BYTES,):
            held = ", ".join(f"'{name[:40]}' {each.dtype} {each.shape}" for name, each in list(tensors.items())[:3])
            raise ModelFileError(
                f"{where} holds {held or 'nothing'}; expected '{_TENSOR}' uint8 (n, {_BYTES}). {_MEND}"
            )
        return cls(hashes)

    def to_bytes(self) -> bytes:
        """Return the content of a safetensors file: the sorted hashes, uint8 (n, 5)."""
        from safetensors.numpy import save

        return bytes(save({_TENSOR: self._list_hashes()}))

    def union(self, other: TrainingFingerprints) -> TrainingFingerprints:
        """Return the images of both."""
        return TrainingFingerprints(np.concatenate([self._list_hashes(), other._list_hashes()]))

    def contains(self, images: np.ndarray) -> np.ndarray:
        """Return which images are among those remembered, bool (n,); parameter and error as in `from_images`."""
        return np.isin(_to_numbers(_hash_images(images)), self._hashes)

    def count(self, images: np.ndarray) -> int:
        """Return how many of the images are among those remembered."""
        return int(self.contains(images).sum())

    def _list_hashes(self) -> np.ndarray:
        """Return the sorted hashes, uint8 (n, 5)."""
        return np.ascontiguousarray(self._hashes.astype(">u8").view(np.uint8).reshape(-1, 8)[:, -_BYTES:])

    def __len__(self) -> int:
        """Number of different images."""
        return len(self._hashes)


def read_fingerprints(folder: Path, config: ModelConfig) -> TrainingFingerprints | None:
    """Return the images that the model in `folder` was trained on; None if it was saved without.

    Raises
    ------
    ModelFileError
        The file is missing, altered, or not of this kind.
    """
    record = config.files.get(FINGERPRINTS_NAME)
    if record is None:
        return None
    path = folder / FINGERPRINTS_NAME
    if record.bytes > _MOST_BYTES:
        raise ModelFileError(f"{path} is said to hold {record.bytes:,} bytes; at most {_MOST_BYTES:,} are read.")
    return TrainingFingerprints.from_bytes(read_verified(path, record), str(path))


def _hash_images(images: np.ndarray) -> np.ndarray:
    """Return a hash of shape and pixels of each image, uint8 (n, 5)."""
    if images.dtype != np.uint8 or images.ndim not in (3, 4) or images.shape[3:] not in ((), (3,)):
        raise DataError(
            f"The images are {images.dtype} of shape {images.shape}; expected uint8 of shape (n, height, width) or "
            "(n, height, width, 3)."
        )
    shape = np.array(images.shape[1:], "<u4").tobytes()  # 8 or 12 bytes, and `person` takes up to 16
    digests = [hashlib.blake2b(image.tobytes(), digest_size=_BYTES, person=shape).digest() for image in images]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _BYTES)


def _to_numbers(hashes: np.ndarray) -> np.ndarray:
    """Return hashes (n, 5) as uint64 (n,), which can be sorted and looked up."""
    padded = np.zeros((len(hashes), 8), np.uint8)
    padded[:, -_BYTES:] = hashes
    return padded.view(">u8")[:, 0].astype(np.uint64)

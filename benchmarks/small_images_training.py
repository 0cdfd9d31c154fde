"""Images, result and time limit of a training that is compared in `small_images.py`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Predict = Callable[[np.ndarray], np.ndarray]  # uint8 images (n, height, width, channels) → labels (n,)

_N_TIMED = 64  # images predicted to estimate the time of the prediction


@dataclass(frozen=True)
class Training:
    """Images uint8 (n, height, width, channels), labels 0..n_classes - 1, and whether mirroring preserves the label."""

    images: np.ndarray
    labels: np.ndarray
    n_classes: int
    mirrored: bool


@dataclass(frozen=True)
class Fitted:
    """A trained classifier; `epochs` is None if there are none, `finished` is true if it needed no more time."""

    predict: Predict
    epochs: float | None = None
    finished: bool = False


class Clock:
    """Time limit of a process that predicts `n_test` images at its end.

    `started` is the time of its start, in seconds since the epoch.
    """

    def __init__(self, started: float, limit: float, n_test: int) -> None:
        self.begin, self.end, self.n_test = time.time(), started + limit, n_test

    @property
    def left(self) -> float:
        """Remaining seconds, at least 0."""
        return max(self.end - time.time(), 0.0)

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return self.left == 0

    @property
    def progress(self) -> float:
        """Share of the training time that has passed, 0..1."""
        return min((time.time() - self.begin) / max(self.end - self.begin, 1e-9), 1.0)

    def reserve(self, seconds: float) -> None:
        """Reduce the remaining time, and start the training time."""
        self.end -= seconds
        self.begin = time.time()

    def reserve_prediction(self, predict: Predict, images: np.ndarray) -> None:
        """Reserve the time to predict the test images, estimated from some training images."""
        some = images[:_N_TIMED]
        predict(some)  # the first call takes longer
        start = time.time()
        predict(some)
        self.reserve(1.1 * (time.time() - start) * self.n_test / len(some))


def choose_batch_size(n_images: int) -> int:
    """Return the batch size of the examples, and a smaller one for small data sets, so that they get enough steps."""
    return 128 if n_images >= 10_000 else 32

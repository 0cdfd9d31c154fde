"""`ImageSpec`: what images a model takes, and any image brought into that form."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

NORMALIZATIONS = ("digit",)
DIGIT_SIZE = (28, 28)  # of a normalised digit

_Item = TypeVar("_Item")
# Seconds: of less work, on images of some 100 pixels, Python is the greater part, which threads do in turn. Two of
# them then take longer than one, because each waits for the other whenever NumPy comes back.
_LONG = 0.02
_AHEAD = 4  # images a thread, so that a slow writer or reader does not leave thousands in memory


@dataclass(frozen=True)
class ImageSpec:
    """The form of the images that a model takes.

    Parameters
    ----------
    height, width : int
        In pixels.
    channels : {1, 3}
        Grey or colour.
    normalization : {"digit"} or None, default=None
        "digit": one digit, light on dark, as `skconv.normalize_digit` makes it. None: the whole image, as it is,
        brought to the size.

    Examples
    --------
    >>> form = ImageSpec(28, 28, 1)
    >>> form.fit(np.zeros((300, 200, 3), np.uint8)).shape
    (28, 28)
    """

    height: int
    width: int
    channels: int
    normalization: str | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the array of one image."""
        return (self.height, self.width) if self.channels == 1 else (self.height, self.width, 3)

    @property
    def longest(self) -> int | None:
        """How many pixels of an image's longer side suffice, as `open_image` takes it; None for all of them."""
        if self.normalization != "digit":
            return None
        from skconv.digits.preprocess.background import LONGEST_SIDE

        return LONGEST_SIDE

    def fit(self, image: np.ndarray) -> np.ndarray:
        """Return an image, uint8 (h, w) or (h, w, 3), in this form."""
        from skconv.images.opening import convert_image  # Pillow: a reader of arrays does without

        if self.normalization == "digit":
            from skconv.digits.preprocess.normalization import normalize_digit

            image = normalize_digit(image)
        return convert_image(image, self.height, self.width, self.channels)

    def preprocess_all(self, images: np.ndarray) -> np.ndarray:
        """Return images, uint8 (n, h, w) or (n, h, w, 3), in this form; those that are in it already as they are."""
        if images.shape[1:] == self.shape and self.normalization is None:
            return images
        fitted = np.empty((len(images), *self.shape), np.uint8)
        for index, image in enumerate(map_in_threads(self.fit, images)):
            fitted[index] = image
        return fitted


def map_in_threads(function: Callable[[_Item], Any], items: Iterable[_Item]) -> Iterator[Any]:
    """Yield what a function returns for each item, in their order; where that takes long, by a thread a core.

    Only a few results wait at any time. The first error ends the work and is raised.

    Parameters
    ----------
    function : callable
        Takes one item; NumPy, SciPy and Pillow let other threads run while they work.
    items : iterable

    Yields
    ------
    object

    Examples
    --------
    >>> list(map_in_threads(abs, [-1, -2]))
    [1, 2]
    """
    remaining = iter(items)
    for index, item in enumerate(remaining):
        begun = time.perf_counter()
        result = function(item)
        took = time.perf_counter() - begun
        yield result
        if index > 0 and took > _LONG:  # the first also loads what the function needs
            yield from _map_in_pool(function, remaining)


def _map_in_pool(function: Callable[[_Item], Any], items: Iterator[_Item]) -> Iterator[Any]:
    threads = os.cpu_count() or 1
    pool = ThreadPoolExecutor(threads)
    waiting: list[Any] = []
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= _AHEAD * threads:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
    finally:
        pool.shutdown(cancel_futures=True)

"""`ImageSpec`: size, channels and preprocessing of the images that a model accepts; mapping in threads."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from skconv.cpus import count_cpus
from skconv.registry import Registry

RESIZE_RULES = ("pad", "crop", "stretch")  # for images of another aspect ratio

_Item = TypeVar("_Item")
_MIN_SECONDS = 0.02  # per item; threads slow down shorter calls, because of the GIL
MAX_THREADS = 8  # bounds the memory: a thread decodes a photo of ten megapixels in about 100 MB
_OVERSAMPLING = 4  # a JPEG decoded at a lower multiple of the size differs visibly after resizing
_MAX_PENDING = 4  # results per thread; bounds the memory if the consumer is slow


@dataclass(frozen=True)
class PreprocessingStep:
    """A registered preprocessing step, applied to each image before it is resized.

    `function` accepts uint8 (h, w) or (h, w, 3) of any size and returns uint8 (h, w). `size` is the default (height,
    width) of the images for the model; `longest` the required length of the longer side of the input, as in
    `open_image`, None for the full resolution.
    """

    function: Callable[[np.ndarray], np.ndarray]
    size: tuple[int, int]
    longest: int | None = None


PREPROCESSING: Registry[PreprocessingStep] = Registry("preprocessing", "preprocessing step")


@dataclass(frozen=True)
class ImageSpec:
    """Format of the images that a model accepts: size in pixels, 1 channel (grey) or 3 (colour), preprocessing.

    `preprocessing` is the name of a registered step, applied before resizing: ``"digit"`` extracts one digit, light on
    dark, as `skconv.normalize_digit` does. `resize` is the rule for images of another aspect ratio, as in
    `skconv.images.resizing.convert_image`; None stretches them as "stretch" does, but decodes files at full size.

    Examples
    --------
    >>> spec = ImageSpec(28, 28, 1)
    >>> spec.preprocess(np.zeros((300, 200, 3), np.uint8)).shape
    (28, 28)
    """

    height: int
    width: int
    channels: int
    preprocessing: str | None = None
    resize: str | None = None

    @classmethod
    def for_step(cls, preprocessing: str, size: tuple[int, int] | None = None) -> ImageSpec:
        """Return the format of images after a preprocessing step, of `size` (height, width) or the step's default."""
        return cls(*(size or PREPROCESSING.get(preprocessing).size), 1, preprocessing)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image: (height, width) or (height, width, 3)."""
        return (self.height, self.width) if self.channels == 1 else (self.height, self.width, 3)

    @property
    def longest(self) -> int | None:
        """Required length of the longer side of an input, as in `open_image`; None for the full resolution."""
        return None if self.preprocessing is None else PREPROCESSING.get(self.preprocessing).longest

    @property
    def shortest(self) -> int | None:
        """Required length of the shorter side of an input, as in `open_image`; None for the full resolution."""
        if self.resize is None or self.preprocessing is not None:
            return None
        return _OVERSAMPLING * max(self.height, self.width)

    def open(self, path: str | os.PathLike[str]) -> np.ndarray:
        """Decode an image file at a resolution that is sufficient for `preprocess`; errors as in `open_image`."""
        from skconv.images.opening import open_image

        return open_image(path, longest=self.longest, shortest=self.shortest)

    def preprocess(self, image: np.ndarray) -> np.ndarray:
        """Preprocess and resize an image, uint8 (h, w) or (h, w, 3)."""
        from skconv.images.resizing import convert_image  # imports Pillow, which arrays of this shape do not need

        if self.preprocessing is not None:
            image = PREPROCESSING.get(self.preprocessing).function(image)
        return convert_image(image, self.height, self.width, self.channels, self.resize)

    def preprocess_all(self, images: np.ndarray) -> np.ndarray:
        """Preprocess and resize images, uint8 (n, h, w) or (n, h, w, 3); return `images` itself if nothing changes."""
        if images.shape[1:] == self.shape and self.preprocessing is None:
            return images
        result = np.empty((len(images), *self.shape), np.uint8)
        for index, image in enumerate(map_in_threads(self.preprocess, images)):
            result[index] = image
        return result


def map_in_threads(
    function: Callable[[_Item], Any], items: Iterable[_Item], *, max_threads: int = MAX_THREADS
) -> Iterator[Any]:
    """Yield `function(item)` for each item, in order; in several threads if a call takes more than 20 ms.

    There is one thread per processor that this process may use, at most `max_threads`, which bounds the memory of
    large items. `function` should release the GIL, as NumPy, SciPy and Pillow do. Few results are pending at any time.
    The first error stops the iteration and is raised.

    Examples
    --------
    >>> list(map_in_threads(abs, [-1, -2]))
    [1, 2]
    """
    remaining = iter(items)
    for index, item in enumerate(remaining):
        start = time.perf_counter()
        result = function(item)
        seconds = time.perf_counter() - start
        yield result
        if index > 0 and seconds > _MIN_SECONDS and max_threads != 1:  # excludes the first call, which may import
            yield from _map_in_pool(function, remaining, min(count_cpus(), max_threads))


def _map_in_pool(function: Callable[[_Item], Any], items: Iterator[_Item], threads: int) -> Iterator[Any]:
    pool = ThreadPoolExecutor(threads)
    pending: list[Any] = []
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= _MAX_PENDING * threads:
                yield pending.pop(0).result()
        while pending:
            yield pending.pop(0).result()
    finally:
        pool.shutdown(cancel_futures=True)

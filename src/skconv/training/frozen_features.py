"""Activations of the frozen stages of a pretrained network, computed once per image and view."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn

from skconv.data.memory import allocate_array
from skconv.progress import print_progress, show_progress
from skconv.text import format_count, format_estimate
from skconv.training.batches import Augment, BatchIterator, ImageDataset

_BATCH = 16  # images; the activations of larger batches exceed the processor's cache
_WARM_UP, _MEASURED = 1, 3  # batches before and during the measurement of the speed
_MIN_ESTIMATED = 5.0  # seconds; no estimate is printed for shorter times
_VIEWS_MAX, _ENOUGH = 8, 6000  # views per image; activations after which further views hardly help
_HALF_MAX = torch.finfo(torch.float16).max


@dataclass(frozen=True)
class FeatureExtractor:
    """Frozen stages of a network, with the settings of their computation.

    Parameters
    ----------
    network : Module
        Accepts float32 images (n, channels, height, width) and returns activations; see `make_extractor`.
    device : str
        Device of the computation. The activations are in the memory of the processor.
    augment : callable or None, default=None
        Augmentation of all views but the first, as in `BatchIterator`.
    seed : int, default=0
        Seed of the augmentation.
    progress : bool, default=False
        Print an estimate of the time, and show a progress bar in a terminal.
    """

    network: nn.Module
    device: str
    augment: Augment | None = None
    seed: int = 0
    progress: bool = False

    def measure(self, images: ImageDataset) -> float:
        """Return the seconds per image."""
        seconds = []
        for number, batch in enumerate(islice(self._iterate(images, 0), _WARM_UP + _MEASURED)):
            start = time.perf_counter()
            self._compute(batch)
            if number >= _WARM_UP or len(images) <= _BATCH:
                seconds.append((time.perf_counter() - start) / len(batch))
        return min(seconds)

    def compute(self, images: ImageDataset, n_views: int = 1) -> ImageDataset:
        """Return the activations of images as a data set with their labels and weights.

        It has `n_views` activations per image: the first of the image, the others of random augmentations of it.
        Repeated positions are computed once. The activations are in memory, or in a temporary file if they need more
        than half of the free memory. They are rounded to float16 unless they are vectors.
        """
        used, inverse = images.indices.unique(return_inverse=True)
        unique = ImageDataset(images.images, positions=used)
        n = len(used)
        stored: Tensor | None = None
        row = 0
        for features in self._iterate_features(unique, n_views):
            if stored is None:
                stored = _allocate(n * n_views, features)
            stored[row : row + len(features)] = features.clamp(-_HALF_MAX, _HALF_MAX)
            row += len(features)
        assert stored is not None
        rows = torch.cat([inverse + view * n for view in range(n_views)])
        return ImageDataset(
            stored,
            images.labels[used].repeat(n_views),
            None if images.weights is None else images.weights[used].repeat(n_views),
            rows,
        )

    def _iterate_features(self, images: ImageDataset, n_views: int) -> Iterator[Tensor]:
        """Yield the activations of the batches of all views, with progress."""
        n_batches = -(-len(images) // _BATCH)
        batches = (batch for view in range(n_views) for batch in self._iterate(images, view))
        start, done = time.perf_counter(), 0
        for number, batch in enumerate(show_progress(batches, "features", n_views * n_batches, progress=self.progress)):
            yield self._compute(batch)
            done += len(batch)
            if self.progress and number == _WARM_UP + _MEASURED:
                self._print_estimate(len(images), n_views, (time.perf_counter() - start) / done)

    def _print_estimate(self, n_images: int, n_views: int, per_image: float) -> None:
        seconds = per_image * n_images * n_views
        if seconds >= _MIN_ESTIMATED:
            views = f" in {n_views} views" if n_views > 1 else ""
            count = format_count(n_images, "image")
            print_progress(f"Computing the features of {count}{views} takes {format_estimate(seconds)}.")

    def _iterate(self, images: ImageDataset, view: int) -> Iterator[Tensor]:
        """Yield batches of float32 images; the augmentation depends on the seed and the view."""
        augment = self.augment if view else None
        iterator = BatchIterator(images, _BATCH, seed=self.seed, augment=augment, device=self.device)
        iterator.epoch = view  # seeds the augmentation
        for inputs, _ in iterator:
            yield inputs["images"] if isinstance(inputs, dict) else inputs

    @torch.inference_mode()
    def _compute(self, batch: Tensor) -> Tensor:
        return self.network(batch).float().cpu()


def count_views(n_images: int, augment: Augment | None) -> int:
    """Return the number of views per training image: 1 without augmentation, else 2 to 8, more for fewer images.

    Examples
    --------
    >>> count_views(3000, None), count_views(50, print), count_views(1500, print), count_views(10**6, print)
    (1, 8, 4, 2)
    """
    return 1 if augment is None else min(max(_ENOUGH // n_images, 2), _VIEWS_MAX)


def select_share(images: ImageDataset, share: float, seed: int) -> ImageDataset:
    """Return a random share of a data set, at least one image; the data set itself if the share is 1 or more."""
    if share >= 1:
        return images
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    chosen = order[: max(1, int(share * len(images)))].sort().values
    return ImageDataset(images.images, images.labels, images.weights, images.indices[chosen])


def _allocate(n: int, features: Tensor) -> Tensor:
    """Return an uninitialised tensor for activations like those of a batch."""
    dtype = np.float32 if features.ndim == 2 else np.float16
    what = f"The features of {format_count(n, 'image')}"
    remedy = "Pass a smaller --image-size, a larger freeze_fraction, no augmentation or fewer images"
    return torch.from_numpy(allocate_array((n, *features.shape[1:]), dtype, what, remedy))

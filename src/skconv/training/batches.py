"""Whole batches from one tensor of images; an image is never touched alone."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from skconv.distributed.process_group import BatchShard, ProcessGroup

Augment = Callable[..., Tensor]  # (images, generator), see `BatchIterator`


class ImageDataset(Dataset):
    """Images, labels and optional sample weights as tensors.

    Parameters
    ----------
    images : Tensor of uint8 or float32, shape (n, channels, height, width)
        May share the memory of a read-only memory map.
    labels : Tensor of int64, shape (n,), optional
        Class positions; zeros where there are none, as for prediction.
    weights : Tensor of float32, shape (n,), optional
        Sample weights of mean 1.
    positions : Tensor of int64, shape (m,), optional
        Use these images only, in this order; nothing is copied, so that a part of a memory map stays one.
    """

    def __init__(
        self,
        images: Tensor,
        labels: Tensor | None = None,
        weights: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> None:
        self.images = images
        self.labels = torch.zeros(len(images), dtype=torch.int64) if labels is None else labels
        self.weights = weights
        self.positions = positions

    def __len__(self) -> int:
        return len(self.images if self.positions is None else self.positions)

    def to(self, device: str) -> ImageDataset:
        """Return the same images in the memory of a CUDA device, so that batches are gathered there.

        They stay where they are, and batches are copied, for other devices and where they would take more than half of
        the device's free memory.
        """
        if torch.device(device).type != "cuda":
            return self
        parts = {"images": self.images, "labels": self.labels, "weights": self.weights, "positions": self.positions}
        there = {name: tensor for name, tensor in parts.items() if tensor is not None}
        if sum(tensor.nbytes for tensor in there.values()) > torch.cuda.mem_get_info(device)[0] / 2:
            return self
        return ImageDataset(**{name: tensor.to(device) for name, tensor in there.items()})

    def sample(self, most: int = 8192) -> Tensor:
        """Return at most `most` of the images, evenly spread, so that a memory map is not read whole."""
        step = max(1, -(-len(self) // most))
        return self.images[::step] if self.positions is None else self.images[self.positions[::step]]

    def __getitem__(self, index: Any) -> tuple[Any, Tensor]:
        """Return (images, labels) at `index`: an int, a slice or a tensor of positions.

        With weights the first item is the dictionary ``{"images": …, "sample_weight": …}``, as skorch passes them.
        """
        if self.positions is not None:
            index = self.positions[index]
        images, labels = self.images[index], self.labels[index]
        if self.weights is None:
            return images, labels
        return {"images": images, "sample_weight": self.weights[index]}, labels


class BatchIterator:
    """Iterate over a `ImageDataset` in whole batches; one pass of the iterator is one epoch.

    The order, and every random number of the augmentation, is a pure function of `seed` and the number of the epoch:
    an epoch can be repeated, or resumed, without replaying the ones before.

    Parameters
    ----------
    dataset : ImageDataset
        What to iterate over.
    batch_size : int, default=128
        Upper bound; batches are made equal to within one image, so that no small rest spoils batch statistics.
        Shuffled batches hold at least two images where there are two: one alone has no statistics.
    shuffle : bool, default=False
        New order each epoch.
    seed : int, default=0
        Seed of order and augmentation.
    augment : callable, optional
        ``augment(images, generator)``: float32 (n, channels, height, width) in, the same out. One with a true attribute
        `by_image` treats each image alone: it is also given ``share``, the `Share` of a whole batch that the
        images are, and draws as for all of it.
    max_batches : int, optional
        Stop for good after so many batches, over all epochs: the last epoch may be a part of one.
    device : str, default="cpu"
        Where batches are delivered; augmentation happens there.
    processes : Processes, optional
        Deliver only this process's share of every batch.

    Attributes
    ----------
    share : Share
        What was delivered last: all of a batch, or this process's share of it.

    Examples
    --------
    >>> images = ImageDataset(torch.zeros(10, 1, 4, 4, dtype=torch.uint8))
    >>> [len(labels) for images, labels in BatchIterator(images, batch_size=4)]
    [3, 3, 4]
    """

    def __init__(
        self,
        dataset: ImageDataset,
        batch_size: int = 128,
        *,
        shuffle: bool = False,
        seed: int = 0,
        augment: Augment | None = None,
        max_batches: int | None = None,
        device: str = "cpu",
        processes: ProcessGroup | None = None,
    ) -> None:
        self.dataset = dataset
        self.batch_size = len(dataset) if batch_size == -1 else batch_size
        self.shuffle, self.seed, self.augment, self.device = shuffle, seed, augment, device
        self.max_batches = max_batches
        self.processes = processes
        self.share = BatchShard(0, 0, 0)
        self.epoch = 0
        self._first = 0
        self._augmentation: torch.Generator | None = None
        self._state: Tensor | None = None

    def skip(self, n_batches: int, state: Tensor | None) -> None:
        """Begin the next epoch behind so many batches, with the `augmentation_state` that was left there."""
        self._first, self._state = n_batches, state

    def augmentation_state(self) -> Tensor | None:
        """Return the state of the augmentation's random numbers, uint8; None where there is no augmentation."""
        return None if self._augmentation is None else self._augmentation.get_state()

    def __len__(self) -> int:
        batches = -(-len(self.dataset) // self.batch_size)
        return min(batches, max(1, len(self.dataset) // 2)) if self.shuffle else batches

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        n_batches = len(self)
        bounds = [number * len(self.dataset) // n_batches for number in range(n_batches + 1)]
        if self.max_batches is not None:
            n_batches = min(max(self.max_batches - self.epoch * n_batches, 0), n_batches)
        first, self._first = self._first, 0
        order = None
        if self.shuffle:
            order = torch.randperm(len(self.dataset), generator=self._generator("order", "cpu"))
            order = order.to(self.dataset.images.device)
        if self.augment is not None:
            self._augmentation = self._generator("augmentation", self.device)
            if first and self._state is not None:
                self._augmentation.set_state(self._state)
        self.epoch += 1
        for start, stop in islice(pairwise(bounds), first, max(first, n_batches)):
            yield self._deliver(order, start, stop)

    def _deliver(self, order: Tensor | None, start: int, stop: int) -> tuple[Any, Tensor]:
        """Return the images from `start` to `stop` in that order, or this process's share of them."""
        whole = BatchShard(0, stop - start, stop - start)
        share = self.share = whole if self.processes is None else self.processes.take_shard(stop - start)
        by_image = self.augment is None or getattr(self.augment, "by_image", False)
        read = share if by_image else whole  # what mixes the images of a batch has to see them all
        first, last = start + read.start, start + read.stop
        inputs, labels = self.dataset[slice(first, last) if order is None else order[first:last]]
        images = inputs["images"] if isinstance(inputs, dict) else inputs
        images = images.to(self.device).to(torch.float32)
        if self.augment is not None and self._augmentation is not None:
            images = self.augment(images, self._augmentation, **({"share": share} if by_image else {}))
        own = slice(share.start - read.start, share.stop - read.start)
        images, labels = images[own], labels[own].to(self.device)
        if isinstance(inputs, dict):
            images = {"images": images, "sample_weight": inputs["sample_weight"][own].to(self.device)}
        return images, labels

    def _generator(self, purpose: str, device: str) -> torch.Generator:
        """Return the random numbers of this epoch for one purpose, unrelated to those of any other."""
        digest = hashlib.sha256(f"{purpose} {self.seed} {self.epoch}".encode()).digest()
        return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)

"""Data set of image tensors, and an iterator that reads a whole batch at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from skconv.distributed.process_group import BatchShard, ProcessGroup
from skconv.training.threads import adapt_threads

Augment = Callable[..., Tensor]  # (images, generator), see `BatchIterator`


class ImageDataset(Dataset):
    """Images, labels and optional sample weights as tensors.

    Parameters
    ----------
    images : Tensor of uint8 or float32, shape (n, channels, height, width)
        May share the memory of a read-only memory map.
    labels : Tensor of int64, shape (n,), optional
        Class indices; zeros by default, for prediction.
    weights : Tensor of float32, shape (n,), optional
        Sample weights of mean 1.
    positions : Tensor of int64, shape (m,), optional
        Images to select, in this order, without copying them.
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

    @property
    def indices(self) -> Tensor:
        """Positions of the selected images, int64 (m,), also if all are selected."""
        return torch.arange(len(self.images)) if self.positions is None else self.positions

    @property
    def selected_labels(self) -> Tensor:
        """Labels of the selected images, int64 (m,)."""
        return self.labels if self.positions is None else self.labels[self.positions]

    def to(self, device: str) -> ImageDataset:
        """Return a copy on a CUDA device if it needs at most half of its free memory, else the data set unchanged."""
        if torch.device(device).type != "cuda":
            return self
        fields = {"images": self.images, "labels": self.labels, "weights": self.weights, "positions": self.positions}
        tensors = {name: tensor for name, tensor in fields.items() if tensor is not None}
        if sum(tensor.nbytes for tensor in tensors.values()) > torch.cuda.mem_get_info(device)[0] / 2:
            return self
        return ImageDataset(**{name: tensor.to(device) for name, tensor in tensors.items()})

    def sample(self, max_images: int = 8192) -> Tensor:
        """Return at most `max_images` evenly spaced images, to avoid reading a whole memory map."""
        step = max(1, -(-len(self) // max_images))
        return self.images[::step] if self.positions is None else self.images[self.positions[::step]]

    def __getitem__(self, index: Any) -> tuple[Any, Tensor]:
        """Return (images, labels) at `index`: an int, a slice or a tensor of positions.

        With weights, the first item is a dictionary ``{"images": …, "sample_weight": …}``, as skorch passes them.
        """
        if self.positions is not None:
            index = self.positions[index]
        images, labels = self.images[index], self.labels[index]
        if self.weights is None:
            return images, labels
        return {"images": images, "sample_weight": self.weights[index]}, labels


class BatchIterator:
    """Iterator over whole batches of an `ImageDataset`; each pass is one epoch.

    The order of the images and the random numbers of the augmentation depend only on `seed` and the epoch number, so
    that an epoch can be repeated or resumed without the previous ones.

    Parameters
    ----------
    dataset : ImageDataset
    batch_size : int, default=128
        Maximum number of images per batch. The batch sizes differ by at most one image, because a small last batch
        would have noisy statistics. Shuffled batches have at least two images.
    shuffle : bool, default=False
        Shuffle the images in each epoch.
    seed : int, default=0
        Seed of the order and of the augmentation.
    augment : callable, optional
        ``augment(images, generator)`` accepts and returns float32 (n, channels, height, width). If its attribute
        `per_image` is true, it augments each image independently, also accepts ``shard``, the `BatchShard` of the
        images, and draws random numbers for the whole batch.
    max_batches : int, optional
        Stop after this many batches over all epochs, possibly within an epoch.
    device : str, default="cpu"
        Device of augmentation and of the returned batches.
    process_group : ProcessGroup, optional
        Return only this process's shard of each batch; the attribute `shard` is the shard of the current batch.

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
        process_group: ProcessGroup | None = None,
    ) -> None:
        self.dataset = dataset
        self.batch_size = len(dataset) if batch_size == -1 else batch_size
        self.shuffle, self.seed, self.augment, self.device = shuffle, seed, augment, device
        self.max_batches = max_batches
        self.process_group = process_group
        self.shard = BatchShard(0, 0, 0)
        self.epoch = 0
        self._n_skipped = 0
        self._augmentation: torch.Generator | None = None
        self._state: Tensor | None = None

    def skip(self, n_batches: int, state: Tensor | None) -> None:
        """Skip the first `n_batches` of the next epoch; `state` is the `augmentation_state` after them."""
        self._n_skipped, self._state = n_batches, state

    def augmentation_state(self) -> Tensor | None:
        """Return the state of the augmentation's random generator (uint8), or None without augmentation."""
        return None if self._augmentation is None else self._augmentation.get_state()

    def __len__(self) -> int:
        n_batches = -(-len(self.dataset) // self.batch_size)
        return min(n_batches, max(1, len(self.dataset) // 2)) if self.shuffle else n_batches

    def __iter__(self) -> Iterator[tuple[Any, Tensor]]:
        n_batches, n_before = len(self), self.epoch * len(self)
        bounds = [number * len(self.dataset) // n_batches for number in range(n_batches + 1)]
        first, self._n_skipped = self._n_skipped, 0
        order = None
        if self.shuffle:
            order = torch.randperm(len(self.dataset), generator=self._make_generator("order", "cpu"))
            order = order.to(self.dataset.images.device)
        if self.augment is not None:
            self._augmentation = self._make_generator("augmentation", self.device)
            if first and self._state is not None:
                self._augmentation.set_state(self._state)
        self.epoch += 1
        for number, (start, stop) in islice(enumerate(pairwise(bounds)), first, None):
            if self.max_batches is not None and n_before + number >= self.max_batches:  # may change during the epoch
                return
            adapt_threads()
            yield self._make_batch(order, start, stop)

    def _make_batch(self, order: Tensor | None, start: int, stop: int) -> tuple[Any, Tensor]:
        """Return the images and labels at positions `start` to `stop` of `order`, or this process's shard of them."""
        batch = BatchShard(0, stop - start, stop - start)
        shard = self.shard = batch if self.process_group is None else self.process_group.shard(stop - start)
        per_image = self.augment is None or getattr(self.augment, "per_image", False)
        read = shard if per_image else batch  # an augmentation that mixes images needs the whole batch
        first, last = start + read.start, start + read.stop
        inputs, labels = self.dataset[slice(first, last) if order is None else order[first:last]]
        images = inputs["images"] if isinstance(inputs, dict) else inputs
        images = images.to(self.device).to(torch.float32)
        if self.augment is not None and self._augmentation is not None:
            images = self.augment(images, self._augmentation, **({"shard": shard} if per_image else {}))
        own = slice(shard.start - read.start, shard.stop - read.start)
        images, labels = images[own], labels[own].to(self.device)
        if isinstance(inputs, dict):
            images = {"images": images, "sample_weight": inputs["sample_weight"][own].to(self.device)}
        return images, labels

    def _make_generator(self, purpose: str, device: str) -> torch.Generator:
        """Return the random generator of this epoch for `purpose`, "order" or "augmentation"."""
        digest = hashlib.sha256(f"{purpose} {self.seed} {self.epoch}".encode()).digest()
        return torch.Generator(device).manual_seed(int.from_bytes(digest[:8], "little") >> 1)

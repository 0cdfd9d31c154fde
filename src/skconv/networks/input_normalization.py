"""Input normalization: first layers of networks, fitted to the training images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_MIN_RANGE = 0.02  # fraction of the range of the training images; limits the amplification of noise


class InputNormalization(nn.Module):
    """Normalize each channel to mean 0 and standard deviation 1.

    Mean and standard deviation are buffers, one value per channel: weights files and ONNX graphs contain them, so that
    a model accepts unnormalized pixels.

    Examples
    --------
    >>> layer = InputNormalization(1)
    >>> layer.fit(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
    >>> layer(torch.tensor([[[[255.0]]]])), float(layer.mean)
    (tensor([[[[1.]]]]), 127.5)
    """

    mean: Tensor
    std: Tensor

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(in_channels, 1, 1))
        self.register_buffer("std", torch.ones(in_channels, 1, 1))

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Set the buffers from images (n, in_channels, height, width) of any dtype."""
        sample = images.to(torch.float64)  # a float32 sum of millions of bright pixels loses precision
        self.mean.copy_(sample.mean((0, 2, 3)).view_as(self.mean))
        std = sample.std((0, 2, 3), correction=0).view_as(self.std)
        self.std.copy_(torch.where(std > 0, std, torch.ones_like(std)))  # avoids infinite values for a constant channel

    @contextmanager
    def statistics_of(self, images: Tensor) -> Iterator[None]:
        """Use the statistics of `images` inside the block; no effect in this class, which uses none per image."""
        yield

    def forward(self, images: Tensor) -> Tensor:
        """Normalize images (n, in_channels, height, width)."""
        return (images - self.mean) / self.std


class ContrastNormalization(InputNormalization):
    """Stretch the contrast of each image to the range of the training images, then apply `InputNormalization`.

    Predictions then do not depend on contrast and brightness. An image that spans the whole range is not changed. All
    channels of an image are stretched alike.

    Examples
    --------
    >>> layer = ContrastNormalization(1)
    >>> layer.fit(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
    >>> layer(torch.tensor([[[[100.0, 120.0]]]]))
    tensor([[[[-1.,  1.]]]])
    """

    low: Tensor
    high: Tensor

    def __init__(self, in_channels: int) -> None:
        super().__init__(in_channels)
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.ones(()))
        self._statistics: tuple[Tensor, Tensor] | None = None

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Set the buffers from images (n, in_channels, height, width) of any dtype."""
        self.low.copy_(images.min())
        self.high.copy_(images.max())
        super().fit(self._stretch(images.to(torch.float32)))

    @contextmanager
    def statistics_of(self, images: Tensor) -> Iterator[None]:
        """Stretch by the ranges of `images` inside the block: one for all images of a batch, or one for each."""
        self._statistics = self._measure(images)
        try:
            yield
        finally:
            self._statistics = None

    def forward(self, images: Tensor) -> Tensor:
        """Stretch and normalize images (n, in_channels, height, width)."""
        return super().forward(self._stretch(images))

    def _stretch(self, images: Tensor) -> Tensor:
        minimum, factor = self._measure(images) if self._statistics is None else self._statistics
        return self.low + (images - minimum) * factor

    def _measure(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the minimum of each image and the factor that stretches it to the range of the training images."""
        full_range = self.high - self.low
        minimum = images.amin((1, 2, 3), keepdim=True)
        image_range = torch.maximum(images.amax((1, 2, 3), keepdim=True) - minimum, _MIN_RANGE * full_range)
        # Avoid a division by 0 if all training images are constant.
        return minimum, full_range / torch.where(image_range > 0, image_range, torch.ones_like(image_range))

"""First layers of networks: what brings the pixels of an image to the numbers that a network works on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_LEAST_RANGE = 0.02  # of the training images': what hardly varies is noise, and is not brought to full contrast


class InputNormalization(nn.Module):
    """First layer of every network: brings pixels to mean 0 and standard deviation 1.

    Mean and standard deviation are buffers, one value a channel: weights files and ONNX graphs carry them, and a
    model is always fed the pixels as they are in the image.

    Parameters
    ----------
    in_channels : int
        1 for grey, 3 for colour.

    Examples
    --------
    >>> layer = Scaling(1)
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
        """Set mean and standard deviation from images (n, in_channels, height, width) of any dtype."""
        sample = images.to(torch.float64)  # in float32 a sum of millions of bright pixels loses its last digits
        self.mean.copy_(sample.mean((0, 2, 3)).view_as(self.mean))
        spread = sample.std((0, 2, 3), correction=0).view_as(self.std)
        self.std.copy_(torch.where(spread > 0, spread, torch.ones_like(spread)))  # a constant channel stays finite

    @contextmanager
    def statistics_of(self, images: Tensor) -> Iterator[None]:
        """Within this context, scale all images as these are: the same, where none is scaled by what it is itself."""
        yield

    def forward(self, images: Tensor) -> Tensor:
        """Scale (n, in_channels, height, width)."""
        return (images - self.mean) / self.std


class RangeNormalization(InputNormalization):
    """Brings the range of the images, from their least to their greatest pixel, to `low`..`high`.

    Parameters
    ----------
    in_channels : int
        1 for grey, 3 for colour.
    low, high : float
        Where the least and the greatest pixel over all channels go; low < high.

    Examples
    --------
    >>> layer = RangeNormalization(1, -1, 1)
    >>> layer.fit(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
    >>> layer(torch.tensor([[[[0.0, 255.0]]]]))
    tensor([[[[-1.,  1.]]]])
    """

    def __init__(self, in_channels: int, low: float, high: float) -> None:
        super().__init__(in_channels)
        self.low, self.high = low, high

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Set the buffers from images (n, in_channels, height, width) of any dtype: all channels share one range."""
        least, greatest = float(images.min()), float(images.max())
        step = (greatest - least) / (self.high - self.low) or 1.0  # images of one colour stay finite
        self.mean.fill_(least - self.low * step)
        self.std.fill_(step)


class ContrastNormalization(InputNormalization):
    """Brings every image to the range of the training images, then to mean 0 and standard deviation 1.

    A pale image, a dark one, one against a bright ground then look to the network as they would in full contrast; an
    image that reaches from the least to the greatest pixel stays as it is. All channels of an image share one range.

    Parameters
    ----------
    in_channels : int
        1 for grey, 3 for colour.

    References
    ----------
    Gonzalez, Woods: "Digital image processing" (contrast stretching).

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
        self._held: tuple[Tensor, Tensor] | None = None

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Set the range, and mean and standard deviation of what is stretched, from images of any dtype."""
        self.low.copy_(images.min())
        self.high.copy_(images.max())
        super().fit(self._stretch(images.to(torch.float32)))

    @contextmanager
    def statistics_of(self, images: Tensor) -> Iterator[None]:
        """Within this context, stretch all images by the range of these: (1, …), or as many as will come."""
        self._held = self._measure(images)
        try:
            yield
        finally:
            self._held = None

    def forward(self, images: Tensor) -> Tensor:
        """Stretch and scale (n, in_channels, height, width)."""
        return super().forward(self._stretch(images))

    def _stretch(self, images: Tensor) -> Tensor:
        least, factor = self._measure(images) if self._held is None else self._held
        return self.low + (images - least) * factor

    def _measure(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the least pixel of each image, and by what to multiply what lies above it."""
        full = self.high - self.low
        least = images.amin((1, 2, 3), keepdim=True)
        extent = torch.maximum(images.amax((1, 2, 3), keepdim=True) - least, _LEAST_RANGE * full)
        # Images of one colour, in a data set of such, have no range at all and stay finite.
        return least, full / torch.where(extent > 0, extent, torch.ones_like(extent))

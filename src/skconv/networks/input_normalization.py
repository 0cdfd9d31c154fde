"""Input normalization: first layers of networks, fitted to the training images."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_MIN_RANGE = 0.02  # fraction of the range of the training images; limits the amplification of noise
_MIN_VARIANCE = 5e-4  # added to the variance of each principal component; limits the amplification of noise
_MAX_VALUES = 10_000_000  # pixel values from which the principal components are computed


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


class PatchWhitening(nn.Module):
    """Fixed convolution without padding, whose filters are the whitened principal components of image patches.

    Over the patches of the training images, the outputs of its filters are uncorrelated, with a variance of 1. Each
    filter is present with both signs, so that an activation after the layer loses no information. It has no gradient.
    Before the components are known, the filters are random.

    Parameters
    ----------
    in_channels : int
    image_size : (int, int)
        Height and width of the images in pixels.
    stride : int, default=1
        Distance of adjacent patches, which overlap by one pixel: a patch has ``stride + 1`` pixels per side.
    max_components : int, default=12
        Maximum number of principal components, those of the largest variance.

    Attributes
    ----------
    channels : int
        Number of filters.
    size : (int, int)
        Height and width of the output.

    References
    ----------
    Jordan: "94% on CIFAR-10 in 3.29 seconds on a single GPU", 2024.

    Examples
    --------
    >>> layer = PatchWhitening(3, (32, 32))
    >>> layer.fit(torch.rand(100, 3, 32, 32))
    >>> layer(torch.zeros(2, 3, 32, 32)).shape, layer.channels, layer.size
    (torch.Size([2, 24, 31, 31]), 24, (31, 31))
    """

    filters: Tensor
    variances: Tensor  # of all principal components, in descending order; 0 before `fit`

    def __init__(
        self, in_channels: int, image_size: tuple[int, int], *, stride: int = 1, max_components: int = 12
    ) -> None:
        super().__init__()
        height, width = (min(stride + 1, side) for side in image_size)
        n_components = min(in_channels * height * width, max_components)
        self.stride = stride
        self.channels = 2 * n_components
        self.size = ((image_size[0] - height) // stride + 1, (image_size[1] - width) // stride + 1)
        filters = nn.init.orthogonal_(torch.empty(n_components, in_channels, height, width))
        self.register_buffer("filters", torch.cat([filters, -filters]))
        # Its shape depends on that of the patches, so that it is loaded from another model only with the filters.
        self.register_buffer("variances", torch.zeros(in_channels * height * width))

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Set the filters from normalized images (n, in_channels, height, width), unless they are set already.

        The layers after it depend on its filters, so those of another model are retained with its weights.
        """
        if self.variances.any():
            return
        patches = F.unfold(images, self.filters.shape[2:], stride=self.stride)  # (n, values per patch, patches)
        columns = patches.transpose(0, 1).flatten(1).double()
        variances, components = torch.linalg.eigh(columns @ columns.T / columns.shape[1])
        variances, components = variances.flip(0).clamp(min=0), components.flip(1)[:, : self.channels // 2]
        self.variances.copy_(variances)
        # The sign of an eigenvector is arbitrary. A fixed sign makes the weights reproducible.
        largest = components.gather(0, components.abs().argmax(0, keepdim=True))
        filters = (components * largest.sign() / (variances[: self.channels // 2] + _MIN_VARIANCE).sqrt()).T
        self.filters.copy_(torch.cat([filters, -filters]).view_as(self.filters))

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, channels, *size) of normalized images (n, in_channels, height, width)."""
        with torch.autocast(images.device.type, enabled=False):  # filters of small components amplify rounding
            return F.conv2d(images.float(), self.filters, stride=self.stride)


class WhiteningNormalization(InputNormalization):
    """`InputNormalization` that also fits a `PatchWhitening` of the same network, to the normalized images."""

    def __init__(self, in_channels: int, whitening: PatchWhitening) -> None:
        super().__init__(in_channels)
        self._whitening = [whitening]  # in a list, so that it is not a submodule of this layer too

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Set the buffers and the filters from images (n, in_channels, height, width) of any dtype."""
        super().fit(images)
        whitening = self._whitening[0]
        step = -(-images.numel() // _MAX_VALUES)
        whitening.fit(self(images[::step].to(self.mean.dtype)))

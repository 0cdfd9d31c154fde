"""`Network`, the base class of networks, and their building blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skconv.networks.input_normalization import InputNormalization
from skconv.networks.logit_calibration import LogitCalibration

LUMA = (0.299, 0.587, 0.114)  # weights of red, green and blue in grey (ITU-R BT.601), as in Pillow
_SHIFTS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))  # pixels down and to the right


class Network(nn.Module):
    """Base class of networks: input normalization, classification, logit calibration.

    A subclass implements `classify`. The first layer is fitted to the training images, the last one by calibration.
    """

    channels_last = True  # whether images and weights are in torch's memory format channels_last, which is faster

    def __init__(self, input_normalization: InputNormalization, logit_calibration: LogitCalibration) -> None:
        super().__init__()
        self.input_normalization = input_normalization
        self.logit_calibration = logit_calibration

    @property
    def n_views(self) -> int:
        """Number of copies of an image that `classify` averages the output of `head` over in evaluation mode."""
        return 1

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, num_classes) of images (n, in_channels, height, width)."""
        return self.logit_calibration(self.classify(self.input_normalization(images)))

    def classify(self, images: Tensor) -> Tensor:
        """Return uncalibrated logits (n, num_classes) of normalized images (n, in_channels, height, width)."""
        raise NotImplementedError


class ConvBlock(nn.Sequential):
    """Convolution, optional 2×2 max pooling, batch norm, activation.

    The argument `size` is the height and width of the input in pixels, the attribute `size` that of the output. With
    `valid`, there is no padding if at least two pixels per side remain; otherwise padding preserves the size. `pool`
    halves each side of at least 2 pixels. Pooling precedes batch norm and activation, which then process a quarter of
    the values with nearly the same result. The activation is ReLU by default.

    Examples
    --------
    >>> block = ConvBlock(1, 8, size=(28, 28), kernel_size=5, valid=True, pool=True)
    >>> block.size, block(torch.zeros(2, 1, 28, 28)).shape
    ((12, 12), torch.Size([2, 8, 12, 12]))
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        size: tuple[int, int],
        kernel_size: int = 3,
        valid: bool = False,
        pool: bool = False,
        activation: nn.Module | None = None,
    ) -> None:
        margin = kernel_size - 1 if valid and min(size) > kernel_size else 0
        size = (size[0] - margin, size[1] - margin)
        padding = 0 if margin else kernel_size // 2
        layers: list[nn.Module] = [nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, bias=False)]
        window = (min(2, size[0]), min(2, size[1]))
        if pool and window != (1, 1):
            layers.append(nn.MaxPool2d(window))
            size = (size[0] // window[0], size[1] // window[1])
        super().__init__(*layers, nn.BatchNorm2d(out_channels), activation or nn.ReLU(inplace=True))
        self.size = size


class SpaceToDepth(nn.Module):
    """Rearrange 2×2 pixels into four channels, (n, c, h, w) → (n, 4c, h/2, w/2), dropping an odd last row or column.

    A convolution of one channel at full resolution is the slowest layer of a small network on a CPU. The same number of
    multiplications on four channels at half the resolution takes a fraction of the time. Images with a side shorter
    than `min_side` pixels are returned unchanged. The attributes `channels` and `size` describe the output.

    References
    ----------
    Shi et al.: "Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
    network", CVPR 2016 (the inverse rearrangement).

    Examples
    --------
    >>> layer = SpaceToDepth(1, (28, 29))
    >>> layer.channels, layer.size, layer(torch.zeros(2, 1, 28, 29)).shape
    (4, (14, 14), torch.Size([2, 4, 14, 14]))
    """

    def __init__(self, in_channels: int, size: tuple[int, int], min_side: int = 16) -> None:
        super().__init__()
        self.applies = min(size) >= min_side
        self.channels = 4 * in_channels if self.applies else in_channels
        self.size = (size[0] // 2, size[1] // 2) if self.applies else size

    def forward(self, images: Tensor) -> Tensor:
        """Return images (n, in_channels, height, width) as (n, 4 * in_channels, height // 2, width // 2)."""
        if not self.applies:
            return images
        return F.pixel_unshuffle(images[:, :, : 2 * self.size[0], : 2 * self.size[1]], 2)


class Scale(nn.Module):
    """Multiplication by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, values: Tensor) -> Tensor:
        """Return the multiplied values."""
        return self.factor * values


class GlobalMaxPool(nn.Module):
    """Global max pooling: (n, channels, height, width) → (n, channels)."""

    def forward(self, features: Tensor) -> Tensor:
        """Return the maximum of each channel."""
        return features.amax((2, 3))


@contextmanager
def single_view(network: Any) -> Iterator[None]:
    """Predict without test-time augmentation inside the block."""
    if getattr(network, "n_views", 1) == 1:
        yield
        return
    before, network.tta = network.tta, "none"
    try:
        yield
    finally:
        network.tta = before


def crop_margin(images: Tensor, margin: int, down: int = 0, right: int = 0) -> Tensor:
    """Return a view of images (n, c, height, width) without their margin, shifted by `down` and `right` pixels."""
    height, width = images.shape[2] - 2 * margin, images.shape[3] - 2 * margin
    top, left = margin + down, margin + right
    return images[:, :, top : top + height, left : left + width]


def mean_over_shifts(predict: Callable[[Tensor], Tensor], images: Tensor, margin: int) -> Tensor:
    """Return the mean logits (n, k) over the centre crop of each image and four crops shifted by one pixel.

    `predict` accepts (n, c, height - 2 * margin, width - 2 * margin) and returns (n, k). It is called five times,
    because one batch five times as large would need more memory than training. The margin is at least one pixel.

    Examples
    --------
    >>> mean_over_shifts(lambda images: images.flatten(1), torch.eye(3)[None, None], 1)
    tensor([[0.2000]])
    """
    return torch.stack([predict(crop_margin(images, margin, *shift)) for shift in _SHIFTS]).mean(0)


def mean_over_flips(predict: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Return the mean logits (n, k) over each image (n, c, height, width) and its mirror image.

    Examples
    --------
    >>> mean_over_flips(lambda images: images.flatten(1), torch.tensor([[[[1.0, 3.0]]]]))
    tensor([[2., 2.]])
    """
    return (predict(images) + predict(images.flip(3))) / 2


def rotate(images: Tensor, degrees: float) -> Tensor:
    """Rotate images (n, c, height, width) clockwise about their centre; pixels outside an image repeat its border.

    Examples
    --------
    >>> rotate(torch.tensor([[[[1.0, 2.0], [4.0, 3.0]]]]), 90).round()
    tensor([[[[4., 1.],
              [3., 2.]]]])
    """
    n, _, height, width = images.shape
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    y = (torch.arange(height, device=images.device) + 0.5 - height / 2)[:, None]  # pixels from the centre
    x = (torch.arange(width, device=images.device) + 0.5 - width / 2)[None, :]
    grid_x, grid_y = (cos * x + sin * y) * (2 / width), (cos * y - sin * x) * (2 / height)
    grid = torch.stack([grid_x, grid_y], dim=2).expand(n, -1, -1, -1)  # the grid spans -1..1
    return F.grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)

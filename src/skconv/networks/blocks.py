"""Building blocks that the network families share."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skconv.networks.input_normalization import InputNormalization
from skconv.networks.logit_calibration import LogitCalibration

_SHIFTS = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))  # pixels down and to the right


class Network(nn.Module):
    """Base of every network: pixels in, logits out; its `scaling` comes first, its `answers` last.

    What is special to a network is its method `classify`.

    Parameters
    ----------
    scaling : Scaling
        Applied to the images before all else; training sets it to them.
    answers : Answers
        Applied to the logits after all else, outside training; set to the label smoothing, and by a calibration.
    """

    def __init__(self, input_normalization: InputNormalization, logit_calibration: LogitCalibration) -> None:
        super().__init__()
        self.input_normalization = input_normalization
        self.logit_calibration = logit_calibration

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, num_classes) of images (n, in_channels, height, width)."""
        return self.logit_calibration(self.classify(self.input_normalization(images)))

    def classify(self, scaled: Tensor) -> Tensor:
        """Return logits (n, num_classes), as they are trained, of scaled images (n, in_channels, height, width)."""
        raise NotImplementedError


class ConvBlock(nn.Sequential):
    """Convolution, optional 2×2 max pooling, batch norm, ReLU.

    Pooling stands *before* normalisation and activation: ReLU is monotonic, so the result hardly differs, and
    both then work on a quarter of the memory.

    Parameters
    ----------
    in_channels, out_channels : int
        Channels before and after.
    size : (int, int)
        Height and width of the input in pixels; the size after the block is `size` of the made block.
    kernel_size : int, default=3
        Side of the square kernel.
    valid : bool, default=False
        Without padding where that leaves at least two pixels a side; else padded to keep the size.
    pool : bool, default=False
        Halve each side that is at least 2 pixels long.

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
    ) -> None:
        margin = kernel_size - 1 if valid and min(size) > kernel_size else 0
        size = (size[0] - margin, size[1] - margin)
        padding = 0 if margin else kernel_size // 2
        layers: list[nn.Module] = [nn.Conv2d(in_channels, out_channels, kernel_size, padding=padding, bias=False)]
        window = (min(2, size[0]), min(2, size[1]))
        if pool and window != (1, 1):
            layers.append(nn.MaxPool2d(window))
            size = (size[0] // window[0], size[1] // window[1])
        super().__init__(*layers, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True))
        self.size = size


class SpaceToDepth(nn.Module):
    """Every 2×2 pixels become four channels: (n, c, h, w) → (n, 4c, h/2, w/2); an odd last row or column is left out.

    A convolution of one channel at full resolution is the slowest step of a small network on a processor: the same sums
    on four channels at half the resolution take a fraction of the time.

    Parameters
    ----------
    in_channels : int
        Channels of the images.
    size : (int, int)
        Their height and width in pixels.
    least : int, default=16
        Images with a shorter side are passed on as they are.

    References
    ----------
    Shi et al.: "Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
    network", CVPR 2016 (the rearrangement, in the other direction).

    Examples
    --------
    >>> half = SpaceToDepth(1, (28, 29))
    >>> half.channels, half.size, half(torch.zeros(2, 1, 28, 29)).shape
    (4, (14, 14), torch.Size([2, 4, 14, 14]))
    """

    def __init__(self, in_channels: int, size: tuple[int, int], least: int = 16) -> None:
        super().__init__()
        self.applies = min(size) >= least
        self.channels = 4 * in_channels if self.applies else in_channels
        self.size = (size[0] // 2, size[1] // 2) if self.applies else size

    def forward(self, images: Tensor) -> Tensor:
        """Rearrange (n, in_channels, height, width)."""
        if not self.applies:
            return images
        return F.pixel_unshuffle(images[:, :, : 2 * self.size[0], : 2 * self.size[1]], 2)


class GlobalMaxPool(nn.Module):
    """The largest activation of each channel: (n, channels, height, width) → (n, channels)."""

    def forward(self, features: Tensor) -> Tensor:
        """Reduce (n, channels, height, width) to (n, channels)."""
        return features.amax((2, 3))


def crop_margin(images: Tensor, margin: int, down: int = 0, right: int = 0) -> Tensor:
    """Cut a margin off (n, c, height, width), a little farther down and to the right; a view."""
    height, width = images.shape[2] - 2 * margin, images.shape[3] - 2 * margin
    top, left = margin + down, margin + right
    return images[:, :, top : top + height, left : left + width]


def mean_over_shifts(look: Callable[[Tensor], Tensor], images: Tensor, margin: int) -> Tensor:
    """Return the mean of what a function gives for images without their margin, there and moved by a pixel.

    Parameters
    ----------
    look : callable
        Takes (n, c, height - 2 * margin, width - 2 * margin), returns logits (n, k). Called five times in turn, not on
        a batch five times as large: memory stays what it is in training.
    images : Tensor, shape (n, c, height, width)
    margin : int
        Pixels, at least 1.

    Returns
    -------
    Tensor, shape (n, k)

    Examples
    --------
    >>> mean_over_shifts(lambda images: images.flatten(1), torch.eye(3)[None, None], 1)
    tensor([[0.2000]])
    """
    return torch.stack([look(crop_margin(images, margin, *shift)) for shift in _SHIFTS]).mean(0)


def turn(images: Tensor, degrees: float) -> Tensor:
    """Turn images about their centre; what comes from outside repeats the border.

    Parameters
    ----------
    images : Tensor, shape (n, c, height, width)
    degrees : float
        Clockwise where positive.

    Returns
    -------
    Tensor, shape (n, c, height, width)

    Examples
    --------
    >>> turn(torch.tensor([[[[1.0, 2.0], [4.0, 3.0]]]]), 90).round()
    tensor([[[[4., 1.],
              [3., 2.]]]])
    """
    n, _, height, width = images.shape
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    down = (torch.arange(height, device=images.device) + 0.5 - height / 2)[:, None]  # pixels from the centre
    right = (torch.arange(width, device=images.device) + 0.5 - width / 2)[None, :]
    across, along = (cos * right + sin * down) * (2 / width), (cos * down - sin * right) * (2 / height)
    grid = torch.stack([across, along], dim=2).expand(n, -1, -1, -1)  # -1..1 from border to border
    return F.grid_sample(images, grid.to(images.dtype), padding_mode="border", align_corners=False)

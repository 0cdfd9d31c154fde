"""Networks of the tutorials T1 to T5, used by the recipes `t1-…` to `t5-…`."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from skconv.networks.blocks import Network
from skconv.networks.input_normalization import InputNormalization
from skconv.networks.logit_calibration import LogitCalibration
from skconv.networks.registry import register_network


class RangeNormalization(InputNormalization):
    """Map the range of the training images linearly to `low`..`high`, the same for all channels.

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
        """Set the buffers from images (n, in_channels, height, width) of any dtype."""
        minimum, maximum = float(images.min()), float(images.max())
        step = (maximum - minimum) / (self.high - self.low) or 1.0  # avoids infinite values for constant images
        self.mean.fill_(minimum - self.low * step)
        self.std.fill_(step)


class Features(nn.Sequential):
    """Convolutional layers, added one by one; `channels` and `size` (height, width) describe their output.

    Examples
    --------
    >>> features = Features(1, (28, 28)).convolve(8).add(nn.ReLU()).pool(nn.MaxPool2d)
    >>> features.channels, features.size
    (8, (14, 14))
    """

    def __init__(self, in_channels: int, image_size: tuple[int, int]) -> None:
        super().__init__()
        self.channels, self.size = in_channels, image_size

    def convolve(self, out_channels: int, kernel_size: int = 3, *, stride: int = 1, valid: bool = False) -> Self:
        """Add a convolution with biases, padded by half the kernel unless `valid` and the image is large enough."""
        padding = 0 if valid and min(self.size) > kernel_size else kernel_size // 2
        self.append(nn.Conv2d(self.channels, out_channels, kernel_size, stride, padding))
        height, width = ((side + 2 * padding - kernel_size) // stride + 1 for side in self.size)
        self.channels, self.size = out_channels, (height, width)
        return self

    def pool(self, kind: type[nn.MaxPool2d] | type[nn.AvgPool2d]) -> Self:
        """Add 2×2 pooling, which leaves a side of one pixel unchanged."""
        height, width = (min(2, side) for side in self.size)
        self.append(kind((height, width)))
        self.size = (self.size[0] // height, self.size[1] // width)
        return self

    def add(self, *layers: nn.Module) -> Self:
        """Add layers that do not change the shape."""
        self.extend(layers)
        return self

    def normalize(self) -> Self:
        """Add batch norm."""
        return self.add(nn.BatchNorm2d(self.channels))


class TutorialNetwork(Network):
    """Input normalization, features, and linear layers on the flattened features.

    `hidden` contains the number of units of each linear layer but the last. Dropout with probability `dropout`, 0..1,
    follows the ReLU of the first linear layer.
    """

    def __init__(
        self,
        input_normalization: InputNormalization,
        features: Features,
        *,
        hidden: tuple[int, ...] = (),
        num_classes: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(input_normalization, LogitCalibration(num_classes))
        self.features = features
        self.classifier = nn.Sequential(nn.Flatten())
        units = features.channels * features.size[0] * features.size[1]
        for number, width in enumerate(hidden):
            self.classifier.extend([nn.Linear(units, width), nn.ReLU()])
            if number == 0 and dropout:
                self.classifier.append(nn.Dropout(dropout))
            units = width
        self.classifier.append(nn.Linear(units, num_classes))

    def classify(self, images: Tensor) -> Tensor:
        """Return uncalibrated logits (n, num_classes) of normalized images (n, in_channels, height, width)."""
        return self.classifier(self.features(images))


@register_network
def t1_skorch(*, in_channels: int, image_size: tuple[int, int], num_classes: int) -> Network:
    """Network of the skorch tutorial on USPS: three convolutions and two linear layers.

    Pixels are mapped from their range to 0..1. The tutorial divides by 16, which is not the range of USPS.
    """
    features = Features(in_channels, image_size)
    features.convolve(32).add(nn.ReLU()).pool(nn.MaxPool2d)
    features.convolve(64).add(nn.ReLU()).pool(nn.MaxPool2d)
    features.convolve(128).add(nn.ReLU())
    normalization = RangeNormalization(in_channels, 0, 1)
    return TutorialNetwork(normalization, features, hidden=(256,), num_classes=num_classes, dropout=0.2)


@register_network
def t2_sequential(*, in_channels: int, image_size: tuple[int, int], num_classes: int) -> Network:
    """Network of the from-scratch tutorial on MNIST: four narrow convolutions, three linear layers.

    Pixels are mapped to -1..1.
    """
    features = Features(in_channels, image_size)
    features.convolve(5).add(nn.ReLU())
    features.convolve(10).pool(nn.MaxPool2d).add(nn.ReLU()).normalize()
    features.convolve(20).add(nn.ReLU()).normalize()
    features.convolve(40).pool(nn.MaxPool2d).add(nn.ReLU()).normalize()
    normalization = RangeNormalization(in_channels, -1, 1)
    return TutorialNetwork(normalization, features, hidden=(200, 500), num_classes=num_classes, dropout=0.5)


@register_network
def t3_strided(*, in_channels: int, image_size: tuple[int, int], num_classes: int) -> Network:
    """Network of the k-fold tutorial on Kaggle's digits: five convolutions, two of them with stride 2.

    Pixels are normalized to mean 0 and standard deviation 1.
    """
    features = Features(in_channels, image_size)
    for width in (32, 64):
        features.convolve(width).add(nn.ReLU()).normalize()
        features.convolve(width, stride=2).add(nn.ReLU()).normalize()
        features.pool(nn.MaxPool2d).add(nn.Dropout(0.25))
    features.convolve(128).add(nn.ReLU()).normalize()
    features.pool(nn.MaxPool2d).add(nn.Dropout(0.25))
    return TutorialNetwork(InputNormalization(in_channels), features, num_classes=num_classes)


@register_network
def t4_narrow(*, in_channels: int, image_size: tuple[int, int], num_classes: int) -> Network:
    """Network of the tutorial on clothing images: two convolutions of four channels, one linear layer.

    Pixels are mapped to 0..1.
    """
    features = Features(in_channels, image_size)
    for _ in range(2):
        features.convolve(4).normalize().add(nn.ReLU()).pool(nn.MaxPool2d)
    return TutorialNetwork(RangeNormalization(in_channels, 0, 1), features, num_classes=num_classes)


@register_network
def t5_average_pooling(*, in_channels: int, image_size: tuple[int, int], num_classes: int) -> Network:
    """Network of the ConvNet tutorial on MNIST: two 5×5 convolutions, average pooling, three linear layers.

    Pixels are mapped to 0..1.
    """
    features = Features(in_channels, image_size)
    features.convolve(10, 5).add(nn.ReLU()).pool(nn.AvgPool2d)
    features.convolve(20, 5, valid=True).add(nn.ReLU()).pool(nn.AvgPool2d)
    return TutorialNetwork(RangeNormalization(in_channels, 0, 1), features, hidden=(250, 100), num_classes=num_classes)

"""The networks of the five tutorials that the recipes `t1-…` to `t5-…` follow, layer by layer."""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn

from skconv.networks.blocks import Network
from skconv.networks.input_normalization import InputNormalization, RangeNormalization
from skconv.networks.logit_calibration import LogitCalibration
from skconv.networks.registry import register_network


class Features(nn.Sequential):
    """Convolutions, poolings and the layers between them, which know the size of the image they have come to.

    Parameters
    ----------
    in_channels : int
        Channels of the images.
    image_size : (int, int)
        Their height and width in pixels.

    Attributes
    ----------
    channels : int
        Channels after the last layer.
    size : (int, int)
        Height and width after the last layer, each at least 1.

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
        """Add a convolution with biases, padded by half the kernel unless `valid`.

        One without padding is padded all the same where it would leave less than two pixels a side.
        """
        padding = 0 if valid and min(self.size) > kernel_size else kernel_size // 2
        self.append(nn.Conv2d(self.channels, out_channels, kernel_size, stride, padding))
        height, width = ((side + 2 * padding - kernel_size) // stride + 1 for side in self.size)
        self.channels, self.size = out_channels, (height, width)
        return self

    def pool(self, kind: type[nn.MaxPool2d] | type[nn.AvgPool2d]) -> Self:
        """Add 2×2 pooling; a side of one pixel is left as it is."""
        height, width = (min(2, side) for side in self.size)
        self.append(kind((height, width)))
        self.size = (self.size[0] // height, self.size[1] // width)
        return self

    def add(self, *layers: nn.Module) -> Self:
        """Add layers that change neither the channels nor the size."""
        self.extend(layers)
        return self

    def normalize(self) -> Self:
        """Add batch norm."""
        return self.add(nn.BatchNorm2d(self.channels))


class TutorialNetwork(Network):
    """Scaling, features, and linear layers on all of their values.

    Parameters
    ----------
    scaling : Scaling
        Applied first.
    features : Features
        From images to (n, channels, height, width).
    hidden : sequence of int
        Units of the linear layers before the last.
    num_classes : int
        Logits.
    dropout : float, default=0
        After the first hidden layer's ReLU, 0..1.
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

    def classify(self, scaled: Tensor) -> Tensor:
        """Return logits (n, num_classes) of scaled images (n, in_channels, height, width)."""
        return self.classifier(self.features(scaled))


@register_network
def t1_skorch(*, in_channels: int, image_size: tuple[int, int], num_classes: int) -> Network:
    """Three convolutions and two linear layers: the network of the skorch tutorial on USPS.

    Pixels are brought to 0..1 by the range they have. The tutorial divides by 16, which is not the range of USPS.
    """
    features = Features(in_channels, image_size)
    features.convolve(32).add(nn.ReLU()).pool(nn.MaxPool2d)
    features.convolve(64).add(nn.ReLU()).pool(nn.MaxPool2d)
    features.convolve(128).add(nn.ReLU())
    return TutorialNetwork(
        RangeNormalization(in_channels, 0, 1), features, hidden=(256,), num_classes=num_classes, dropout=0.2
    )


@register_network
def t2_sequential(*, in_channels: int, image_size: tuple[int, int], num_classes: int) -> Network:
    """Four narrow convolutions and three linear layers: the network of the from-scratch tutorial on MNIST.

    Pixels are brought to -1..1.
    """
    features = Features(in_channels, image_size)
    features.convolve(5).add(nn.ReLU())
    features.convolve(10).pool(nn.MaxPool2d).add(nn.ReLU()).normalize()
    features.convolve(20).add(nn.ReLU()).normalize()
    features.convolve(40).pool(nn.MaxPool2d).add(nn.ReLU()).normalize()
    return TutorialNetwork(
        RangeNormalization(in_channels, -1, 1), features, hidden=(200, 500), num_classes=num_classes, dropout=0.5
    )


@register_network
def t3_strided(*, in_channels: int, image_size: tuple[int, int], num_classes: int) -> Network:
    """Five convolutions, two of them of stride 2: the network of the k-fold tutorial on Kaggle's digits.

    Pixels are brought to mean 0 and standard deviation 1.
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
    """Two convolutions of four channels and one linear layer: the network of the tutorial on images of apparel.

    Pixels are brought to 0..1.
    """
    features = Features(in_channels, image_size)
    for _ in range(2):
        features.convolve(4).normalize().add(nn.ReLU()).pool(nn.MaxPool2d)
    return TutorialNetwork(RangeNormalization(in_channels, 0, 1), features, num_classes=num_classes)


@register_network
def t5_average_pooling(*, in_channels: int, image_size: tuple[int, int], num_classes: int) -> Network:
    """Two 5×5 convolutions, average pooling, three linear layers: the network of the ConvNet tutorial on MNIST.

    Pixels are brought to 0..1.
    """
    features = Features(in_channels, image_size)
    features.convolve(10, 5).add(nn.ReLU()).pool(nn.AvgPool2d)
    features.convolve(20, 5, valid=True).add(nn.ReLU()).pool(nn.AvgPool2d)
    return TutorialNetwork(RangeNormalization(in_channels, 0, 1), features, hidden=(250, 100), num_classes=num_classes)

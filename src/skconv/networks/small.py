"""Networks `fast` and `compact`: convolutions at half resolution, for short training and small model files."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from skconv.networks.blocks import ConvBlock, GlobalMaxPool, Network, SpaceToDepth, crop_margin, mean_over_shifts
from skconv.networks.input_normalization import InputNormalization
from skconv.networks.logit_calibration import LogitCalibration
from skconv.networks.options import check_option
from skconv.networks.registry import register_network

_MIN_SIDE = 24  # for smaller images, `fast` does not crop and `compact` does not halve the resolution
_COMPACT_WIDTHS = (40, 48, 72, 88, 112, 112)  # output channels of each block
_COMPACT_POOLING = 3  # index of the block with pooling


class FastNetwork(Network):
    """Three convolutions at half resolution and a linear layer.

    With a crop, for images with empty borders, test-time augmentation averages the logits over the image and four
    shifts by one pixel. This takes no training time and avoids about a tenth of the errors.
    """

    def __init__(self, *, in_channels: int, image_size: tuple[int, int], num_classes: int, crop: int) -> None:
        super().__init__(InputNormalization(in_channels), LogitCalibration(num_classes))
        self.crop = min(crop, (min(image_size) - 1) // 2) if min(image_size) >= _MIN_SIDE else 0
        self.tta = "shift" if self.crop else "none"
        half = SpaceToDepth(in_channels, (image_size[0] - 2 * self.crop, image_size[1] - 2 * self.crop))
        first = ConvBlock(half.channels, 16, size=half.size, valid=True)
        second = ConvBlock(16, 32, size=first.size, valid=True, pool=True)
        third = ConvBlock(32, 64, size=second.size, valid=True)
        self.blocks = nn.Sequential(half, first, second, third)
        self.head = nn.Sequential(nn.Flatten(), nn.Linear(64 * third.size[0] * third.size[1], num_classes))

    @property
    def n_views(self) -> int:
        """Number of copies of an image that `classify` averages the output of `head` over in evaluation mode."""
        return 1 if self.tta == "none" else 5

    def classify(self, images: Tensor) -> Tensor:
        """Return uncalibrated logits (n, num_classes) of normalized images (n, in_channels, height, width)."""
        if self.training or self.tta == "none":
            return self._classify_cropped(crop_margin(images, self.crop))
        return mean_over_shifts(self._classify_cropped, images, self.crop)

    def _classify_cropped(self, images: Tensor) -> Tensor:
        return self.head(self.blocks(images))


@register_network
def fast(*, crop: int = 0, **shape: Any) -> Network:
    """Three convolutions at half resolution: 99 % on MNIST in seconds.

    Options: crop (pixels removed from each side of images of at least 24×24, 0); with a crop, predictions are averaged
    over five positions.
    """
    check_option("crop", crop, 0, 1000, integer=True)
    return FastNetwork(crop=crop, **shape)


class CompactNetwork(Network):
    """Six 3×3 convolutions at half resolution, global max pooling, dropout and a linear layer.

    The first four convolutions have no padding if the image is large enough: for 28×28 pixels, this halves the
    computation of a padded network of the same width, so that the same time allows more epochs.
    """

    def __init__(self, *, in_channels: int, image_size: tuple[int, int], num_classes: int, dropout: float) -> None:
        super().__init__(InputNormalization(in_channels), LogitCalibration(num_classes))
        half = SpaceToDepth(in_channels, image_size, min_side=_MIN_SIDE)
        self.blocks = nn.Sequential(half)
        channels, size = half.channels, half.size
        for number, width in enumerate(_COMPACT_WIDTHS):
            valid, pool = number <= _COMPACT_POOLING, number == _COMPACT_POOLING
            block = ConvBlock(channels, width, size=size, valid=valid, pool=pool)
            self.blocks.append(block)
            channels, size = width, block.size
        self.head = nn.Sequential(GlobalMaxPool(), nn.Dropout(dropout), nn.Linear(channels, num_classes))

    def classify(self, images: Tensor) -> Tensor:
        """Return uncalibrated logits (n, num_classes) of normalized images (n, in_channels, height, width)."""
        return self.head(self.blocks(images))


@register_network
def compact(*, dropout: float = 0.1, **shape: Any) -> Network:
    """Six convolutions at half resolution, the first four without padding; a model file of about 1.2 MB.

    Options: dropout (before the linear layer, 0.1).
    """
    check_option("dropout", dropout, 0, 1)
    return CompactNetwork(dropout=dropout, **shape)

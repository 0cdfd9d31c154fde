"""Networks `plain`, `accurate` and `wide`: stages of convolutions with decreasing resolution and more channels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skconv.networks.blocks import ConvBlock, GlobalMaxPool, Network, mean_over_flips, mean_over_shifts, rotate
from skconv.networks.input_normalization import ContrastNormalization, InputNormalization
from skconv.networks.logit_calibration import LogitCalibration
from skconv.networks.options import check_option
from skconv.networks.registry import register_network

_MIN_SIDE = 16  # the first convolution of smaller images is padded
_STAGES = ((32,), (64, 64), (128, 128))
_WIDE_STAGES = ((32, 32), (64, 96), (128, 192), (256,))
_ROTATIONS = (7.0, -7.0)  # degrees, within the range of the recipe's augmentation
_N_VIEWS = {"none": 1, "rotate": 7, "flip": 10}


class PlainNetwork(Network):
    """Stages of convolutions, each followed by 2×2 pooling, then global max pooling, dropout and a linear layer.

    Parameters
    ----------
    stages : sequence of sequence of int
        Output channels of the convolutions of each stage. The last convolution of each stage is followed by 2×2
        pooling, except in the last stage.
    dropout : float, default=0.0
        Dropout probability before the linear layer, 0..1.
    padded : bool, default=False
        Whether the first convolution is 3×3 and padded, for images whose content reaches the border. Otherwise it is
        5×5, without padding if the image is large enough.
    normalize_contrast : bool, default=False
        Use `ContrastNormalization` as the first layer.
    tta : {"none", "rotate", "flip"}, default="none"
        Test-time augmentation, which averages logits. "rotate": over rotations by 0°, 7° and -7°, where 0° is the mean
        over the image and four shifts by one pixel; 7 times the computation. "flip": over these five positions, each
        with and without a horizontal flip; 10 times the computation.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_size: tuple[int, int],
        num_classes: int,
        stages: Sequence[Sequence[int]],
        dropout: float = 0.0,
        padded: bool = False,
        normalize_contrast: bool = False,
        tta: str = "none",
    ) -> None:
        check_option("dropout", dropout, 0, 1)
        normalization = ContrastNormalization if normalize_contrast else InputNormalization
        super().__init__(normalization(in_channels), LogitCalibration(num_classes))
        self.tta = tta
        self.blocks = nn.Sequential()
        channels, size = in_channels, image_size
        for number, widths in enumerate(stages):
            for position, width in enumerate(widths):
                large = number == position == 0 and not padded
                block = ConvBlock(
                    channels,
                    width,
                    size=size,
                    kernel_size=5 if large else 3,
                    valid=large and min(image_size) >= _MIN_SIDE,
                    pool=number < len(stages) - 1 and position == len(widths) - 1,
                )
                self.blocks.append(block)
                channels, size = width, block.size
        self.head = nn.Sequential(GlobalMaxPool(), nn.Dropout(dropout), nn.Linear(channels, num_classes))

    @property
    def n_views(self) -> int:
        """Number of copies of an image that `classify` averages the output of `head` over in evaluation mode."""
        return _N_VIEWS[self.tta]

    def classify(self, images: Tensor) -> Tensor:
        """Return uncalibrated logits (n, num_classes) of normalized images (n, in_channels, height, width)."""
        if self.training or self.tta == "none":
            return self._classify_once(images)
        predict = partial(mean_over_flips, self._classify_once) if self.tta == "flip" else self._classify_once
        shifted = mean_over_shifts(predict, F.pad(images, (1, 1, 1, 1), mode="replicate"), 1)
        if self.tta == "flip":
            return shifted
        rotated = (self._classify_once(rotate(images, degrees)) for degrees in _ROTATIONS)
        return torch.stack([shifted, *rotated]).mean(0)

    def _classify_once(self, images: Tensor) -> Tensor:
        return self.head(self.blocks(images))


@register_network
def plain(*, dropout: float = 0.1, **shape: Any) -> Network:
    """Five convolutions in three stages; two or three minutes of training.

    Options: dropout (before the linear layer, 0.1).
    """
    return PlainNetwork(stages=_STAGES, dropout=dropout, **shape)


@register_network
def accurate(*, dropout: float = 0.1, **shape: Any) -> Network:
    """Network `plain` with contrast normalization; predictions are averaged over shifts and rotations.

    Options: dropout (before the linear layer, 0.1).
    """
    return PlainNetwork(stages=_STAGES, dropout=dropout, normalize_contrast=True, tta="rotate", **shape)


@register_network
def wide(*, dropout: float = 0.1, **shape: Any) -> Network:
    """Seven wide convolutions, two at full resolution, for clothing and other textures; half an hour of training.

    Predictions are averaged over shifts and horizontal flips. Unsuitable for digits, which must not be flipped.

    Options: dropout (before the linear layer, 0.1).
    """
    return PlainNetwork(stages=_WIDE_STAGES, dropout=dropout, padded=True, tta="flip", **shape)

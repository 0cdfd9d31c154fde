"""Plain convolutional networks: blocks in a row, narrower images and more channels step by step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skconv.networks.blocks import ConvBlock, GlobalMaxPool, Network, mean_over_shifts, turn
from skconv.networks.input_normalization import ContrastNormalization, InputNormalization
from skconv.networks.logit_calibration import LogitCalibration
from skconv.networks.registry import check_option, register_network

_LEAST_SIDE = 16  # smaller images have no border to spare
_TURNS = (7.0, -7.0)  # degrees; within what the recipe's augmentation shows in training


class PlainNetwork(Network):
    """Scaling, blocks in stages that halve the image, global max pooling, dropout, one linear layer.

    The first convolution is 5×5, without padding where the image is large enough, or, if `padded`, 3×3 as the rest.

    Parameters
    ----------
    in_channels, image_size, num_classes
        As in `create_network`.
    stages : sequence of sequence of int
        Output channels of the blocks, stage by stage; the last block of each stage but the last pools.
    dropout : float, default=0.0
        Before the linear layer, 0..1.
    padded : bool, default=False
        Whether the first convolution is 3×3 and keeps the size: for images that reach to their border.
    stretch : bool, default=False
        Whether every image is first brought to full contrast, by `ContrastNormalization`.
    views : {"one", "turned", "mirrored"}, default="one"
        What the logits are the mean over, outside training. "turned": three angles, upright and turned by 7° both
        ways; upright they are themselves the mean over the image and it moved by one pixel up, down, to the left and
        to the right. "mirrored": these five, and all mirrored. Fewer mistakes for 7 and 10 times the arithmetic.
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
        stretch: bool = False,
        views: str = "one",
    ) -> None:
        super().__init__(
            ContrastNormalization(in_channels) if stretch else InputNormalization(in_channels),
            LogitCalibration(num_classes),
        )
        self.views = views
        self.blocks = nn.Sequential()
        channels, size = in_channels, image_size
        for number, widths in enumerate(stages):
            for position, width in enumerate(widths):
                first = number == position == 0
                block = ConvBlock(
                    channels,
                    width,
                    size=size,
                    kernel_size=5 if first and not padded else 3,
                    valid=first and not padded and min(image_size) >= _LEAST_SIDE,
                    pool=number < len(stages) - 1 and position == len(widths) - 1,
                )
                self.blocks.append(block)
                channels, size = width, block.size
        self.head = nn.Sequential(GlobalMaxPool(), nn.Dropout(dropout), nn.Linear(channels, num_classes))

    def classify(self, scaled: Tensor) -> Tensor:
        """Return logits (n, num_classes) of scaled images (n, in_channels, height, width)."""
        if self.training or self.views == "one":
            return self._look(scaled)
        look = self._look_both_ways if self.views == "mirrored" else self._look
        moved = mean_over_shifts(look, F.pad(scaled, (1, 1, 1, 1), mode="replicate"), 1)
        if self.views == "mirrored":
            return moved
        return torch.stack([moved, *(self._look(turn(scaled, degrees)) for degrees in _TURNS)]).mean(0)

    def _look(self, images: Tensor) -> Tensor:
        return self.head(self.blocks(images))

    def _look_both_ways(self, images: Tensor) -> Tensor:
        return (self._look(images) + self._look(images.flip(3))) / 2


@register_network
def standard(*, in_channels: int, image_size: tuple[int, int], num_classes: int, dropout: float = 0.1) -> Network:
    """Five convolutions in three stages: very good in two or three minutes.

    Options: dropout (before the linear layer, 0.1).
    """
    return _make_five(in_channels, image_size, num_classes, dropout)


@register_network
def accurate(*, in_channels: int, image_size: tuple[int, int], num_classes: int, dropout: float = 0.1) -> Network:
    """The network `standard` on full contrast; its prediction is the mean over seven views, moved and turned a little.

    Options: dropout (before the linear layer, 0.1).
    """
    return _make_five(in_channels, image_size, num_classes, dropout, stretch=True, views="turned")


def _make_five(
    in_channels: int, image_size: tuple[int, int], num_classes: int, dropout: float, **extras: Any
) -> PlainNetwork:
    check_option("dropout", dropout, 0, 1)
    return PlainNetwork(
        in_channels=in_channels,
        image_size=image_size,
        num_classes=num_classes,
        stages=((32,), (64, 64), (128, 128)),
        dropout=dropout,
        **extras,
    )


@register_network
def wide(*, in_channels: int, image_size: tuple[int, int], num_classes: int, dropout: float = 0.1) -> Network:
    """Seven wide convolutions, two at full resolution, for garments and other textures: in half an hour.

    Its prediction is the mean over ten views, moved a little and mirrored: for what may be mirrored, not for digits.

    Options: dropout (before the linear layer, 0.1).
    """
    check_option("dropout", dropout, 0, 1)
    return PlainNetwork(
        in_channels=in_channels,
        image_size=image_size,
        num_classes=num_classes,
        stages=((32, 32), (64, 96), (128, 192), (256,)),
        dropout=dropout,
        padded=True,
        views="mirrored",
    )

"""`compact`: six convolutions at half resolution, for a model whose file is small."""

from __future__ import annotations

from torch import Tensor, nn

from skconv.networks.blocks import ConvBlock, GlobalMaxPool, Network, SpaceToDepth
from skconv.networks.input_normalization import InputNormalization
from skconv.networks.logit_calibration import LogitCalibration
from skconv.networks.registry import check_option, register_network

_LEAST_SIDE = 24  # smaller images keep their resolution
_POOLING = 3  # the block that halves the image, counted from 0
_WIDTHS = (40, 48, 72, 88, 112, 112)  # channels of each block


class CompactNetwork(Network):
    """Half resolution, six 3×3 convolutions, global max pooling, dropout, a linear layer.

    The first four convolutions have no padding where the image is large enough: on 28×28 pixels that halves the
    arithmetic of a padded network of the same width, which is better spent on more epochs.

    Parameters
    ----------
    in_channels, image_size, num_classes
        As in `create_network`.
    dropout : float, default=0.1
        Before the linear layer, 0..1.
    """

    def __init__(
        self, *, in_channels: int, image_size: tuple[int, int], num_classes: int, dropout: float = 0.1
    ) -> None:
        super().__init__(InputNormalization(in_channels), LogitCalibration(num_classes))
        half = SpaceToDepth(in_channels, image_size, least=_LEAST_SIDE)
        self.blocks = nn.Sequential(half)
        channels, size, valid = half.channels, half.size, True
        for position, width in enumerate(_WIDTHS):
            pool = position == _POOLING
            block = ConvBlock(channels, width, size=size, valid=valid, pool=pool)
            self.blocks.append(block)
            channels, size, valid = width, block.size, valid and not pool
        self.head = nn.Sequential(GlobalMaxPool(), nn.Dropout(dropout), nn.Linear(channels, num_classes))

    def classify(self, scaled: Tensor) -> Tensor:
        """Return logits (n, num_classes) of scaled images (n, in_channels, height, width)."""
        return self.head(self.blocks(scaled))


@register_network
def compact(*, in_channels: int, image_size: tuple[int, int], num_classes: int, dropout: float = 0.1) -> Network:
    """Six convolutions at half resolution, the first four without padding: a file of about 1.2 MB.

    Options: dropout (before the linear layer, 0.1).
    """
    check_option("dropout", dropout, 0, 1)
    return CompactNetwork(in_channels=in_channels, image_size=image_size, num_classes=num_classes, dropout=dropout)

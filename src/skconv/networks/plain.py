"""Plain convolutional networks: blocks in a row, narrower pictures and more channels step by step."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from skconv.networks.blocks import ConvBlock, GlobalMaxPool, Network, Scaling
from skconv.networks.registry import register_network


class PlainNetwork(Network):
    """Scaling, convolution blocks in stages, a head.

    Parameters
    ----------
    in_channels, image_size, num_classes
        As in `create_network`.
    stages : sequence of sequence of int
        Output channels of the blocks, stage by stage; the last block of each stage pools.
    pool_last : bool, default=True
        Whether the last stage pools as well.
    stem_kernel : int, default=3
        Kernel of the first convolution; all others are 3×3.
    valid : bool, default=False
        Convolve without padding where the picture is large enough.
    global_pool : bool, default=True
        Reduce each channel to its largest activation before the linear layer; else flatten.
    dropout : float, default=0.0
        Before the linear layer, 0..1.
    crop : int, default=0
        Pixels cut from each side of the picture, for data with empty borders.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        image_size: tuple[int, int],
        num_classes: int,
        stages: Sequence[Sequence[int]],
        pool_last: bool = True,
        stem_kernel: int = 3,
        valid: bool = False,
        global_pool: bool = True,
        dropout: float = 0.0,
        crop: int = 0,
    ) -> None:
        crop = min(crop, (min(image_size) - 1) // 2)  # at least one pixel is left of any picture
        size = (image_size[0] - 2 * crop, image_size[1] - 2 * crop)
        super().__init__(Scaling(in_channels, crop))
        self.blocks = nn.Sequential()
        channels, kernel_size = in_channels, stem_kernel
        for number, widths in enumerate(stages):
            for position, width in enumerate(widths):
                pool = position == len(widths) - 1 and (pool_last or number < len(stages) - 1)
                block = ConvBlock(channels, width, size=size, kernel_size=kernel_size, valid=valid, pool=pool)
                self.blocks.append(block)
                channels, size, kernel_size = width, block.size, 3
        features = channels if global_pool else channels * size[0] * size[1]
        self.head = nn.Sequential(
            GlobalMaxPool() if global_pool else nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(features, num_classes),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, num_classes) of pictures (n, in_channels, height, width)."""
        return self.head(self.blocks(self.scaling(images)))


@register_network
def fast(*, in_channels: int, image_size: tuple[int, int], num_classes: int, crop: int = 0) -> Network:
    """Three convolutions, each pooled: 99 % on MNIST in seconds.

    Options: crop (pixels cut from each side, 0).
    """
    return PlainNetwork(
        in_channels=in_channels,
        image_size=image_size,
        num_classes=num_classes,
        stages=((16,), (32,), (48,)),
        stem_kernel=5,
        valid=True,
        global_pool=False,
        crop=crop,
    )


@register_network
def standard(
    *, in_channels: int, image_size: tuple[int, int], num_classes: int, dropout: float = 0.1, crop: int = 0
) -> Network:
    """Six 3×3 convolutions in three stages with global max pooling: very good in a few minutes.

    Options: dropout (0.1), crop (pixels cut from each side, 0).
    """
    return PlainNetwork(
        in_channels=in_channels,
        image_size=image_size,
        num_classes=num_classes,
        stages=((32, 32), (64, 64), (128, 128)),
        pool_last=False,
        dropout=dropout,
        crop=crop,
    )


@register_network
def accurate(
    *, in_channels: int, image_size: tuple[int, int], num_classes: int, dropout: float = 0.1, crop: int = 0
) -> Network:
    """Seven 3×3 convolutions, as `standard` with a third block in the last stage.

    Options: dropout (0.1), crop (pixels cut from each side, 0).
    """
    return PlainNetwork(
        in_channels=in_channels,
        image_size=image_size,
        num_classes=num_classes,
        stages=((32, 32), (64, 64), (128, 128, 128)),
        pool_last=False,
        dropout=dropout,
        crop=crop,
    )

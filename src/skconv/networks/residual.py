"""Network `residual`: whitened patches and three stages of 3×3 convolutions, for photographs and textures."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from skconv.exceptions import ParameterError
from skconv.networks.blocks import ConvBlock, GlobalMaxPool, Network, Scale, mean_over_flips, mean_over_shifts
from skconv.networks.input_normalization import PatchWhitening, WhiteningNormalization
from skconv.networks.logit_calibration import LogitCalibration
from skconv.networks.options import check_option
from skconv.networks.registry import register_network

_SIDE = 32  # pixels; of larger images, the first layer reduces the resolution to about this side
_WIDTHS = (1, 4, 4)  # channels of each stage, relative to the first
_MIN_POOLED = 6  # pixels; shorter sides are not pooled
_LOGIT_SCALE = 16  # divided by the number of features; larger logits make the steps of the linear layer too large
_N_VIEWS = {"none": 1, "flip": 2, "shift": 5, "flip-shift": 10}


class ResidualStage(nn.Module):
    """Convolution with optional 2×2 pooling, then further convolutions; two or more are added to their input.

    The first filters of each convolution begin as the identity of its input channels, the others with random weights.
    The argument `size` is the height and width of the input in pixels, the attribute `size` that of the output.
    """

    def __init__(self, in_channels: int, channels: int, *, size: tuple[int, int], depth: int) -> None:
        super().__init__()
        pool = max(size) >= _MIN_POOLED
        self.first = ConvBlock(in_channels, channels, size=size, pool=pool, activation=nn.GELU())
        self.size = self.first.size
        self.is_residual = depth > 2
        self.others = nn.Sequential()
        for number in range(depth - 1):
            activation = nn.Identity() if self.is_residual and number == depth - 2 else nn.GELU()
            self.others.append(ConvBlock(channels, channels, size=self.size, activation=activation))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.dirac_(module.weight.data[: module.in_channels])

    def forward(self, features: Tensor) -> Tensor:
        """Return features (n, channels, *size) of features (n, in_channels, height, width)."""
        features = self.first(features)
        others = self.others(features)
        return F.gelu(features + others) if self.is_residual else others


class ResidualNetwork(Network):
    """Whitened patches, three stages of convolutions, global max pooling and a linear layer.

    The first layer reduces the resolution of images of more than 32×32 pixels, so that images of any size cost about
    the same computation.

    Parameters
    ----------
    width : int
        Channels of the first stage; the others have four times as many.
    depth : int
        Convolutions per stage, at least 2; with more than 2, the others are added to the output of the first.
    tta : {"none", "flip", "shift", "flip-shift"}
        Test-time augmentation, which averages logits. "flip": over the image and its mirror image; twice the
        computation. "shift": over the image and four shifts by one pixel; 5 times. "flip-shift": both; 10 times.
    """

    def __init__(
        self, *, in_channels: int, image_size: tuple[int, int], num_classes: int, width: int, depth: int, tta: str
    ) -> None:
        stride = max(1, round(math.sqrt(image_size[0] * image_size[1]) / _SIDE))
        whitening = PatchWhitening(in_channels, image_size, stride=stride)
        super().__init__(WhiteningNormalization(in_channels, whitening), LogitCalibration(num_classes))
        self.tta = tta
        self.blocks = nn.Sequential(whitening, nn.GELU())
        channels, size = whitening.channels, whitening.size
        for factor in _WIDTHS:
            stage = ResidualStage(channels, factor * width, size=size, depth=depth)
            self.blocks.append(stage)
            channels, size = factor * width, stage.size
        last = nn.Linear(channels, num_classes)
        self.head = nn.Sequential(GlobalMaxPool(), last, Scale(_LOGIT_SCALE / channels))

    @property
    def n_views(self) -> int:
        """Number of copies of an image that `classify` averages the output of `head` over in evaluation mode."""
        return _N_VIEWS[self.tta]

    def classify(self, images: Tensor) -> Tensor:
        """Return uncalibrated logits (n, num_classes) of normalized images (n, in_channels, height, width)."""
        if self.training or self.tta == "none":
            return self._classify_once(images)
        predict = partial(mean_over_flips, self._classify_once) if "flip" in self.tta else self._classify_once
        if "shift" not in self.tta:
            return predict(images)
        return mean_over_shifts(predict, F.pad(images, (1, 1, 1, 1), mode="replicate"), 1)

    def _classify_once(self, images: Tensor) -> Tensor:
        return self.head(self.blocks(images))


@register_network
def residual(*, width: int = 64, depth: int = 2, tta: str = "none", **shape: Any) -> Network:
    """Whitened patches and three stages of convolutions, for photographs and textures; a minute or two per epoch.

    Options: width (channels of the first stage, a quarter of those of the others, 64), depth (convolutions per stage,
    2), tta (test-time augmentation: none, flip, shift or flip-shift; 1, 2, 5 or 10 times the computation, none). Flips
    are unsuitable for digits and letters.
    """
    check_option("width", width, 1, 1024, integer=True)
    check_option("depth", depth, 2, 16, integer=True)
    if tta not in _N_VIEWS:
        expected = ", ".join(map(repr, _N_VIEWS))
        raise ParameterError(f"The network's option 'tta' is {tta!r}; expected one of {expected}.")
    return ResidualNetwork(width=width, depth=depth, tta=tta, **shape)

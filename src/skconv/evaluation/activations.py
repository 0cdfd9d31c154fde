"""Activation maps, filters of the first layer, and features of a network."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skconv.exceptions import DataError, ParameterError
from skconv.networks.blocks import SpaceToDepth, single_view
from skconv.networks.ensemble import first_member
from skconv.networks.ood_score import record_features

_BATCH = 512  # images


@dataclass(frozen=True, eq=False)  # because == of arrays does not return a bool
class LayerActivations:
    """Weights and output of one convolution for one image."""

    name: str  # of the module in the network: "blocks.1.0"
    kernel: np.ndarray  # weights, float32 (filters, in_channels, kernel_height, kernel_width)
    maps: np.ndarray  # output with bias, before normalization, pooling and ReLU, float32 (filters, height, width)


def collect_activations(network: nn.Module, image: np.ndarray) -> list[LayerActivations]:
    """Return the activation maps of every convolution for one image, in order of execution.

    The image is (h, w) or (h, w, c), in the range of the training images. If a network crops it several times, as
    `fast` does, the maps are those of the first crop. For an ensemble, they are those of the first member.

    Examples
    --------
    >>> from skconv.networks import create_network
    >>> network = create_network("fast", in_channels=1, image_size=(28, 28), num_classes=10)
    >>> for layer in collect_activations(network, np.zeros((28, 28), np.uint8)):
    ...     print(layer.name, layer.kernel.shape, layer.maps.shape)
    blocks.1.0 (16, 4, 3, 3) (16, 12, 12)
    blocks.2.0 (32, 16, 3, 3) (32, 10, 10)
    blocks.3.0 (64, 32, 3, 3) (64, 3, 3)
    """
    network = first_member(network)
    layers: dict[str, LayerActivations] = {}
    if np.ndim(image) not in (2, 3):
        raise DataError(
            f"The image has shape {np.shape(image)}; expected (height, width) or (height, width, channels)."
        )
    convolutions = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    if not convolutions:
        raise ParameterError("The network has no convolution, so there are no activation maps. Use another network.")

    def add_hook(name: str, module: nn.Conv2d) -> Any:
        def record(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            if name not in layers:
                layers[name] = LayerActivations(name, _to_numpy(module.weight), _to_numpy(output[0]))

        return module.register_forward_hook(record)

    hooks = [add_hook(name, module) for name, module in convolutions.items()]
    try:
        run_network(network, np.asarray(image)[None])
    finally:
        for hook in hooks:
            hook.remove()
    return list(layers.values())


def has_convolutions(network: nn.Module) -> bool:
    """Return whether a network has two-dimensional convolutions, and with them activation maps."""
    return any(isinstance(module, nn.Conv2d) for module in network.modules())


def filters_on_pixels(network: nn.Module, kernel: np.ndarray) -> np.ndarray:
    """Return the weights of the first convolution as filters on the pixels, (filters, channels, height, width).

    After `SpaceToDepth`, a 3×3 kernel on four channels equals a 6×6 filter with stride 2 on the pixels; without it, the
    kernel is returned unchanged.
    """
    if any(isinstance(module, SpaceToDepth) and module.applies for module in first_member(network).modules()):
        return nn.functional.pixel_shuffle(torch.from_numpy(kernel), 2).numpy()
    return kernel


def collect_features(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """Return the features of each image, float32 (n, d), as in `record_features`.

    The images are (n, h, w) or (n, h, w, c), n > 0. For an ensemble, the first member is used.
    """
    network, parts = first_member(network), []
    with single_view(network), record_features(network) as recorder:
        for start in range(0, len(images), _BATCH):
            run_network(network, images[start : start + _BATCH])
            parts.append(recorder.take()[0].float().cpu().numpy())
    return np.concatenate(parts)


def find_nearest(features: np.ndarray, query: np.ndarray, max_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return indices and cosine distances (0..2) of the features (n, d) closest to `query` (d,), nearest first.

    Examples
    --------
    >>> find_nearest(np.array([[0.0, 1.0], [2.0, 0.1]]), np.array([1.0, 0.0]), 1)[0]
    array([1])
    """
    from sklearn.metrics.pairwise import cosine_distances

    distances = cosine_distances(features, query[None])[:, 0]
    order = np.argsort(distances, kind="stable")[:max_count]
    return order, distances[order]


def run_network(network: nn.Module, images: np.ndarray) -> Tensor:
    """Return the logits (n, k) of images (n, h, w) or (n, h, w, c), in evaluation mode and without gradients."""
    device = next(network.parameters()).device
    with evaluation_mode(network), torch.no_grad():
        try:
            return network(to_batch(images).to(device))
        except RuntimeError as error:  # raised by torch for wrong shapes
            raise DataError(
                f"Images of shape {np.shape(images)[1:]} do not fit the network ({error}). "
                "Convert them to the size and the channels of the training images."
            ) from error


def to_batch(images: np.ndarray) -> Tensor:
    """Return images (n, h, w) or (n, h, w, c) as a tensor float32 (n, c, h, w)."""
    pixels = np.asarray(images, dtype=np.float32)
    channels_first = pixels[:, None] if pixels.ndim == 3 else np.moveaxis(pixels, 3, 1)
    return torch.from_numpy(np.array(channels_first, order="C"))


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Set a network to evaluation mode inside the block."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def _to_numpy(values: Tensor) -> np.ndarray:
    # A copy, because an in-place ReLU would change the output of the convolution.
    return values.detach().to("cpu", torch.float32, copy=True).numpy()

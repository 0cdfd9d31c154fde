"""Activation maps of convolutions, filters of the first layer, and inference in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from skconv.exceptions import DataError, ParameterError
from skconv.networks.blocks import SpaceToDepth
from skconv.networks.ensemble import EnsembleNetwork


@dataclass(frozen=True, eq=False)  # comparing arrays gives an array
class LayerActivations:
    """Weights and output of one convolution for one image.

    Parameters
    ----------
    name : str
        Name of the module in the network: ``"blocks.1.0"``.
    kernel : ndarray of float32, shape (filters, in_channels, kernel_height, kernel_width)
        Weights.
    maps : ndarray of float32, shape (filters, height, width)
        Activation maps: the output of the convolution with bias, before normalization, pooling and ReLU.
    """

    name: str
    kernel: np.ndarray
    maps: np.ndarray


def collect_activations(network: nn.Module, image: np.ndarray) -> list[LayerActivations]:
    """Return the activation maps of every convolution for one image, in the order of the computation.

    If a network crops the image several times, as `fast` does, the maps are those of the first crop; of an ensemble,
    those of the first member.

    Parameters
    ----------
    network : Module
        Takes float32 (1, channels, height, width). Its mode and hooks are restored.
    image : ndarray of numbers, shape (height, width) or (height, width, channels)
        In the range of the training images.

    Returns
    -------
    list of LayerActivations
        At least one.

    Raises
    ------
    DataError
        If the shape of the image does not fit the network.
    ParameterError
        If the network has no convolution.

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


def filters_on_pixels(network: nn.Module, kernel: np.ndarray) -> np.ndarray:
    """Return the weights of the first convolution as filters on the pixels of the image.

    After `SpaceToDepth`, a 3×3 kernel on four channels equals a 6×6 filter with stride 2 on the pixels.

    Parameters
    ----------
    network : Module
        The network of the kernel.
    kernel : ndarray, shape (filters, in_channels, kernel_height, kernel_width)
        Weights of its first convolution.

    Returns
    -------
    ndarray, shape (filters, channels, height, width)
        With `SpaceToDepth`, a quarter of the channels and twice the height and width; else the unchanged kernel.

    Examples
    --------
    >>> from skconv.networks import create_network
    >>> network = create_network("fast", in_channels=1, image_size=(28, 28), num_classes=10)
    >>> filters_on_pixels(network, network.blocks[1][0].weight.detach().numpy()).shape
    (16, 1, 6, 6)
    """
    if any(isinstance(module, SpaceToDepth) and module.applies for module in first_member(network).modules()):
        return nn.functional.pixel_shuffle(torch.from_numpy(kernel), 2).numpy()
    return kernel


def first_member(network: nn.Module) -> nn.Module:
    """Return the first member of an ensemble, or the network itself."""
    return network.members[0] if isinstance(network, EnsembleNetwork) else network


def run_network(network: nn.Module, images: np.ndarray) -> Tensor:
    """Return the logits of images, in evaluation mode and without gradients.

    Parameters
    ----------
    network : Module
        Takes float32 (n, channels, height, width). Its mode is restored.
    images : ndarray of numbers, shape (n, h, w) or (n, h, w, c)
        In the range of the training images.

    Returns
    -------
    Tensor, shape (n, k)

    Raises
    ------
    DataError
        If the shape of the images does not fit the network.
    """
    device = next(network.parameters()).device
    with evaluation_mode(network), torch.no_grad():
        try:
            return network(to_batch(images).to(device))
        except RuntimeError as error:  # torch raises it for shapes that do not fit
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
    """Set a network to evaluation mode inside a block."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def _to_numpy(values: Tensor) -> np.ndarray:
    # A copy, because an in-place ReLU would change the output of the convolution.
    return values.detach().to("cpu", torch.float32, copy=True).numpy()

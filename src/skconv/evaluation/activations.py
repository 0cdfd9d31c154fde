"""What the convolutions of a network compute for one image: their activation maps.

Not imported by `skconv.evaluation` itself: scores are computed without torch, maps are not.
"""

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


@dataclass(frozen=True, eq=False)  # an array has no single truth value to compare by
class LayerActivations:
    """One convolution, and what it gave for one image.

    Parameters
    ----------
    name : str
        Where the convolution stands in the network: ``"blocks.1.0"``.
    kernel : ndarray of float32, shape (filters, in_channels, kernel_height, kernel_width)
        Its weights.
    maps : ndarray of float32, shape (filters, height, width)
        One map a filter: the convolution's own output, its bias added, before normalisation, pooling and ReLU.
    """

    name: str
    kernel: np.ndarray
    maps: np.ndarray


def collect_activations(network: nn.Module, image: np.ndarray) -> list[LayerActivations]:
    """Return the activation maps of every convolution for one image, in the order they are computed.

    The network predicts as it always does, in evaluation mode; hooks listen. Where a network looks at an image several
    times, as `fast` with a crop does, the maps are those of the first look; of an ensemble, those of its first member.

    Parameters
    ----------
    network : Module
        Takes float32 (1, channels, height, width). Left in the mode it was in, and without hooks.
    image : ndarray of numbers, shape (height, width) or (height, width, channels)
        In the range of the images the network was trained on, 0..255 for most.

    Returns
    -------
    list of LayerActivations
        At least one.

    Raises
    ------
    DataError
        The network does not take an image of this shape.
    ParameterError
        The network has no convolution.

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
        came = np.shape(image)
        raise DataError(f"The image has shape {came}; expected (height, width) or (height, width, channels).")
    convolutions = {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    if not convolutions:
        raise ParameterError("The network has no convolution, so there are no activation maps. Take another network.")

    def listen(name: str, module: nn.Conv2d) -> Any:
        def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            if name not in layers:
                layers[name] = LayerActivations(name, _to_numpy(module.weight), _to_numpy(output[0]))

        return module.register_forward_hook(keep)

    hooks = [listen(name, module) for name, module in convolutions.items()]
    try:
        run_network(network, np.asarray(image)[None])
    finally:
        for hook in hooks:
            hook.remove()
    return list(layers.values())


def filters_on_pixels(network: nn.Module, kernel: np.ndarray) -> np.ndarray:
    """Return the first convolution's weights as filters of the image's own pixels.

    A network that begins with `SpaceToDepth` sees each 2×2 pixels as four channels. Put back in place, its 3×3
    weights on four channels are one filter of 6×6 pixels, moved two pixels at a time: the very same sums, in a form
    that can be looked at.

    Parameters
    ----------
    network : Module
        The network the kernel is from.
    kernel : ndarray, shape (filters, in_channels, kernel_height, kernel_width)
        Weights of its first convolution.

    Returns
    -------
    ndarray, shape (filters, channels, height, width)
        With half the image's resolution, a quarter of the channels and twice the sides; else the kernel as it is.

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
    """Return the first of the networks whose mean an ensemble is, or the network itself where it is none."""
    return network.members[0] if isinstance(network, EnsembleNetwork) else network


def run_network(network: nn.Module, images: np.ndarray) -> Tensor:
    """Let a network predict, in evaluation mode and without gradients.

    Parameters
    ----------
    network : Module
        Takes float32 (n, channels, height, width). Left in the mode it was in.
    images : ndarray of numbers, shape (n, h, w) or (n, h, w, c)
        In the range of the images the network was trained on.

    Returns
    -------
    Tensor, shape (n, k)
        Its logits.

    Raises
    ------
    DataError
        The network does not take images of this shape.
    """
    device = next(network.parameters()).device
    with evaluation_mode(network), torch.no_grad():
        try:
            return network(to_batch(images).to(device))
        except RuntimeError as error:  # how torch tells shapes that do not fit
            raise DataError(
                f"The network does not take images of shape {np.shape(images)[1:]} ({error}). "
                "Bring them to the size and the channels of the images it was made for."
            ) from error


def to_batch(images: np.ndarray) -> Tensor:
    """Return images (n, h, w) or (n, h, w, c) as the tensor a network takes, float32 (n, c, h, w)."""
    pixels = np.asarray(images, dtype=np.float32)
    channels_first = pixels[:, None] if pixels.ndim == 3 else np.moveaxis(pixels, 3, 1)
    return torch.from_numpy(np.array(channels_first, order="C"))


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Put a network in evaluation mode for a while."""
    training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(training)


def _to_numpy(values: Tensor) -> np.ndarray:
    # A copy: a ReLU that works in place would change what the convolution gave.
    return values.detach().to("cpu", torch.float32, copy=True).numpy()

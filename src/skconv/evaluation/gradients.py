"""`integrate_gradients`: how much each pixel adds to an answer, by the network's own gradients."""

from __future__ import annotations

import importlib.util
from contextlib import nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from skconv.evaluation.activations import evaluation_mode, run_network, to_batch
from skconv.evaluation.occlusion import find_ground
from skconv.exceptions import DataError, ParameterError, missing_package

STEPS = 64  # images between the blank and the whole one; the sum is then right to about a per cent


def has_captum() -> bool:
    """Whether the package that integrates is installed; it is not loaded to be asked."""
    return importlib.util.find_spec("captum") is not None


def integrate_gradients(network: nn.Module, image: np.ndarray, label: int, *, steps: int = STEPS) -> np.ndarray:
    """Return how much each pixel of an image adds to the probability of a class.

    The gradients are integrated on the way from a blank image, of the ground's colour, to this one. So they add up
    to what the image has over the blank one in probability, and a pixel of the ground's colour has none.
    A network that brings images to full contrast does to all on the way what it does to the whole one.
    Against covering (`skconv.evaluation.occlusion.occlude`) this is finer, but needs the network itself.

    Parameters
    ----------
    network : Module
        Takes float32 (n, channels, height, width), returns logits. Left in the mode it was in.
    image : ndarray of numbers, shape (h, w) or (h, w, c)
        In the range of the images the network was trained on.
    label : int
        Position of the class among the network's outputs.
    steps : int, default=64
        Points on the way, at least 1; more are more exact.

    Returns
    -------
    ndarray of float, shape (h, w)
        The sum over the channels; positive where a pixel speaks for the class.

    Raises
    ------
    DataError
        Not one image, or one that the network does not take.
    ParameterError
        A class that the network does not have, less than one step, or captum is not installed.

    References
    ----------
    M. Sundararajan, A. Taly, Q. Yan (2017). Axiomatic attribution for deep networks. ICML.

    Examples
    --------
    >>> from skconv.networks import create_network
    >>> network = create_network("fast", in_channels=1, image_size=(28, 28), num_classes=10)
    >>> integrate_gradients(network, np.full((28, 28), 9, np.uint8), 3).any()  # a blank image
    np.False_
    """
    image = np.asarray(image)
    if image.ndim not in (2, 3):
        raise DataError(f"The image has shape {image.shape}; expected one image, (h, w) or (h, w, c).")
    if steps < 1:
        raise ParameterError(f"steps must be at least 1, got {steps}.")
    n_classes = run_network(network, image[None]).shape[1]  # tells an image that does not fit
    if not 0 <= label < n_classes:
        raise ParameterError(f"label must be from 0 to {n_classes - 1}, got {label}.")
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        raise missing_package("integrated gradients", "captum", "explain") from error

    def tell_probability(images: Tensor) -> Tensor:
        return network(images).softmax(1)[:, label]

    device = next(network.parameters()).device
    whole = to_batch(image[None]).to(device)
    blank = to_batch(np.broadcast_to(find_ground(image), image.shape)[None]).to(device)
    # A network that stretches each image would make of all on the way the same one, but for the blank.
    scaling = getattr(network, "input_normalization", None)
    held = nullcontext() if scaling is None else scaling.statistics_of(whole)
    with evaluation_mode(network), held, torch.enable_grad():
        added = IntegratedGradients(tell_probability).attribute(
            whole, baselines=blank, n_steps=steps, internal_batch_size=steps
        )
    values: np.ndarray = added[0].detach().cpu().sum(0).double().numpy()
    return values

"""Attribution maps of predictions: occlusion and integrated gradients."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING

import numpy as np

from skconv.exceptions import DataError, ParameterError, missing_package

if TYPE_CHECKING:
    from torch import Tensor, nn

_PATCH = 5  # pixels; minimum side of the patch
_MAX_POSITIONS = 36  # of the patch along one side; an image of 32×32 is covered pixel by pixel
_STEPS = 64  # interpolation steps; the sum of the contributions is then accurate to about 1 %


def occlude(
    predict_proba: Callable[[np.ndarray], np.ndarray], image: np.ndarray, label: int, *, patch: int | None = None
) -> np.ndarray:
    """Return the mean drop in the probability of a class when a patch covers a pixel, -1..1, shape (h, w).

    A square with a side of `patch` pixels, filled with the background colour, is moved over the image, uint8 (h, w) or
    (h, w, c): pixel by pixel, or in larger steps if the image is larger than 32×32. None uses a sixth of the shorter
    side, at least 5 pixels. The result is the mean drop over the squares that cover a pixel. Positive values support
    the class of column `label`. No gradients are needed, so any model can be explained.

    References
    ----------
    M. D. Zeiler, R. Fergus (2014). Visualizing and understanding convolutional networks. ECCV.

    Examples
    --------
    >>> image = np.zeros((8, 8), np.uint8)
    >>> image[2:4, 2:4] = 255
    >>> def predict_brightest(images):
    ...     share = images.reshape(len(images), -1).max(axis=1) / 255
    ...     return np.stack([1 - share, share], axis=1)
    >>> drop = occlude(predict_brightest, image, 1, patch=3)
    >>> bool(drop[2, 2] > 0), float(drop[7, 7])
    (True, 0.0)
    """
    _check_image(image)
    height, width = image.shape[:2]
    if patch is None:
        patch = max(min(_PATCH, height, width), min(height, width) // 6)
    if not 1 <= patch <= min(height, width):
        raise ParameterError(f"The 'patch' parameter must be from 1 to {min(height, width)}. Got {patch}.")
    background = find_background(image)
    # Squares may extend past the border, so that pixels near it are covered by as many squares as others.
    step = min(patch, math.ceil((max(height, width) + patch - 1) / _MAX_POSITIONS))
    corners = [(y, x) for y in range(1 - patch, height, step) for x in range(1 - patch, width, step)]
    covered = np.repeat(image[None], len(corners) + 1, axis=0)
    for copy, (y, x) in zip(covered[1:], corners, strict=True):
        copy[max(y, 0) : y + patch, max(x, 0) : x + patch] = background
    probabilities = predict_proba(covered)[:, label].astype(float)
    drop, count = np.zeros((height, width)), np.zeros((height, width))
    for (y, x), probability in zip(corners, probabilities[1:], strict=True):
        square = slice(max(y, 0), y + patch), slice(max(x, 0), x + patch)
        drop[square] += probabilities[0] - probability
        count[square] += 1
    return drop / count


def integrate_gradients(network: nn.Module, image: np.ndarray, label: int) -> np.ndarray:
    """Return the integrated gradients of the probability of a class, one contribution per pixel, (h, w).

    The baseline is a blank image of the background colour. The contributions sum to the difference in probability
    between the image and the baseline; pixels of the background colour contribute nothing. The result is finer than
    that of `occlude`, but requires the network and captum.

    References
    ----------
    M. Sundararajan, A. Taly, Q. Yan (2017). Axiomatic attribution for deep networks. ICML.
    """
    import torch

    from skconv.evaluation.activations import evaluation_mode, run_network, to_batch

    image = np.asarray(image)
    _check_image(image)
    n_classes = run_network(network, image[None]).shape[1]  # raises if the image has a wrong shape
    if not 0 <= label < n_classes:
        raise ParameterError(f"The 'label' parameter must be from 0 to {n_classes - 1}. Got {label}.")
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        raise missing_package("integrated gradients", "captum", "explain") from error

    def predict_class(images: Tensor) -> Tensor:
        return network(images).softmax(1)[:, label]

    device = next(network.parameters()).device
    whole = to_batch(image[None]).to(device)
    blank = to_batch(np.broadcast_to(find_background(image), image.shape)[None]).to(device)
    # Contrast normalization would make all interpolated images equal, so use the statistics of the original image.
    normalization = getattr(network, "input_normalization", None)
    fixed = nullcontext() if normalization is None else normalization.statistics_of(whole)
    with evaluation_mode(network), fixed, torch.enable_grad():
        contributions = IntegratedGradients(predict_class).attribute(
            whole, baselines=blank, n_steps=_STEPS, internal_batch_size=_STEPS
        )
    values: np.ndarray = contributions[0].detach().cpu().sum(0).double().numpy()
    return values


def has_captum() -> bool:
    """Return whether captum is installed, without importing it."""
    return importlib.util.find_spec("captum") is not None


def find_background(image: np.ndarray) -> np.ndarray:
    """Return the background colour of an image, the median of its border: shape () or (c,), dtype of the image."""
    border = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    background: np.ndarray = np.median(border, axis=0).astype(image.dtype)
    return background


def _check_image(image: np.ndarray) -> None:
    if image.ndim not in (2, 3):
        raise DataError(f"The image has shape {image.shape}; expected one image, (h, w) or (h, w, c).")

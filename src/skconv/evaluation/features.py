"""Images as a network sees them last, and which of them are near each other there."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from skconv.evaluation.activations import first_member, run_network

_BATCH = 512  # images


def collect_features(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """Return what the last linear layer of a network gets of each image: all that its answer is made of.

    Parameters
    ----------
    network : Module
        Takes float32 (n, channels, height, width). Left in the mode it was in. Of an ensemble the first member counts.
    images : ndarray of numbers, shape (n, h, w) or (n, h, w, c)
        In the range of the images the network was trained on; at least one.

    Returns
    -------
    ndarray of float32, shape (n, d)
        Of a network without a linear layer, its logits.

    Raises
    ------
    DataError
        The network does not take images of this shape.

    Examples
    --------
    >>> from skconv.networks import create_network
    >>> network = create_network("fast", in_channels=1, image_size=(28, 28), num_classes=10)
    >>> collect_features(network, np.zeros((3, 28, 28), np.uint8)).shape[0]
    3
    """
    network = first_member(network)
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    seen: list[Tensor] = []

    def keep(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0])

    parts = []
    hook = linear[-1].register_forward_pre_hook(keep) if linear else None
    try:
        for start in range(0, len(images), _BATCH):
            seen.clear()
            logits = run_network(network, images[start : start + _BATCH])
            # Where a network looks at an image several times, the first look counts.
            parts.append((seen[0] if seen else logits).flatten(1).float().cpu().numpy())
    finally:
        if hook is not None:
            hook.remove()
    return np.concatenate(parts)


def find_nearest(features: np.ndarray, wanted: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the features nearest to one, the nearest first, and their distances.

    Parameters
    ----------
    features : ndarray of float, shape (n, d)
    wanted : ndarray of float, shape (d,)
    most : int
        How many to return, at most n.

    Returns
    -------
    positions : ndarray of int, shape (most,)
    distances : ndarray of float, shape (most,)
        1 - cosine: 0 for the same direction, 2 for the opposite.

    Examples
    --------
    >>> find_nearest(np.array([[0.0, 1.0], [2.0, 0.1]]), np.array([1.0, 0.0]), 1)[0]
    array([1])
    """
    lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(wanted)
    distances = 1 - features @ wanted / np.maximum(lengths, np.finfo(np.float32).tiny)
    order = np.argsort(distances, kind="stable")[:most]
    return order, distances[order]

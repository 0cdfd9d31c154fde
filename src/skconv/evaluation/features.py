"""Features of images, the input of the last linear layer, and their nearest neighbours."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from skconv.evaluation.activations import first_member, run_network

_BATCH = 512  # images


def collect_features(network: nn.Module, images: np.ndarray) -> np.ndarray:
    """Return the input of the last linear layer for each image.

    Parameters
    ----------
    network : Module
        Takes float32 (n, channels, height, width). Its mode is restored. Of an ensemble the first member is used.
    images : ndarray of numbers, shape (n, h, w) or (n, h, w, c)
        In the range of the training images, n > 0.

    Returns
    -------
    ndarray of float32, shape (n, d)
        The logits, if the network has no linear layer.

    Raises
    ------
    DataError
        If the shape of the images does not fit the network.

    Examples
    --------
    >>> from skconv.networks import create_network
    >>> network = create_network("fast", in_channels=1, image_size=(28, 28), num_classes=10)
    >>> collect_features(network, np.zeros((3, 28, 28), np.uint8)).shape[0]
    3
    """
    network = first_member(network)
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    recorded: list[Tensor] = []

    def record(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        recorded.append(inputs[0])

    parts = []
    hook = linear[-1].register_forward_pre_hook(record) if linear else None
    try:
        for start in range(0, len(images), _BATCH):
            recorded.clear()
            logits = run_network(network, images[start : start + _BATCH])
            # If a network crops the image several times, the first crop counts.
            parts.append((recorded[0] if recorded else logits).flatten(1).float().cpu().numpy())
    finally:
        if hook is not None:
            hook.remove()
    return np.concatenate(parts)


def find_nearest(features: np.ndarray, query: np.ndarray, max_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and cosine distances of the features nearest to `query`, the nearest first.

    Parameters
    ----------
    features : ndarray of float, shape (n, d)
    query : ndarray of float, shape (d,)
    max_count : int
        Number of neighbours.

    Returns
    -------
    positions : ndarray of int, shape (min(max_count, n),)
    distances : ndarray of float, same shape
        0 (same direction) to 2 (opposite direction).

    Examples
    --------
    >>> find_nearest(np.array([[0.0, 1.0], [2.0, 0.1]]), np.array([1.0, 0.0]), 1)[0]
    array([1])
    """
    from sklearn.metrics.pairwise import cosine_distances

    distances = cosine_distances(features, query[None])[:, 0]
    order = np.argsort(distances, kind="stable")[:max_count]
    return order, distances[order]

"""`LocalContrast`: what a picture owes to light, fog and exposure is taken away before a network sees it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_REACH = 5 / 28  # as a share of the shorter side
_LEAST_SPREAD = 0.01  # of the training pictures': what hardly varies is not brought to full contrast


class LocalContrast(nn.Module):
    """Subtracts from pictures their local mean, and brings what is left to standard deviation 1.

    A brighter picture, a pale one, one behind fog look to the network as they would without. The local mean is that
    under a Gaussian of 5 pixels for pictures of 28×28, the same share of the shorter side for others; what would lie
    beyond the border does not count.

    Parameters
    ----------
    image_size : (int, int)
        Height and width in pixels.

    References
    ----------
    Jarrett et al.: "What is the best multi-stage architecture for object recognition?", ICCV 2009.

    Examples
    --------
    >>> layer = LocalContrast((28, 28))
    >>> pictures = torch.rand(2, 1, 28, 28)
    >>> torch.allclose(layer(pictures), layer(pictures + 3), atol=1e-4)
    True
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, image_size: tuple[int, int]) -> None:
        super().__init__()
        # Saved with the weights: a model trained without it cannot be taken for one trained with it.
        for name, side in zip(("rows", "columns"), image_size, strict=True):
            self.register_buffer(name, _make_gaussian(side, _REACH * min(image_size)))

    def forward(self, images: Tensor) -> Tensor:
        """Return (n, channels, height, width) from the same."""
        relief = images - self.rows @ images @ self.columns.T
        return relief / (relief.std((1, 2, 3), correction=0, keepdim=True) + _LEAST_SPREAD)


def _make_gaussian(side: int, sigma: float) -> Tensor:
    """Return the matrix (side, side) that replaces each value by the mean of its neighbours, with weights of sum 1."""
    positions = torch.arange(side, dtype=torch.float32)
    weights = torch.exp(-((positions[:, None] - positions) ** 2) / (2 * sigma**2))
    return weights / weights.sum(1, keepdim=True)

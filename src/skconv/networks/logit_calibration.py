"""Logit calibration: last layer of a network, which undoes label smoothing and applies temperature and biases."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_SOFTNESS = 0.1  # value that replaces 0 after smoothing / num_classes is subtracted, as a fraction of this quotient
_EPSILON = 1e-12  # keeps the logarithm finite if smoothing is 0, where its result is discarded


class LogitCalibration(nn.Module):
    """Undo label smoothing, then multiply the logits by a factor and add a bias per class; identity in training.

    A network trained with label smoothing s predicts at least s / k for each of k classes. The layer subtracts s / k
    from each probability p and normalizes the result. If ``p - s / k`` is near or below 0, a small positive number
    replaces it, so that the order of the classes does not change.

    Smoothing, factor and biases are buffers: weights files and ONNX graphs contain them, and further training ignores
    them.

    References
    ----------
    Szegedy et al.: "Rethinking the Inception architecture for computer vision", CVPR 2016 (label smoothing); Guo,
    Pleiss, Sun, Weinberger: "On calibration of modern neural networks", ICML 2017 (temperature).

    Examples
    --------
    >>> layer = LogitCalibration(2).eval()
    >>> layer.undo_smoothing(0.1)
    >>> layer(torch.tensor([[0.95, 0.05], [0.5, 0.5]]).log()).softmax(1).round(decimals=2)
    tensor([[0.9900, 0.0100],
            [0.5000, 0.5000]])
    """

    smoothing: Tensor
    factor: Tensor
    biases: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("smoothing", torch.zeros(()))
        self.register_buffer("factor", torch.ones(()))
        self.register_buffer("biases", torch.zeros(num_classes))

    def undo_smoothing(self, label_smoothing: float) -> None:
        """Set the label smoothing to undo, 0..1: the value used in training."""
        self.smoothing.fill_(label_smoothing)

    def scale(self, factor: float) -> None:
        """Multiply the current output by `factor`, the inverse of a temperature, above 0."""
        self.factor.mul_(factor)
        self.biases.mul_(factor)

    def shift(self, biases: Sequence[float]) -> None:
        """Add `biases`, one per class, to the current output."""
        self.biases.add_(torch.tensor(biases, dtype=self.biases.dtype, device=self.biases.device))

    def forward(self, logits: Tensor) -> Tensor:
        """Return calibrated logits (n, num_classes)."""
        if self.training:
            return logits
        exact = to_double(logits)
        unsmoothed = torch.where(self.smoothing > 0, self._undo(exact), exact)
        return (self.factor * unsmoothed + self.biases).to(logits.dtype)

    def _undo(self, logits: Tensor) -> Tensor:
        """Return the logarithms of the probabilities after undoing label smoothing."""
        added = self.smoothing / logits.shape[1]
        rest = logits.softmax(1) - added
        softness = (_SOFTNESS * added).clamp(min=_EPSILON)
        return torch.log((rest + torch.sqrt(rest**2 + 4 * softness**2)) / 2)


def to_double(logits: Tensor) -> Tensor:
    """Return logits in float64, so that an image's position in its batch does not change its last digit.

    Apple's GPUs do not support float64; their logits are returned unchanged.
    """
    return logits if logits.device.type == "mps" else logits.double()

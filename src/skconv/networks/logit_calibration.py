"""`Answers`, the last layer of networks: from the logits that training wants to those that mean what they say."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

_SOFTNESS = 0.1  # of what smoothing gives a class: so much is left of a class that got just that
_TINY = 1e-12  # keeps the logarithm finite where nothing was smoothed and its result is not used


class LogitCalibration(nn.Module):
    """Undoes label smoothing, then multiplies the logits and adds a bias for each class; in training does nothing.

    A network trained on labels smoothed by a share s learns to give every class at least s / k, and to be hardly ever
    surer than 1 - s + s / k: its answers are the true ones, smoothed as well. So what is told is ``p - s / k``, over
    its sum. Where that is 0 or less it is a small positive number instead, the smaller the less the class was given:
    which class is likelier than which stays as it is.

    Factor and biases are those of a calibration. All are buffers: weights files and ONNX graphs carry them, and a
    training that goes on does not see them.

    Parameters
    ----------
    num_classes : int
        Number of logits.

    References
    ----------
    Szegedy et al.: "Rethinking the Inception architecture for computer vision", CVPR 2016 (label smoothing); Guo,
    Pleiss, Sun, Weinberger: "On calibration of modern neural networks", ICML 2017 (the factor: one over a temperature).

    Examples
    --------
    >>> layer = Answers(2).eval()
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

    def undo_smoothing(self, share: float) -> None:
        """From now on, treat the logits as trained on labels smoothed by `share`, 0..1."""
        self.smoothing.fill_(share)

    def scale(self, factor: float) -> None:
        """Multiply the logits by `factor`, above 0, from now on: one over a temperature."""
        self.factor.mul_(factor)
        self.biases.mul_(factor)

    def shift(self, amounts: Sequence[float]) -> None:
        """Add `amounts`, one a class, to the logits from now on."""
        self.biases.add_(torch.tensor(amounts, dtype=self.biases.dtype, device=self.biases.device))

    def forward(self, logits: Tensor) -> Tensor:
        """Return logits (n, num_classes) from the same."""
        if self.training:
            return logits
        exact = to_double(logits)
        meant = torch.where(self.smoothing > 0, self._undo(exact), exact)
        return (self.factor * meant + self.biases).to(logits.dtype)

    def _undo(self, logits: Tensor) -> Tensor:
        """Return the logarithms of the probabilities without what smoothing gave every class."""
        given = self.smoothing / logits.shape[1]
        rest = logits.softmax(1) - given
        softness = (_SOFTNESS * given).clamp(min=_TINY)
        return torch.log((rest + torch.sqrt(rest**2 + 4 * softness**2)) / 2)


def to_double(logits: Tensor) -> Tensor:
    """Return them in double precision: where an image stands in its batch then cannot turn the last bit of its answer.

    Apple's GPUs have no double precision; there the logits stay as they are.
    """
    return logits if logits.device.type == "mps" else logits.double()

"""`Muon`: AdamW, but for the filters of convolutions steps whose directions are all of one size."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from skconv.training.adamw import AdamW

_MOMENTUM = 0.95
_ITERATIONS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan's: they bring singular values near 1 soonest, not closest
_LIKE_ADAMW = 0.2  # the root mean square of AdamW's usual steps, so that one learning rate serves both


class Muon(AdamW):
    """AdamW, with momentum that is made orthogonal for the filters of convolutions.

    The gradient of a layer's filters is dominated by a few directions. Where its momentum is replaced by the nearest
    (semi-)orthogonal matrix, all directions are learnt at one pace: on MNIST 4 epochs do what AdamW does in 10.
    Biases, norms and linear layers are left to AdamW.

    Parameters
    ----------
    params, **kwargs
        As for `AdamW`; learning rate and weight decay hold for filters too.

    References
    ----------
    Jordan et al.: "Muon: an optimizer for hidden layers in neural networks", 2024; Liu et al.: "Muon is scalable for
    LLM training", 2025 (the size of the steps).

    Examples
    --------
    >>> layer = torch.nn.Conv2d(1, 4, 3)
    >>> layer(torch.ones(1, 1, 3, 3)).sum().backward()
    >>> before = layer.weight.detach().clone()
    >>> Muon(layer.parameters(), lr=0.1).step()
    >>> float((layer.weight.detach() - before).square().mean().sqrt()) < 0.03
    True
    """

    def _step_group(self, group: dict[str, Any]) -> None:
        for weight in group["params"]:
            if weight.ndim == 4 and weight.grad is not None:
                self._step_filters(weight, weight.grad, group["lr"], group["weight_decay"])
                weight.grad = None  # AdamW passes over it
        super()._step_group(group)

    def _step_filters(self, weight: Tensor, gradient: Tensor, rate: float, decay: float) -> None:
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
        direction = self._orthogonalize(gradient.lerp(state["momentum"], _MOMENTUM).flatten(1))
        weight.mul_(1 - rate * decay)
        size = _LIKE_ADAMW * max(direction.shape) ** 0.5
        weight.add_(direction.reshape(weight.shape), alpha=-rate * size)

    def _orthogonalize(self, matrix: Tensor) -> Tensor:
        if not matrix.is_cuda:
            return orthogonalize(matrix)
        # Each optimizer has its own, since others may step in other threads. Copies and pickles of it are without.
        recorded = self.__dict__.setdefault("_recorded", {})
        if matrix.shape not in recorded:
            recorded[matrix.shape] = RecordedOrthogonalize(matrix.shape, matrix.device)
        return recorded[matrix.shape](matrix)


def orthogonalize(matrix: Tensor) -> Tensor:
    """Return a matrix (m, n) with its singular values, as far as they are not tiny, brought to about 1 (0.7..1.2).

    Examples
    --------
    >>> values = torch.linalg.svdvals(orthogonalize(torch.diag(torch.tensor([9.0, 3.0, 1.0]))))
    >>> bool((values > 0.6).all() and (values < 1.3).all())
    True
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / (wide.norm() + 1e-7)
    a, b, c = _COEFFICIENTS
    # Each iteration multiplies x by a polynomial of x @ x.T, so all of them are done on these small squares.
    square = x @ x.T
    product = identity = torch.eye(len(x), dtype=x.dtype, device=x.device)
    for iteration in range(_ITERATIONS):
        factor = a * identity + torch.addmm(square, square, square, beta=b, alpha=c)
        product = factor @ product
        if iteration < _ITERATIONS - 1:
            square = factor @ (factor @ square)
    x = product @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


class RecordedOrthogonalize:
    """`orthogonalize` on a CUDA device, its kernels recorded for one shape and started at once.

    There are forty of them, each done in a few microseconds, while to start one takes the processor ten.

    Parameters
    ----------
    shape : torch.Size
        (m, n) of all matrices that it will be called with, float32.
    device : torch.device
        The CUDA device where they are.
    """

    def __init__(self, shape: torch.Size, device: torch.device) -> None:
        self._matrix = torch.zeros(shape, device=device)
        aside = torch.cuda.Stream(device)
        aside.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(aside):  # the first call sets up what must not be recorded
            orthogonalize(self._matrix)
        torch.cuda.current_stream(device).wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):  # others may use the device meanwhile
            self._direction = orthogonalize(self._matrix)

    def __call__(self, matrix: Tensor) -> Tensor:
        """Return what `orthogonalize` does of a matrix (m, n), in memory that the next call writes over."""
        self._matrix.copy_(matrix)
        self._graph.replay()
        return self._direction

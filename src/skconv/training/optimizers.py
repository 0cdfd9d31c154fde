"""Optimizers `AdamW` and `Muon`.

Hand-written because torch's optimizers import its compiler, 0.9 s at the first step, and its Muon takes matrices only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

_MOMENTUM = 0.95
_ITERATIONS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan's: fastest convergence of singular values to about 1, not closest
_ADAMW_RMS = 0.2  # root mean square of AdamW's usual steps, so that one learning rate suits both


class AdamW(torch.optim.Optimizer):
    """Adam with decoupled weight decay: the same steps, bit for bit, as ``torch.optim.AdamW(…, fused=True)``.

    Parameters
    ----------
    params : iterable of Tensor or of dict
        Parameters or parameter groups, as for every optimizer of torch.
    lr : float, default=0.001
        Learning rate.
    betas : (float, float), default=(0.9, 0.999)
        Decay rates of the moving averages of the gradient and of its square.
    eps : float, default=1e-8
        Added to the denominator.
    weight_decay : float, default=0.01
        Each step multiplies the weights by ``1 - lr * weight_decay``.

    References
    ----------
    Loshchilov, Hutter: "Decoupled weight decay regularization", ICLR 2019.

    Examples
    --------
    >>> weight = torch.ones(3, requires_grad=True)
    >>> weight.sum().backward()
    >>> AdamW([weight], lr=0.1, weight_decay=0.0).step()
    >>> weight.detach()
    tensor([0.9000, 0.9000, 0.9000])
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    # The wrappers of torch import its compiler at the first call.
    add_param_group = inspect.unwrap(torch.optim.Optimizer.add_param_group)
    zero_grad = inspect.unwrap(torch.optim.Optimizer.zero_grad)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters that have a gradient; return the loss of `closure`, if given."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        weights = [weight for weight in group["params"] if weight.grad is not None]
        if not weights:
            return
        for weight in weights:
            if not self.state[weight]:
                self.state[weight] = {
                    "step": torch.zeros((), device=weight.device),
                    "exp_avg": torch.zeros_like(weight),
                    "exp_avg_sq": torch.zeros_like(weight),
                }
        states = [self.state[weight] for weight in weights]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        torch._fused_adamw_(
            weights,
            [weight.grad for weight in weights],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=False,
        )


class Muon(AdamW):
    """AdamW with orthogonalized momentum for the weights of convolutions.

    A few directions dominate the gradient of a convolution. Muon replaces its momentum by the nearest semi-orthogonal
    matrix, so that all directions are learned at the same rate: 4 epochs of MNIST instead of 10. Biases, norms and
    linear layers are updated by AdamW.

    Parameters
    ----------
    params, **kwargs
        As for `AdamW`; `lr` and `weight_decay` also apply to convolutions.

    References
    ----------
    Jordan et al.: "Muon: an optimizer for hidden layers in neural networks", 2024; Liu et al.: "Muon is scalable for
    LLM training", 2025 (scale of the steps).

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
                self._step_convolution(weight, weight.grad, group["lr"], group["weight_decay"])
                weight.grad = None  # AdamW skips parameters without a gradient
        super()._step_group(group)

    def _step_convolution(self, weight: Tensor, gradient: Tensor, lr: float, weight_decay: float) -> None:
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
        direction = self._orthogonalize(gradient.lerp(state["momentum"], _MOMENTUM).flatten(1))
        weight.mul_(1 - lr * weight_decay)
        scale = _ADAMW_RMS * max(direction.shape) ** 0.5
        weight.add_(direction.reshape(weight.shape), alpha=-lr * scale)

    def _orthogonalize(self, matrix: Tensor) -> Tensor:
        if not matrix.is_cuda:
            return orthogonalize(matrix)
        # Per optimizer, since others may step in other threads. Copies and pickles are made without it.
        graphs = self.__dict__.setdefault("_graphs", {})
        if matrix.shape not in graphs:
            graphs[matrix.shape] = OrthogonalizeGraph(matrix.shape, matrix.device)
        return graphs[matrix.shape](matrix)


def orthogonalize(matrix: Tensor) -> Tensor:
    """Return a matrix (m, n) with its singular values, except tiny ones, moved to 0.7..1.2 by Newton-Schulz iteration.

    Examples
    --------
    >>> values = torch.linalg.svdvals(orthogonalize(torch.diag(torch.tensor([9.0, 3.0, 1.0]))))
    >>> bool((values > 0.6).all() and (values < 1.3).all())
    True
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / (wide.norm() + 1e-7)
    a, b, c = _COEFFICIENTS
    # Each iteration multiplies x by a polynomial of x @ x.T, so that all of them work on these small squares.
    square = x @ x.T
    product = identity = torch.eye(len(x), dtype=x.dtype, device=x.device)
    for iteration in range(_ITERATIONS):
        factor = a * identity + torch.addmm(square, square, square, beta=b, alpha=c)
        product = factor @ product
        if iteration < _ITERATIONS - 1:
            square = factor @ (factor @ square)
    x = product @ x
    return x if matrix.shape[0] <= matrix.shape[1] else x.T


class OrthogonalizeGraph:
    """`orthogonalize` as a CUDA graph: its forty kernels run for a few microseconds each, but take ten to launch.

    Parameters
    ----------
    shape : torch.Size
        Shape (m, n) of all matrices, float32.
    device : torch.device
        Their CUDA device.
    """

    def __init__(self, shape: torch.Size, device: torch.device) -> None:
        self._matrix = torch.zeros(shape, device=device)
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):  # the first call allocates what a graph must not contain
            orthogonalize(self._matrix)
        torch.cuda.current_stream(device).wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, capture_error_mode="thread_local"):  # other threads may use the device
            self._result = orthogonalize(self._matrix)

    def __call__(self, matrix: Tensor) -> Tensor:
        """Return `orthogonalize` of a matrix (m, n), in memory that the next call overwrites."""
        self._matrix.copy_(matrix)
        self._graph.replay()
        return self._result

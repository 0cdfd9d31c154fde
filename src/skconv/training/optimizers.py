"""Optimizers `AdamW` and `Muon`, and the exponential moving average (EMA) of the weights.

Implemented here because torch's optimizers import its compiler (0.9 s) and its Muon supports matrices only.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

_ITERATIONS = 5
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # Jordan's coefficients, for fast rather than exact convergence to 1
_ADAMW_RMS = 0.2  # root mean square of AdamW's usual steps, so that one learning rate suits both


class AdamW(torch.optim.Optimizer):
    """Adam with decoupled weight decay, bit for bit equal to ``torch.optim.AdamW(…, fused=True)``.

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

    # torch's wrappers of these methods import its compiler at the first call.
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
            _view_as_real(weights),
            _view_as_real([weight.grad for weight in weights]),
            _view_as_real([state["exp_avg"] for state in states]),
            _view_as_real([state["exp_avg_sq"] for state in states]),
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


def create_adam(params: Iterable[Any], **options: Any) -> torch.optim.Adam:
    """Return Adam for parameters or groups of them, fused unless one is complex, which the fused step refuses."""
    params = list(params)
    groups = [each["params"] if isinstance(each, Mapping) else [each] for each in params]
    is_complex = any(weight.is_complex() for group in groups for weight in group)
    return torch.optim.Adam(params, fused=not is_complex, **options)


def _view_as_real(tensors: list[Any]) -> list[Tensor]:
    """Return tensors, with real and imaginary parts instead of complex numbers, in the same memory."""
    return [torch.view_as_real(each.resolve_conj()) if each.is_complex() else each for each in tensors]


class Muon(AdamW):
    """AdamW with orthogonalized momentum for the weights of convolutions.

    The parameters are those of `AdamW`, and `momentum`, the decay of the average of the gradients, 0..1. About
    ``1 / (1 - momentum)`` steps are averaged, so that trainings of a few hundred steps need less than the default.

    A few directions dominate the gradient of a convolution. Muon replaces its momentum by the nearest semi-orthogonal
    matrix, so that all directions are learned at the same rate. MNIST then needs 4 epochs instead of 10. Biases, norms
    and linear layers are updated by AdamW.

    References
    ----------
    Jordan et al.: "Muon: an optimizer for hidden layers in neural networks", 2024; Liu et al.: "Muon is scalable for
    LLM training", 2025 (scale of the steps).
    """

    def __init__(self, params: Any, lr: float = 0.001, *, momentum: float = 0.95, **options: Any) -> None:
        super().__init__(params, lr, **options)
        self.defaults["momentum"] = momentum
        for group in self.param_groups:
            group.setdefault("momentum", momentum)

    def _step_group(self, group: dict[str, Any]) -> None:
        for weight in group["params"]:
            if weight.ndim == 4 and weight.grad is not None and not weight.is_complex():
                self._step_convolution(weight, weight.grad, group)
                weight.grad = None  # AdamW skips parameters without a gradient
        super()._step_group(group)

    def _step_convolution(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, lr, momentum = self.state[weight], group["lr"], group["momentum"]
        if not state:
            state["momentum"] = torch.zeros_like(weight)
        state["momentum"].lerp_(gradient, 1 - momentum)
        direction = self._orthogonalize(gradient.lerp(state["momentum"], momentum).flatten(1))
        weight.mul_(1 - lr * group["weight_decay"])
        scale = _ADAMW_RMS * max(direction.shape) ** 0.5
        weight.add_(direction.reshape(weight.shape), alpha=-lr * scale)

    def _orthogonalize(self, matrix: Tensor) -> Tensor:
        if not matrix.is_cuda:
            return orthogonalize(matrix)
        # One cache per optimizer, because other optimizers may run in other threads; it is not copied or pickled.
        graphs = self.__dict__.setdefault("_graphs", {})
        if matrix.shape not in graphs:
            graphs[matrix.shape] = OrthogonalizeGraph(matrix.shape, matrix.device)
        return graphs[matrix.shape](matrix)


def orthogonalize(matrix: Tensor) -> Tensor:
    """Return a matrix (m, n) whose singular values, except tiny ones, are moved to 0.7..1.2 by Newton-Schulz iteration.

    Examples
    --------
    >>> values = torch.linalg.svdvals(orthogonalize(torch.diag(torch.tensor([9.0, 3.0, 1.0]))))
    >>> bool((values > 0.6).all() and (values < 1.3).all())
    True
    """
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = wide / (wide.norm() + 1e-7)
    a, b, c = _COEFFICIENTS
    # Each iteration multiplies x by a polynomial of x @ x.T, so iterate on these smaller matrices.
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
    """`orthogonalize` of float32 matrices of one shape as a CUDA graph.

    A graph launches its forty kernels at once; launching each one separately takes longer (10 µs) than running it.
    """

    def __init__(self, shape: torch.Size, device: torch.device) -> None:
        self._matrix = torch.zeros(shape, device=device)
        stream = torch.cuda.Stream(device)
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):  # the first call allocates memory, which a graph must not contain
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


class EmaWeights:
    """Moving average of the parameters and floating-point buffers of a module, which can be swapped with them.

    The average spans about ``1 / (1 - decay)`` steps, 0 < decay < 1, and fewer in the first steps, so that the random
    initial weights lose their influence. Each method accepts the module, which is not stored.

    References
    ----------
    Polyak, Juditsky: "Acceleration of stochastic approximation by averaging", SIAM J. Control Optim. 30, 1992.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.n_updates = 0
        self.swapped = False
        self._average = [tensor.clone() for tensor in _live_weights(module)]

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Update the average after a training step."""
        self.n_updates += 1
        decay = min(self.decay, (1 + self.n_updates) / (10 + self.n_updates))
        torch._foreach_lerp_(self._average, _live_weights(module), 1 - decay)

    @torch.no_grad()
    def swap(self, module: nn.Module, averaged: bool) -> None:
        """Load the averaged (True) or the live weights (False) into the module; idempotent."""
        if averaged != self.swapped:
            for live, average in zip(_live_weights(module), self._average, strict=True):
                copied = live.clone()
                live.copy_(average)
                average.copy_(copied)
            self.swapped = averaged

    def state_dict(self) -> dict[str, Any]:
        """Return the average, or the live weights while swapped, for a checkpoint."""
        return {"n_updates": self.n_updates, "swapped": self.swapped, "tensors": self._average}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load a state returned by `state_dict`; raise ValueError if a shape differs."""
        for average, saved in zip(self._average, state["tensors"], strict=True):
            if average.shape != saved.shape:
                raise ValueError(f"EMA has shape {tuple(saved.shape)}; expected {tuple(average.shape)}")
            average.copy_(saved)
        self.n_updates, self.swapped = int(state["n_updates"]), bool(state["swapped"])


def _live_weights(module: nn.Module) -> list[Tensor]:
    # Listed at each step: a copied or unpickled network has other tensors.
    state = (*module.parameters(), *module.buffers())
    return [tensor.detach() for tensor in state if tensor.is_floating_point()]

"""Exponential moving average of the weights (EMA)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class EmaWeights:
    """Moving average of the parameters and floating-point buffers of a network, and its exchange with the live weights.

    Parameters
    ----------
    module : torch.nn.Module
        The network in training; passed to each method instead of stored.
    decay : float
        0 < decay < 1. The average spans about ``1 / (1 - decay)`` steps, and fewer in the first steps, so that the
        random initial weights lose their influence.

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
        """Load the averaged weights (True) or the weights in training (False) into the network; idempotent."""
        if averaged != self.swapped:
            for live, average in zip(_live_weights(module), self._average, strict=True):
                copied = live.clone()
                live.copy_(average)
                average.copy_(copied)
            self.swapped = averaged

    def state_dict(self) -> dict[str, Any]:
        """Return the average, or the weights in training while swapped, for a checkpoint."""
        return {"n_updates": self.n_updates, "swapped": self.swapped, "tensors": self._average}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Load what `state_dict` returned; raise ValueError for tensors of other shapes."""
        for average, saved in zip(self._average, state["tensors"], strict=True):
            if average.shape != saved.shape:
                raise ValueError(f"EMA has shape {tuple(saved.shape)}; expected {tuple(average.shape)}")
            average.copy_(saved)
        self.n_updates, self.swapped = int(state["n_updates"]), bool(state["swapped"])


def _live_weights(module: nn.Module) -> list[Tensor]:
    # Listed at each step: a copied or unpickled network has other tensors.
    state = (*module.parameters(), *module.buffers())
    return [tensor.detach() for tensor in state if tensor.is_floating_point()]

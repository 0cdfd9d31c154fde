"""Exponential moving average of the weights: often better than the last weights, never chosen by a score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class EmaWeights:
    """Keep a moving average of a network's parameters and floating-point buffers, and put it in their place.

    Parameters
    ----------
    module : torch.nn.Module
        The network in training; it is not kept, but passed to each call.
    decay : float
        0 < decay < 1. The average spans about ``1 / (1 - decay)`` steps; at first it spans fewer, so that the
        random weights of the start are soon forgotten.

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
        """Take in the weights after one step."""
        self.n_updates += 1
        decay = min(self.decay, (1 + self.n_updates) / (10 + self.n_updates))
        torch._foreach_lerp_(self._average, _live_weights(module), 1 - decay)

    @torch.no_grad()
    def swap(self, module: nn.Module, averaged: bool) -> None:
        """Put the averaged weights into the network (True), or the ones in training (False); idempotent."""
        if averaged != self.swapped:
            for live, average in zip(_live_weights(module), self._average, strict=True):
                held = live.clone()
                live.copy_(average)
                average.copy_(held)
            self.swapped = averaged

    def state_dict(self) -> dict[str, Any]:
        """Return the average (where swapped, the weights in training), as a checkpoint keeps it."""
        return {"n_updates": self.n_updates, "swapped": self.swapped, "tensors": self._average}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned; raises ValueError for tensors of other shapes."""
        for average, saved in zip(self._average, state["tensors"], strict=True):
            if average.shape != saved.shape:
                raise ValueError(f"an average of shape {tuple(saved.shape)}, not {tuple(average.shape)}")
            average.copy_(saved)
        self.n_updates, self.swapped = int(state["n_updates"]), bool(state["swapped"])


def _live_weights(module: nn.Module) -> list[Tensor]:
    # Asked for at each step: a copied or unpickled network has tensors of its own.
    state = (*module.parameters(), *module.buffers())
    return [tensor.detach() for tensor in state if tensor.is_floating_point()]

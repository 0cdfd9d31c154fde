"""Callback that freezes loaded weights and unfreezes them layer by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from skorch.callbacks import Callback


class Unfreeze(Callback):
    """Freeze the loaded weights `names`, and unfreeze them layer by layer over `n_steps`, from last to first.

    Gradients from randomly initialised layers would destroy loaded weights. The last layer is always trained.
    """

    def __init__(self, names: Sequence[str], n_steps: int) -> None:
        self.names = names
        self.n_steps = n_steps

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Freeze the layers as required for the first step."""
        self.step_ = getattr(self, "step_", 0)
        self._update(net)

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Count the step and unfreeze the layers scheduled for it."""
        if training:
            self.step_ += 1
            self._update(net)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Unfreeze all layers for later training."""
        net.module_.requires_grad_(True)

    def state_dict(self) -> dict[str, int]:
        """Return the state for a checkpoint."""
        return {"step": self.step_}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Restore the state of a checkpoint."""
        self.step_ = state["step"]

    def _update(self, net: Any) -> None:
        parameters = dict(net.module_.named_parameters())
        last = _layer_of(list(parameters)[-1])
        loaded = [name for name in self.names if name in parameters and _layer_of(name) != last]
        layers = list(dict.fromkeys(map(_layer_of, loaded)))
        progress = min(self.step_ / self.n_steps, 1.0)
        frozen = set(layers[: math.ceil(len(layers) * (1 - progress))])
        for name, parameter in parameters.items():
            parameter.requires_grad_(name not in loaded or _layer_of(name) not in frozen)


def _layer_of(name: str) -> str:
    return name.rpartition(".")[0]

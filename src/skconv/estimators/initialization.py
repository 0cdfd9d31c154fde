"""Begin a training with the weights of a model that was trained on something else."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

from skorch.callbacks import Callback
from torch import nn

from skconv.exceptions import ModelFileError
from skconv.model_io.folder import find_model_folder, read_config
from skconv.model_io.saving import is_calibration, read_weights


def is_learned(name: str) -> bool:
    """Tell whether training learns a tensor of that name; scaling and answers are fitted to the images of a model."""
    return not is_calibration(name) and "input_normalization" not in name.split(".")


def load_matching_weights(network: nn.Module, model: str | os.PathLike[str]) -> list[str]:
    """Give a network every weight of a model whose name and shape fit.

    Parameters
    ----------
    network : torch.nn.Module
        With fresh weights.
    model : path-like
        A model folder, of any classes and any size of images.

    Returns
    -------
    list of str
        Names of the tensors taken over, in the order of the network.

    Raises
    ------
    ModelFileError
        No such model, or none of its weights fits.
    """
    folder = find_model_folder(model)
    config = read_config(folder)
    held = read_weights(folder)
    fresh = network.state_dict()
    names = [
        name for name, tensor in fresh.items() if is_learned(name) and name in held and held[name].shape == tensor.shape
    ]
    if not any(fresh[name].is_floating_point() for name in names):
        raise ModelFileError(
            f"None of the {len(held)} weights in {folder} fits the network to be trained. "
            f"That model's network is '{config.network.name}': train with network='{config.network.name}'."
        )
    network.load_state_dict({name: held[name] for name in names}, strict=False)
    return names


class Unfreeze(Callback):
    """Hold back the weights that were taken over, and release them layer by layer, the last one first.

    New weights are random at first, and their gradients would spoil what the others have learned. The last layer of the
    network is never held back.

    Parameters
    ----------
    names : sequence of str
        Names of the tensors taken over.
    n_steps : int
        Steps until the first layer is released.
    """

    def __init__(self, names: Sequence[str], n_steps: int) -> None:
        self.names = names
        self.n_steps = n_steps

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Hold back what is not yet due."""
        self.step_ = getattr(self, "step_", 0)
        self._release(net)

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Release what is due after this step."""
        if training:
            self.step_ += 1
            self._release(net)

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Release everything: the training that may follow is another one."""
        net.module_.requires_grad_(True)

    def state_dict(self) -> dict[str, int]:
        """Return what a checkpoint keeps."""
        return {"step": self.step_}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on where a checkpoint was made."""
        self.step_ = state["step"]

    def _release(self, net: Any) -> None:
        parameters = dict(net.module_.named_parameters())
        last = _layer_of(list(parameters)[-1])  # what tells the classes apart is trained from the start
        taken = [name for name in self.names if name in parameters and _layer_of(name) != last]
        layers = list(dict.fromkeys(map(_layer_of, taken)))
        share = min(self.step_ / self.n_steps, 1.0)
        held = set(layers[: math.ceil(len(layers) * (1 - share))])
        for name, parameter in parameters.items():
            parameter.requires_grad_(name not in taken or _layer_of(name) not in held)


def _layer_of(name: str) -> str:
    return name.rpartition(".")[0]

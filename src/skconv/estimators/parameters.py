"""Parameters of `CNNClassifier`: one table of kinds, ranges and choices, and the checks that follow from it."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Integral, Real
from typing import Any

from skconv.exceptions import ParameterError

_KINDS: dict[type, tuple[Any, str, tuple[type, ...]]] = {  # accepted types, name in messages, kinds of TOML
    int: (Integral, "an integer", (int,)),
    float: (Real, "a number", (int, float)),
    bool: (bool, "true or false", (bool,)),
    os.PathLike: ((str, os.PathLike), "the path of a folder", (str,)),
    Mapping: (Mapping, "a mapping of label to weight", ()),
    str: (str, "text", (str,)),
    list: (list, "a list", (list,)),
    object: (object, "any object", ()),
}


@dataclass(frozen=True)
class Parameter:
    """One parameter of `CNNClassifier`: what it accepts, and where it can be set.

    Parameters
    ----------
    name : str
        Name of the keyword, and of the recipe's key.
    kind : type
        int, float, bool, str, list, os.PathLike, Mapping or object.
    help : str
        One line on what it does.
    min, max : float, default=-inf, inf
        Range of a number, `max` included.
    open_below : bool, default=False
        Whether `min` itself is excluded.
    choices : tuple of str, default=()
        The only strings that are accepted; for a `kind` other than str, in addition to it.
    nullable : bool, default=False
        Whether None is accepted.
    in_recipe : bool, default=True
        Whether it is a key of a recipe's section [training].
    checked : bool, default=True
        False where the value is checked by the code that uses it.
    """

    name: str
    kind: type
    help: str
    min: float = -math.inf
    max: float = math.inf
    open_below: bool = False
    choices: tuple[str, ...] = ()
    nullable: bool = False
    in_recipe: bool = True
    checked: bool = True

    @cached_property
    def default(self) -> Any:
        """Default in the signature of `CNNClassifier`; imports torch."""
        from skconv.estimators.classifier import CNNClassifier

        return inspect.signature(CNNClassifier.__init__).parameters[self.name].default

    @property
    def toml_kinds(self) -> tuple[type, ...]:
        """Types of the value in a recipe; empty if a recipe cannot set it."""
        kinds = _KINDS[self.kind][2]
        if not self.in_recipe:
            return ()
        return (*kinds, str) if self.choices and str not in kinds else kinds

    def describe(self, *, in_recipe: bool = False) -> str:
        """Return the accepted values in words, as a part of a message."""
        alternatives = []
        if not (self.kind is str and self.choices) and not (self.kind is Mapping and in_recipe):
            alternatives.append(_KINDS[self.kind][1] + self.range)
        if self.choices:
            listed = ", ".join(map(repr, self.choices))
            alternatives.append(f"one of {listed}" if len(self.choices) > 1 else listed)
        if self.nullable and not in_recipe:
            alternatives.append("None")
        return " or ".join(alternatives)

    @property
    def range(self) -> str:
        """Range of a number in words; empty without one."""
        low = "" if self.min == -math.inf else f" {'above' if self.open_below else 'of at least'} {self.min:g}"
        return low + ("" if self.max == math.inf else f", at most {self.max:g}")

    def accepts(self, value: Any) -> bool:
        """Return whether a value is of the kind and in the range."""
        if value is None:
            return self.nullable
        if isinstance(value, str) and self.choices:
            return value in self.choices
        if not isinstance(value, _KINDS[self.kind][0]) or (isinstance(value, bool) and self.kind is not bool):
            return False
        if self.kind not in (int, float):
            return True
        return (self.min < value if self.open_below else self.min <= value) and value <= self.max


_ROWS = (
    Parameter("network", object, "Network: a name, or name and options.", in_recipe=False, checked=False),
    Parameter("max_epochs", float, "Passes over the training images.", 0, 1e6, open_below=True, choices=("auto",)),
    Parameter("min_steps", int, "Minimum number of steps; small data makes more passes.", 0),
    Parameter("batch_size", int, "Images per step.", 1),
    Parameter("learning_rate", float, "Peak of the learning rate.", 0, 10, open_below=True),
    Parameter("weight_decay", float, "Weight decay of the optimizer.", 0, 10),
    Parameter("label_smoothing", float, "Fraction of the target spread over all classes.", 0, 0.999),
    Parameter("ema_decay", float, "Decay of the moving average of the weights; 0 for none.", 0, 0.99999),
    Parameter("optimizer", str, "Optimizer.", choices=("adamw", "adam", "muon")),
    Parameter("schedule", str, "Learning-rate schedule.", choices=("one-cycle", "constant")),
    Parameter("augmentation", object, "Augmentation of the training images.", in_recipe=False, checked=False),
    Parameter("validation_fraction", float, "Fraction of the training images held out.", 0, 0.9),
    Parameter("patience", int, "Epochs without a better validation loss before stopping.", 1, nullable=True),
    Parameter(
        "restore_best",
        str,
        "Loss by which the best epoch is selected and restored.",
        choices=("valid_loss", "both_losses"),
        nullable=True,
    ),
    Parameter("class_weight", Mapping, "Weights of the classes.", choices=("balanced",), nullable=True),
    Parameter("calibrate", bool, "Calibrate by the validation images.", choices=("temperature",), in_recipe=False),
    Parameter("precision", str, "Arithmetic of training.", choices=("auto", "fp32", "bf16")),
    Parameter(
        "device",
        str,
        "Device to train on.",
        choices=("auto", "cpu", "cuda", "mps"),
        in_recipe=False,
        checked=False,  # "cuda:1" is accepted too
    ),
    Parameter("callbacks", object, "skorch callbacks.", in_recipe=False, checked=False),
    Parameter("checkpoint", os.PathLike, "Folder of the training's checkpoints.", nullable=True, in_recipe=False),
    Parameter("init_from", os.PathLike, "Model folder whose weights the network is initialised from.", nullable=True),
    Parameter("freeze_fraction", float, "Fraction of the training in which loaded weights are unfrozen.", 0, 1),
    Parameter(
        "random_state",
        int,
        "Seed of weights, order, augmentation and dropout.",
        0,
        2**31 - 1,
        nullable=True,
        checked=False,  # a RandomState is accepted too
    ),
    Parameter("verbose", int, "Progress bar on standard error if above 0.", 0, in_recipe=False, checked=False),
)
PARAMETERS: dict[str, Parameter] = {row.name: row for row in _ROWS}


def describe_parameters() -> list[dict[str, str]]:
    """Return the rows of the documentation's table of parameters, in the order of the signature.

    Examples
    --------
    >>> describe_parameters()[3]["values"], describe_parameters()[3]["default"]
    ('an integer of at least 1', '128')
    """
    return [
        {
            "name": row.name,
            "values": row.describe(),
            "default": repr(row.default),
            "recipe": "[training]" if row.in_recipe else "",
            "help": row.help,
        }
        for row in PARAMETERS.values()
    ]


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Raise `ParameterError` for the first parameter of `CNNClassifier` that is outside its range.

    Parameters
    ----------
    parameters : mapping of str to object
        As `CNNClassifier.get_params` returns them; names that are not in `PARAMETERS` are skipped.

    Examples
    --------
    >>> check_parameters({"batch_size": 0})
    Traceback (most recent call last):
        ...
    skconv.exceptions.ParameterError: The 'batch_size' parameter must be an integer of at least 1. Got 0 instead.
    """
    for name, value in parameters.items():
        row = PARAMETERS.get(name)
        if row is not None and row.checked and not row.accepts(value):
            raise ParameterError(f"The '{name}' parameter must be {row.describe()}. Got {value!r} instead.")


def check_selection(parameters: Mapping[str, Any], *, validated: bool) -> None:
    """Raise `ParameterError` for a parameter that needs a validation loss if there is no validation split."""
    for name in ("patience", "restore_best"):
        if parameters[name] is not None and not validated:
            raise ParameterError(
                f"'{name}' uses the validation loss, but 'validation_fraction' is 0. Set it to 0.1, for example."
            )


def split_network(value: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return name and options of the parameter `network`: a name, or a mapping of ``name`` and options."""
    if isinstance(value, str):
        return value, {}
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):
        return value["name"], {key: option for key, option in value.items() if key != "name"}
    raise ParameterError(
        "The 'network' parameter must be a name such as 'standard' or a mapping such as "
        f"{{'name': 'fast', 'crop': 2}}. Got {value!r} instead."
    )


def choose_device(device: str) -> str:
    """Return the device to compute on; ``"auto"`` prefers CUDA, then Apple's GPU, then the CPU.

    Raises
    ------
    ParameterError
        Unknown, or not available on this machine.
    """
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    kind = str(device).split(":")[0]
    if kind not in available:
        choices = ", ".join(PARAMETERS["device"].choices)
        raise ParameterError(f"The 'device' parameter must be one of {choices}. Got {device!r} instead.")
    if not available[kind]:
        raise ParameterError(f"The device '{device}' is not available here. Use device='auto' or 'cpu'.")
    return device

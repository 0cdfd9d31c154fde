"""Table of the parameters of `CNNClassifier` (types, ranges and choices), and their validation."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from numbers import Integral, Real
from typing import Any

from skconv.exceptions import ParameterError
from skconv.text import parse_duration

# Accepted types, and their name in messages, in which {} is the place of the range.
_KINDS: dict[type, tuple[Any, str]] = {
    int: (Integral, "an integer{}"),
    float: (Real, "a number{}"),
    bool: (bool, "true or false"),
    os.PathLike: ((str, os.PathLike), "the path of a folder"),
    Mapping: (Mapping, "a mapping of label to weight"),
    str: (str, "text"),
    list: (list, "a list"),
    object: (object, "any object"),
    type: (type, "a class"),
    timedelta: ((Real, str), "a number of seconds{} or a duration such as '10m' or '1h30m'"),
}


@dataclass(frozen=True)
class Parameter:
    """Accepted values of a parameter of `CNNClassifier` or a key of a recipe."""

    kind: type  # a key of `_KINDS`
    min: float = -math.inf
    max: float = math.inf
    open_below: bool = False  # whether `min` itself is excluded
    choices: tuple[str, ...] = ()  # accepted strings, in addition to values of `kind`
    nullable: bool = False  # whether None is accepted
    removable: bool = True  # whether None is also the default, so that a recipe without the key means None
    in_recipe: bool = True  # whether the parameter is a key of a recipe's section [training]
    checked: bool = True  # False if the value is validated where it is used

    def describe(self, *, in_recipe: bool = False) -> str:
        """Return a description of the accepted values; `in_recipe` excludes None, mappings and classes."""
        alternatives = []
        if not (self.kind is str and self.choices) and not (self.kind in (Mapping, type) and in_recipe):
            low = "" if self.min == -math.inf else f" {'above' if self.open_below else 'of at least'} {self.min:,.10g}"
            high = "" if self.max == math.inf else f", at most {self.max:,.10g}"
            if high and self.kind is timedelta:
                high += ","
            alternatives.append(_KINDS[self.kind][1].format(low + high))
        if self.choices:
            listed = ", ".join(map(repr, self.choices))
            alternatives.append(f"one of {listed}" if len(self.choices) > 1 else listed)
        if self.nullable and not in_recipe:
            alternatives.append("None")
        return " or ".join(alternatives)

    def accepts(self, value: Any) -> bool:
        """Return whether a value has an accepted type and is in the range."""
        if value is None:
            return self.nullable
        if isinstance(value, str) and self.choices:
            return value in self.choices
        if not isinstance(value, _KINDS[self.kind][0]) or (isinstance(value, bool) and self.kind is not bool):
            return False
        if self.kind is timedelta:
            try:
                value = parse_duration(value)
            except ValueError:
                return False
        elif self.kind not in (int, float):
            return True
        return (self.min < value if self.open_below else self.min <= value) and value <= self.max


PARAMETERS: dict[str, Parameter] = {  # in the order of the signature
    "network": Parameter(object, in_recipe=False, checked=False),
    "max_epochs": Parameter(float, 0, 1e6, open_below=True, choices=("auto",)),
    "min_steps": Parameter(int, 0),
    "time_limit": Parameter(timedelta, 0, 1e9, open_below=True, nullable=True),
    "batch_size": Parameter(int, 1),
    "learning_rate": Parameter(float, 0, 10, open_below=True),
    "weight_decay": Parameter(float, 0, 10),
    "label_smoothing": Parameter(float, 0, 0.999),
    "ema_decay": Parameter(float, 0, 0.99999),
    "optimizer": Parameter(type, choices=("adamw", "adam", "muon")),
    "criterion": Parameter(type, choices=("cross-entropy",), in_recipe=False),
    "schedule": Parameter(str, choices=("one-cycle", "constant")),
    "augmentation": Parameter(object, in_recipe=False, checked=False),
    "validation_fraction": Parameter(float, 0, 0.9),
    "patience": Parameter(int, 1, nullable=True),
    "restore_best": Parameter(str, choices=("valid_loss", "both_losses"), nullable=True),
    "class_weight": Parameter(Mapping, choices=("balanced",), nullable=True),
    "calibrate": Parameter(bool, choices=("temperature",), in_recipe=False),
    "false_alarm_rate": Parameter(float, 0, 0.5, open_below=True, nullable=True, removable=False),
    "precision": Parameter(str, choices=("auto", "fp32", "bf16")),
    "n_threads": Parameter(int, 1, choices=("auto",)),
    # Checked by `choose_device`, because "cuda:1" is also accepted.
    "device": Parameter(str, choices=("auto", "cpu", "cuda", "mps"), in_recipe=False, checked=False),
    "callbacks": Parameter(object, in_recipe=False, checked=False),
    "checkpoint": Parameter(os.PathLike, nullable=True, in_recipe=False),
    "init_from": Parameter(os.PathLike, nullable=True),
    "freeze_fraction": Parameter(float, 0, 1),
    "random_state": Parameter(int, 0, 2**31 - 1, nullable=True, checked=False),  # a RandomState is accepted too
    "verbose": Parameter(int, 0, in_recipe=False, checked=False),
}


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Raise `ParameterError` for the first parameter with an invalid value; ignore names not in `PARAMETERS`.

    Examples
    --------
    >>> check_parameters({"batch_size": 0})
    Traceback (most recent call last):
        ...
    skconv.exceptions.ParameterError: The 'batch_size' parameter must be an integer of at least 1. Got 0.
    """
    for name, value in parameters.items():
        row = PARAMETERS.get(name)
        if row is not None and row.checked and not row.accepts(value):
            raise ParameterError(f"The '{name}' parameter must be {row.describe()}. Got {value!r}.")


def check_selection(parameters: Mapping[str, Any], *, validated: bool) -> None:
    """Raise `ParameterError` if a parameter requires a validation loss, but there is no validation split."""
    for name in ("patience", "restore_best"):
        if parameters[name] is not None and not validated:
            raise ParameterError(
                f"'{name}' requires a validation loss, but there are no validation images. Set "
                "validation_fraction=0.1, or pass X_val and y_val to fit."
            )


def choose_device(device: str) -> str:
    """Return the device to compute on; "auto" selects the first available of CUDA, MPS and CPU.

    Raise `ParameterError` for a device that is unknown or not available on this machine.
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
        raise ParameterError(f"The 'device' parameter must be one of {choices}. Got {device!r}.")
    if not available[kind]:
        raise ParameterError(f"The device '{device}' is not available on this machine. Use 'auto' or 'cpu'.")
    return device

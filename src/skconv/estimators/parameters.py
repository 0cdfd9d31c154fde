"""Checking what `CNNClassifier` is given, and settling what it was left to choose."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

from skconv.digits.augmentation import Handwriting
from skconv.exceptions import ParameterError
from skconv.training.augmentation import Augmentation, AugmentationSequence
from skconv.training.batches import Augment

_AUTO = (1500, 6)  # steps, enough for the averaged weights to settle, and epochs, at the least
_AUTO_OF_MUON = (1300, 3)
_AUTO_EPOCHS = 100  # at most
_AUTO_EPOCHS_OF_FEW = 50  # of images fewer than this: more passes were not seen to make anything better

# name: (kind, least, most, whether the least itself is allowed)
_RANGES: dict[str, tuple[type, float, float, bool]] = {
    "batch_size": (Integral, 1, math.inf, True),
    "learning_rate": (Real, 0, 10, False),
    "weight_decay": (Real, 0, 10, True),
    "label_smoothing": (Real, 0, 0.999, True),
    "ema_decay": (Real, 0, 0.99999, True),
    "validation_fraction": (Real, 0, 0.9, True),
    "patience": (Integral, 1, math.inf, True),
    "max_epochs": (Real, 0, 1e6, False),
    "min_steps": (Integral, 0, math.inf, True),
    "freeze_fraction": (Real, 0, 1, True),
}
_CHOICES = {
    "optimizer": ("adamw", "adam", "muon"),
    "schedule": ("one-cycle", "constant"),
    "restore_best": (None, "valid_loss", "both_losses"),
    "precision": ("auto", "fp32", "bf16"),
}


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Raise `ParameterError` for the first setting of `CNNClassifier` that is not usable.

    Parameters
    ----------
    parameters : mapping of str to object
        As `CNNClassifier.get_params` returns them; names that are not checked here pass.

    Examples
    --------
    >>> check_parameters({"batch_size": 0})
    Traceback (most recent call last):
        ...
    skconv.exceptions.ParameterError: The 'batch_size' parameter must be a whole number of at least 1. Got 0 instead.
    """
    for name, (kind, least, most, inclusive) in _RANGES.items():
        value = parameters.get(name, least if inclusive else 1)
        if (name, value) in (("patience", None), ("max_epochs", "auto")):
            continue
        inside = isinstance(value, kind) and not isinstance(value, bool)
        inside = inside and (least <= value if inclusive else least < value) and value <= most
        if not inside:
            number = "a whole number" if kind is Integral else "a number"
            bound = f"{'of at least' if inclusive else 'above'} {least:g}" + (
                "" if most == math.inf else f", at most {most:g}"
            )
            raise ParameterError(f"The '{name}' parameter must be {number} {bound}. Got {value!r} instead.")
    for name, allowed in _CHOICES.items():
        if parameters.get(name, allowed[0]) not in allowed:
            raise ParameterError(
                f"The '{name}' parameter must be one of {', '.join(map(repr, allowed))}. "
                f"Got {parameters[name]!r} instead."
            )
    init_from = parameters.get("init_from")
    if init_from is not None and not isinstance(init_from, str | os.PathLike):
        raise ParameterError(
            f"The 'init_from' parameter must be the path of a model folder or None. Got {init_from!r} instead."
        )
    class_weight = parameters.get("class_weight")
    if class_weight not in (None, "balanced") and not isinstance(class_weight, Mapping):
        raise ParameterError(
            "The 'class_weight' parameter must be 'balanced', a mapping of label to weight or None. "
            f"Got {class_weight!r} instead."
        )


def check_selection(parameters: Mapping[str, Any], *, validated: bool) -> None:
    """Raise `ParameterError` for a setting that needs a validation loss where there will be none."""
    uses = {"patience": parameters["patience"] is not None, "restore_best": parameters["restore_best"] is not None}
    for name, used in uses.items():
        if used and not validated:
            raise ParameterError(
                f"'{name}' goes by the validation loss, but 'validation_fraction' is 0. Set it, to 0.1 for example."
            )


def make_augmentation(value: Any) -> Augment | None:
    """Return the augmentation that a parameter describes.

    Parameters
    ----------
    value : Augmentation, Handwriting, mapping, sequence of these, or None
        A mapping holds the settings of an `Augmentation`, of a `Handwriting` or of both; several are applied one
        after the other.

    Raises
    ------
    ParameterError
        Something else, an unknown setting or a value outside its range.
    """
    if value is None or isinstance(value, AugmentationSequence):
        return value
    parts = value if isinstance(value, list | tuple) else [value]
    steps = [step for part in parts for step in _make_steps(part)]
    if len(steps) > 1:
        return AugmentationSequence(tuple(steps))
    return steps[0] if steps else None


def _make_steps(value: Any) -> list[Augment]:
    """Return what one mapping describes: the images are moved and bent first, and damaged then."""
    if isinstance(value, Augmentation | Handwriting):
        return [value]
    if not isinstance(value, Mapping):
        raise ParameterError(
            "The 'augmentation' parameter must be a mapping such as {'rotation': 10, 'shift': 0.08}, an Augmentation, "
            f"a list of these or None. Got {value!r} instead."
        )
    moves, damage = Augmentation.__dataclass_fields__, Handwriting.__dataclass_fields__
    unknown = sorted(set(value) - set(moves) - set(damage))
    if unknown:
        known = ", ".join([*moves, *damage])
        raise ParameterError(f"The augmentation has no setting '{unknown[0]}'. Its settings: {known}.")
    steps: list[Augment] = []
    if set(value) & set(moves) or not value:
        steps.append(Augmentation(**{name: setting for name, setting in value.items() if name in moves}))
    if set(value) & set(damage):
        steps.append(Handwriting(**{name: setting for name, setting in value.items() if name in damage}))
    return steps


def split_network(value: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return name and options of the `network` parameter: a name, or a mapping with ``name`` and options."""
    if isinstance(value, str):
        return value, {}
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):
        return value["name"], {key: option for key, option in value.items() if key != "name"}
    raise ParameterError(
        "The 'network' parameter must be a name such as 'standard' or a mapping such as "
        f"{{'name': 'fast', 'crop': 2}}. Got {value!r} instead."
    )


def count_steps(
    max_epochs: float | str,
    batches_per_epoch: int,
    min_steps: int = 0,
    *,
    n_images: float = math.inf,
    optimizer: str = "adamw",
) -> tuple[int, int]:
    """Return the number of training steps, and of the epochs that hold them.

    Parameters
    ----------
    max_epochs : float or "auto"
        Passes over the data, also a part of one; "auto" gives small data more passes, so that they make enough steps:
        6 to 100, with Muon 3 to 100; of less than 100 images about as many as there are images, but 50.
    batches_per_epoch : int
    min_steps : int, default=0
        At least so many steps.
    n_images : int, default=inf
        Images in all the batches; only few of them matter.
    optimizer : {"adamw", "adam", "muon"}, default="adamw"
        What makes the steps: Muon needs fewer epochs of large data.

    Examples
    --------
    >>> count_steps(0.7, 235), count_steps(10, 469), count_steps(0.7, 10, 100)
    ((165, 1), (4690, 10), (100, 10))
    >>> count_steps("auto", 469), count_steps("auto", 15), count_steps("auto", 1, n_images=20)
    ((2814, 6), (1500, 100), (50, 50))
    """
    if isinstance(max_epochs, str):
        least_steps, least = _AUTO_OF_MUON if optimizer == "muon" else _AUTO
        most = int(min(max(n_images, _AUTO_EPOCHS_OF_FEW), _AUTO_EPOCHS))
        max_epochs = min(max(math.ceil(least_steps / batches_per_epoch), least), most)
    steps = max(1, min_steps, math.ceil(max_epochs * batches_per_epoch))
    return steps, math.ceil(steps / batches_per_epoch)


def choose_device(device: str) -> str:
    """Return the device to compute on; ``"auto"`` takes CUDA, then Apple's GPU, then the processor."""
    import torch

    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() else "cpu"
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    kind = str(device).split(":")[0]
    if kind not in available:
        raise ParameterError(f"The 'device' parameter must be one of auto, cpu, cuda, mps. Got {device!r} instead.")
    if not available[kind]:
        raise ParameterError(f"The device '{device}' is not available here. Use device='auto' or 'cpu'.")
    return device

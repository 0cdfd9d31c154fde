"""Parameters of estimators in ``config.json``: conversion to JSON and back."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from torch import nn

from skconv.estimators.options import is_option
from skconv.estimators.parameters import PARAMETERS, check_parameters
from skconv.exceptions import ModelFileError, SkconvError
from skconv.networks.module_creation import get_import_path
from skconv.networks.spec import NetworkSpec, is_import_path, to_json
from skconv.training.augmentation import describe_augmentation

_NOT_SAVED = (
    "callbacks",
    "checkpoint",
    "device",
    "n_jobs",
    "n_threads",
    "time_limit",
    "verbose",
)  # parameters specific to a process


def parameters_to_json(classifier: BaseEstimator) -> dict[str, Any]:
    """Return the parameters as JSON values, without those in `_NOT_SAVED`."""
    parameters = classifier.get_params(deep=False)
    for name in _NOT_SAVED:
        parameters.pop(name, None)
    if parameters.get("init_from") is not None:
        parameters["init_from"] = os.fspath(parameters["init_from"])
    if not isinstance(parameters["random_state"], int | None):
        parameters["random_state"] = None
    if "estimator" in parameters:
        members = {"estimator": parameters_to_json(classifier.estimator_), "cv": len(classifier.estimators_)}
        return parameters | members
    spec = NetworkSpec.read(parameters["network"])
    if spec.factory is not None:
        parameters["network"] = spec.name
    parameters |= {name: to_json(value) for name, value in parameters.items() if is_option(name)}
    for name in ("optimizer", "criterion"):
        if isinstance(parameters[name], type):
            parameters[name] = get_import_path(parameters[name])
    parameters["augmentation"] = describe_augmentation(parameters["augmentation"])
    if isinstance(parameters["class_weight"], Mapping):  # keys of a JSON object are strings
        parameters["class_weight"] = [
            [label.item() if isinstance(label, np.generic) else label, float(weight)]
            for label, weight in parameters["class_weight"].items()
        ]
    return parameters


def restore_parameters(
    cls: type[BaseEstimator], parameters: Mapping[str, Any], path: Path, spec: NetworkSpec | None = None
) -> dict[str, Any]:
    """Return the parameters of an estimator with the user's network of `spec`; raise `ModelFileError` if invalid."""
    restored = dict(parameters)
    if spec is not None and spec.factory is not None:
        restored = {name: value for name, value in restored.items() if not name.startswith("network__")}
        restored |= {"network": spec.factory, **{f"network__{name}": value for name, value in spec.options.items()}}
    for name in ("optimizer", "criterion"):  # a user's class is not part of a model folder
        if is_import_path(restored.get(name)):
            restored[name] = _find_class(name, restored[name])
    unknown = sorted(name for name in restored if name not in cls._get_param_names() and not is_option(name))
    if unknown:
        raise ModelFileError(
            f"{path / 'config.json'} has the unknown parameter '{unknown[0]}'. "
            "Load the model with the version of skconv that saved it."
        )
    try:
        if isinstance(restored.get("class_weight"), list):
            restored["class_weight"] = dict(restored["class_weight"])
        check_parameters(restored)
        check_random_state(restored.get("random_state"))
    except (SkconvError, TypeError, ValueError) as error:
        raise ModelFileError(f"{path / 'config.json'}: {error} Copy the model folder again, or train again.") from error
    return restored


def _find_class(parameter: str, path: str) -> Any:
    """Return an optimizer or criterion of torch by its import path; otherwise warn and return the default."""
    name = path.rpartition(":")[2]
    found = getattr({"optimizer": torch.optim, "criterion": nn}[parameter], name, None)
    if isinstance(found, type) and get_import_path(found) == path:
        return found
    default = PARAMETERS[parameter].choices[0]
    warnings.warn(
        f"The {parameter} {path} is not part of the model folder; further training would use '{default}'. Pass it with "
        f"set_params({parameter}={name}).",
        stacklevel=6,
    )
    return default

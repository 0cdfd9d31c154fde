"""The table of parameters against the signature, the documentation and the training configuration."""

import inspect
import os
import re

import numpy as np
import pytest

from skconv.estimators import CNNClassifier
from skconv.estimators.parameters import PARAMETERS, check_parameters, choose_device
from skconv.exceptions import ParameterError
from skconv.recipes.schema import check_document

DEFAULTS = CNNClassifier().get_params()
SIGNATURE = list(inspect.signature(CNNClassifier).parameters)


def test_table_has_the_parameters_of_the_signature_in_their_order():
    assert list(PARAMETERS) == SIGNATURE


def test_docstring_describes_the_parameters_of_the_signature_in_their_order():
    section = inspect.getdoc(CNNClassifier).split("Attributes\n")[0]
    described = re.findall(r"^(\w+) : .*default=(.+)$", section, re.MULTILINE)
    defaults = [(name, repr(DEFAULTS[name]).replace("'", '"')) for name in SIGNATURE]
    assert described == defaults


def test_defaults_are_accepted():
    check_parameters(DEFAULTS)


@pytest.mark.parametrize("name", [name for name, each in PARAMETERS.items() if each.in_recipe])
def test_recipe_accepts_the_parameters_of_the_table(name, tmp_path):
    parameter = PARAMETERS[name]
    if parameter.kind is os.PathLike:
        value = "model"
    else:
        value = parameter.choices[0] if parameter.choices else min(max(parameter.min, 1), parameter.max)
    check_document({"training": {name: value}}, tmp_path)


@pytest.mark.parametrize("name", [name for name, each in PARAMETERS.items() if each.min > -np.inf and each.checked])
def test_range_of_a_number_is_enforced(name):
    parameter = PARAMETERS[name]
    for value in (parameter.min - 1, float("nan"), True, "many", *([parameter.min] if parameter.open_below else [])):
        with pytest.raises(ParameterError, match=rf"'{name}' parameter must be an? (integer|number)\b.* Got"):
            check_parameters({name: value})
    if not parameter.open_below:
        check_parameters({name: parameter.min})


@pytest.mark.parametrize("value", [0, "0", "0s", -1])
def test_time_limit_must_be_above_0(value):
    with pytest.raises(ParameterError, match=r"seconds above 0\b.* or a duration such as '10m'"):
        check_parameters({"time_limit": value})


def test_choose_device_names_the_known_devices():
    assert choose_device("cpu") == "cpu"
    with pytest.raises(ParameterError, match="one of auto, cpu, cuda, mps"):
        choose_device("tpu")

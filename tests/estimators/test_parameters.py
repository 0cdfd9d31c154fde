"""The table of parameters against the signature, the documentation and the configuration of a training."""

import inspect
import re

import numpy as np
import pytest

from skconv.estimators import CNNClassifier
from skconv.estimators.parameters import PARAMETERS, check_parameters, choose_device, describe_parameters
from skconv.exceptions import ParameterError
from skconv.recipes.schema import check_document

SIGNATURE = list(inspect.signature(CNNClassifier.__init__).parameters)[1:]


def test_table_has_the_parameters_of_the_signature_in_their_order():
    assert list(PARAMETERS) == SIGNATURE


def test_docstring_describes_the_parameters_of_the_signature_in_their_order():
    section = inspect.getdoc(CNNClassifier).split("Attributes\n")[0]
    described = re.findall(r"^(\w+) : .*default=(.+)$", section, re.MULTILINE)
    defaults = [(name, repr(PARAMETERS[name].default).replace("'", '"')) for name in SIGNATURE]
    assert described == defaults


def test_defaults_are_accepted():
    check_parameters(CNNClassifier().get_params())
    assert all(row.accepts(row.default) for row in PARAMETERS.values() if row.checked)


@pytest.mark.parametrize("name", [name for name, row in PARAMETERS.items() if row.in_recipe])
def test_recipe_accepts_the_parameters_that_the_table_lists(name, tmp_path):
    row = PARAMETERS[name]
    value = row.choices[0] if row.choices else "model" if str in row.toml_kinds else min(max(row.min, 1), row.max)
    check_document({"training": {name: value}}, tmp_path)


@pytest.mark.parametrize("name", [name for name, row in PARAMETERS.items() if row.min > -np.inf and row.checked])
def test_range_of_a_number_is_enforced(name):
    row = PARAMETERS[name]
    for value in (row.min - 1, float("nan"), True, "many", *([row.min] if row.open_below else [])):
        with pytest.raises(ParameterError, match=rf"'{name}' parameter must be an? (integer|number)\b.* Got"):
            check_parameters({name: value})
    if not row.open_below:
        check_parameters({name: row.min})


def test_describe_parameters_has_a_row_for_each():
    rows = describe_parameters()
    assert [row["name"] for row in rows] == SIGNATURE
    assert all(row["values"] and row["default"] and row["help"].endswith(".") for row in rows)


def test_choose_device_names_the_known_devices():
    assert choose_device("cpu") == "cpu"
    with pytest.raises(ParameterError, match="one of auto, cpu, cuda, mps"):
        choose_device("tpu")

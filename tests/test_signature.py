"""Shared keyword options in signatures."""

import inspect
from dataclasses import fields

import pytest

import skconv
from skconv.data.spec import DataOptions, DataSpec


def test_signature_lists_shared_options_with_defaults():
    parameters = inspect.signature(skconv.train).parameters
    assert parameters["recipe"].default == "standard"
    assert parameters["image_size"].default is None
    assert inspect.signature(skconv.audit).parameters["recipe"].default == "audit"


def test_unknown_option_is_rejected():
    with pytest.raises(TypeError, match="image_siz"):
        skconv.train("digits", image_siz=(8, 8))


def test_data_options_are_fields_of_data_spec():
    types = {each.name: each.type for each in fields(DataSpec)}
    for name, kind in DataOptions.__annotations__.items():
        assert types[name] == kind.__forward_arg__

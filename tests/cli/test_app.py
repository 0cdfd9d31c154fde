"""Decorators of the commands: options are derived from the library functions."""

import inspect

import pytest
import typer.main

import skconv
from skconv.cli.app import COMMANDS, create_app
from skconv.estimators.parameters import PARAMETERS

LIBRARY = sorted(set(COMMANDS) & set(skconv.__all__))


def _list_options(name):
    return typer.main.get_command(create_app()).commands[name.replace("_", "-")].params


@pytest.mark.parametrize("name", LIBRARY)
def test_options_of_a_command_are_parameters_of_its_library_function(name):
    options = {each.name: each for each in _list_options(name) if each.name not in ("as_json", "debug")}
    parameters = inspect.signature(getattr(skconv, name)).parameters
    hidden = {each for each, option in options.items() if getattr(option, "hidden", False)}
    assert hidden <= {"seed", "device"} - set(parameters)
    assert set(options) - hidden == set(parameters) - {"progress", "command"}
    for each in set(options) & set(parameters):
        default = parameters[each].default
        assert options[each].required == (default is inspect.Parameter.empty)
        assert options[each].required or options[each].default == default


def test_train_options_have_the_ranges_of_the_parameters():
    (option,) = [each for each in _list_options("train") if each.name == "freeze_fraction"]
    assert (option.min, option.max) == (PARAMETERS["freeze_fraction"].min, PARAMETERS["freeze_fraction"].max)


def test_flags_have_no_negative_form():
    (option,) = [each for each in _list_options("train") if each.name == "resume"]
    assert option.opts == ["--resume"]
    assert not option.secondary_opts

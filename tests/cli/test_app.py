"""Decorators of the commands: options agree with the library functions."""

import inspect

import pytest
import typer.main

import skconv
from skconv.cli.app import COMMANDS, create_app
from skconv.data.spec import DataOptions
from skconv.estimators.parameters import PARAMETERS

LIBRARY = sorted(set(COMMANDS) & set(skconv.__all__))


@pytest.mark.parametrize("name", LIBRARY)
def test_options_of_a_command_are_parameters_of_its_library_function(name):
    command = typer.main.get_command(create_app()).commands[name.replace("_", "-")]
    options = {each.name: each for each in command.params if each.name not in ("as_json", "debug")}
    parameters = inspect.signature(getattr(skconv, name)).parameters
    taken = {*parameters, *(DataOptions.__annotations__ if "data" in parameters else ())}
    ignored = {each for each, option in options.items() if getattr(option, "hidden", False)}
    assert set(options) - ignored <= taken
    assert ignored <= {"seed", "device"} - taken
    # The rest is set by the decorator.
    assert taken - set(options) <= {"data", "progress", "command"}
    for each in set(options) & set(parameters):
        default = parameters[each].default
        assert options[each].required == (default is inspect.Parameter.empty)
        assert options[each].required or options[each].default == default


def test_train_options_have_the_ranges_of_the_parameters():
    for option in typer.main.get_command(create_app()).commands["train"].params:
        parameter = PARAMETERS.get(option.name)
        if parameter is not None and parameter.kind in (int, float):
            assert (option.min, option.max) == (parameter.min, parameter.max)

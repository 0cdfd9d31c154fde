"""Decorators of the commands: options are derived from the library functions."""

import inspect

import pytest
import typer.main

import skconv
from skconv.cli.app import COMMANDS, create_app
from skconv.cli.main import main
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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--batch-size", "0"], ["--batch-size", "got 0", PARAMETERS["batch_size"].describe()]),
        (["train", "--learning-rate", "0"], ["got 0", PARAMETERS["learning_rate"].describe()]),
        (["train", "--freeze-fraction", "1.5"], ["got 1.5", PARAMETERS["freeze_fraction"].describe()]),
        (["train", "--seeds", "many"], ["got many", "an integer of at least 1, at most 1,000"]),
        (["train", "--seeds", "2.0"], ["got 2.0", "an integer"]),
        (["tune", "--minutes", "nan"], ["got nan", "a number of at least 0.001, at most 1,000,000"]),
        (["train", "--device", "tpu"], ["got tpu", "auto or cpu or cuda or mps"]),
        (["explain", "a", "b", "--out", "c", "--show", "x"], ["got x", "activations or"]),
        (["predict"], ["Missing argument 'MODEL'"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_wrong_values_are_named_with_what_is_expected(arguments, words, capsys):
    assert main(arguments) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Error: ")]
    for word in words:
        assert word in line
    assert "Value error" not in line and "Input should" not in line


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_is_readable_at_80_columns(name, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    name = name.replace("_", "-")
    assert main([name, "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[-1].startswith(f"  Example: skconv {name}")
    text = "\n".join(lines)
    for noise in ("list[", "<path>", "<str>", "x<=", "x>=", "2147483647", "--as-json", "{"):
        assert noise not in text


def test_usage_names_arguments_and_whether_they_are_optional(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["predict", "--help"]) == main(["train", "--help"]) == 0
    out = capsys.readouterr().out
    assert "Usage: skconv predict [OPTIONS] MODEL INPUTS...\n" in out and "train [OPTIONS] [SOURCE]\n" in out
    assert "[default: 1; 1 to 1000]" in " ".join(out.split())


def test_flags_have_no_negative_form():
    (option,) = [each for each in _list_options("train") if each.name == "resume"]
    assert option.opts == ["--resume"]
    assert not option.secondary_opts

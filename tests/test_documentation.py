"""Help texts and docstrings against the code; documentation/ tests the pages."""

import doctest
import importlib
import pkgutil
import shlex
from pathlib import Path

import pytest
import typer.main

import skconv
from skconv.cli.app import create_app
from skconv.cli.main import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMAND = typer.main.get_command(create_app())
VERBS = sorted(COMMAND.commands)
TRAINING = {"train", "tune", "ensemble", "cross-validate", "audit"}
MODULES = sorted(
    module.name for module in pkgutil.walk_packages(skconv.__path__, "skconv.") if not module.name.endswith("__main__")
)


def arguments_of(line):
    """Return the arguments of a command line without redirections."""
    return shlex.split(line.partition(" > ")[0])[1:]


def parse(arguments):
    """Parse arguments like the command line, without running the command."""
    command = COMMAND.commands[arguments[0]]
    return command.make_context(arguments[0], list(arguments[1:]))


@pytest.mark.parametrize("command", VERBS)
def test_command_has_help_with_an_example_that_parses(command, capsys):
    assert main([command, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for option in ("--json", "--debug"):
        assert option in shown
    # All commands accept them, but the help omits them for commands that do not train.
    takes = {name for parameter in COMMAND.commands[command].params for name in parameter.opts}
    for option in ("--seed", "--device"):
        assert option in takes and (f"{option} " in shown) == (command in TRAINING)
    example = shown.partition("Example: ")[2]
    assert example.startswith(f"skconv {command}")
    parse(arguments_of(example))


def test_list_of_commands_shows_each_purpose_in_full(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "..." not in shown.partition("Commands:")[2] and max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("command", VERBS)
def test_command_is_named_in_the_readme(command):
    assert f"skconv {command}" in README


@pytest.mark.parametrize("command", VERBS)
def test_command_help_describes_every_option(command):
    undescribed = [
        parameter.name for parameter in COMMAND.commands[command].params if not getattr(parameter, "help", None)
    ]
    assert undescribed == []


def test_recipes_page_lists_every_recipe():
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    assert [name for name in skconv.list_recipes() if f"`{name}`" not in page] == []


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples_give_what_they_show(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0

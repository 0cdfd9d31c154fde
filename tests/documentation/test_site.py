"""Documentation site: content from the package, and no requests to other hosts."""

import importlib.util

import pytest

import skconv
from skconv.estimators.parameters import PARAMETERS

from .blocks import ROOT


@pytest.fixture(scope="module")
def extension():
    spec = importlib.util.spec_from_file_location("extension", ROOT / "docs" / "extension.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_commands_page_has_the_help_of_every_command(extension, capsys):
    from skconv.cli.main import main

    page = extension.describe_commands()
    for command in extension.list_commands():
        assert main([command, "--help"]) == 0
        assert f"## skconv {command}\n\n```text\n{capsys.readouterr().out.strip()}\n```" in page


def test_recipes_page_has_the_text_of_every_recipe(extension):
    page = extension.describe_recipes()
    for name in skconv.list_recipes():
        assert f"### {name}\n" in page and skconv.load_recipe(name).text in page


def test_recipes_page_has_every_training_key(extension):
    table = extension.describe_training_keys()
    assert [name for name, each in PARAMETERS.items() if each.in_recipe != (f"| `{name}` |" in table)] == []


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ('<script src="https://cdn.example/a.js"></script>', ["https://cdn.example/a.js"]),
        ('<link rel="stylesheet" href="//fonts.example/css">', ["//fonts.example/css"]),
        ('<img src="http://example/a.png">', ["http://example/a.png"]),
        ('<a href="https://example.com">a link to follow</a><img src="_images/a.png">', []),
    ],
)
def test_what_a_page_would_fetch_from_elsewhere_is_found(extension, page, found):
    assert extension.find_outside_fetches(page) == found


@pytest.mark.parametrize(
    ("style", "found"),
    [
        ("@import 'https://fonts.example/css';", ["https://fonts.example/css"]),
        ("@font-face { src: url(//fonts.example/a.woff2) }", ["//fonts.example/a.woff2"]),
        ("a { background: url(data:image/png;base64,aaaa) } b { background: url('file.png') }", []),
    ],
)
def test_what_a_style_would_fetch_from_elsewhere_is_found(extension, style, found):
    assert extension.find_outside_imports(style) == found

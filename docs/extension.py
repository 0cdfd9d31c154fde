"""Sphinx extension: parts generated from the package; check that the site loads nothing from other servers."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# Elements that a browser loads, each with the attribute that contains the address.
_FETCHED = {
    "audio": "src",
    "embed": "src",
    "iframe": "src",
    "image": "href",
    "img": "src",
    "link": "href",
    "object": "data",
    "script": "src",
    "source": "src",
    "use": "href",
    "video": "src",
}


def list_commands() -> list[str]:
    """Return the names of the commands, in the order of `skconv --help`."""
    import typer.main

    from skconv.cli.app import create_app

    return list(typer.main.get_command(create_app()).commands)  # type: ignore[attr-defined]


def describe_commands() -> str:
    """Return the help of every command, as `--help` prints it, as sections of Markdown."""
    from skconv.cli.main import main

    parts = []
    for name in list_commands():
        printed = io.StringIO()
        with redirect_stdout(printed):
            main([name, "--help"])
        parts.append(f"## skconv {name}\n\n```text\n{printed.getvalue().strip()}\n```\n")
    return "\n".join(parts)


def describe_training_keys() -> str:
    """Return a Markdown table of the keys of [training]: accepted values and default."""
    from inspect import signature

    from skconv import CNNClassifier
    from skconv.estimators.parameters import PARAMETERS

    defaults = signature(CNNClassifier).parameters
    rows = ["| key | accepted values | default |", "|---|---|---|"]
    for name, parameter in PARAMETERS.items():
        if parameter.in_recipe:
            default = defaults[name].default
            shown = "not set" if default is None else f"`{default}`"
            rows.append(f"| `{name}` | {parameter.describe(in_recipe=True)} | {shown} |")
    return "\n".join(rows) + "\n"


def describe_recipes() -> str:
    """Return the table of training keys, and a Markdown section per recipe with its figures and its text."""
    import skconv

    parts = [
        "## Keys of [training]\n",
        describe_training_keys(),
        "## All recipes\n",
        "As `skconv recipes NAME` prints them:\n",
    ]
    for name in skconv.list_recipes():
        recipe = skconv.load_recipe(name)
        figures = "".join(f"- {key}: {value}\n" for key, value in recipe.figures.items() if key != "command")
        parts.append(f"### {name}\n\n{recipe.title}.\n\n{figures}\n```toml\n{recipe.text}```\n")
    return "\n".join(parts)


# Pages to which a generated part is appended.
_GENERATED = {"commands": describe_commands, "recipes": describe_recipes}


def append_generated(app: Sphinx, name: str, source: list[str]) -> None:
    """Append the part of a page that is generated from the package, which is then always current."""
    if name in _GENERATED:
        source[0] += "\n" + _GENERATED[name]()


class _Fetches(HTMLParser):
    """Collects the addresses that a browser fetches when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        address = dict(attrs).get(_FETCHED.get(tag, ""))
        if address:
            self.addresses.append(address)


def find_outside_fetches(page: str) -> list[str]:
    """Return the addresses outside the site that a browser would fetch to show a page of HTML."""
    parser = _Fetches()
    parser.feed(page)
    found = [each for each in parser.addresses if "//" in each.split("?")[0] and not each.startswith("data:")]
    return found + find_outside_imports(page)


def find_outside_imports(style: str) -> list[str]:
    """Return the addresses outside the site that a browser would fetch for a style sheet."""
    return re.findall(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""", style)


def check_finished(app: Sphinx, exception: Exception | None) -> None:
    """Raise an error if a page or style sheet of the finished site would load anything from another server."""
    if exception is not None or app.builder.format != "html":
        return
    from sphinx.errors import ExtensionError

    folder = Path(app.outdir)
    for pattern, find in (("*.html", find_outside_fetches), ("*.css", find_outside_imports)):
        for path in folder.rglob(pattern):
            addresses = find(path.read_text(encoding="utf-8"))
            if addresses:
                raise ExtensionError(f"{path.relative_to(folder)} loads from another server: {', '.join(addresses)}")


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the functions to the events of a build."""
    app.connect("source-read", append_generated)
    app.connect("build-finished", check_finished)
    return {"parallel_read_safe": True}

"""What the site takes from the package as it is, and what is checked of the finished site."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stdout
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

# Elements of a page that a browser fetches by itself, and where each says what.
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


# The pages that end with something made of the package.
_MADE = {"commands": describe_commands, "recipes": describe_recipes}


def add_what_is_made(app: Sphinx, name: str, source: list[str]) -> None:
    """Append to a page what is made of the package while the site is built, so that it cannot go stale."""
    if name in _MADE:
        source[0] += "\n" + _MADE[name]()


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
    """Return the addresses outside the site that a style sheet would have a browser fetch."""
    return re.findall(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""", style)


def check_finished(app: Sphinx, exception: Exception | None) -> None:
    """Fail where a page of the finished site, or one of its styles, would fetch something from elsewhere."""
    if exception is not None or app.builder.format != "html":
        return
    from sphinx.errors import ExtensionError

    folder = Path(app.outdir)
    for pattern, find in (("*.html", find_outside_fetches), ("*.css", find_outside_imports)):
        for path in folder.rglob(pattern):
            addresses = find(path.read_text(encoding="utf-8"))
            if addresses:
                raise ExtensionError(f"{path.relative_to(folder)} fetches from elsewhere: {', '.join(addresses)}")


def setup(app: Sphinx) -> dict[str, bool]:
    """Take part in a build."""
    app.connect("source-read", add_what_is_made)
    app.connect("build-finished", check_finished)
    return {"parallel_read_safe": True}

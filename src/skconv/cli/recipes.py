"""`skconv recipes`."""

from __future__ import annotations

from typing import Annotated

import typer

from skconv.cli.console import library_messages, show_result
from skconv.cli.options import DebugOption, Device, DeviceOption, JsonOption, SeedOption

EXAMPLE = "Example: skconv recipes fast > mine.toml"


def recipes(
    name: Annotated[str | None, typer.Argument(help="The recipe to print as TOML; all are listed if left out.")] = None,
    seed: SeedOption = 0,
    device: DeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the recipes, or print one as TOML to copy and change."""
    with library_messages():
        from skconv.recipes import list_recipes, load_recipe

        found = [load_recipe(each) for each in (list_recipes() if name is None else [name])]
    described = [
        {
            "name": each.name,
            "title": each.title,
            "source": each.source,
            "figures": each.figures,
            "text": each.text,
        }
        for each in found
    ]
    if name is None:
        text = "\n".join(f"{each.name:<12} {each.title}" for each in found)
        show_result({"recipes": described}, text, as_json=as_json)
    else:
        show_result(described[0], found[0].text.rstrip("\n"), as_json=as_json)

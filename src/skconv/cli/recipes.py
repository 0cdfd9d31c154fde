"""`skconv recipes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from skconv.cli.console import library_messages
from skconv.cli.listing import ListingEntry, show_entries
from skconv.cli.options import DebugOption, Device, JsonOption, UnusedDeviceOption, UnusedSeedOption

if TYPE_CHECKING:
    from skconv.recipes.recipe import Recipe

EXAMPLE = "Example: skconv recipes fast > mine.toml"


def recipes(
    name: Annotated[str | None, typer.Argument(help="The recipe to print as TOML; all are listed if left out.")] = None,
    seed: UnusedSeedOption = 0,
    device: UnusedDeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the recipes, or print one as TOML to copy and change."""
    with library_messages():
        from skconv.recipes import list_recipes, load_recipe

        entries = [_describe(load_recipe(each)) for each in (list_recipes() if name is None else [name])]
    show_entries(entries, key="recipes", name=name, as_json=as_json)


def _describe(recipe: Recipe) -> ListingEntry:
    facts = {key: getattr(recipe, key) for key in ("name", "title", "source", "figures", "text")}
    return ListingEntry(recipe.name, recipe.title, recipe.text.rstrip("\n"), facts)

"""`skconv recipes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from skconv.cli.command import Listing, ListingEntry, command

if TYPE_CHECKING:
    from skconv.recipes.recipe import Recipe

EXAMPLE = "skconv recipes fast > mine.toml"


@command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="Recipe to print as TOML; default: list all.")] = None,
) -> Listing:
    """List the recipes, or print one as TOML to copy and edit."""
    from skconv.recipes import list_recipes, load_recipe

    entries = [_describe(load_recipe(each)) for each in (list_recipes() if name is None else [name])]
    return Listing("recipes", entries, name is not None)


def _describe(recipe: Recipe) -> ListingEntry:
    facts = {
        "name": recipe.name,
        "title": recipe.title,
        "source": recipe.data.source,
        "figures": recipe.figures,
        "text": recipe.text,
    }
    return ListingEntry(recipe.name, recipe.title, recipe.text.rstrip("\n"), facts)

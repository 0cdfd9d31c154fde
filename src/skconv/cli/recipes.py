"""Options and help text of `skconv recipes`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from skconv.cli.command import Entry, Output, command, list_entries

if TYPE_CHECKING:
    from skconv.recipes.recipe import Recipe

EXAMPLE = "skconv recipes fast > mine.toml"


@command()
def recipes(
    name: Annotated[str | None, typer.Argument(help="Recipe to print as TOML; default: list all.")] = None,
) -> Output:
    """List the recipes, or print one as TOML to copy and edit."""
    from skconv.recipes import list_recipes, load_recipe

    if name is None:
        return list_entries("recipes", [_describe(load_recipe(each)) for each in list_recipes()])
    entry = _describe(load_recipe(name))
    return Output(entry.record, entry.text)


def _describe(recipe: Recipe) -> Entry:
    facts = {
        "name": recipe.name,
        "title": recipe.title,
        "source": recipe.data.source,
        "figures": recipe.figures,
        "text": recipe.text,
    }
    return Entry(recipe.name, recipe.title, recipe.text.rstrip("\n"), facts)

"""Recipes: settings of experiments in TOML files."""

from pathlib import Path

from skconv.recipes.recipe import Recipe, list_recipes, load_recipe
from skconv.registry import RECIPES

__all__ = ["Recipe", "list_recipes", "load_recipe"]

for _path in Path(__file__).parent.glob("*.toml"):
    RECIPES.register(_path.stem, _path)

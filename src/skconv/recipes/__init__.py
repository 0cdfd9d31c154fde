"""Complete named experiments: `load_recipe`, `list_recipes`, `Recipe`."""

from skconv.recipes.recipe import Recipe, list_recipes, load_recipe

__all__ = ["Recipe", "list_recipes", "load_recipe"]

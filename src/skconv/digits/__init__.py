"""Handwritten digits: preprocessing, recognition of numbers, synthetic data, augmentation and the bundled model."""

from pathlib import Path

from skconv.model_io.folder import BUNDLED
from skconv.recipes.recipe import RECIPES

_FOLDER = Path(__file__).parent
BUNDLED.register("digits", _FOLDER / "model")
RECIPES.register("digits", _FOLDER / "recipes" / "digits.toml")

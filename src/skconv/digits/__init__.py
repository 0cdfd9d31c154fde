"""Handwritten digits: preprocessing, recognition of numbers, synthetic data, augmentation and the bundled model."""

from pathlib import Path

from skconv.model_io.folder import BUNDLED
from skconv.recipes.recipe import RECIPES

BACKGROUND_LABEL = "nothing"  # class of images without a digit

_FOLDER = Path(__file__).parent
BUNDLED.register("digits", _FOLDER / "model")
RECIPES.register("digits", _FOLDER / "recipes" / "digits.toml")

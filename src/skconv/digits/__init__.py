"""Handwritten digits: preprocessing, recognition of numbers, synthetic data, augmentation and the bundled model."""

from pathlib import Path

from skconv.registry import MODELS, RECIPES

BACKGROUND_LABEL = "nothing"  # class of images without a digit

_FOLDER = Path(__file__).parent
MODELS.register("digits", _FOLDER / "model")
RECIPES.register("digits", _FOLDER / "recipes" / "digits.toml")

"""Handwritten digits: preprocessing, recognition of numbers, synthetic data, augmentation and the bundled model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from skconv.exceptions import DataError
from skconv.registry import MODELS, RECIPES

if TYPE_CHECKING:
    from skconv.inference import OnnxClassifier
    from skconv.model_io.config import ModelConfig

BACKGROUND_LABEL = "nothing"  # class of images without a digit

_FOLDER = Path(__file__).parent
MODELS.register("digits", _FOLDER / "model")
RECIPES.register("digits", _FOLDER / "recipes" / "digits.toml")


def needs_opencv(config: ModelConfig) -> bool:
    """Return whether predictions or readings of a model need OpenCV: it preprocesses digits, or can read numbers."""
    return config.input.normalization == "digit" or predicts_digits(config.input.shape, config.class_names)


def predicts_digits(input_shape: tuple[int, int, int], class_names: tuple[str, ...]) -> bool:
    """Return whether a model predicts digits, and optionally the background class, from grey 28×28 images."""
    return input_shape == (1, 28, 28) and set(class_names) - {BACKGROUND_LABEL} <= set("0123456789")


def reads_digits(model: OnnxClassifier) -> bool:
    """Return whether a model can read numbers, see `predicts_digits`."""
    return predicts_digits(model.input_shape, model.class_names)


def check_digit_model(
    model: OnnxClassifier, fix: str = "Pass another model, or omit it to use the bundled model."
) -> None:
    """Raise `DataError` with the advice `fix` unless a model classifies digits, as `reads_digits` defines it."""
    if not reads_digits(model):
        channels, height, width = model.input_shape
        raise DataError(
            f"{model.folder} predicts {', '.join(model.class_names[:10])} from images of {width}×{height} with "
            f"{channels} channels; expected a model that predicts digits from grey 28×28 images. {fix}"
        )

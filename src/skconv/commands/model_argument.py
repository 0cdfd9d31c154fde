"""Check of the model that a command gets beside images: errors show the order of the arguments."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from skconv.exceptions import DataError, ModelFileError, SourceNotFoundError
from skconv.model_io.folder import CONFIG_NAME, MODEL_FOLDER_NAME, WEIGHTS_NAME, find_model_folder

_RECIPE_NAME = "recipe.toml"  # in run folders


def check_model(
    model: str | os.PathLike[str], usage: str, others: Iterable[Any] = (), *, expected: str = "images"
) -> None:
    """Raise an error if the model of a command is not a model, or one of its `others` arguments is one.

    `usage` is the command with placeholders, such as "skconv predict RUN IMAGE", and `expected` is what the other
    arguments should be. A missing model raises `SourceNotFoundError`, another file or folder `ModelFileError`, and a
    model among the others `DataError`.
    """
    misplaced = next((each for each in others if _is_model(each)), None)
    try:
        find_model_folder(model, usage)
    except (SourceNotFoundError, ModelFileError) as error:
        if misplaced is None:
            raise
        raise type(error)(
            f"{os.fspath(model)} is not a model, but {os.fspath(misplaced)} is one. Pass the arguments in this order: "
            f"{usage}."
        ) from error
    if misplaced is not None:
        raise DataError(f"{os.fspath(misplaced)} is a model; expected {expected}. Pass: {usage}.")


def _is_model(path: Any) -> bool:
    """Return whether a path is a model folder or a run folder.

    A folder of images may contain a folder named "model", so a run folder must also have a recipe.
    """
    if not isinstance(path, str | os.PathLike):
        return False
    folder = Path(path)
    if (folder / CONFIG_NAME).is_file() and (folder / WEIGHTS_NAME).is_file():
        return True
    return (folder / MODEL_FOLDER_NAME / CONFIG_NAME).is_file() and (folder / _RECIPE_NAME).is_file()

"""Keyword options that the commands share."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, cast

from skconv.data.spec import DataOptions


class TrainingOptions(DataOptions, total=False):
    """Keyword arguments of every command that trains; `skconv.train` describes them."""

    recipe: str | os.PathLike[str] | None
    network: Any
    out: str | os.PathLike[str] | None
    epochs: float | str | None
    batch_size: int | None
    learning_rate: float | None
    time_limit: str | float | None
    threads: int | str | None
    settings: Mapping[str, Any] | Sequence[str] | None
    seed: int | None
    device: str
    progress: bool | None


class RunOptions(TrainingOptions, total=False):
    """Keyword arguments of the commands that record how they were called."""

    command: str | None


class PredictionOptions(TypedDict, total=False):
    """Keyword arguments of the commands that predict and write a table."""

    out: str | os.PathLike[str] | None
    annotate: str | os.PathLike[str] | None
    min_confidence: float
    progress: bool


PREDICTION_DEFAULTS: Mapping[str, Any] = {"min_confidence": 0.0, "progress": False}
DEFAULTS: Mapping[str, Any] = {"recipe": "standard", "device": "auto"}  # the other options default to None


def select_changes(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `skconv.recipes.editing.plan_run` that change the recipe of a run."""
    from skconv.recipes.settings import OPTIONS

    return {
        "network": options["network"],
        "options": {name: options[name] for name in OPTIONS},
        "settings": options["settings"],
        **select_data_options(options),
    }


def select_data_options(options: Mapping[str, Any]) -> DataOptions:
    """Return the options that are fields of `DataSpec`."""
    return cast(DataOptions, {name: options[name] for name in DataOptions.__annotations__})

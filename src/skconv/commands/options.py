"""Keyword options that the commands share."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast

from skconv.data.spec import DataOptions


class TrainingOptions(DataOptions, total=False):
    """Keyword arguments of every command that trains; `skconv.train` describes them."""

    recipe: str | os.PathLike[str]
    network: str | None
    out: str | os.PathLike[str] | None
    seed: int | None
    device: str
    progress: bool


class RunOptions(TrainingOptions, total=False):
    """Keyword arguments of the commands that record how they were called."""

    command: str | None


DEFAULTS: Mapping[str, Any] = {"recipe": "standard", "device": "auto", "progress": False}  # the others are None


def select_data_options(options: Mapping[str, Any]) -> DataOptions:
    """Return the options that are fields of `DataSpec`."""
    return cast(DataOptions, {name: options[name] for name in DataOptions.__annotations__})

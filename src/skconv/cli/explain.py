"""Options and help text of `skconv explain`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.app import DataHomeOption, ModelArgument, library_command


class Explanation(StrEnum):
    """Values of ``--show``."""

    activations = "activations"
    occlusion = "occlusion"
    attributions = "attributions"
    neighbours = "neighbours"


@library_command("skconv explain runs/mnist-fast digit.png --out maps.png")
def explain(
    model: ModelArgument,
    image: Annotated[Path, typer.Argument(help="Image file.")],
    out: Annotated[Path, typer.Option(help="PNG file to write or replace.")],
    show: Annotated[
        Explanation,
        typer.Option(
            help="Filters and activation maps, the sensitivity to occlusion, attributions by integrated gradients, or "
            "the nearest training images."
        ),
    ] = Explanation.activations,
    source: Annotated[
        str | None, typer.Option(help="Data to search for neighbours; default: the model's training data.")
    ] = None,
    data_home: DataHomeOption = None,
) -> None:
    """Draw an explanation of a model's prediction.

    Activation maps, the parts of the image that matter, or the most similar training images.
    """

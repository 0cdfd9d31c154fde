"""Options and help text of `skconv cross-validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.app import DaskOption, NetworkOption, OptionalSourceArgument, RecipeOption, library_command


@library_command("skconv cross-validate mnist --folds 5 --recipe fast", data=True, trains=True)
def cross_validate(
    source: OptionalSourceArgument = None,
    folds: Annotated[int, typer.Option(min=2, max=1000, help="Number of folds.")] = 5,
    recipe: RecipeOption = "standard",
    network: NetworkOption = None,
    out: Annotated[
        Path | None, typer.Option(help="New folder for the results; default: runs/DATA-RECIPE-folds.")
    ] = None,
    dask: DaskOption = None,
) -> None:
    """Cross-validate a recipe on the training images.

    Estimates the accuracy of a recipe and its standard deviation over folds. The test images that skconv train would
    use are left out.
    """

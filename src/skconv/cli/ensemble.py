"""Options and help text of `skconv ensemble`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.app import DaskOption, NetworkOption, OptionalSourceArgument, RecipeOption, library_command


@library_command(
    "skconv ensemble kaggle-digits --folds 5 --recipe kaggle --out runs/competition", data=True, trains=True
)
def ensemble(
    source: OptionalSourceArgument = None,
    folds: Annotated[
        int | None, typer.Option(min=2, max=1000, help="Number of members; default: the recipe's folds, or 5.")
    ] = None,
    recipe: RecipeOption = "standard",
    network: NetworkOption = None,
    out: Annotated[
        Path | None, typer.Option(help="New folder for the results; default: runs/DATA-RECIPE-ensemble.")
    ] = None,
    dask: DaskOption = None,
) -> None:
    """Train a k-fold ensemble and save it as one model.

    Each member is trained without one fold of the training images. A labelled test split is scored once; for a
    competition, the submission file is written.
    """

"""Options and help text of `skconv train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.app import NetworkOption, OptionalSourceArgument, RecipeOption, library_command


@library_command("skconv train mnist --recipe fast --out runs/first", data=True, trains=True)
def train(
    source: OptionalSourceArgument = None,
    recipe: RecipeOption = "standard",
    network: NetworkOption = None,
    out: Annotated[Path | None, typer.Option(help="New folder for the results; default: runs/DATA-RECIPE.")] = None,
    seeds: Annotated[
        int,
        typer.Option(min=1, max=1000, help="Number of runs with consecutive seeds; mean and spread are printed."),
    ] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Resume the interrupted run in --out.")] = False,
    init_from: Annotated[
        Path | None,
        typer.Option(help="Model to initialise the weights from; classes and image size may differ."),
    ] = None,
    freeze_fraction: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the training in which those weights are unfrozen layer by layer."),
    ] = 0.0,
) -> None:
    """Train a classifier and score it once on the test split.

    Without a test split, a stratified 15 % of the images is held out for testing. The run folder has the model, the
    scores, the history and figures. With --out, an interrupted run can be continued by --resume; the weights are the
    same as without the interruption.
    """

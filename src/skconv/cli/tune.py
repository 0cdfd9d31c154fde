"""Options and help text of `skconv tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.app import NetworkOption, OptionalSourceArgument, RecipeOption, library_command


@library_command(
    "skconv tune mnist --fraction 0.1 --minutes 15 --out runs/search", data=True, trains=True, progress=True
)
def tune(
    source: OptionalSourceArgument = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, max=100_000, help="Number of trials to reach; default: 20, unless --minutes is given."),
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0.001, max=1e6, help="Time limit in minutes.")] = None,
    recipe: RecipeOption = "standard",
    network: NetworkOption = None,
    fraction: Annotated[
        float, typer.Option(min=0.0001, max=1, help="Share of the training images to search with.")
    ] = 1.0,
    storage: Annotated[
        str | None, typer.Option(help="URL of the study's database; default: the file study.db in --out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="New or existing folder of the study; default: runs/DATA-RECIPE-tune.")
    ] = None,
) -> None:
    """Search the settings of a recipe by validation accuracy.

    Bad trials are stopped early, and the test images are never used. The best settings are written to best.toml, for
    skconv train --recipe. The same command continues an interrupted search, and may run in several processes.
    """

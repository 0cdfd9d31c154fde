"""Options and help text of `skconv audit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.app import RecipeOption, SourceArgument, library_command


@library_command("skconv audit mnist --out runs/mnist-audit", data=True, trains=True)
def audit(
    source: SourceArgument,
    recipe: RecipeOption = "audit",
    folds: Annotated[
        int, typer.Option(min=2, max=1000, help="Number of cross-validation folds, for predictions to check labels by.")
    ] = 5,
    out: Annotated[Path | None, typer.Option(help="New folder for issues.csv and contact sheets.")] = None,
) -> None:
    """Find wrong labels, duplicates, blank and broken images."""

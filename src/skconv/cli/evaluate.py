"""Options and help text of `skconv evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.app import CoverageOption, ModelArgument, SourceArgument, library_command


@library_command("skconv evaluate runs/mnist-fast mnist", data=True)
def evaluate(
    model: ModelArgument,
    source: SourceArgument,
    coverage: CoverageOption = None,
    corruptions: Annotated[
        bool, typer.Option("--corruptions", help="Measure the accuracy under seventeen image corruptions.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Measure out-of-distribution detection (AUROC) with images of this data."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="New folder for scores.json and figures of mistakes and calibration.")
    ] = None,
) -> None:
    """Score a model on labelled images it was not trained on.

    Uses the test split or, without one, the images that the model was not trained on.
    """

"""Options and help text of `skconv predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.app import CoverageOption, LabelColumnOption, MinConfidenceOption, ModelArgument, library_command


@library_command("skconv predict digits photo.jpg scans/ --out predictions.csv")
def predict(
    model: ModelArgument,
    inputs: Annotated[
        list[Path], typer.Argument(help="Images, folders, a CSV or .npz file, or a folder of a competition.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="CSV file to write or replace: input, label, confidence. For a competition, a name that begins with "
            "submission writes the submission file."
        ),
    ] = None,
    label_column: LabelColumnOption = None,
    annotate: Annotated[
        Path | None, typer.Option(help="PNG file to draw: each image as the model sees it, label and confidence.")
    ] = None,
    min_confidence: MinConfidenceOption = 0.0,
    coverage: CoverageOption = None,
) -> None:
    """Classify images, with the confidence of each prediction."""

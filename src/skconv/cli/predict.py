"""`skconv predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.console import is_interactive, library_messages, show_result
from skconv.cli.options import (
    CoverageOption,
    DebugOption,
    Device,
    JsonOption,
    LabelColumnOption,
    MinConfidenceOption,
    UnusedDeviceOption,
    UnusedSeedOption,
)

EXAMPLE = "Example: skconv predict digits photo.jpg scans/ --out predictions.csv"


def predict(
    model: Annotated[Path, typer.Argument(help="A run folder, a model folder, or digits: the bundled model.")],
    inputs: Annotated[list[Path], typer.Argument(help="Images, folders, a CSV, an .npz or a competition's folder.")],
    out: Annotated[
        Path | None,
        typer.Option(
            help="CSV file to write, an old one is replaced: input, label, confidence. For a competition, a name that "
            "begins with submission: what it wants handed in."
        ),
    ] = None,
    label_column: LabelColumnOption = None,
    annotate: Annotated[
        Path | None, typer.Option(help="PNG file to draw: each image as the model saw it, label and confidence.")
    ] = None,
    min_confidence: MinConfidenceOption = 0.0,
    coverage: CoverageOption = None,
    seed: UnusedSeedOption = 0,
    device: UnusedDeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Name the class of images, with the model's confidence."""
    with library_messages():
        from skconv.commands.predict import predict as predict_library

        result = predict_library(
            model,
            inputs,
            out=out,
            label_column=label_column,
            annotate=annotate,
            min_confidence=min_confidence,
            coverage=coverage,
            progress=is_interactive(),
        )
    show_result(result.to_json(), str(result), as_json=as_json)
    if result.n_broken:
        raise typer.Exit(1)

"""`skconv read`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.console import is_interactive, library_messages, show_result
from skconv.cli.options import (
    DebugOption,
    Device,
    JsonOption,
    MinConfidenceOption,
    UnusedDeviceOption,
    UnusedSeedOption,
)

EXAMPLE = "Example: skconv read photo.jpg --annotate boxes.png"


def read(
    images: Annotated[list[Path], typer.Argument(help="Images, or folders of images.")],
    model: Annotated[str, typer.Option(help="Names the digits: digits, the bundled model, or a folder.")] = "digits",
    out: Annotated[
        Path | None, typer.Option(help="CSV file to write: input, text, confidence. An old one is replaced.")
    ] = None,
    annotate: Annotated[
        Path | None,
        typer.Option(help="Draw boxes and labels: a PNG file for one image, a folder for several."),
    ] = None,
    min_confidence: MinConfidenceOption = 0.0,
    seed: UnusedSeedOption = 0,
    device: UnusedDeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Read handwritten numbers in photographs and scans."""
    with library_messages():
        from skconv.commands.read import read as read_library

        result = read_library(
            images,
            model=model,
            out=out,
            annotate=annotate,
            min_confidence=min_confidence,
            progress=is_interactive(),
        )
    show_result(result.to_json(), str(result), as_json=as_json)
    if result.n_broken:
        raise typer.Exit(1)

"""Options and help text of `skconv read`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.app import MinConfidenceOption, library_command


@library_command("skconv read photo.jpg --annotate boxes.png")
def read(
    images: Annotated[list[Path], typer.Argument(help="Images or folders of images.")],
    model: Annotated[str, typer.Option(help="Digit model: digits, the bundled one, or a folder.")] = "digits",
    out: Annotated[Path | None, typer.Option(help="CSV file to write or replace: input, text, confidence.")] = None,
    annotate: Annotated[
        Path | None,
        typer.Option(help="Draw boxes and labels: a PNG file for one image, a folder for several."),
    ] = None,
    min_confidence: MinConfidenceOption = 0.0,
) -> None:
    """Read handwritten numbers in photos and scans."""

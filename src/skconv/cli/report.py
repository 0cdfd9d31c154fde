"""Options and help text of `skconv report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.app import ModelArgument, SourceArgument, library_command


@library_command("skconv report runs/mnist-fast mnist --out report.html", data=True)
def report(
    model: ModelArgument,
    source: SourceArgument,
    out: Annotated[
        Path, typer.Option(help="HTML file to write; or a new folder for the page and its figures as PNG and SVG.")
    ],
    audit: Annotated[
        Path | None, typer.Option(help="Folder written by skconv audit of the same data; default: audit in the run.")
    ] = None,
) -> None:
    """Write a report about a model as one HTML page.

    The page has the model's data, scores, mistakes, calibration, attributions, size and speed.
    """

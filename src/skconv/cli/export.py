"""Options and help text of `skconv export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.app import ModelArgument, library_command


class Format(StrEnum):
    """Values of ``--format``."""

    onnx = "onnx"


@library_command("skconv export runs/first --format onnx --out first.onnx")
def export(
    model: ModelArgument,
    format: Annotated[
        Format, typer.Option(help="One file with graph and weights, for any program that runs ONNX.")
    ] = Format.onnx,
    out: Annotated[
        Path | None, typer.Option(help="File to write or replace; default: the name of the run, in this folder.")
    ] = None,
) -> None:
    """Export a model as one file for other programs."""

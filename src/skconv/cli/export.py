"""`skconv export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.console import library_messages, show_result
from skconv.cli.options import DebugOption, Device, JsonOption, UnusedDeviceOption, UnusedSeedOption

EXAMPLE = "Example: skconv export runs/first --format onnx --out first.onnx"


class Format(StrEnum):
    """What a model can be written as."""

    onnx = "onnx"


def export(
    model: Annotated[Path, typer.Argument(help="A run folder, a model folder, or digits: the bundled model.")],
    format: Annotated[
        Format, typer.Option(help="One file with graph and weights, for any program that runs ONNX.")
    ] = Format.onnx,
    out: Annotated[
        Path | None, typer.Option(help="File to write, an old one is replaced; named after the run if left out.")
    ] = None,
    seed: UnusedSeedOption = 0,
    device: UnusedDeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a model as one file that other programs run."""
    with library_messages():
        from skconv.commands.export import export as export_library

        result = export_library(model, out, format=format.value)
    show_result(result.to_json(), str(result), as_json=as_json)

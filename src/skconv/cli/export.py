"""`skconv export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.console import library_messages, show_result
from skconv.cli.options import DebugOption, Device, DeviceOption, JsonOption, SeedOption

EXAMPLE = "Example: skconv export runs/first --format onnx --out first.onnx"


class Format(StrEnum):
    """What a model can be written as."""

    onnx = "onnx"


def export(
    model: Annotated[Path, typer.Argument(help="A run folder or a model folder, or the name digits.")],
    format: Annotated[
        Format, typer.Option(help="A graph with its weights inside, for any server of ONNX.")
    ] = Format.onnx,
    out: Annotated[
        Path | None, typer.Option(help="File to write, an old one is replaced; named after the run if left out.")
    ] = None,
    seed: SeedOption = 0,
    device: DeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write a model as one file that other programs run."""
    with library_messages():
        from skconv.workflows.export import export as export_library

        result = export_library(model, out, format=format.value)
    show_result(result.to_json(), str(result), as_json=as_json)

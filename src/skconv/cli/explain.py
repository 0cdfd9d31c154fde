"""`skconv explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.console import library_messages, show_result
from skconv.cli.options import DebugOption, Device, DeviceOption, JsonOption, SeedOption

EXAMPLE = "Example: skconv explain runs/mnist-fast digit.png --out maps.png"


def explain(
    model: Annotated[Path, typer.Argument(help="A run folder or a model folder.")],
    picture: Annotated[Path, typer.Argument(help="One picture.")],
    out: Annotated[Path, typer.Option(help="PNG file to write; an old one is replaced.")],
    seed: SeedOption = 0,
    device: DeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Draw a model's filters and activation maps."""
    with library_messages():
        from skconv.workflows.explain import explain as explain_library

        result = explain_library(model, picture, out=out)
    show_result(result.to_json(), str(result), as_json=as_json)

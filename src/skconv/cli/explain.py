"""`skconv explain`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.console import library_messages, show_result
from skconv.cli.options import DataHomeOption, DebugOption, Device, DeviceOption, JsonOption, SeedOption

EXAMPLE = "Example: skconv explain runs/mnist-fast digit.png --out maps.png"


class Shown(StrEnum):
    """What there is to show."""

    activations = "activations"
    occlusion = "occlusion"
    attributions = "attributions"
    neighbours = "neighbours"


def explain(
    model: Annotated[Path, typer.Argument(help="A run folder or a model folder.")],
    picture: Annotated[Path, typer.Argument(help="One picture.")],
    out: Annotated[Path, typer.Option(help="PNG file to write; an old one is replaced.")],
    show: Annotated[
        Shown,
        typer.Option(
            help="Filters and maps, the parts the answer rests on (by covering, by gradients), or the nearest training "
            "pictures."
        ),
    ] = Shown.activations,
    source: Annotated[
        str | None, typer.Option(help="Training pictures for neighbours, if not those the model names itself.")
    ] = None,
    data_home: DataHomeOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Draw what a model computes for a picture, what its answer rests on, or which training pictures it finds alike."""
    with library_messages():
        from skconv.workflows.explain import explain as explain_library

        result = explain_library(model, picture, out=out, show=show.value, source=source, data_home=data_home)
    show_result(result.to_json(), str(result), as_json=as_json)

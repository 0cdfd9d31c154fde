"""`skconv explain`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.console import library_messages, show_result
from skconv.cli.options import DataHomeOption, DebugOption, Device, JsonOption, UnusedDeviceOption, UnusedSeedOption

EXAMPLE = "Example: skconv explain runs/mnist-fast digit.png --out maps.png"


class Shown(StrEnum):
    """What there is to show."""

    activations = "activations"
    occlusion = "occlusion"
    attributions = "attributions"
    neighbours = "neighbours"


def explain(
    model: Annotated[Path, typer.Argument(help="A run folder, a model folder, or digits: the bundled model.")],
    image: Annotated[Path, typer.Argument(help="One image.")],
    out: Annotated[Path, typer.Option(help="PNG file to write; an old one is replaced.")],
    show: Annotated[
        Shown,
        typer.Option(
            help="Filters and maps, the parts the answer rests on (by covering, by gradients), or the nearest training "
            "images."
        ),
    ] = Shown.activations,
    source: Annotated[
        str | None, typer.Option(help="Data to look for neighbours in; the model's training data if left out.")
    ] = None,
    data_home: DataHomeOption = None,
    seed: UnusedSeedOption = 0,
    device: UnusedDeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Draw what a model's answer to an image rests on.

    These are the maps that it computes, the parts of the image that count, or the training images most alike.
    """
    with library_messages():
        from skconv.commands.explain import explain as explain_library

        result = explain_library(model, image, out=out, show=show.value, source=source, data_home=data_home)
    show_result(result.to_json(), str(result), as_json=as_json)

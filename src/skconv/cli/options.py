"""The options that several commands share, declared once."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Device(StrEnum):
    """Where the network runs; ``auto`` takes CUDA or MPS where there is one."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


def _set_debug(context: typer.Context, value: bool) -> None:
    # `main` reads it after the command has failed; who calls the Typer application directly has no such object.
    if value and context.obj is not None:
        context.obj.debug = True


def parse_image_size(text: str | None) -> tuple[int, int] | None:
    """Return (height, width) in pixels of a text like ``28x28``; Typer would take a pair as two arguments."""
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,3})[xX×]([1-9]\d{0,3})", text.strip())
    if match is None:
        raise typer.BadParameter(
            f"'{text}' is not a size in pixels. Write height x width, as in 28x28.", param_hint="--image-size"
        )
    return int(match[1]), int(match[2])


JsonOption = Annotated[
    bool, typer.Option("--json", help="Print one JSON object on standard output, all else on standard error.")
]
SeedOption = Annotated[
    int | None,
    typer.Option(min=0, max=2**31 - 1, help="Seed of everything random; the recipe's, or 0, if left out."),
]
DeviceOption = Annotated[Device, typer.Option(help="Where to train; auto takes a GPU where there is one.")]
# Every command takes these two, so that a script may pass them to all; the help of those that do not train is silent.
UnusedSeedOption = Annotated[
    int, typer.Option("--seed", min=0, max=2**31 - 1, hidden=True, help="Ignored: there is no chance in this command.")
]
UnusedDeviceOption = Annotated[
    Device, typer.Option("--device", hidden=True, help="Ignored: this command does not train, and uses the CPU.")
]
DaskOption = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Train on the workers of this Dask scheduler, such as tcp://HOST:8786."),
]
DebugOption = Annotated[
    bool, typer.Option("--debug", callback=_set_debug, help="Show the traceback when something fails.")
]
DataHomeOption = Annotated[
    Path | None, typer.Option(help="Folder to look for data sets in first, as SKCONV_DATA does.")
]
ImagesOption = Annotated[Path | None, typer.Option(help="Folder of the images that a CSV of id,label names.")]
LabelColumnOption = Annotated[str | None, typer.Option(help="Name of the CSV column that holds the label.")]
ImageSizeOption = Annotated[
    str | None,
    typer.Option(
        metavar="HxW",
        help="Height and width in pixels: of the images in a CSV, or to resize images to.",
    ),
]
CoverageOption = Annotated[
    float | None,
    typer.Option(help="Give sets of labels that hold the true one with this probability, such as 0.99."),
]
MinConfidenceOption = Annotated[
    float, typer.Option(min=0, max=1, help="Below it, a label becomes ? and its alternatives are shown.")
]

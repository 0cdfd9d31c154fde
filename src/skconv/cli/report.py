"""`skconv report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.console import is_interactive, library_messages, show_result
from skconv.cli.options import (
    DataHomeOption,
    DebugOption,
    Device,
    ImageSizeOption,
    ImagesOption,
    JsonOption,
    LabelColumnOption,
    UnusedDeviceOption,
    UnusedSeedOption,
    parse_image_size,
)

EXAMPLE = "Example: skconv report runs/mnist-fast mnist --out report.html"


def report(
    model: Annotated[Path, typer.Argument(help="A run folder, a model folder, or digits: the bundled model.")],
    source: Annotated[str, typer.Argument(help="A named data set, a CSV, an .npz or a folder.")],
    out: Annotated[
        Path, typer.Option(help="HTML file to write; or a new folder, for the page and its figures as PNG and SVG.")
    ],
    audit: Annotated[
        Path | None, typer.Option(help="Folder that skconv audit wrote of the same data; default: audit in the run.")
    ] = None,
    data_home: DataHomeOption = None,
    images: ImagesOption = None,
    label_column: LabelColumnOption = None,
    image_size: ImageSizeOption = None,
    seed: UnusedSeedOption = 0,
    device: UnusedDeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Write one page about a model, to be sent to a colleague.

    It shows the model's data, scores, mistakes, confidence, what it looks at, its size and its speed.
    """
    size = parse_image_size(image_size)
    with library_messages():
        from skconv.commands.report import report as report_library

        result = report_library(
            model,
            source,
            out=out,
            audit=audit,
            data_home=data_home,
            images=images,
            label_column=label_column,
            image_size=size,
            progress=is_interactive(),
        )
    show_result(result.to_json(), str(result), as_json=as_json)

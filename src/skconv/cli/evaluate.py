"""`skconv evaluate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.console import is_interactive, library_messages, show_result
from skconv.cli.options import (
    CoverageOption,
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

EXAMPLE = "Example: skconv evaluate runs/mnist-fast mnist"


def evaluate(
    model: Annotated[Path, typer.Argument(help="A run folder, a model folder, or digits: the bundled model.")],
    source: Annotated[str, typer.Argument(help="A named data set, a CSV, an .npz or a folder.")],
    data_home: DataHomeOption = None,
    images: ImagesOption = None,
    label_column: LabelColumnOption = None,
    image_size: ImageSizeOption = None,
    coverage: CoverageOption = None,
    corruptions: Annotated[
        bool, typer.Option("--corruptions", help="Score it on images damaged in seventeen ways as well.")
    ] = False,
    against: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="Measure how well images of other things are told from these."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="New folder for scores.json, and figures of mistakes and of confidence.")
    ] = None,
    seed: UnusedSeedOption = 0,
    device: UnusedDeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Score a model on labelled images it has not seen.

    The test split is taken; where there is none, the images that the model was not trained on.
    """
    size = parse_image_size(image_size)
    with library_messages():
        from skconv.commands.evaluate import evaluate as evaluate_library

        result = evaluate_library(
            model,
            source,
            data_home=data_home,
            images=images,
            label_column=label_column,
            image_size=size,
            coverage=coverage,
            corruptions=corruptions,
            against=against,
            report=report,
            progress=is_interactive(),
        )
    show_result(result.to_json(), str(result), as_json=as_json)

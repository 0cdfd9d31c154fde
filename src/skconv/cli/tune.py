"""`skconv tune`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.console import library_messages, show_result
from skconv.cli.options import (
    DataHomeOption,
    DebugOption,
    Device,
    DeviceOption,
    ImageSizeOption,
    ImagesOption,
    JsonOption,
    LabelColumnOption,
    SeedOption,
    parse_image_size,
)

EXAMPLE = "Example: skconv tune mnist --fraction 0.1 --minutes 15 --out runs/search"


def tune(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(help="A named data set, a CSV, an .npz or a folder; the recipe's own data if left out."),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, max=100_000, help="Search until there are this many trials; 20 if --minutes is not given."),
    ] = None,
    minutes: Annotated[float | None, typer.Option(min=0.001, max=1e6, help="Search for this many minutes.")] = None,
    recipe: Annotated[str, typer.Option(help="The recipe to start from: a built-in one or a TOML file.")] = "standard",
    network: Annotated[str | None, typer.Option(help="Another network than the recipe's.")] = None,
    fraction: Annotated[
        float, typer.Option(min=0.0001, max=1, help="Share of the training images to search with.")
    ] = 1.0,
    storage: Annotated[
        str | None, typer.Option(help="URL of the study's database; the file study.db in --out if left out.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the study, new or to go on with; runs/DATA-RECIPE-tune if left out.")
    ] = None,
    data_home: DataHomeOption = None,
    images: ImagesOption = None,
    label_column: LabelColumnOption = None,
    image_size: ImageSizeOption = None,
    seed: SeedOption = None,
    device: DeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Search the settings of a recipe by validation accuracy.

    The test images are never touched. Bad trials are ended early. The best settings are written as best.toml, for
    skconv train --recipe. The same command goes on where it was cut off, and may run several times at once.
    """
    size = parse_image_size(image_size)
    with library_messages():
        from skconv.commands.tune import tune as tune_library

        result = tune_library(
            source,
            trials=trials,
            minutes=minutes,
            recipe=recipe,
            network=network,
            fraction=fraction,
            storage=storage,
            out=out,
            seed=seed,
            device=device.value,
            data_home=data_home,
            images=images,
            label_column=label_column,
            image_size=size,
            progress=True,
            command=context.obj.command if context.obj else None,
        )
    show_result(result.to_json(), str(result), as_json=as_json)

"""`skconv cross-validate`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.console import is_interactive, library_messages, show_result
from skconv.cli.options import (
    DaskOption,
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

EXAMPLE = "Example: skconv cross-validate mnist --folds 5 --recipe fast"


def cross_validate(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(help="A named data set, a CSV, an .npz or a folder; the recipe's own data if left out."),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, max=1000, help="Number of folds, and of trainings.")] = 5,
    recipe: Annotated[str, typer.Option(help="A built-in recipe or a TOML file.")] = "standard",
    network: Annotated[str | None, typer.Option(help="Another network than the recipe's.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="New folder for the results; runs/DATA-RECIPE-folds if left out.")
    ] = None,
    data_home: DataHomeOption = None,
    images: ImagesOption = None,
    label_column: LabelColumnOption = None,
    image_size: ImageSizeOption = None,
    seed: SeedOption = None,
    device: DeviceOption = Device.auto,
    dask: DaskOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Score a recipe on folds of the training images.

    Each fold is scored by a training on all the others: mean and spread, fold by fold. Only training images take
    part; those that skconv train would test on are not touched.
    """
    size = parse_image_size(image_size)
    if context.obj:
        context.obj.out = out
    with library_messages():
        from skconv.commands.cross_validate import cross_validate as cross_validate_library

        result = cross_validate_library(
            source,
            folds=folds,
            recipe=recipe,
            network=network,
            out=out,
            seed=seed,
            device=device.value,
            dask=dask,
            data_home=data_home,
            images=images,
            label_column=label_column,
            image_size=size,
            progress=is_interactive(),
            command=context.obj.command if context.obj else None,
        )
    show_result(result.to_json(), str(result), as_json=as_json)

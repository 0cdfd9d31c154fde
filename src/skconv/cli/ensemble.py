"""`skconv ensemble`."""

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

EXAMPLE = "Example: skconv ensemble kaggle-digits --folds 5 --recipe kaggle --out runs/competition"


def ensemble(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(
            help="A named data set, a competition's folder, a CSV, an .npz or a folder; else the recipe's own."
        ),
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(min=2, max=1000, help="Number of folds, and of members; the recipe's if left out, else 5."),
    ] = None,
    recipe: Annotated[str, typer.Option(help="A built-in recipe or a TOML file.")] = "standard",
    network: Annotated[str | None, typer.Option(help="Another network than the recipe's.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="New folder for the results; runs/DATA-RECIPE-ensemble if left out.")
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
    """Train a k-fold ensemble as one model.

    Each member leaves one fold of the training images out; their mean is the model. A labelled test split is scored
    once; for a competition, its submission is written.
    """
    size = parse_image_size(image_size)
    if context.obj:
        context.obj.out = out
    with library_messages():
        from skconv.commands.ensemble import ensemble as ensemble_library

        result = ensemble_library(
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

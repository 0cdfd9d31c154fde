"""`skconv train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from skconv.cli.console import is_interactive, library_messages, show_result
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

EXAMPLE = "Example: skconv train mnist --recipe fast --out runs/first"


def train(
    context: typer.Context,
    source: Annotated[
        str | None,
        typer.Argument(help="A named data set, a CSV, an .npz or a folder; the recipe's own data if left out."),
    ] = None,
    recipe: Annotated[str, typer.Option(help="A built-in recipe or a TOML file.")] = "standard",
    network: Annotated[str | None, typer.Option(help="Another network than the recipe's.")] = None,
    out: Annotated[Path | None, typer.Option(help="New folder for the results; runs/DATA-RECIPE if left out.")] = None,
    seeds: Annotated[
        int,
        typer.Option(min=1, max=1000, help="Train this many times, with consecutive seeds; mean and spread are told."),
    ] = 1,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in --out that was stopped or killed.")
    ] = False,
    init_from: Annotated[
        Path | None, typer.Option(help="Model whose weights to begin with; other classes and sizes may be.")
    ] = None,
    freeze_fraction: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of the training in which those weights are released step by step."),
    ] = 0.0,
    data_home: DataHomeOption = None,
    images: ImagesOption = None,
    label_column: LabelColumnOption = None,
    image_size: ImageSizeOption = None,
    seed: SeedOption = None,
    device: DeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Train a classifier and score it once on the test split.

    Where the data has no test split, 15 % of every class is held out as one.
    The run folder holds the model, the scores, the history and figures.
    With --out, a run that is killed can be taken up again by --resume, to the same weights.
    """
    size = parse_image_size(image_size)
    if context.obj:
        context.obj.out = out
    with library_messages():
        from skconv.commands.train import train as train_library

        result = train_library(
            source,
            recipe=recipe,
            network=network,
            out=out,
            seeds=seeds,
            seed=seed,
            resume=resume,
            init_from=init_from,
            freeze_fraction=freeze_fraction,
            device=device.value,
            data_home=data_home,
            images=images,
            label_column=label_column,
            image_size=size,
            progress=is_interactive(),
            command=context.obj.command if context.obj else None,
        )
    show_result(result.to_json(), str(result), as_json=as_json)

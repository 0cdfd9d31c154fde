"""`skconv audit`."""

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

EXAMPLE = "Example: skconv audit mnist --out runs/mnist-audit"


def audit(
    source: Annotated[str, typer.Argument(help="A named data set, a CSV, an .npz or a folder.")],
    recipe: Annotated[str, typer.Option(help="Recipe of the networks that judge the labels.")] = "audit",
    folds: Annotated[
        int, typer.Option(min=2, max=1000, help="Number of these networks; each is trained without one fold.")
    ] = 5,
    out: Annotated[Path | None, typer.Option(help="New folder for suspects.csv and contact sheets.")] = None,
    data_home: DataHomeOption = None,
    images: ImagesOption = None,
    label_column: LabelColumnOption = None,
    image_size: ImageSizeOption = None,
    seed: SeedOption = None,
    device: DeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Find wrong labels, duplicates, blank and broken images."""
    size = parse_image_size(image_size)
    with library_messages():
        from skconv.commands.audit import audit as audit_library

        result = audit_library(
            source,
            recipe=recipe,
            folds=folds,
            out=out,
            seed=seed,
            device=device.value,
            data_home=data_home,
            images=images,
            label_column=label_column,
            image_size=size,
            progress=is_interactive(),
        )
    show_result(result.to_json(), str(result), as_json=as_json)

"""`skconv data`."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from skconv.cli.console import library_messages, show_result
from skconv.cli.options import DebugOption, Device, DeviceOption, JsonOption, SeedOption

EXAMPLE = "Example: skconv data fashion-mnist"


def data(
    name: Annotated[str | None, typer.Argument(help="The data set to show; all are listed if left out.")] = None,
    seed: SeedOption = 0,
    device: DeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the named data sets, or show one."""
    with library_messages():
        from skconv.data.catalog import get_entry, list_datasets

        found = [get_entry(each) for each in (list_datasets() if name is None else [name])]
    if name is None:
        text = "\n".join(f"{each.name:<16} {each.title}" for each in found)
        show_result({"datasets": [asdict(each) for each in found]}, text, as_json=as_json)
    else:
        facts = asdict(found[0])
        text = "\n".join(f"{key}: {value}" for key, value in facts.items())
        show_result(facts, text, as_json=as_json)

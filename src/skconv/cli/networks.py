"""`skconv networks`."""

from __future__ import annotations

from typing import Annotated

import typer

from skconv.cli.console import library_messages, show_result
from skconv.cli.options import DebugOption, Device, DeviceOption, JsonOption, SeedOption

EXAMPLE = "Example: skconv networks"


def networks(
    name: Annotated[str | None, typer.Argument(help="The network to show; all are listed if left out.")] = None,
    seed: SeedOption = 0,
    device: DeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the networks, or show one."""
    with library_messages():
        from skconv.networks import describe_network, list_networks

        names = list_networks() if name is None else [name]
        found = [{"name": each, "description": describe_network(each)} for each in names]
    if name is None:
        text = "\n".join(f"{each['name']:<12} {_first_line(each['description'])}" for each in found)
        show_result({"networks": found}, text, as_json=as_json)
    else:
        show_result(found[0], found[0]["description"], as_json=as_json)


def _first_line(description: str) -> str:
    return description.partition("\n")[0].rstrip(".")

"""`skconv networks`."""

from __future__ import annotations

from typing import Annotated

import typer

from skconv.cli.console import library_messages
from skconv.cli.listing import ListingEntry, show_entries
from skconv.cli.options import DebugOption, Device, JsonOption, UnusedDeviceOption, UnusedSeedOption

EXAMPLE = "Example: skconv networks"


def networks(
    name: Annotated[str | None, typer.Argument(help="The network to show; all are listed if left out.")] = None,
    seed: UnusedSeedOption = 0,
    device: UnusedDeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the networks, or show one."""
    with library_messages():
        from skconv.networks import describe_network, list_networks

        names = list_networks() if name is None else [name]
        entries = [_describe(each, describe_network(each)) for each in names]
    show_entries(entries, key="networks", name=name, as_json=as_json)


def _describe(name: str, description: str) -> ListingEntry:
    title = description.partition("\n")[0].rstrip(".")
    return ListingEntry(name, title, description, {"name": name, "description": description})

"""Options and help text of `skconv networks`."""

from __future__ import annotations

from typing import Annotated

import typer

from skconv.cli.command import Entry, Output, command, list_entries

EXAMPLE = "skconv networks"


@command()
def networks(
    name: Annotated[str | None, typer.Argument(help="Network to describe; default: list all.")] = None,
) -> Output:
    """List the networks, or describe one."""
    from skconv.networks import describe_network, list_networks

    def describe(name: str) -> Entry:
        text = describe_network(name)
        return Entry(name, text.partition("\n")[0].rstrip("."), text, {"name": name, "description": text})

    if name is None:
        return list_entries("networks", [describe(each) for each in list_networks()])
    entry = describe(name)
    return Output(entry.record, entry.text)

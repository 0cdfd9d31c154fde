"""`skconv networks`."""

from __future__ import annotations

from typing import Annotated

import typer

from skconv.cli.command import Listing, ListingEntry, command

EXAMPLE = "skconv networks"


@command()
def networks(
    name: Annotated[str | None, typer.Argument(help="Network to describe; default: list all.")] = None,
) -> Listing:
    """List the networks, or describe one."""
    from skconv.networks import describe_network, list_networks

    names = list_networks() if name is None else [name]
    entries = [_describe(each, describe_network(each)) for each in names]
    return Listing("networks", entries, name is not None)


def _describe(name: str, description: str) -> ListingEntry:
    title = description.partition("\n")[0].rstrip(".")
    return ListingEntry(name, title, description, {"name": name, "description": description})

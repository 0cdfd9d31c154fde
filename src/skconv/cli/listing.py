"""What the commands that list things, or show one, have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from skconv.cli.console import show_result


class ListingEntry(NamedTuple):
    """One thing of a list: its name, a line about it, all of it as text, and all of it as plain values."""

    name: str
    title: str
    text: str
    facts: dict[str, Any]


def show_entries(entries: Sequence[ListingEntry], *, key: str, name: str | None, as_json: bool) -> None:
    """Print a line an entry, or the one entry that was asked for by `name`, as text or JSON.

    Parameters
    ----------
    entries : sequence of Entry
        What was found; one where `name` is given.
    key : str
        What the list is called in JSON.
    name : str or None
        What was asked for.
    as_json : bool
        Print JSON.
    """
    if name is not None:
        show_result(entries[0].facts, entries[0].text, as_json=as_json)
        return
    width = max((len(each.name) for each in entries), default=0)
    text = "\n".join(f"{each.name:<{width}}  {each.title}" for each in entries)
    show_result({key: [each.facts for each in entries]}, text, as_json=as_json)

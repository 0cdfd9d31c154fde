"""`skconv data`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from skconv.cli.console import library_messages
from skconv.cli.listing import Entry, show_entries
from skconv.cli.options import DebugOption, Device, DeviceOption, JsonOption, SeedOption

if TYPE_CHECKING:
    from skconv.data.catalog import CatalogEntry

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

        entries = [_describe(get_entry(each)) for each in (list_datasets() if name is None else [name])]
    show_entries(entries, key="datasets", name=name, as_json=as_json)


def _describe(entry: CatalogEntry) -> Entry:
    lines = {
        "title": entry.title,
        "licence": entry.licence,
        "class names": ", ".join(entry.class_names),
        "form": entry.form,
        **_find(entry),
    }
    text = "\n".join(f"{key}: {value}" for key, value in lines.items())
    return Entry(entry.name, entry.title, text, asdict(entry))


def _find(entry: CatalogEntry) -> dict[str, str]:
    """Say where the data is, or which places it was looked for in."""
    from skconv.data.places import list_places

    if not entry.files:
        return {"found in": "scikit-learn"}
    places = list(list_places(entry))
    for place in places:
        if not place.find_missing(entry):
            return {"found in": str(place.folder)}
    network = f"OpenML, data set {entry.openml}" if entry.openml else entry.files[0].addresses[0]
    return {"looked for in": ", ".join(str(place.folder) for place in places), "fetched from": network}

"""`skconv data`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skconv.cli.console import is_interactive, library_messages, show_result
from skconv.cli.listing import ListingEntry, show_entries
from skconv.cli.options import DataHomeOption, DebugOption, Device, JsonOption, UnusedDeviceOption, UnusedSeedOption

if TYPE_CHECKING:
    from skconv.data.catalog import CatalogEntry

EXAMPLE = "Example: skconv data kaggle-digits --make digits-competition"


def data(
    name: Annotated[
        str | None,
        typer.Argument(
            help="The data set to show; all are listed if left out. With --check also a competition's folder."
        ),
    ] = None,
    make: Annotated[Path | None, typer.Option(help="New folder to make the files of a competition in.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Submission to check, whatever its name, and to score where answers are known.")
    ] = None,
    data_home: DataHomeOption = None,
    seed: UnusedSeedOption = 0,
    device: UnusedDeviceOption = Device.auto,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List or show data sets; make or check a competition.

    Without a name all are listed. A competition's files can be made, and a submission to it checked.
    """
    if make is not None and check is not None:
        raise typer.BadParameter(
            "Make a competition first, then check a submission to it.", param_hint="--make, --check"
        )
    if name is None and (make is not None or check is not None):
        raise typer.BadParameter("Name the competition, as in skconv data kaggle-digits.", param_hint="NAME")
    if name is not None and make is not None:
        _make(name, make, data_home, as_json)
    elif name is not None and check is not None:
        _check(name, check, data_home, as_json)
    else:
        _show(name, data_home, as_json)


def _make(name: str, folder: Path, data_home: Path | None, as_json: bool) -> None:
    with library_messages():
        from skconv.competitions.making import make_competition

        make_competition(name, folder, data_home=data_home, progress=is_interactive())
    files = sorted(path.name for path in folder.iterdir())
    text = f"Made {name} in {folder}: {', '.join(files)}. The labels to be found are in answers.csv."
    show_result({"name": name, "folder": str(folder), "files": files}, text, as_json=as_json)


def _check(competition: str, submission: Path, data_home: Path | None, as_json: bool) -> None:
    with library_messages():
        from skconv.competitions.checking import check_competition

        result = check_competition(submission, competition, data_home=data_home, progress=is_interactive())
    show_result(result.to_json(), str(result), as_json=as_json)


def _show(name: str | None, data_home: Path | None, as_json: bool) -> None:
    with library_messages():
        from skconv.data.catalog import get_entry, list_datasets

        names = list_datasets() if name is None else [name]
        entries = [_describe(get_entry(each), data_home) for each in names]
    show_entries(entries, key="datasets", name=name, as_json=as_json)


def _describe(entry: CatalogEntry, data_home: Path | None) -> ListingEntry:
    lines = {
        "title": entry.title,
        "licence": entry.licence,
        "class names": ", ".join(entry.class_names),
        "form": entry.form,
        **_find(entry, data_home),
    }
    text = "\n".join(f"{key}: {value}" for key, value in lines.items())
    return ListingEntry(entry.name, entry.title, text, asdict(entry))


def _find(entry: CatalogEntry, data_home: Path | None) -> dict[str, str]:
    """Say where the data is, or which places it was looked for in."""
    from skconv.data.locations import list_locations

    if entry.form == "scikit-learn":
        return {"found in": "scikit-learn"}
    if entry.form == "made":
        return {"made from": f"{entry.made_from} and fashion-mnist, with a seed, when it is first used; then kept"}
    places = list(list_locations(entry, data_home))
    looked_for = ", ".join(str(place.folder) for place in places)
    if entry.form == "competition":
        from skconv.competitions.making import find_competition

        made = f"{entry.made_from}, when it is first used, or into a folder of your own with --make"
        found = find_competition(entry, data_home)
        return {"looked for in": looked_for, "made from": made} if found is None else {"found in": str(found)}
    for place in places:
        if not place.find_missing(entry):
            return {"found in": str(place.folder)}
    network = f"OpenML, data set {entry.openml}" if entry.openml else entry.files[0].addresses[0]
    return {"looked for in": looked_for, "fetched from": network}

"""Options and help text of `skconv data`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skconv.cli.command import DataHomeOption, Entry, Output, command, is_interactive, list_entries

if TYPE_CHECKING:
    from skconv.data.catalog import CatalogEntry

EXAMPLE = "skconv data kaggle-digits --make digits-competition"


@command()
def data(
    name: Annotated[
        str | None,
        typer.Argument(help="Data set to describe; default: list all. With --check also a competition's folder."),
    ] = None,
    make: Annotated[Path | None, typer.Option(help="New folder to write the files of a competition to.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Submission file to check, and to score if the labels are available.")
    ] = None,
    data_home: DataHomeOption = None,
) -> Any:
    """List or describe data sets; make or check a competition.

    Without a name, all data sets are listed. The files of a competition can be made, and a submission checked.
    """
    if make is not None and check is not None:
        raise typer.BadParameter(
            "Make a competition first, then check a submission to it.", param_hint="--make, --check"
        )
    if name is None and (make is not None or check is not None):
        raise typer.BadParameter("Name the competition, as in skconv data kaggle-digits.", param_hint="NAME")
    if name is not None and make is not None:
        from skconv.competitions.making import make_competition

        make_competition(name, make, data_home=data_home, progress=is_interactive())
        files = sorted(path.name for path in make.iterdir())
        text = f"Made {name} in {make}: {', '.join(files)}. The labels to predict are in answers.csv."
        return Output({"name": name, "folder": str(make), "files": files}, text)
    if name is not None and check is not None:
        from skconv.competitions.submissions import check_competition

        return check_competition(check, name, data_home=data_home, progress=is_interactive())
    from skconv.data.catalog import get_entry, list_datasets

    if name is None:
        return list_entries("datasets", [_describe(get_entry(each), data_home) for each in list_datasets()])
    entry = _describe(get_entry(name), data_home)
    return Output(entry.record, entry.text)


def _describe(entry: CatalogEntry, data_home: Path | None) -> Entry:
    lines = {
        "title": entry.title,
        "licence": entry.licence,
        "class names": ", ".join(entry.class_names),
        "form": entry.form,
        **_find(entry, data_home),
    }
    text = "\n".join(f"{key}: {value}" for key, value in lines.items())
    return Entry(entry.name, entry.title, text, asdict(entry))


def _find(entry: CatalogEntry, data_home: Path | None) -> dict[str, str]:
    """Return where the data is, or where it was searched and can be fetched from."""
    from skconv.data.named import list_locations

    if entry.form == "scikit-learn":
        return {"found in": "scikit-learn"}
    if entry.form == "made":
        return {"made from": f"{entry.made_from} and fashion-mnist, with a seed, at the first use; then cached"}
    places = list(list_locations(entry, data_home))
    searched = ", ".join(str(place.folder) for place in places)
    if entry.form == "competition":
        from skconv.competitions.making import find_competition

        made = f"{entry.made_from}, at the first use, or into a folder of your own with --make"
        found = find_competition(entry, data_home)
        return {"looked for in": searched, "made from": made} if found is None else {"found in": str(found)}
    for place in places:
        if not place.find_missing(entry):
            return {"found in": str(place.folder)}
    network = f"OpenML, data set {entry.openml}" if entry.openml else entry.files[0].addresses[0]
    return {"looked for in": searched, "fetched from": network}

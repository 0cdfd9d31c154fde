"""Options and help text of `skconv data`, `skconv networks` and `skconv recipes`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skconv.cli.app import command
from skconv.cli.options import DATA_HOME
from skconv.progress import is_terminal

if TYPE_CHECKING:
    from skconv.data.catalog.lookup import CatalogEntry


@dataclass(frozen=True)
class Output:
    """Output of a listing command: the JSON record, the text, and the title shown in lists."""

    record: dict[str, Any]
    text: str
    title: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return self.record

    def __str__(self) -> str:
        return self.text


def _describe_or_list(name: str | None, key: str, known: Sequence[str], describe: Callable[[str], Output]) -> Output:
    """Return the description of `name`, or a list of all names; `key` is the name of the list in JSON."""
    if name is not None:
        return describe(name)
    entries = [describe(each) for each in known]
    width = max((len(each) for each in known), default=0)
    text = "\n".join(f"{each.record['name']:<{width}}  {each.title}" for each in entries)
    return Output({key: [each.record for each in entries]}, text)


@command("skconv networks")
def networks(
    name: Annotated[str | None, typer.Argument(help="Network to describe; default: list all.")] = None,
) -> Output:
    """List the networks, or describe one."""
    from skconv.networks import describe_network, list_networks

    def describe(name: str) -> Output:
        text = describe_network(name)
        return Output({"name": name, "description": text}, text, text.partition("\n")[0].rstrip("."))

    return _describe_or_list(name, "networks", list_networks(), describe)


@command("skconv recipes fast > mine.toml")
def recipes(
    name: Annotated[str | None, typer.Argument(help="Recipe to print as TOML; default: list all.")] = None,
) -> Output:
    """List the recipes, or print one as TOML to copy and edit."""
    from skconv.recipes import list_recipes, load_recipe

    def describe(name: str) -> Output:
        recipe = load_recipe(name)
        record = {
            "name": recipe.name,
            "title": recipe.title,
            "source": recipe.data.source,
            "figures": recipe.figures,
            "text": recipe.text,
        }
        return Output(record, recipe.text.rstrip("\n"), recipe.title)

    return _describe_or_list(name, "recipes", list_recipes(), describe)


@command("skconv data kaggle-digits --make digits-competition")
def data(
    name: Annotated[
        str | None,
        typer.Argument(help="Data set to describe; default: list all. With --check also a competition's folder."),
    ] = None,
    make: Annotated[Path | None, typer.Option(help="New folder to write the files of a competition to.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Submission file to check, and to score if the labels are available.")
    ] = None,
    data_home: Annotated[Path | None, DATA_HOME] = None,
) -> Any:
    """List or describe data sets; make or check a competition.

    Without a name, all data sets are listed. --make writes the files of a competition; --check validates a submission.
    """
    if make is not None and check is not None:
        raise typer.BadParameter(
            "Use one of them per command: first make the competition, then check a submission.",
            param_hint="--make, --check",
        )
    if name is None and (make is not None or check is not None):
        raise typer.BadParameter("Name the competition, as in skconv data kaggle-digits.", param_hint="NAME")
    if name is not None and make is not None:
        from skconv.competitions.making import make_competition

        folder = make_competition(name, make, data_home=data_home, progress=is_terminal())
        files = sorted(path.name for path in folder.iterdir())
        text = f"Made {name} in {folder}: {', '.join(files)}. The labels to predict are in answers.csv."
        return Output({"name": name, "folder": str(folder), "files": files}, text)
    if name is not None and check is not None:
        from skconv.competitions.submissions import check_competition

        return check_competition(check, name, data_home=data_home, progress=is_terminal())
    from skconv.data.catalog.lookup import get_entry, list_collection, list_datasets

    def describe(each: str) -> Output:
        return _describe_data(get_entry(each), data_home)

    if name is not None and list_collection(name):
        return _describe_or_list(None, "datasets", list_collection(name), describe)
    listed = _describe_or_list(name, "datasets", list_datasets(), describe)
    return listed if name is not None else Output(listed.record, _list_data(listed.record["datasets"]))


def _list_data(records: Sequence[dict[str, Any]]) -> str:
    """Return a line per data set, and a line per collection of data sets."""
    from skconv.data.catalog.lookup import list_collection, summarize_names

    titles = {record["name"]: record["title"] for record in records}
    names = summarize_names(titles)
    width = max(map(len, names))
    lines = []
    for name in names:
        collection = name.partition(":")[0]
        n = len(list_collection(collection))
        lines.append(f"{name:<{width}}  {titles.get(name) or f'{n} data sets, listed by skconv data {collection}'}")
    return "\n".join(lines)


def _describe_data(entry: CatalogEntry, data_home: Path | None) -> Output:
    lines = {
        "title": entry.title,
        "licence": entry.licence,
        "class names": ("; " if "," in "".join(entry.class_names) else ", ").join(entry.class_names),
        "form": entry.form,
        **_locate(entry, data_home),
    }
    if entry.published:
        groups = groupby(entry.published, key=lambda each: each.reference)
        lines["published test accuracies"] = "; ".join(
            f"{', '.join(f'{each.method} {100 * each.accuracy:.2f} %' for each in group)} ({reference})"
            for reference, group in groups
        )
    text = "\n".join(f"{key}: {value}" for key, value in lines.items())
    return Output(asdict(entry), text, entry.title)


def _locate(entry: CatalogEntry, data_home: Path | None) -> dict[str, str]:
    """Return the location of the data, or the folders searched and the source to fetch it from."""
    from skconv.data.published.named import list_locations

    if entry.form == "scikit-learn":
        return {"found in": "scikit-learn"}
    if entry.form == "made":
        return {"made from": f"{entry.made_from} and fashion-mnist, with a seed, at the first use; then cached"}
    places = list(list_locations(entry, data_home))
    searched = ", ".join(str(place.folder) for place in places if place.chosen or not place.is_home)
    if entry.form == "competition":
        from skconv.competitions.making import find_competition

        made = f"{entry.made_from}, at the first use, or into a folder of your own with --make"
        found = find_competition(entry, data_home)
        return {"looked for in": searched, "made from": made} if found is None else {"found in": str(found)}
    for place in places:
        if not place.find_missing(entry):
            return {"found in": str(place.folder)}
        copy = place.find_copy(entry)
        if copy is not None:
            return {"found in": f"{copy} (not in the published form)"}
    network = f"OpenML, data set {entry.openml}" if entry.openml else entry.files[0].addresses[0]
    return {"looked for in": searched, "fetched from": network}

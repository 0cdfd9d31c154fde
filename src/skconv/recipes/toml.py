"""Conversion of a recipe to TOML."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from skconv.data.spec import DataSpec
from skconv.files import escape_undecodable

if TYPE_CHECKING:
    from skconv.recipes import Recipe

_NOT_IN_TOML = ("data_home", "form")  # a recipe must not depend on the machine or on a model


def update_text(recipe: Recipe) -> str:
    """Return the text of a recipe with changed sections replaced; see `Recipe.to_toml`."""
    import tomlkit

    document, before = tomlkit.parse(recipe.text), tomllib.loads(recipe.text)
    if recipe.title != before.get("title", recipe.name):
        document["title"] = recipe.title
    for section in fields(recipe)[3:]:  # skip name, title and text
        value = getattr(recipe, section.name)
        value = _describe_data(value) if isinstance(value, DataSpec) else value
        default = {"name": "plain"} if section.name == "network" else {}
        if value == before.get(section.name, default):
            continue
        if not value:
            del document[section.name]
        elif isinstance(value, Mapping) and isinstance(before.get(section.name), Mapping):
            _update_table(document[section.name], value)
        else:
            document[section.name] = value
    return tomlkit.dumps(document).rstrip() + "\n"


def _update_table(table: Any, values: Mapping[str, Any]) -> None:
    """Replace the contents of a TOML table with `values`; the lines of unchanged keys are retained."""
    for key in set(table) - set(values):
        del table[key]
    for key, value in values.items():
        if table.get(key) != value:
            table[key] = value


def _describe_data(spec: DataSpec) -> dict[str, Any]:
    """Return the values of the section [data]."""
    values = {each.name: getattr(spec, each.name) for each in fields(spec) if each.name not in _NOT_IN_TOML}
    return {key: _to_toml(value) for key, value in values.items() if value is not None}


def _to_toml(value: Any) -> Any:
    if isinstance(value, str | os.PathLike):
        return escape_undecodable(os.fspath(value))
    return list(value) if isinstance(value, tuple) else value

"""The recipe of a run as text: what was asked for on top of it written in, what speaks of other runs left out."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from skconv.exceptions import RecipeError

if TYPE_CHECKING:
    from skconv.recipes import Recipe


def write_as_run(
    recipe: Recipe, *, source: str | os.PathLike[str] | None, network: str | None, folds: int | None = None
) -> str:
    """Return the recipe of a run, so that training with it again needs no other arguments.

    Parameters
    ----------
    recipe : Recipe
        The recipe that was named.
    source : str, path-like or None
        The data where they were named apart from the recipe.
    network : str or None
        The network where it was named apart from the recipe.
    folds : int or None, default=None
        The number of folds where it was.

    Raises
    ------
    RecipeError
        The recipe is written in a form of TOML that cannot be edited.
    """
    text = replace_section(recipe.text, "figures", {})
    if source is not None:
        normalize = {"normalize": recipe.normalize} if recipe.normalize else {}
        text = replace_section(text, "data", {"source": os.fspath(source), **normalize})
    if network is not None:
        text = replace_section(text, "network", {"name": network})
    if folds is not None:
        text = replace_section(text, "ensemble", {**recipe.ensemble, "folds": folds})
    return text


def replace_section(recipe_text: str, section: str, values: Mapping[str, str | int | bool]) -> str:
    r"""Return a recipe with one of its sections replaced, or added at its end.

    Parameters
    ----------
    recipe_text : str
        The recipe as TOML.
    section : str
        Its name.
    values : mapping
        All that the section then holds; nothing takes the section away.

    Raises
    ------
    RecipeError
        The recipe holds it in another form of TOML than a section.

    Examples
    --------
    >>> text = '[network]\nname = "fast"\ncrop = 2\n\n[training]\nmax_epochs = 1'
    >>> print(replace_section(text, "network", {"name": "standard"}), end="")
    [network]
    name = "standard"
    <BLANKLINE>
    [training]
    max_epochs = 1
    """
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]  # of these kinds JSON is TOML
    text = "\n".join([f"[{section}]", *lines, ""]) if values else ""
    pattern = re.compile(rf"^\[{section}\].*?(?=^\[|\Z)", re.MULTILINE | re.DOTALL)
    replaced, found = pattern.subn(lambda _: f"{text}\n" if text else "", recipe_text)
    replaced = f"{replaced.rstrip()}\n" if found else f"{recipe_text.rstrip()}\n\n{text}".rstrip() + "\n"
    try:
        followed = tomllib.loads(replaced).get(section, {}) == values
    except tomllib.TOMLDecodeError:
        followed = False
    if not followed:
        raise RecipeError(
            f"The recipe's {section} cannot be replaced: it stands in another form than a section. "
            f"Write it as a section: a line [{section}] and below it a line for each key."
        )
    return replaced

"""The recipe of a run: what was asked for on top of it written in, what speaks of other runs left out."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.exceptions import RecipeError

if TYPE_CHECKING:
    from skconv.recipes import Recipe

_DATA = ("source", "test_fraction", "split_seed", "images", "label_column", "normalize", "image_size")


def plan_run(
    recipe: Recipe,
    *,
    source: str | os.PathLike[str] | None,
    network: str | None = None,
    folds: int | None = None,
    images: str | os.PathLike[str] | None = None,
    label_column: str | None = None,
    image_size: tuple[int, int] | None = None,
) -> Recipe:
    """Return the recipe of a run, with its text, so that training with that text needs no other arguments.

    Parameters
    ----------
    recipe : Recipe
        The recipe that was named.
    source, images, label_column, image_size
        The data, and how they are loaded, where that was named apart from the recipe: as in `skconv.load_dataset`. What
        a recipe says of its own data does not hold for others, but for the form of the images.
    network : str or None, default=None
        The network where it was named apart from the recipe.
    folds : int or None, default=None
        The number of folds where it was.

    Raises
    ------
    RecipeError
        The recipe is written in a form of TOML that cannot be edited.
    """
    plan = recipe
    if source is not None:
        if not isinstance(source, str):  # a path stays one, also where a data set has its name
            source = os.fspath(source) if Path(source).is_absolute() else f"./{os.fspath(source)}"
        plan = replace(plan, source=source, test_fraction=None, split_seed=None, images=None, label_column=None)
    given: dict[str, Any] = {
        "images": None if images is None else os.fspath(images),
        "label_column": label_column,
        "image_size": image_size,
    }
    plan = replace(plan, **{key: value for key, value in given.items() if value is not None})
    text = replace_section(plan.text, "figures", {})
    if _describe_data(plan) != _describe_data(recipe):
        text = replace_section(text, "data", _describe_data(plan))
    if network is not None:
        plan = replace(plan, network={"name": network})
        text = replace_section(text, "network", plan.network)
    if folds is not None:
        plan = replace(plan, ensemble={**plan.ensemble, "folds": folds})
        text = replace_section(text, "ensemble", plan.ensemble)
    return replace(plan, text=text)


def write_seed(plan: Recipe, seed: int, *, split_seed: int | None = None) -> str:
    """Return the text of a run's recipe with its seed in it.

    Parameters
    ----------
    plan : Recipe
        The recipe of the run.
    seed : int
        The seed it was trained with.
    split_seed : int or None, default=None
        What decided which images are held out, if not `seed` and not the recipe.

    Raises
    ------
    RecipeError
        The recipe is written in a form of TOML that cannot be edited.
    """
    text = plan.text
    if seed != plan.seed:
        text = replace_section(text, "training", {**plan.training, "random_state": seed})
    if split_seed not in (None, seed) and plan.split_seed is None:
        text = replace_section(text, "data", _describe_data(replace(plan, split_seed=split_seed)))
    return text


def _describe_data(recipe: Recipe) -> dict[str, Any]:
    """Return the section [data] of a recipe."""
    values = {key: getattr(recipe, key) for key in _DATA if getattr(recipe, key) is not None}
    return {key: [int(side) for side in value] if key == "image_size" else value for key, value in values.items()}


def replace_section(recipe_text: str, section: str, values: Mapping[str, Any]) -> str:
    r"""Return a recipe with one of its sections replaced, or added at its end.

    Parameters
    ----------
    recipe_text : str
        The recipe as TOML.
    section : str
        Its name.
    values : mapping
        All that the section then holds, as text, numbers, flags and lists of these; nothing takes the section away.

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
    # Of these kinds JSON is TOML, but for characters written as pairs of escapes.
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
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

"""Recipe of a training command: its default, and the options and candidates of recipe `auto`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from skconv.data.catalog.lookup import get_entry, list_datasets
from skconv.distributed.process_group import is_distributed
from skconv.exceptions import ParameterError, SkconvError

if TYPE_CHECKING:
    from skconv.recipes import Recipe

_CHOSEN_BY_AUTO = ("network", "epochs", "batch_size", "learning_rate", "settings", "init_from", "freeze_fraction")
_NOT_WITH_AUTO = ("network", "epochs", "init_from", "freeze_fraction")
_SET_BY_AUTO = ("training.max_epochs", "training.min_steps", "training.validation_fraction", "network", "ensemble")


def choose_recipe(function: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """Return "standard" if an option sets what "auto" would choose, else the data's default recipe, or "auto"."""
    source = arguments["source"]
    if function.__name__ != "train" or source is None or is_distributed():
        return "standard"
    if any(str(each).startswith("auto.") for each in arguments["settings"] or ()):
        return "auto"
    if any(arguments[name] not in (None, (), []) for name in _CHOSEN_BY_AUTO):
        return "standard"
    return get_entry(source).recipe if isinstance(source, str) and source in list_datasets() else "auto"


def check_auto(function: Callable[..., Any], arguments: Mapping[str, Any], original: Recipe, recipe: Recipe) -> None:
    """Raise `ParameterError` for a command or option that recipe `auto` does not support.

    `recipe` is the `original` with the options of the run.
    """
    from skconv.recipes.schema import is_list_of_names

    if function.__name__ != "train":
        raise ParameterError(
            "The recipe 'auto' is for skconv train. Pass another recipe; the recipe.toml of its run can be used here."
        )
    given = [name for name in _NOT_WITH_AUTO if arguments[name] is not None]
    if given:
        raise ParameterError(
            f"The recipe 'auto' chooses the network and the number of epochs, so '{given[0]}' cannot be set. Pass "
            "another recipe, such as 'standard'."
        )
    for key in _SET_BY_AUTO:
        section, _, name = key.partition(".")
        before, after = getattr(original, section), getattr(recipe, section)
        if before.get(name) != after.get(name) if name else before != after:
            raise ParameterError(f"The recipe 'auto' chooses {key}, so it cannot be set. Pass another recipe.")
    candidates = recipe.auto.get("candidates")
    if not is_list_of_names(candidates):
        raise ParameterError(
            f"The setting auto.candidates must be a list of different recipes, such as ['standard', 'pretrained']. Got "
            f"{candidates!r}."
        )
    if arguments["source"] is None:
        raise ParameterError("The recipe 'auto' requires data. Pass a file, a folder or the name of a data set.")
    if recipe.training.get("time_limit") is None:
        raise ParameterError("The recipe 'auto' requires a time limit. Set time_limit (--time-limit).")


def plan_candidate(name: str, plan: Callable[[Recipe], Recipe], candidate: str) -> Recipe:
    """Return a candidate of the recipe `name` with the options of the run, which `plan` applies."""
    from skconv.recipes import load_recipe

    try:
        recipe = load_recipe(candidate)
        if recipe.auto:
            raise ParameterError("it compares recipes itself. Omit it.")
    except SkconvError as error:
        raise ParameterError(f"The recipe '{name}' has the candidate '{candidate}': {error}") from error
    return replace(plan(recipe), auto={})

"""Recipe of a run: a recipe with the options and the seed of the run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from skconv.data.spec import DataOptions, DataSpec
from skconv.exceptions import ParameterError
from skconv.files import expand_home

if TYPE_CHECKING:
    from skconv.recipes import Recipe

_FILE_OPTIONS = ("images", "image_column", "label_column", "exclude", "class_level", "label_pattern", "groups")


def plan_run(
    recipe: Recipe,
    *,
    source: str | os.PathLike[str] | None,
    network: Any = None,
    folds: int | None = None,
    options: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | Sequence[str] | None = None,
    **data: Unpack[DataOptions],
) -> Recipe:
    """Return `recipe` with the options of a run applied, so that the result alone reproduces the run.

    `source` replaces the recipe's data, split and columns, but not the size and preprocessing of the images. `network`
    replaces the recipe's network, with default options. `data` replaces fields of the recipe's `DataSpec`. `options`
    and `settings` are applied last, as in `skconv.recipes.settings.change_recipe`.
    """
    from skconv.recipes.settings import change_recipe

    spec = recipe.data
    if source is not None:
        if not isinstance(source, str):  # "./digits" is a path, "digits" the name of a data set
            source = os.fspath(source) if Path(source).is_absolute() else f"./{os.fspath(source)}"
        kept = {name: getattr(spec, name) for name in ("image_size", "short_side", "normalize", "resize")}
        spec = DataSpec(source, **kept)
    given: dict[str, Any] = {key: value for key, value in data.items() if value is not None}
    if source is None and spec.is_named:
        _check_own_source(str(spec.source), given)
    recipe = replace(recipe, data=replace(spec, **given))
    if network is not None:
        recipe = replace(recipe, network={"name": network if isinstance(network, str) else _find_import_path(network)})
    if folds is not None:
        recipe = replace(recipe, ensemble={**recipe.ensemble, "folds": folds})
    recipe = change_recipe(recipe, options or {}, settings)
    recipe = replace(recipe, data=_make_absolute(recipe.data))
    return replace(recipe, figures={})  # the recipe's figures were measured in other runs


def _check_own_source(source: str, given: Mapping[str, Any]) -> None:
    """Raise `ParameterError` if options for a file or folder were passed without it; the recipe's data has a name."""
    found = next((name for name in _FILE_OPTIONS if name in given), None)
    if found is None:
        return
    fix = "Pass a file or folder as the source."
    if found == "images":
        fix = (
            f"Pass the source first: {given[found]} if it has one folder per class, or the CSV file with the labels "
            "of its images."
        )
    raise ParameterError(
        f"No source was passed, and '{found}' does not apply to the data of the recipe, '{source}'. {fix}"
    )


def _find_import_path(network: Any) -> str:
    from skconv.networks.spec import find_import_path  # imports torch, which names do not need

    return find_import_path(network)


def _make_absolute(spec: DataSpec) -> DataSpec:
    """Return the specification with absolute paths, so that the recipe of a run can be used in any folder."""
    is_path = spec.source is not None and not spec.is_named and spec.path.exists()
    return replace(
        spec,
        source=str(spec.path.absolute()) if is_path else spec.source,
        images=None if spec.images is None else str(expand_home(spec.images).absolute()),
    )


def with_seed(recipe: Recipe, seed: int, *, split_seed: int | None = None) -> Recipe:
    """Return the recipe with the seed of a run.

    `split_seed` is the seed of the test split, if it differs from `seed`; a split seed in the recipe takes precedence.
    """
    if seed != recipe.seed:
        recipe = replace(recipe, training={**recipe.training, "random_state": seed})
    if split_seed not in (None, seed) and recipe.data.split_seed is None:
        recipe = replace(recipe, data=replace(recipe.data, split_seed=split_seed))
    return recipe

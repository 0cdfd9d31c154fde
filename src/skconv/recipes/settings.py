"""Single settings of a recipe as ``section.key = value``: reading from text, checks, changes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from skconv.estimators.parameters import PARAMETERS
from skconv.exceptions import ParameterError, SkconvError, UnknownNameError
from skconv.recipes.recipe import Recipe, read_data
from skconv.recipes.schema import CLASS_VALUES, FREE_SECTIONS, SECTIONS

OPTIONS = {  # short names of settings: parameters of the commands that train
    "epochs": "training.max_epochs",
    "batch_size": "training.batch_size",
    "learning_rate": "training.learning_rate",
    "time_limit": "training.time_limit",
    "threads": "training.n_threads",
}
_CHANGEABLE = tuple(name for name in (*SECTIONS, *FREE_SECTIONS) if name != "figures")


def parse_value(text: str) -> Any:
    """Return the value of a TOML text; text that is not valid TOML is a string, so that quotes can be omitted.

    Examples
    --------
    >>> parse_value("3"), parse_value("0.01"), parse_value("true"), parse_value("muon"), parse_value("[28, 28]")
    (3, 0.01, True, 'muon', [28, 28])
    """
    try:
        document = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text.strip()
    return document["value"] if len(document) == 1 else text.strip()


def parse_setting(text: str) -> tuple[str, Any]:
    """Return key and value of ``section.key=value``; raise `ParameterError` for other text.

    Examples
    --------
    >>> parse_setting("training.optimizer=muon")
    ('training.optimizer', 'muon')
    """
    key, sign, value = text.partition("=")
    if not sign or not key.strip() or not value.strip():
        raise ParameterError(f"'{text}' is not a setting; expected section.key=value, for example training.patience=3.")
    return key.strip(), parse_value(value)


def change_recipe(
    recipe: Recipe, options: Mapping[str, Any], settings: Mapping[str, Any] | Sequence[str] | None
) -> Recipe:
    """Return the recipe with changed settings.

    Parameters
    ----------
    recipe : Recipe
    options : mapping
        Values of `OPTIONS`; None leaves the recipe's value. A number of epochs also removes the recipe's `min_steps`,
        which could add epochs.
    settings : mapping, sequence of str or None
        Values by ``"section.key"``, as in a recipe file, or texts ``"section.key=value"``. None as a value removes the
        key.

    Raises
    ------
    ParameterError
        If a key is unknown or given twice, or a value is out of range.
    """
    changes = _read_settings(settings)
    given = {OPTIONS[name]: (name, options[name]) for name in OPTIONS if options.get(name) is not None}
    for key, (name, value) in given.items():
        if key in changes:
            raise ParameterError(f"'{name}' and the setting {key} are the same. Pass one of them.")
        parameter = PARAMETERS[key.partition(".")[2]]
        if not parameter.accepts(value):
            raise ParameterError(f"The '{name}' parameter must be {parameter.describe(in_recipe=True)}. Got {value!r}.")
    values = {key: value for key, (_, value) in given.items()}
    if "training.max_epochs" in values:
        values["training.min_steps"] = None
        if isinstance(values["training.max_epochs"], float) and values["training.max_epochs"].is_integer():
            values["training.max_epochs"] = int(values["training.max_epochs"])
    for key, value in {**values, **changes}.items():
        recipe = _change(recipe, key, value)
    return recipe


def _read_settings(settings: Mapping[str, Any] | Sequence[str] | None) -> dict[str, Any]:
    """Return values by key; raise `ParameterError` for a text that is not a setting, or a key that is set twice."""
    if isinstance(settings, Mapping):
        return dict(settings)
    if isinstance(settings, str) or not all(isinstance(each, str) for each in settings or ()):
        raise ParameterError(
            f"The 'settings' parameter must be a mapping such as {{'training.patience': 3}}. Got {settings!r}."
        )
    values: dict[str, Any] = {}
    for key, value in map(parse_setting, settings or ()):
        if key in values:
            raise ParameterError(f"The setting {key} was passed twice. Pass it once.")
        values[key] = value
    return values


def _change(recipe: Recipe, key: str, value: Any) -> Recipe:
    """Return the recipe with one changed setting."""
    section, name = _split_key(key)
    value = _check_value(key, section, name, value)
    if section == "data":
        return _change_data(recipe, key, name, value)
    table = getattr(recipe, section)
    if not isinstance(table, Mapping):
        raise ParameterError(
            f"The recipe {recipe.name} has several sections [[{section}]], so {key} is ambiguous. Write the recipe to "
            f"a file and edit it: skconv recipes {recipe.name} > mine.toml."
        )
    if section == "class_weight" and "class_weight" in recipe.training:
        raise ParameterError(
            f"The recipe {recipe.name} has class_weight in [training], which excludes {key}. Remove one of them."
        )
    changed: Any = {**table, name: value}
    if value is None:
        del changed[name]
    if section == "prior" or (section == "network" and name == "name"):
        # A prior has one class, and the options of a network do not apply to a different network.
        changed = {name: value}
    if section == "augmentation":
        _check_augmentation(key, changed)
    return replace(recipe, **{section: changed})


def _split_key(key: str) -> tuple[str, str]:
    """Return section and key of ``section.key``; raise `ParameterError` if there is no such key."""
    section, point, name = str(key).partition(".")
    if not point or not name:
        owners = [each for each in SECTIONS if section in SECTIONS[each]]
        hint = f" Did you mean {owners[0]}.{section}?" if owners else ""
        raise ParameterError(f"The setting '{key}' has no section; expected section.key.{hint}")
    if section not in _CHANGEABLE:
        raise ParameterError(str(UnknownNameError("section of a recipe", section, _CHANGEABLE)))
    if section in SECTIONS and name not in SECTIONS[section]:
        unknown = UnknownNameError("key", name, SECTIONS[section])
        raise ParameterError(f"The setting '{key}' does not exist. {unknown}")
    return section, name


def _check_value(key: str, section: str, name: str, value: Any) -> Any:
    """Return the value of a setting; raise `ParameterError` if it is out of range."""
    parameter = CLASS_VALUES.get(section) or SECTIONS.get(section, {}).get(name)
    if parameter is not None:
        if value == "none" and parameter.nullable and parameter.removable and value not in parameter.choices:
            return None
        if value is not None and (isinstance(value, Mapping) or not parameter.accepts(value)):
            expected = parameter.describe(in_recipe=True)
            raise ParameterError(f"The setting {key} must be {expected}. Got {value!r}.")
    return value


def _change_data(recipe: Recipe, key: str, name: str, value: Any) -> Recipe:
    """Return the recipe with one changed field of its `DataSpec`."""
    try:
        spec = read_data({} if value is None else {name: value})
    except (TypeError, ValueError) as error:
        raise ParameterError(f"The setting {key} cannot be {value!r}: {error}.") from error
    return replace(recipe, data=replace(recipe.data, **{name: getattr(spec, name)}))


def _check_augmentation(key: str, settings: Mapping[str, Any]) -> None:
    from skconv.training.augmentation import make_augmentation

    try:
        make_augmentation(settings)
    except SkconvError as error:
        raise ParameterError(f"The setting {key} is not possible: {error}") from error

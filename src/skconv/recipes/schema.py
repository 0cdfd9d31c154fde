"""Schema of recipe files: sections, keys, types and ranges of values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from skconv.estimators.parameters import PARAMETERS, Parameter
from skconv.exceptions import ParameterError, RecipeError, UnknownNameError
from skconv.images.spec import PREPROCESSING, RESIZE_RULES

SECTIONS: dict[str, dict[str, Parameter]] = {
    "data": {
        "source": Parameter(str),
        "test_fraction": Parameter(float, 0.01, 0.9),
        "split_seed": Parameter(int, 0, 2**32 - 1),
        "images": Parameter(str),
        "image_column": Parameter(str),
        "label_column": Parameter(str),
        "normalize": Parameter(str, choices=tuple(PREPROCESSING.names())),
        "image_size": Parameter(object),
        "short_side": Parameter(int, 8, 4096),
        "resize": Parameter(str, choices=RESIZE_RULES),
        "skip_unreadable": Parameter(bool),
        "exclude": Parameter(list),
        "class_level": Parameter(int, -100, 100),
        "label_pattern": Parameter(str),
        "groups": Parameter(str),
        "min_class_size": Parameter(int, 1),
        "drop_class": Parameter(list),
    },
    "training": {
        **{name: parameter for name, parameter in PARAMETERS.items() if parameter.in_recipe},
        "optimizer__momentum": Parameter(float, 0, 0.999),  # of Muon
    },
    "calibration": {"biases": Parameter(bool)},
    "ensemble": {"folds": Parameter(int, 2, 1000), "stratified": Parameter(bool), "average": Parameter(str)},
    "auto": {"candidates": Parameter(list)},
    "report": {
        "describe_data": Parameter(bool),
        "print_epochs": Parameter(bool),
        "record_every": Parameter(int, 1, 10**6),  # steps
        "print_every": Parameter(int, 1, 10**6),  # steps
        "sample_rows": Parameter(int, 1, 40),  # rows of the figure of sample images
        "train_accuracy": Parameter(bool),
    },
}
FREE_SECTIONS = ("network", "figures", "augmentation", "class_weight", "prior")  # sections with arbitrary keys
CLASS_VALUES = {  # sections whose keys are class names
    "class_weight": Parameter(float, 0, 1e6, open_below=True),
    "prior": Parameter(float, 0, 0.999, open_below=True),
}


def check_document(document: Mapping[str, Any], path: Path) -> None:
    """Raise `RecipeError` for the first section, key or value of a parsed recipe that the schema does not allow.

    `path` is the recipe's file, named in the error message.
    """
    _check_keys(document, ("title", *FREE_SECTIONS, *SECTIONS), path, "at the top level")
    if not isinstance(document.get("title", ""), str):
        raise RecipeError(f"In the recipe {path}, title is {document['title']!r}; expected a string.")
    for section in (*FREE_SECTIONS, *SECTIONS):
        value = document.get(section, {})
        for part in value if section == "augmentation" and isinstance(value, list) else [value]:
            if not isinstance(part, Mapping):
                raise RecipeError(f"In the recipe {path}, '{section}' is {part!r}; expected a section [{section}].")
            if section in SECTIONS:
                _check_section(section, part, path)
    if not isinstance(document.get("network", {"name": ""}).get("name"), str):
        raise RecipeError(f'In the recipe {path}, [network] has no name. Add one, such as name = "plain".')
    _check_augmentation(document.get("augmentation"), path)
    _check_classes(document, path)
    _check_data(document.get("data", {}), path)
    _check_auto(document, path)
    if "ensemble" in document and "folds" not in document["ensemble"]:
        raise RecipeError(f"In the recipe {path}, [ensemble] has no number of folds. Add one, such as folds = 5.")


def _check_section(section: str, values: Mapping[str, Any], path: Path) -> None:
    known = SECTIONS[section]
    _check_keys(values, known, path, f"in [{section}]")
    for key, value in values.items():
        if isinstance(value, Mapping) or not known[key].accepts(value):
            expected = known[key].describe(in_recipe=True)
            raise RecipeError(f"In the recipe {path}, {key} in [{section}] is {value!r}; expected {expected}.")


def _check_keys(values: Mapping[str, Any], known: Iterable[str], path: Path, location: str) -> None:
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise RecipeError(f"In the recipe {path}, {location}: {UnknownNameError('key', unknown[0], known)}")


def _check_augmentation(settings: Any, path: Path) -> None:
    if not settings:
        return
    from skconv.training.augmentation import make_augmentation

    try:
        make_augmentation(settings)
    except ParameterError as error:
        raise RecipeError(f"In the recipe {path}, in [augmentation]: {error}") from error


def _check_classes(document: Mapping[str, Any], path: Path) -> None:
    for section, parameter in CLASS_VALUES.items():
        for name, value in document.get(section, {}).items():
            if not parameter.accepts(value):
                raise RecipeError(
                    f"In the recipe {path}, {name} in [{section}] is {value!r}; expected {parameter.describe()}."
                )
    if len(document.get("prior", {})) > 1:
        raise RecipeError(f"In the recipe {path}, [prior] has {len(document['prior'])} classes; expected one.")
    if "class_weight" in document and "class_weight" in document.get("training", {}):
        raise RecipeError(
            f"The recipe {path} has a section [class_weight] and class_weight in [training]. Remove one of them."
        )


def is_list_of_names(value: Any) -> bool:
    """Return whether a value is a list of at least one text, without duplicates."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, str) for each in value)
        and len(set(value)) == len(value)
    )


def _check_auto(document: Mapping[str, Any], path: Path) -> None:
    if "auto" not in document:
        return
    candidates = document["auto"].get("candidates")
    if not is_list_of_names(candidates):
        raise RecipeError(
            f"In the recipe {path}, candidates in [auto] is {candidates!r}; expected a list of different recipes, such "
            'as ["standard", "pretrained"].'
        )
    if "network" in document:
        raise RecipeError(f"The recipe {path} has a section [network], which has no effect beside [auto]. Remove one.")
    if "time_limit" not in document.get("training", {}):
        raise RecipeError(f'The recipe {path} has a section [auto], but no time_limit in [training]. Add one: "5m".')


def _check_data(data: Mapping[str, Any], path: Path) -> None:
    if "test_fraction" in data and "split_seed" not in data:
        raise RecipeError(
            f"In the recipe {path}, [data] has a test_fraction, but no split_seed. Add one, such as split_seed = 0."
        )
    size = data.get("image_size", 1)
    sides = size if isinstance(size, list) and len(size) in (2, 3) else [size]
    if any(type(side) is not int or not 1 <= side <= 9999 for side in sides):
        raise RecipeError(
            f"In the recipe {path}, image_size in [data] is {size!r}; expected height and width in pixels, optionally "
            "the number of channels, or one number: image_size = [28, 28]."
        )
    for key in ("exclude", "drop_class"):
        if not all(isinstance(each, str) for each in data.get(key, [])):
            raise RecipeError(f"In the recipe {path}, {key} in [data] is {data[key]!r}; expected a list of text.")

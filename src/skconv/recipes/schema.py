"""What may stand in a recipe: its sections, their keys and the kinds of value these take."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from skconv.exceptions import RecipeError, UnknownNameError
from skconv.images.spec import NORMALIZATIONS

_TEXT, _NUMBER, _WHOLE, _FLAG, _LIST = (str,), (int, float), (int,), (bool,), (list,)
_KIND_NAMES = {str: "text", int: "a whole number", float: "a number", bool: "true or false", list: "a list"}

_SECTIONS: dict[str, dict[str, tuple[type, ...]]] = {
    "data": {
        "source": _TEXT,
        "test_fraction": _NUMBER,
        "split_seed": _WHOLE,
        "images": _TEXT,
        "label_column": _TEXT,
        "normalize": _TEXT,
        "image_size": _LIST,
    },
    "training": {
        "max_epochs": (int, float, str),
        "min_steps": _WHOLE,
        "batch_size": _WHOLE,
        "learning_rate": _NUMBER,
        "weight_decay": _NUMBER,
        "label_smoothing": _NUMBER,
        "ema_decay": _NUMBER,
        "optimizer": _TEXT,
        "schedule": _TEXT,
        "validation_fraction": _NUMBER,
        "patience": _WHOLE,
        "restore_best": _TEXT,
        "class_weight": _TEXT,
        "precision": _TEXT,
        "init_from": _TEXT,
        "freeze_fraction": _NUMBER,
        "random_state": _WHOLE,
    },
    "augmentation": {
        "rotation": _NUMBER,
        "shift": _NUMBER,
        "scale": _NUMBER,
        "shear": _NUMBER,
        "elastic": _NUMBER,
        "erasing": _NUMBER,
        "flip": _FLAG,
        "perspective": _NUMBER,
        "perspective_probability": _NUMBER,
        "pen": _NUMBER,
        "breaks": _NUMBER,
        "neighbours": _NUMBER,
        "blur": _NUMBER,
        "low_resolution": _NUMBER,
        "uneven_ink": _NUMBER,
        "noise": _NUMBER,
    },
    "calibration": {"biases": _FLAG},
    "ensemble": {"folds": _WHOLE, "stratified": _FLAG, "average": _TEXT},
    "report": {
        "describe_data": _FLAG,
        "print_epochs": _FLAG,
        "record_every": _WHOLE,
        "print_every": _WHOLE,
        "sample_rows": _WHOLE,
        "train_accuracy": _FLAG,
    },
}
_TOP = ("title", "network", "figures", "class_weight", "prior", *_SECTIONS)


def check_document(document: Mapping[str, Any], path: Path) -> None:
    """Raise `RecipeError` unless every section, key and kind of value of a recipe is a known one.

    Parameters
    ----------
    document : mapping
        The recipe as parsed from TOML.
    path : pathlib.Path
        How errors name it.
    """
    _check_keys(document, _TOP, path, "at the top")
    if not isinstance(document.get("title", ""), str):
        raise RecipeError(f"The recipe {path} has a title that is not text.")
    for section in ("network", "figures", "class_weight", "prior", *_SECTIONS):
        value = document.get(section, {})
        several = section == "augmentation" and isinstance(value, list)
        for part in value if several else [value]:
            if not isinstance(part, Mapping):
                raise RecipeError(f"In the recipe {path}, '{section}' must be a section: write [{section}].")
            if section in _SECTIONS:
                _check_section(section, part, path)
    if not isinstance(document.get("network", {"name": ""}).get("name"), str):
        raise RecipeError(f'In the recipe {path}, the section [network] needs a name: name = "standard".')
    for section, most in (("class_weight", 1e6), ("prior", 0.999)):
        for name, value in document.get(section, {}).items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
                raise RecipeError(
                    f"In the recipe {path}, {name} in [{section}] is {value!r}; expected a number above 0, "
                    f"at most {most:g}."
                )
    if len(document.get("prior", {})) > 1:
        raise RecipeError(f"In the recipe {path}, [prior] names one class.")
    _check_ranges(document, path)


def _check_section(section: str, values: Mapping[str, Any], path: Path) -> None:
    kinds = _SECTIONS[section]
    _check_keys(values, kinds, path, f"in [{section}]")
    for key, value in values.items():
        if not isinstance(value, kinds[key]) or (isinstance(value, bool) and bool not in kinds[key]):
            expected = " or ".join(_KIND_NAMES[kind] for kind in kinds[key])
            raise RecipeError(f"In the recipe {path}, {key} in [{section}] is {value!r}; expected {expected}.")


def _check_keys(values: Mapping[str, Any], known: Any, path: Path, where: str) -> None:
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise RecipeError(f"In the recipe {path}, {where}: {UnknownNameError('key', unknown[0], known)}")


def _check_ranges(document: Mapping[str, Any], path: Path) -> None:
    """Check the numbers that no estimator checks."""
    ranges = {
        ("data", "test_fraction"): (0.01, 0.9),
        ("data", "split_seed"): (0, 2**32 - 1),
        ("training", "random_state"): (0, 2**31 - 1),
        ("ensemble", "folds"): (2, 1000),
        ("report", "record_every"): (1, 10**6),
        ("report", "print_every"): (1, 10**6),
        ("report", "sample_rows"): (1, 40),
    }
    for (section, key), (least, most) in ranges.items():
        value = document.get(section, {}).get(key, least)
        if not least <= value <= most:
            raise RecipeError(f"In the recipe {path}, {key} in [{section}] is {value}; expected {least} to {most}.")
    data = document.get("data", {})
    if data.get("normalize", NORMALIZATIONS[0]) not in NORMALIZATIONS:
        raise RecipeError(
            f"In the recipe {path}, normalize in [data] is {data['normalize']!r}; "
            f"expected {' or '.join(map(repr, NORMALIZATIONS))}."
        )
    if "test_fraction" in data and "split_seed" not in data:
        raise RecipeError(
            f"In the recipe {path}, [data] has a test_fraction and needs a split_seed too: split_seed = 0."
        )
    size = data.get("image_size", [1, 1])
    if len(size) != 2 or any(type(side) is not int or not 1 <= side <= 9999 for side in size):
        raise RecipeError(
            f"In the recipe {path}, image_size in [data] is {size!r}; expected height and width in pixels: "
            "image_size = [28, 28]."
        )
    if "ensemble" in document and "folds" not in document["ensemble"]:
        raise RecipeError(f"In the recipe {path}, [ensemble] needs its number of members: folds = 5.")

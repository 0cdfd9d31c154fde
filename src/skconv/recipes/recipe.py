"""Recipes: what to train, on what and how, as a TOML file that a user can copy and change."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skconv.exceptions import RecipeError, SkconvError, UnknownNameError

if TYPE_CHECKING:
    from skconv.estimators import CNNClassifier

_FOLDER = Path(__file__).parent
_MAX_BYTES = 2**20

# Keys of each section and the kinds of value they take.
_TEXT, _NUMBER, _WHOLE = (str,), (int, float), (int,)
_SECTIONS: dict[str, dict[str, tuple[type, ...]]] = {
    "data": {"source": _TEXT},
    "training": {
        "max_epochs": (int, float, str),
        "min_steps": _WHOLE,
        "batch_size": _WHOLE,
        "learning_rate": _NUMBER,
        "weight_decay": _NUMBER,
        "label_smoothing": _NUMBER,
        "averaging": _NUMBER,
        "validation_fraction": _NUMBER,
        "patience": _WHOLE,
        "class_weight": _TEXT,
        "precision": _TEXT,
    },
    "augmentation": {
        "rotation": _NUMBER,
        "shift": _NUMBER,
        "scale": _NUMBER,
        "shear": _NUMBER,
        "elastic": _NUMBER,
        "erasing": _NUMBER,
        "flip": (bool,),
    },
}
_TOP = ("title", "network", "figures", *_SECTIONS)


@dataclass(frozen=True)
class Recipe:
    """A complete experiment.

    Parameters
    ----------
    name : str
        The file's name without ``.toml``.
    title : str
        One line on what it is for.
    text : str
        The TOML as it stands.
    source : str or None
        The data set it is made for; None where any will do.
    network : dict
        ``name`` and options.
    training : dict
        Parameters of `CNNClassifier`.
    augmentation : dict
        Settings of `skconv.training.augmentation.Augmentation`; empty for none.
    figures : dict
        What is claimed and what was measured, for people.
    """

    name: str
    title: str
    text: str
    source: str | None = None
    network: dict[str, Any] = field(default_factory=lambda: {"name": "standard"})
    training: dict[str, Any] = field(default_factory=dict)
    augmentation: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def create_estimator(
        self,
        *,
        network: str | None = None,
        random_state: int | None = None,
        device: str = "auto",
        verbose: int = 0,
    ) -> CNNClassifier:
        """Return the unfitted classifier that this recipe describes.

        Parameters
        ----------
        network : str, optional
            Take this network with its default options instead of the recipe's.
        random_state, device, verbose
            As in `CNNClassifier`.

        Raises
        ------
        UnknownNameError
            No such network.
        RecipeError
            A value outside its range.
        """
        from skconv.estimators import CNNClassifier
        from skconv.estimators.parameters import check_parameters, make_augmentation
        from skconv.networks import describe_network

        chosen: str | dict[str, Any] = network or self.network
        describe_network(chosen if isinstance(chosen, str) else chosen["name"])  # an unknown name stops here
        estimator = CNNClassifier(
            chosen,
            **self.training,
            augmentation=self.augmentation or None,
            random_state=random_state,
            device=device,
            verbose=verbose,
        )
        try:
            check_parameters(estimator.get_params(deep=False))
            make_augmentation(estimator.augmentation)
        except SkconvError as error:
            raise RecipeError(f"Recipe '{self.name}': {error}") from error
        return estimator


def list_recipes() -> list[str]:
    """Names of the recipes that come with skconv, sorted."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))


def load_recipe(recipe: str | os.PathLike[str]) -> Recipe:
    """Return a recipe by name, or from a TOML file of the user's own.

    Parameters
    ----------
    recipe : str or path-like
        One of `list_recipes`, or the path of a file whose name ends in ``.toml``.

    Raises
    ------
    UnknownNameError
        No recipe of that name.
    RecipeError
        The file cannot be read, is not TOML, has unknown keys or values of the wrong kind.

    Examples
    --------
    >>> load_recipe("fast").network["name"]
    'fast'
    """
    path = Path(recipe)
    if path.suffix != ".toml":
        if str(recipe) not in list_recipes():
            raise UnknownNameError("recipe", str(recipe), list_recipes())
        path = _FOLDER / f"{recipe}.toml"
    text = _read_text(path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"The recipe {path} is not valid TOML: {error}.") from error
    _check_document(document, path)
    return Recipe(
        name=path.stem,
        title=document.get("title", path.stem),
        text=text,
        source=document.get("data", {}).get("source"),
        network=document.get("network", {"name": "standard"}),
        training=document.get("training", {}),
        augmentation=document.get("augmentation", {}),
        figures=document.get("figures", {}),
    )


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise RecipeError(f"The recipe {path} is not a file; a recipe is a short TOML file.")
        if path.stat().st_size > _MAX_BYTES:
            raise RecipeError(f"The recipe {path} is larger than 1 MiB; a recipe is a short TOML file.")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        names = ", ".join(list_recipes())
        reason = error.strerror or error
        raise RecipeError(f"The recipe {path} cannot be read: {reason}. Recipes by name: {names}.") from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"The recipe {path} is not a text file in UTF-8.") from error


def _check_document(document: Mapping[str, Any], path: Path) -> None:
    _check_keys(document, _TOP, path, "at the top")
    if not isinstance(document.get("title", ""), str):
        raise RecipeError(f"The recipe {path} has a title that is not text.")
    for section in ("network", "figures", *_SECTIONS):
        if not isinstance(document.get(section, {}), Mapping):
            raise RecipeError(f"In the recipe {path}, '{section}' must be a section: write [{section}].")
    if not isinstance(document.get("network", {"name": ""}).get("name"), str):
        raise RecipeError(f'In the recipe {path}, the section [network] needs a name: name = "standard".')
    for section, kinds in _SECTIONS.items():
        values = document.get(section, {})
        _check_keys(values, kinds, path, f"in [{section}]")
        for key, value in values.items():
            if not isinstance(value, kinds[key]) or (isinstance(value, bool) and bool not in kinds[key]):
                expected = " or ".join(
                    {"str": "text", "int": "a whole number", "float": "a number", "bool": "true or false"}[
                        kind.__name__
                    ]
                    for kind in kinds[key]
                )
                raise RecipeError(f"In the recipe {path}, {key} in [{section}] is {value!r}; expected {expected}.")


def _check_keys(values: Mapping[str, Any], known: Any, path: Path, where: str) -> None:
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise RecipeError(f"In the recipe {path}, {where}: {UnknownNameError('key', unknown[0], known)}")

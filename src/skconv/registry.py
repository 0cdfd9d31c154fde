"""Registries of named parts (networks, data sets, formats, …), and the table of the modules that register them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Generic, TypeVar

from skconv.exceptions import SkconvError, UnknownNameError, find_missing_package

T = TypeVar("T")

# Module that registers each name, per kind. Through this table, lower packages use parts of higher ones, and names are
# listed without importing the modules.
MODULES: dict[str, dict[str, str]] = {
    "networks": {
        "accurate": "skconv.networks.plain",
        "compact": "skconv.networks.small",
        **{f"efficientnet-lite{number}": "skconv.networks.efficientnet_lite" for number in range(3)},
        "ensemble": "skconv.networks.ensemble",
        "fast": "skconv.networks.small",
        "plain": "skconv.networks.plain",
        "residual": "skconv.networks.residual",
        "t1_skorch": "skconv.tutorials.networks",
        "t2_sequential": "skconv.tutorials.networks",
        "t3_strided": "skconv.tutorials.networks",
        "t4_narrow": "skconv.tutorials.networks",
        "t5_average_pooling": "skconv.tutorials.networks",
        "wide": "skconv.networks.plain",
    },
    "models": {"digits": "skconv.digits"},
    "preprocessing": {"digit": "skconv.digits.preprocess.normalization"},
    "augmentations": {
        "geometric": "skconv.training.augmentation",
        "handwriting": "skconv.digits.augmentation",
        "photo": "skconv.training.photo_augmentation",
    },
    "datasets": {
        "digits-with-background": "skconv.digits.synthetic.dataset",
        "identify-the-apparels": "skconv.competitions.making",
        "kaggle-digits": "skconv.competitions.making",
    },
    "formats": {
        "class-folders": "skconv.data.formats",
        "competition": "skconv.competitions.folder",
        "csv": "skconv.data.formats",
        "csv-pair": "skconv.data.formats",
        "idx": "skconv.data.formats",
        "npy": "skconv.data.formats",
        "npz": "skconv.data.formats",
    },
    "recipes": {
        **dict.fromkeys(
            (
                "accurate",
                "audit",
                "auto",
                "fashion",
                "fast",
                "kaggle",
                "natural",
                "photos",
                "pretrained",
                "standard",
                "usps",
            ),
            "skconv.recipes",
        ),
        "digits": "skconv.digits",
        "t1-usps-skorch": "skconv.tutorials",
        "t2-mnist-sequential": "skconv.tutorials",
        "t3-kaggle-kfold": "skconv.tutorials",
        "t4-apparel-folder": "skconv.tutorials",
        "t5-convnet-avgpool": "skconv.tutorials",
    },
}


class Registry(Generic[T]):
    """Named parts of one kind.

    A name is available if it was registered in this process, is listed in `MODULES`, or is an entry point of an
    installed package in the group ``skconv.KIND``, whose value is the module that registers it. `kind` is a key of
    `MODULES`; `noun` is its singular for error messages.

    Examples
    --------
    >>> colours = Registry("colours", "colour")
    >>> colours.register("red", (255, 0, 0))
    >>> colours.get("red"), colours.names()
    ((255, 0, 0), ['red'])
    """

    def __init__(self, kind: str, noun: str) -> None:
        self._kind, self._noun = kind, noun
        self._values: dict[str, T] = {}

    def register(self, name: str, value: T) -> None:
        """Register a part in this process, replacing an existing part of this name."""
        self._values[name] = value

    def unregister(self, name: str) -> None:
        """Remove a part that was registered in this process."""
        del self._values[name]

    def names(self) -> list[str]:
        """Return all available names, sorted, without importing their modules."""
        return sorted({*self._values, *self._built_in, *self._installed()})

    def get(self, name: str) -> T:
        """Return a part by name, importing the module that registers it.

        Raise `UnknownNameError` for a name that is not available, and `SkconvError` if the module cannot be imported or
        does not register the name.
        """
        if name not in self._values:
            module = self._built_in.get(name) or self._installed().get(name)
            if module is None:
                raise UnknownNameError(self._noun, name, self.names())
            try:
                import_module(module)
            except ImportError as error:
                raise find_missing_package(error, f"the {self._noun} '{name}'") or SkconvError(
                    f"The {self._noun} '{name}' cannot be loaded: importing {module} failed ({error}). "
                    "Install its package again."
                ) from error
            if name not in self._values:
                raise SkconvError(
                    f"The module {module} must register the {self._noun} '{name}', but does not. Correct the module."
                )
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values or name in self._built_in or name in self._installed()

    @property
    def _built_in(self) -> dict[str, str]:
        return MODULES.get(self._kind, {})

    def _installed(self) -> dict[str, str]:
        # This import takes 30 ms; only names that are not built in need it.
        from importlib.metadata import entry_points

        return {point.name: point.module for point in entry_points(group=f"skconv.{self._kind}")}


# Registries of files. They are in this module so that a package registers files without importing their reader.
MODELS: Registry[Path] = Registry("models", "model")  # model folders
RECIPES: Registry[Path] = Registry("recipes", "recipe")  # TOML files

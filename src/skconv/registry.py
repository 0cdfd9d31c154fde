"""Registries of named networks, data sets, formats and other parts, and the table of the modules that define them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from skconv.exceptions import UnknownNameError

T = TypeVar("T")

# kind of part → name → module. Importing the module registers the name, so that a lower package can use a part of a
# higher one without importing it, and a list of names imports nothing.
MODULES: dict[str, dict[str, str]] = {
    "networks": {
        "accurate": "skconv.networks.plain",
        "compact": "skconv.networks.compact",
        "ensemble": "skconv.networks.ensemble",
        "fast": "skconv.networks.fast",
        "standard": "skconv.networks.plain",
        "t1_skorch": "skconv.tutorials.networks",
        "t2_sequential": "skconv.tutorials.networks",
        "t3_strided": "skconv.tutorials.networks",
        "t4_narrow": "skconv.tutorials.networks",
        "t5_average_pooling": "skconv.tutorials.networks",
        "wide": "skconv.networks.plain",
    },
    "models": {"digits": "skconv.digits"},
    "preprocessing": {"digit": "skconv.digits.preprocess.normalization"},
    "augmentations": {"geometric": "skconv.training.augmentation", "handwriting": "skconv.digits.augmentation"},
    "datasets": {
        "digits-with-background": "skconv.digits.synthetic.dataset",
        "identify-the-apparels": "skconv.competitions.making",
        "kaggle-digits": "skconv.competitions.making",
    },
    "formats": {"competition": "skconv.competitions.folder"},
    "recipes": {
        **dict.fromkeys(("accurate", "audit", "fashion", "fast", "kaggle", "standard", "usps"), "skconv.recipes"),
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

    A name is known if it was registered in this process, if `MODULES` lists it, or if an installed package has an entry
    point of that name in the group ``skconv.KIND``, whose value is the module that registers it.

    Parameters
    ----------
    kind : str
        Key in `MODULES` and last part of the entry-point group: ``"networks"``.
    noun : str
        How error messages call one part: ``"network"``.

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
        """Register a part; a name that exists is replaced in this process."""
        self._values[name] = value

    def unregister(self, name: str) -> None:
        """Remove a part that was registered in this process."""
        del self._values[name]

    def names(self) -> list[str]:
        """Return all known names, sorted; imports none of the modules."""
        return sorted({*self._values, *self._built_in(), *self._installed()})

    def get(self, name: str) -> T:
        """Return a part by name, importing the module that registers it.

        Raises
        ------
        UnknownNameError
            No such name; the nearest known name is suggested.
        """
        if name not in self._values:
            module = self._built_in().get(name) or self._installed().get(name)
            if module is not None:
                import_module(module)
            if name not in self._values:
                raise UnknownNameError(self._noun, name, self.names())
        return self._values[name]

    def __contains__(self, name: object) -> bool:
        return name in self._values or name in self._built_in() or name in self._installed()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def _built_in(self) -> Mapping[str, str]:
        return MODULES.get(self._kind, {})

    def _installed(self) -> Mapping[str, str]:
        return {point.name: point.module for point in entry_points(group=f"skconv.{self._kind}")}

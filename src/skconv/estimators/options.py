"""Options of the network, optimizer and criterion as parameters of an estimator: ``network__hidden=64``."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Self

from skconv.estimators.parameters import PARAMETERS

OPTION_PREFIXES = ("network__", "optimizer__", "criterion__")  # as in skorch


class OptionsMixin:
    """Store options as attributes, and treat them as parameters in `get_params`, `set_params` and `clone`."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, including options such as ``network__hidden``."""
        options = {name: value for name, value in vars(self).items() if name.startswith(OPTION_PREFIXES)}
        return {**super().get_params(deep), **options}  # type: ignore[misc]

    def set_params(self, **params: Any) -> Self:
        """Set parameters and options of the network, optimizer and criterion; return self."""
        options = {name: value for name, value in params.items() if name.startswith(OPTION_PREFIXES)}
        super().set_params(**{name: value for name, value in params.items() if name not in options})  # type: ignore[misc]
        self.__dict__.update(options)
        return self

    def _set_options(self, options: Mapping[str, Any]) -> None:
        """Set the options of ``__init__``; raise TypeError for other names, as Python does."""
        for name in options:
            if not name.startswith(OPTION_PREFIXES):
                close = difflib.get_close_matches(name, PARAMETERS, 1, 0.5)
                hint = f" Did you mean '{close[0]}'?" if close else ""
                raise TypeError(f"{type(self).__name__} has no parameter '{name}'.{hint}")
        self.__dict__.update(options)


def select_options(classifier: Any, owner: str) -> dict[str, Any]:
    """Return the options of the "network", "optimizer" or "criterion" of a classifier, without the prefix."""
    prefix = f"{owner}__"
    return {name.removeprefix(prefix): value for name, value in vars(classifier).items() if name.startswith(prefix)}

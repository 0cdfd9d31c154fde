"""Options of the network, optimizer and criterion as parameters of an estimator: ``network__hidden=64``."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Self, TypeVar

from skconv.estimators.parameters import PARAMETERS

Method = TypeVar("Method", bound=Callable[..., None])
_PREFIXES = ("network__", "optimizer__", "criterion__")  # as in skorch


class OptionsMixin:
    """Treat options as parameters in `get_params`, `set_params` and `clone`.

    They are stored in a private attribute, because scikit-learn permits no other public attribute before `fit`.
    """

    _options: dict[str, Any]

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, including options such as ``network__hidden``."""
        return {**super().get_params(deep), **self._options}  # type: ignore[misc]

    def set_params(self, **params: Any) -> Self:
        """Set parameters and options of the network, optimizer and criterion; return self."""
        options = {name: value for name, value in params.items() if is_option(name)}
        super().set_params(**{name: value for name, value in params.items() if name not in options})  # type: ignore[misc]
        self._options = {**self._options, **options}
        return self

    def _set_options(self, options: Mapping[str, Any]) -> None:
        """Set the options of ``__init__``; raise TypeError for other names, as Python does."""
        for name in options:
            if not is_option(name):
                close = difflib.get_close_matches(name, PARAMETERS, 1, 0.5)
                hint = f" Did you mean '{close[0]}'?" if close else ""
                raise TypeError(f"{type(self).__name__} has no parameter '{name}'.{hint}")
        self._options = dict(options)

    def _select_options(self, owner: str) -> dict[str, Any]:
        """Return the options of the "network", "optimizer" or "criterion", without the prefix."""
        prefix = f"{owner}__"
        return {name.removeprefix(prefix): value for name, value in self._options.items() if name.startswith(prefix)}


def is_option(name: str) -> bool:
    """Return whether a parameter is an option of the network, optimizer or criterion.

    Examples
    --------
    >>> is_option("network__hidden"), is_option("network")
    (True, False)
    """
    return name.startswith(_PREFIXES)


def hide_options(method: Method) -> Method:
    """Remove ``**options`` from a signature, in which scikit-learn takes every name as a parameter."""
    signature = inspect.signature(method)
    named = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    method.__signature__ = signature.replace(parameters=named)  # type: ignore[attr-defined]
    return method

"""Signatures of functions that share keyword options, declared once as a `TypedDict`."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, get_type_hints

P = ParamSpec("P")
R = TypeVar("R")


def expand_options(
    options: type, defaults: Mapping[str, Any] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function with ``**options: Unpack[Options]``, so that its signature lists the keys of ``Options``.

    The function always gets all keys. `defaults` has the default values that are not None.

    Examples
    --------
    >>> from typing import TypedDict, Unpack
    >>> class Size(TypedDict, total=False):
    ...     width: int
    ...     unit: str | None
    >>> @expand_options(Size, {"width": 28})
    ... def describe(name: str, **options: Unpack[Size]):
    ...     return name, options
    >>> describe("image", unit="px")
    ('image', {'width': 28, 'unit': 'px'})
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        own = inspect.signature(function)
        shared = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=(defaults or {}).get(name), annotation=kind)
            for name, kind in get_type_hints(options).items()
        ]
        parameters = [*list(own.parameters.values())[:-1], *shared]
        signature = own.replace(parameters=parameters)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            return function(*bound.args, **bound.kwargs)

        call.__signature__ = signature  # type: ignore[attr-defined]
        return call

    return decorate

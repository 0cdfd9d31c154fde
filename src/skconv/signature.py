"""Decorators for signatures: keyword options declared once as a `TypedDict`, and expansion of paths."""

from __future__ import annotations

import difflib
import functools
import inspect
import os
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, get_type_hints

from skconv.exceptions import ParameterError
from skconv.files import expand_home

P = ParamSpec("P")
R = TypeVar("R")


def expand_options(
    options: type, defaults: Mapping[str, Any] | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function with ``**options: Unpack[Options]``, so that its signature lists the keys of ``Options``.

    The function always gets all keys. `defaults` has the default values that are not None. Paths are expanded as by
    `expand_paths`.

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

        return _call_with(function, signature)

    return decorate


def expand_paths(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function to replace ``~`` by the home folder in arguments that are annotated as paths.

    A shell replaces it only at the start of a word, and therefore not in ``--out=~/run``.

    Examples
    --------
    >>> @expand_paths
    ... def show(path: str | os.PathLike[str]):
    ...     return path
    >>> show("~/image.png") == os.path.expanduser("~/image.png"), show("digits")
    (True, 'digits')
    """
    return _call_with(function, inspect.signature(function))


def _call_with(function: Callable[P, R], signature: inspect.Signature) -> Callable[P, R]:
    """Return a function with this signature that passes all arguments, with expanded paths."""
    paths = [name for name, each in signature.parameters.items() if "PathLike" in str(each.annotation)]

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = _bind(function.__name__, signature, args, kwargs)
        for name in paths:
            value = bound.arguments[name] = _expand(bound.arguments[name])
            if not _is_path(value, str(signature.parameters[name].annotation)):
                raise ParameterError(
                    f"The '{name}' parameter of {function.__name__} must be a path or name. Got an object of type "
                    f"{type(value).__name__}.{_suggest_fix(value)}"
                )
        return function(*bound.args, **bound.kwargs)

    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


def _bind(
    name: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> inspect.BoundArguments:
    """Bind arguments to a signature; raise `TypeError` with the name of the function and the nearest parameter."""
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError as error:
        unknown = [each for each in kwargs if each not in signature.parameters]
        nearest = difflib.get_close_matches(unknown[0], signature.parameters, n=1) if unknown else []
        suggestion = f". Did you mean '{nearest[0]}'?" if nearest else ""
        raise TypeError(f"{name}(): {error}{suggestion}") from None
    bound.apply_defaults()
    return bound


def _is_path(value: Any, annotation: str) -> bool:
    """Return whether a value is a path, or may be of another type according to the annotation."""
    if value is None:
        return "None" in annotation
    if isinstance(value, str | os.PathLike):
        return True
    # Iterating over a data frame would return the names of its columns.
    return not hasattr(value, "columns") and any(kind in annotation for kind in ("ndarray", "Sequence"))


def _suggest_fix(value: Any) -> str:
    """Return what to do with a data frame or an array that was passed instead of a path."""
    if hasattr(value, "columns"):
        return " Save the data frame as CSV and pass the file, or load its images with skconv.load_images."
    return " For arrays, use CNNClassifier or OnnxClassifier." if hasattr(value, "shape") else ""


def _expand(value: Any) -> Any:
    """Expand a path, or the paths in a list or tuple; return anything else unchanged."""
    if isinstance(value, list | tuple):
        return [_expand(each) for each in value]
    if isinstance(value, str | os.PathLike) and str(value).startswith("~"):
        return str(expand_home(value)) if isinstance(value, str) else expand_home(value)
    return value

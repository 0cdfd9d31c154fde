"""Creation of a user's module from its class or function, and the names of both."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from skconv.exceptions import ParameterError
from skconv.text import format_error

_CALL_INIT = "Call super().__init__() first in its __init__."


def create_module(factory: Callable[..., Any], options: Mapping[str, Any], shape: Mapping[str, Any]) -> nn.Module:
    """Return the module of a user's class or function.

    It is called with `options` and those of `shape` (in_channels, image_size, num_classes) that its signature accepts.
    A signature with only ``**kwargs`` is tried with all of them, then with fewer.

    Raises
    ------
    ParameterError
        If the call fails or returns no module.
    """
    name = get_short_name(factory)
    for position, selected in enumerate(candidates := _select_arguments(factory, shape)):
        try:
            module = factory(**{**selected, **options})
            break
        except Exception as error:  # the code is the user's
            if isinstance(error, TypeError) and "keyword argument" in str(error) and position < len(candidates) - 1:
                continue
            fix = _CALL_INIT if "Module.__init__()" in str(error) else _advise(factory, selected, options)
            raise ParameterError(
                f"The network {name} cannot be created ({type(error).__name__}: {format_error(error)}). {fix}".rstrip()
            ) from error
    if isinstance(module, nn.Module) and not hasattr(module, "_modules"):  # no layer was assigned
        raise ParameterError(f"The network {name} is not initialised as a torch.nn.Module. {_CALL_INIT}")
    if not isinstance(module, nn.Module):
        raise ParameterError(
            f"The network {name} returned a {type(module).__name__}; expected a torch.nn.Module. Return the module."
        )
    return module


def list_arguments(factory: Callable[..., Any]) -> dict[str, Any] | None:
    """Return the arguments of a user's class or function with their defaults; None if it accepts any.

    The default of a required argument is `inspect.Parameter.empty`.
    """
    parameters = _get_parameters(factory)
    if parameters is None or any(each.kind is each.VAR_KEYWORD for each in parameters):
        return None
    return {
        each.name: each.default for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
    }


def get_import_path(value: Any) -> str:
    """Return ``"package.module:Name"`` of a class or function, or of the class of a module.

    Examples
    --------
    >>> get_import_path(nn.Linear), get_import_path(nn.Sequential())
    ('torch.nn.modules.linear:Linear', 'torch.nn.modules.container:Sequential')
    """
    while isinstance(value, functools.partial):
        value = value.func
    owner = value if hasattr(value, "__qualname__") else type(value)
    return f"{owner.__module__}:{owner.__qualname__}"


def get_short_name(value: Any) -> str:
    """Return the name of a class or function, or of the class of a module, without its package."""
    return get_import_path(value).replace(":", ".").rpartition(".")[2]


def _select_arguments(factory: Callable[..., Any], shape: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the selections of `shape` to call a class or function with, in the order of trial."""
    bound = factory.keywords if isinstance(factory, functools.partial) else {}
    parameters = [each for each in _get_parameters(factory) or [] if each.name not in bound]
    named = {each.name: shape[each.name] for each in parameters if each.name in shape}
    if named or not any(each.kind is each.VAR_KEYWORD for each in parameters):
        return [named]
    free = {name: value for name, value in shape.items() if name not in bound}
    selections = [free, {name: value for name, value in free.items() if name != "image_size"}]
    return [*selections, {name: value for name, value in free.items() if name == "num_classes"}, {}]


def _get_parameters(factory: Callable[..., Any]) -> list[inspect.Parameter] | None:
    try:
        return list(inspect.signature(factory).parameters.values())
    except (TypeError, ValueError):  # some callables have no signature
        return None


def _advise(factory: Callable[..., Any], selected: Mapping[str, Any], options: Mapping[str, Any]) -> str:
    """Return how to create a module whose class or function failed with these arguments; "" if it got none."""
    arguments = list_arguments(factory) or {}
    given = {**selected, **options}
    missing = [name for name, default in arguments.items() if default is inspect.Parameter.empty and name not in given]
    if missing:
        python = ", ".join(f"network__{name}=…" for name in missing)
        command = " ".join(f"--set network.{name}=…" for name in missing)
        return (
            f"Pass {python} ({command}), or name the arguments in_channels, image_size (height, width) and num_classes "
            "to get the values of the data."
        )
    automatic = {name: value for name, value in selected.items() if name not in options}
    if not automatic:
        return ""
    call = ", ".join(f"{name}={value}" for name, value in automatic.items())
    return f"It was called with {call}; pass network__NAME=… (--set network.NAME=…) for another value."

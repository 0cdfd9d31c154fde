"""Registry of networks: register, list, describe and create networks by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any, overload

from skconv.exceptions import ParameterError, UnknownNameError
from skconv.networks import hugging_face
from skconv.networks.blocks import Network
from skconv.networks.hub_files import HUB
from skconv.registry import RECIPES, Registry

Factory = Callable[..., Network]
NETWORKS: Registry[Factory] = Registry("networks", "network")
_WEIGHTS_SUFFIXES = (".bin", ".ckpt", ".pt", ".pth", ".safetensors")
SHAPE_OPTIONS = frozenset({"in_channels", "image_size", "num_classes"})  # passed to every factory


@overload
def register_network(factory: Factory) -> Factory: ...


@overload
def register_network(*, name: str) -> Callable[[Factory], Factory]: ...


def register_network(factory: Factory | None = None, *, name: str | None = None) -> Any:
    """Register a network under `name`, by default the name of its factory; use as a decorator.

    An existing network of this name is replaced in this process. A saved model is rebuilt by the factory registered at
    load time, and rejected if its weights do not fit.

    Parameters
    ----------
    factory : callable
        Class or function, called as ``factory(in_channels=…, image_size=(height, width), num_classes=…, **options)``.
        Returns a `Network`. ``skconv networks NAME`` prints its docstring. Options are keyword-only with defaults.
    name : str, optional
        Name that is not a Python identifier: ``@register_network(name="my-network")``.

    Examples
    --------
    >>> from skconv.networks.plain import PlainNetwork
    >>> @register_network
    ... def tiny(**shape):
    ...     \"\"\"One convolution of eight channels.\"\"\"
    ...     return PlainNetwork(stages=[[8]], **shape)
    >>> create_network("tiny", in_channels=1, image_size=(8, 8), num_classes=3).head[2].in_features
    8
    >>> NETWORKS.unregister("tiny")
    """
    if factory is None:
        return partial(register_network, name=name)
    NETWORKS.register(name or factory.__name__, factory)
    return factory


def list_networks() -> list[str]:
    """Return the sorted names of all registered networks."""
    return NETWORKS.names()


def _get_factory(name: str) -> Factory:
    """Return the function that creates a network."""
    if name.startswith(HUB):
        return hugging_face.get_factory(name)
    if name not in NETWORKS and name in RECIPES:  # `in` searches installed packages only for other names
        raise ParameterError(
            f"'{name}' is a recipe, not a network. Create its estimator with "
            f"skconv.load_recipe('{name}').create_estimator(), or pass a network: {', '.join(NETWORKS.names())}."
        )
    return NETWORKS.get(name)


def describe_network(name: str) -> str:
    """Return the docstring of a network."""
    return inspect.getdoc(_get_factory(name)) or ""


def list_options(name: str) -> dict[str, Any]:
    """Return the options of a network with their defaults.

    Examples
    --------
    >>> list_options("fast")
    {'crop': 0}
    """
    return {
        parameter.name: parameter.default
        for parameter in inspect.signature(_get_factory(name)).parameters.values()
        if parameter.name not in SHAPE_OPTIONS and parameter.kind is not parameter.VAR_KEYWORD
    }


def check_network(name: str, options: Iterable[str], *, in_recipe: bool = False) -> None:
    """Raise `UnknownNameError` if a network is not registered, and `ParameterError` if it lacks one of the options.

    `in_recipe` is whether `name` may also be an import path; this changes the advice of the error.
    """
    try:
        known = list_options(name)
    except UnknownNameError as error:
        class_name = name.rpartition(".")[2] if "." in name else "MyNet"
        if Path(name).suffix in _WEIGHTS_SUFFIXES:
            hint = "For a file of weights, create the module, call its load_state_dict, and pass the module."
            raise UnknownNameError(error.kind, error.name, error.available, hint) from None
        value = "pass package.module:Name" if in_recipe else f"import it and pass it: network={class_name}"
        hint = f"For a class of your own, {value}."
        raise UnknownNameError(error.kind, error.name, error.available, hint) from None
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ParameterError(
            f"Network '{name}' has no option '{unknown[0]}'. Its options: {', '.join(known) or 'none'}."
        )


def create_network(
    name: str, *, in_channels: int, image_size: tuple[int, int], num_classes: int, **options: Any
) -> Network:
    """Create a network by name, with initial weights from torch's global random generator.

    Parameters
    ----------
    name : str
        One of `list_networks`.
    in_channels : int
        1 for grey images, 3 for colour.
    image_size : (int, int)
        Height and width in pixels, each at least 1.
    num_classes : int
        Number of logits, at least 2.
    **options
        Options of the network, as listed by ``skconv networks NAME``.

    Returns
    -------
    Network
        Accepts float32 (n, in_channels, height, width), returns logits (n, num_classes).

    Raises
    ------
    UnknownNameError
        If the network is not registered.
    ParameterError
        If an option is unknown, or a size is below 1.

    Examples
    --------
    >>> import torch
    >>> network = create_network("fast", in_channels=1, image_size=(28, 28), num_classes=10)
    >>> network(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    check_network(name, options)
    for label, value in (("in_channels", in_channels), ("height", image_size[0]), ("width", image_size[1])):
        if value < 1:
            raise ParameterError(f"{label} of the network '{name}' is {value}; expected at least 1.")
    factory = _get_factory(name)
    return factory(in_channels=in_channels, image_size=tuple(image_size), num_classes=num_classes, **options)

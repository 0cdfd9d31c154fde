"""The registry: networks are made by name, so that a model file never needs to carry code."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

from skconv.exceptions import ParameterError
from skconv.networks.blocks import Network
from skconv.registry import Registry

Factory = Callable[..., Network]
NETWORKS: Registry[Factory] = Registry("networks", "network")


def register_network(factory: Factory) -> Factory:
    """Register a network class or function under its own name; used as a decorator.

    A name that exists is replaced: a network can be overridden in one process, but a saved model is always rebuilt from
    whatever has the name then, and refused if its weights do not fit.

    Parameters
    ----------
    factory : callable
        Called as ``factory(in_channels=…, image_size=(height, width), num_classes=…, **options)``; returns a
        `Network` that takes float32 (n, in_channels, height, width) in the range of the images and returns logits
        (n, num_classes); it defines `classify`, between its `scaling` and its `answers`. Its docstring is what
        ``skconv networks NAME`` prints. Options are keyword-only with defaults.

    Returns
    -------
    callable
        The factory itself.

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
    NETWORKS.register(factory.__name__, factory)
    return factory


def list_networks() -> list[str]:
    """Names of all registered networks, sorted."""
    return NETWORKS.names()


def describe_network(name: str) -> str:
    """Return what a network is, in its own words."""
    return inspect.getdoc(NETWORKS.get(name)) or ""


def list_options(name: str) -> dict[str, Any]:
    """Return the options of a network with their defaults.

    Examples
    --------
    >>> list_options("fast")
    {'crop': 0}
    """
    parameters = inspect.signature(NETWORKS.get(name)).parameters
    return {option: parameters[option].default for option in _option_names(NETWORKS.get(name))}


def create_network(
    name: str, *, in_channels: int, image_size: tuple[int, int], num_classes: int, **options: Any
) -> Network:
    """Make a network by name, with fresh weights from torch's global generator.

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
        Settings of that network, as ``skconv networks NAME`` lists them.

    Returns
    -------
    Network
        A `torch.nn.Module`; takes float32 (n, in_channels, height, width), returns logits (n, num_classes).

    Raises
    ------
    UnknownNameError
        No such network.
    ParameterError
        An option the network does not have, or a size below 1.

    Examples
    --------
    >>> import torch
    >>> network = create_network("fast", in_channels=1, image_size=(28, 28), num_classes=10)
    >>> network(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """
    factory = NETWORKS.get(name)
    known = _option_names(factory)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ParameterError(
            f"Network '{name}' has no option '{unknown[0]}'. Its options: {', '.join(known) or 'none'}."
        )
    for label, value in (("in_channels", in_channels), ("height", image_size[0]), ("width", image_size[1])):
        if value < 1:
            raise ParameterError(f"Network '{name}' got {label}={value}; expected at least 1.")
    return factory(in_channels=in_channels, image_size=tuple(image_size), num_classes=num_classes, **options)


def check_option(name: str, value: Any, least: float, most: float, *, whole: bool = False) -> None:
    """Raise `ParameterError` unless an option of a network is a number, perhaps a whole one, in least..most."""
    fits = isinstance(value, Integral if whole else Real) and not isinstance(value, bool)
    if not (fits and least <= float(value) <= most):
        number = "a whole number" if whole else "a number"
        raise ParameterError(f"The network's option '{name}' is {value!r}; expected {number} in {least:g}..{most:g}.")


def _option_names(factory: Factory) -> list[str]:
    fixed = {"in_channels", "image_size", "num_classes"}
    return [name for name in inspect.signature(factory).parameters if name not in fixed]

"""`NetworkSpec`: the network of a classifier, a registered name or a user's module, with its options."""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from inspect import Parameter, isfunction
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from skconv.exceptions import ModelFileError, ParameterError
from skconv.networks.blocks import Network
from skconv.networks.copying import copy_module
from skconv.networks.custom import wrap_module
from skconv.networks.hub_files import HUB
from skconv.networks.module_creation import create_module, get_import_path, get_short_name, list_arguments
from skconv.networks.registry import SHAPE_OPTIONS, check_network, create_network, list_options
from skconv.text import format_error

_OBJECT = "$object"  # key in JSON of an option that JSON cannot represent


@dataclass(frozen=True)
class NetworkSpec:
    """Network of a classifier, created anew for every fit.

    Parameters
    ----------
    name : str
        Registered name, or ``"package.module:Name"`` of a user's class, function or module.
    options : dict
        Options of the network.
    factory : class, callable, torch.nn.Module or None
        The user's class, function or module; None for a registered name.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    factory: Any = None

    @classmethod
    def read(cls, network: Any, options: Mapping[str, Any] | None = None) -> NetworkSpec:
        """Return the specification of a value of the parameter `network` and further options.

        Raises
        ------
        ParameterError
            If `network` is none of the accepted kinds.
        """
        given = dict(options or {})
        if isinstance(network, Mapping) and "name" in network:
            given = {**{key: value for key, value in network.items() if key != "name"}, **given}
            network = network["name"]
        if isinstance(network, str) and is_import_path(network):
            raise ParameterError(
                f"The 'network' parameter is the import path {network!r}. Import the class and pass it: "
                f"network={network.rpartition(':')[2]}."
            )
        if isinstance(network, str):
            return cls(network, given)
        if isinstance(network, nn.Module) and given:
            raise ParameterError(
                f"The network is a module, which is copied, so its option '{next(iter(given))}' has no effect. Pass "
                f"its class {get_short_name(network)} to set options."
            )
        if isinstance(network, nn.Module) or callable(network):
            return cls(get_import_path(network), given, network)
        if isinstance(network, Mapping) and network and all(isinstance(each, Tensor) for each in network.values()):
            raise ParameterError(
                "The 'network' parameter has tensors as values; create the module, call its load_state_dict, and pass "
                "the module."
            )
        raise ParameterError(
            "The 'network' parameter must be a name such as 'plain', a mapping such as {'name': 'fast', 'crop': 2}, or "
            f"a torch.nn.Module: a class, a function that returns one, or an instance. Got {network!r:.200}."
        )

    @classmethod
    def from_recipe(cls, section: Mapping[str, Any]) -> NetworkSpec:
        """Return the specification of a recipe's section [network]; a name that is an import path is imported.

        Raise `UnknownNameError` for an unregistered network.
        """
        options = dict(section)
        name = options.pop("name")
        if isinstance(name, str) and not is_import_path(name) and not name.startswith(HUB):
            check_network(name, (), in_recipe=True)
        return cls.read(import_network(name) if is_import_path(name) else name, options)

    @property
    def short_name(self) -> str:
        """Name for messages, without the package."""
        return self.name if self.factory is None else get_short_name(self.factory)

    def check(self) -> None:
        """Raise `UnknownNameError` for an unregistered network, and `ParameterError` for an unknown option."""
        if self.factory is None:
            check_network(self.name, self.options)
            return
        known = None if isinstance(self.factory, nn.Module) else list_arguments(self.factory)
        unknown = [] if known is None else sorted(set(self.options) - set(known))
        if known is not None and unknown:
            raise ParameterError(
                f"The network {self.short_name} has no option '{unknown[0]}'. Its options: "
                f"{', '.join(sorted(set(known) - SHAPE_OPTIONS)) or 'none'}."
            )

    def list_options(self) -> dict[str, Any]:
        """Return the options that have a default, with it."""
        if self.factory is None:
            return list_options(self.name)
        known = {} if isinstance(self.factory, nn.Module) else list_arguments(self.factory) or {}
        known = {name: default for name, default in known.items() if name not in SHAPE_OPTIONS}
        return {name: default for name, default in known.items() if default is not Parameter.empty}

    def create(self, *, in_channels: int, image_size: tuple[int, int], num_classes: int) -> Network:
        """Return a network, with initial weights from torch's global random generator; a module is copied.

        Raises
        ------
        ParameterError
            If an option is unknown, the network cannot be created, or it does not accept images of this shape.
        """
        self.check()
        shape: dict[str, Any] = {
            "in_channels": in_channels,
            "image_size": tuple(image_size),
            "num_classes": num_classes,
        }
        if self.factory is None:
            return create_network(self.name, **self.options, **shape)
        if isinstance(self.factory, nn.Module):
            module = copy_module(self.factory)
        else:
            module = create_module(self.factory, self.options, shape)
        return module if isinstance(module, Network) else wrap_module(module, **shape)

    def create_for(self, image_shape: tuple[int, ...], num_classes: int) -> Network:
        """Return a network for images of shape (height, width) or (height, width, channels); see `create`."""
        channels = 1 if len(image_shape) == 2 else image_shape[2]
        return self.create(in_channels=channels, image_size=(image_shape[0], image_shape[1]), num_classes=num_classes)

    def describe_options(self) -> dict[str, Any]:
        """Return the options as JSON values; classes and functions are replaced by their import path."""
        return {name: to_json(value) for name, value in self.options.items()}

    def restore(self, network: Any) -> NetworkSpec:
        """Return the specification, read from a model folder, with a user's class, function or module.

        Raises
        ------
        ParameterError
            If `network` is missing or not needed, or lacks an option that JSON cannot represent.
        ModelFileError
            If a network of the Hugging Face Hub has no configuration.
        """
        if not is_import_path(self.name):
            if network is not None:
                raise ParameterError(f"The model has the registered network '{self.name}'. Omit 'network'.")
            if self.name.startswith(HUB) and not self.options.get("config"):
                # Otherwise a model folder could cause a connection, or the reading of another folder.
                raise ModelFileError(f"The network '{self.name}' of the model lacks its configuration. Train again.")
            return self
        if network is None:
            raise ParameterError(
                f"The model has the network {self.name}, whose code is not part of a model folder. Import it and pass "
                f"network={self.name.rpartition(':')[2]}."
            )
        options = {name: value for name, value in self.options.items() if not _is_object(value)}
        bound = getattr(network, "keywords", {})
        for name in sorted(set(self.options) - set(options) - set(bound)):
            if not isinstance(network, nn.Module):
                raise ParameterError(
                    f"The model was trained with an option {name} that JSON cannot represent ({self.options[name]}). "
                    f"Pass network=functools.partial({get_short_name(network)}, {name}=…)."
                )
        return NetworkSpec.read(network, None if isinstance(network, nn.Module) else options)


def is_import_path(name: Any) -> bool:
    """Return whether a network's name is an import path, ``"package.module:Name"``."""
    return isinstance(name, str) and ":" in name and not name.startswith(HUB)


def find_import_path(network: Any) -> str:
    """Return the import path of a user's class or function; raise `ParameterError` if it cannot be imported again."""
    path = get_import_path(network)
    try:
        found = import_network(path)
    except ParameterError:
        found = None
    if found is not network:
        raise ParameterError(
            f"The network {network!r:.100} cannot be written to a recipe; expected a name, or a class or function at "
            "the top level of a module. Use CNNClassifier for other networks."
        )
    return path


def import_network(path: str) -> Any:
    """Import a user's class, function, partial or module, ``"package.module:Name"``, also from the current folder.

    Code of the module is executed. Functions of the standard library are refused, because a recipe could call them.

    Raises
    ------
    ParameterError
        If the module cannot be imported, or has no such class, function or instance of `torch.nn.Module`.
    """
    module_name, _, name = path.partition(":")
    if module_name.endswith(".py"):
        module = ".".join(Path(module_name.removesuffix(".py")).parts)
        raise ParameterError(f"The network '{path}' names a file; expected a module. Omit .py: {module}:{name}.")
    folder = str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)  # at the end, so that no file of the folder replaces an installed module
    try:
        value: Any = import_module(module_name)
        for part in name.split("."):
            value = getattr(value, part)
    except (Exception, SystemExit) as error:  # the code is the user's, possibly a script
        raise ParameterError(
            f"The network '{path}' cannot be imported ({type(error).__name__}: {format_error(error)}). "
            "Expected package.module:Name; run the command in the folder of the module, or install its package."
        ) from error
    called = value
    while isinstance(called, functools.partial):
        called = called.func
    is_class = isinstance(called, type) and issubclass(called, nn.Module)
    is_own_function = isfunction(called) and called.__module__.partition(".")[0] not in sys.stdlib_module_names
    if not (is_class or is_own_function or isinstance(value, nn.Module)):
        raise ParameterError(
            f"The network '{path}' is {value!r:.100}; expected a class derived from torch.nn.Module, an instance of "
            "it, or a function or functools.partial that returns one."
        )
    return value


def to_json(value: Any) -> Any:
    """Return an option as a JSON value; a class or function is replaced by its import path."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: to_json(each) for key, each in value.items()}
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a NumPy scalar, as in a parameter grid
        return value.item()
    return {_OBJECT: get_import_path(value)}


def _is_object(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_is_object, value))
    return isinstance(value, Mapping) and (_OBJECT in value or any(map(_is_object, value.values())))

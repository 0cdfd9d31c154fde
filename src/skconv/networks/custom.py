"""Users' modules as networks: creation from a class or function, adaptation of the images, checks of the output."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from skconv.exceptions import ParameterError
from skconv.networks.blocks import LUMA, Network
from skconv.networks.input_normalization import InputNormalization
from skconv.networks.logit_calibration import LogitCalibration
from skconv.text import format_count, format_error

_N_TRIED = 2  # images of the trial batches
_TOLERANCE = 1e-3  # of the sum of probabilities
_N_FLIPS = 8  # trials with random signs of the parameters; logits are between 0 and 1 in each with p < 2**-16
_CALL_INIT = "Call super().__init__() first in its __init__."
_TINY = 1e-30  # replaces probabilities that are 0, so that their logarithm is finite


def _to_grey(images: Tensor) -> Tensor:
    weights = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
    return (images * weights[:, None, None]).sum(1, keepdim=True)


# How a module receives images (n, c, h, w), in the order of trial: conversion, required number of channels (0: any),
# and the description of a conversion that is not the identity.
LAYOUTS: dict[str, tuple[Callable[[Tensor], Tensor], int, str]] = {
    "images": (lambda images: images, 0, ""),
    "colour": (lambda images: images.repeat(1, 3, 1, 1), 1, "grey images repeated as three channels"),
    "grey": (_to_grey, 3, "colour images converted to grey"),
    "rows": (lambda images: images.flatten(1), 0, "rows (n, channels * height * width)"),
    "squeezed": (lambda images: images.squeeze(1), 1, "images without a channel, (n, height, width)"),
}


class ModuleNetwork(Network):
    """Network with input normalization and logit calibration around a `torch.nn.Module`.

    Parameters
    ----------
    module : torch.nn.Module
        Returns logits (n, num_classes), probabilities, or an object with an attribute `logits`.
    in_channels, num_classes : int
        Number of channels of the images, 1 or 3, and number of classes.
    layout : str
        Key of `LAYOUTS`: the form in which the module receives the normalized images.
    returns_probabilities : bool
        Whether the module returns probabilities; their logarithms are then the logits.

    Examples
    --------
    >>> network = ModuleNetwork(nn.Sequential(nn.Flatten(), nn.Linear(64, 10)), in_channels=1, num_classes=10)
    >>> network(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 10])
    """

    # With channels_last, Tensor.view fails, and torch's kernels corrupt the memory for some convolutions, such as
    # strided 1×1 convolutions of one channel.
    channels_last = False
    returns_fractions = False  # whether all outputs are between 0 and 1, as those of a sigmoid

    def __init__(
        self,
        module: nn.Module,
        *,
        in_channels: int,
        num_classes: int,
        layout: str = "images",
        returns_probabilities: bool = False,
    ) -> None:
        super().__init__(InputNormalization(in_channels), LogitCalibration(num_classes))
        self.module = module
        self.num_classes = num_classes
        self.layout = layout
        self.returns_probabilities = returns_probabilities

    def classify(self, images: Tensor) -> Tensor:
        """Return uncalibrated logits (n, num_classes) of normalized images (n, in_channels, height, width)."""
        images = LAYOUTS[self.layout][0](images)
        if not self.returns_probabilities:
            return self._check(self.module(images), images)
        with torch.autocast(images.device.type, enabled=False):  # the logarithm of a rounded 1 would be 0
            return self._check(self.module(images), images).clamp(min=_TINY).log()

    def _check(self, output: Any, images: Tensor) -> Tensor:
        logits = read_logits(output)
        # In evaluation mode, the output was checked when the module was wrapped, and a check would stop a trace.
        reason = describe_wrong_output(logits, len(images), self.num_classes) if self.training else ""
        if reason:
            raise ParameterError(f"The network {get_short_name(self.module)} {reason}")
        return logits


def wrap_module(module: nn.Module, *, in_channels: int, image_size: tuple[int, int], num_classes: int) -> ModuleNetwork:
    """Return a network around a user's module, which is not copied.

    The layout of the images and the kind of output are determined with small batches of random images. Lazy layers get
    their shape.

    Raises
    ------
    ParameterError
        If the module fails for images of this shape, its output is not (n, num_classes), or it has no parameters.
    """
    images = torch.randn(_N_TRIED, in_channels, *image_size, generator=torch.Generator().manual_seed(0))
    layout, logits = _find_layout(module, images, num_classes)
    convert = LAYOUTS[layout][0]
    if any(is_lazy(parameter) for parameter in module.parameters()):
        _run(module, convert(images))
    if next(module.parameters(), None) is None:
        raise ParameterError(
            f"The network {get_short_name(module)} has no parameters to train. Assign layers with weights, such as "
            "torch.nn.Linear, to attributes in its __init__, not to a list or dict; use torch.nn.ModuleList for lists."
        )
    sums = logits.float().sum(1)
    is_distribution = bool((logits >= 0).all()) and bool((sums - 1).abs().max() < _TOLERANCE)
    network = ModuleNetwork(
        module,
        in_channels=in_channels,
        num_classes=num_classes,
        layout=layout,
        returns_probabilities=is_distribution,
    )
    network.returns_fractions = not is_distribution and _is_bounded(module, convert(images))
    return network


def describe_adaptation(network: ModuleNetwork) -> str:
    """Return a sentence on conversions between the data and the module; "" if there are none."""
    parts = []
    if network.layout != "images":
        parts.append(f"receives {LAYOUTS[network.layout][2]}")
    if network.returns_probabilities:
        parts.append("returns probabilities; their logarithms are used as logits, so remove the softmax if you can")
    if network.returns_fractions:
        parts.append("returns values between 0 and 1, which are used as logits, so remove the sigmoid if there is one")
    return f"The network {get_short_name(network.module)} {', and '.join(parts)}." if parts else ""


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
            required = _find_required(factory, {**selected, **options})
            fix = f" Pass network__{required}=… (--set network.{required}=…)." if required else ""
            fix = f" {_CALL_INIT}" if "Module.__init__()" in str(error) else fix
            raise ParameterError(
                f"The network {name} cannot be created ({type(error).__name__}: {format_error(error)}).{fix}"
            ) from error
    if isinstance(module, nn.Module) and "_modules" not in vars(module):  # no layer was assigned
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


def read_logits(output: Any) -> Any:
    """Return the logits of a module's output, which may be an object with an attribute `logits`."""
    return output if isinstance(output, Tensor) else getattr(output, "logits", output)


def describe_wrong_output(output: Any, n: int, num_classes: int) -> str:
    """Return what is wrong with the output of a module for n images; "" if it is (n, num_classes)."""
    expected = f"expected logits of shape ({n}, {num_classes}), one per class"
    if not isinstance(output, Tensor):
        return f"returned a {type(output).__name__}; {expected}. Return one tensor."
    if tuple(output.shape) == (n, num_classes):
        return "" if output.is_floating_point() else f"returned {output.dtype}; {expected}, as floats."
    fix = "Give its last layer one output per class"
    if output.ndim == 2:
        fix += ", or let the class accept an argument num_classes"
    return f"returned shape {tuple(output.shape)} for {n} images; {expected}. {fix}."


def _find_layout(module: nn.Module, images: Tensor, num_classes: int) -> tuple[str, Tensor]:
    """Return the first layout for which a module returns logits, and these; raise `ParameterError` if there is none."""
    failure: tuple[str, Exception | None] = "", None
    for layout, (convert, channels, _) in LAYOUTS.items():
        if channels not in (0, images.shape[1]):
            continue
        try:
            # Copies, because a failed call may have given lazy layers a wrong shape.
            output = read_logits(_run(copy.deepcopy(module), convert(images)))
        except Exception as error:  # the code is the user's
            if layout == "images":
                failure = f"failed ({type(error).__name__}: {format_error(error)})", error
            continue
        reason = describe_wrong_output(output, len(images), num_classes)
        if not reason:
            return layout, output
        if layout == "images" or not failure[0].startswith("returned"):
            failure = reason, None
    _, channels, height, width = images.shape
    shape = f"{width}×{height} pixels and {format_count(channels, 'channel')}"
    hint = "" if failure[1] is None else " Resize the images to the size that it expects, or let it accept any size."
    if type(module).forward is nn.Module.forward:
        hint = " Define forward(self, images), which returns one logit per class."
    raise ParameterError(
        f"The network {get_short_name(module)} {failure[0].rstrip('.')}. It was tried with images of {shape}.{hint}"
    ) from failure[1]


@torch.no_grad()
def _is_bounded(module: nn.Module, images: Tensor) -> bool:
    """Return whether all outputs are between 0 and 1, also for parameters with other signs, in copies of the module."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):  # the module may draw numbers
        for _ in range(_N_FLIPS):
            output = read_logits(_run(module, images))
            if not bool(((output > 0) & (output < 1)).all()):
                return False
            module = copy.deepcopy(module)
            for parameter in module.parameters():
                signs = torch.randint(2, parameter.shape, generator=generator)
                parameter.mul_((2 * signs - 1).to(parameter))
    return True


@torch.no_grad()
def _run(module: nn.Module, images: Tensor) -> Any:
    """Return the output of a module in evaluation mode, which does not change batch statistics."""
    training = module.training
    module.eval()
    try:
        return module(images)
    finally:
        module.train(training)


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


def _find_required(factory: Callable[..., Any], given: Mapping[str, Any]) -> str:
    """Return the first argument that has neither a default nor a value; "" if there is none."""
    arguments = list_arguments(factory) or {}
    missing = [name for name, default in arguments.items() if default is inspect.Parameter.empty and name not in given]
    return missing[0] if missing else ""

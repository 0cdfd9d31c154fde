"""Users' modules as networks: creation from a class or function, adaptation of the images, checks of the output."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from skconv.exceptions import ParameterError
from skconv.networks.blocks import LUMA, Network
from skconv.networks.copying import copy_module
from skconv.networks.input_normalization import InputNormalization
from skconv.networks.logit_calibration import LogitCalibration
from skconv.networks.module_creation import get_short_name
from skconv.text import format_count, format_error

_N_TRIED = 2  # images of the trial batches
_TOLERANCE = 1e-3  # of the sum of probabilities, and of repeated logits relative to the largest
_N_FLIPS = 8  # trials with random signs of the parameters; logits are between 0 and 1 in each with p < 2**-16
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
    is_random = False  # whether it returns other logits for the same images in evaluation mode
    depends_on_batch = False  # whether the logits of an image depend on the other images in evaluation mode
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
            return self._check(self.module(images), images).float()  # the weights may be float64
        with torch.autocast(images.device.type, enabled=False):  # the logarithm of a rounded 1 would be 0
            return self._check(self.module(images), images).float().clamp(min=_TINY).log()

    def _check(self, output: Any, images: Tensor) -> Tensor:
        logits = read_logits(output)
        # In evaluation mode, the output was checked when the module was wrapped, and a check would stop a trace.
        reason = describe_wrong_output(logits, len(images), self.num_classes) if self.training else ""
        if reason:
            raise ParameterError(f"The network {get_short_name(self.module)}, in training mode, {reason}")
        return logits


def wrap_module(module: nn.Module, *, in_channels: int, image_size: tuple[int, int], num_classes: int) -> ModuleNetwork:
    """Return a network around a user's module, which is not copied.

    The layout of the images and the kind of output are determined with small batches of random images. Lazy layers get
    their shape.

    Raises
    ------
    ParameterError
        If the module fails for images of this shape, its output is not (n, num_classes), is of another kind in training
        mode, or has no gradient, or if it has no parameters.
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
    is_distribution = _is_distribution(logits)
    _try_training(module, convert(images), num_classes, returns_probabilities=is_distribution)
    is_random, depends_on_batch = _compare_calls(module, convert(images), num_classes)
    network = ModuleNetwork(
        module,
        in_channels=in_channels,
        num_classes=num_classes,
        layout=layout,
        returns_probabilities=is_distribution,
    )
    network.is_random, network.depends_on_batch = is_random, depends_on_batch
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
    if network.is_random:
        parts.append(
            "returns other logits if it is called again in evaluation mode, so that its predictions are random; pass "
            "training=self.training to torch.nn.functional.dropout, or use torch.nn.Dropout"
        )
    if network.depends_on_batch:
        parts.append(
            "returns logits of an image that depend on the other images of the batch in evaluation mode, so that its "
            "predictions do too"
        )
    return f"The network {get_short_name(network.module)} {', and '.join(parts)}." if parts else ""


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
    if output.ndim > 2 and output.shape[:2] == (n, num_classes):
        fix = "Average the other dimensions: return logits.flatten(2).mean(2)"
    elif n == 1 and output.numel() == num_classes:
        fix = "Pass dimensions to squeeze, which otherwise also removes that of a single image"
    elif output.ndim == 2:
        fix += ", or let the class accept an argument num_classes"
    return f"returned shape {tuple(output.shape)} for {format_count(n, 'image')}; {expected}. {fix}."


def _find_layout(module: nn.Module, images: Tensor, num_classes: int) -> tuple[str, Tensor]:
    """Return the first layout for which a module returns logits, and these; raise `ParameterError` if there is none."""
    failure: tuple[str, Exception | None] = "", None
    converted = ""
    for layout, (convert, channels, name) in LAYOUTS.items():
        if channels not in (0, images.shape[1]):
            continue
        try:
            # Copies, because a failed call may have given lazy layers a wrong shape.
            output = read_logits(_run(copy_module(module), convert(images).clone()))
        except Exception as error:  # the code is the user's
            if layout == "images":
                failure = f"failed ({type(error).__name__}: {format_error(error)})", error
            elif layout in ("colour", "grey") and failure[1] is not None and "channel" in str(failure[1]):
                converted = f" With {name}, it failed ({type(error).__name__}: {format_error(error)})."
            continue
        reason = describe_wrong_output(output, len(images), num_classes)
        if not reason:
            return layout, output
        if layout == "images" or not failure[0].startswith("returned"):
            failure = reason, None
    _, channels, height, width = images.shape
    n_channels = format_count(channels, "channel")
    shape = f"normalized float32 images {tuple(images.shape)}, of {width}×{height} pixels and {n_channels}"
    raise ParameterError(
        f"The network {get_short_name(module)} {failure[0].rstrip('.')}. It was tried with {shape}."
        f"{converted if failure[1] is not None else ''} {_advise(module, failure[1])}".rstrip()
    ) from failure[1]


def _advise(module: nn.Module, error: Exception | None) -> str:
    """Return how to correct a module that failed for images with `error`, if any; "" if its output was wrong."""
    if type(module).forward is nn.Module.forward:
        return "Define forward(self, images), which returns one logit per class."
    if error is None:
        return ""
    if isinstance(error, TypeError) and "forward()" in str(error):
        return "Define forward(self, images); further arguments need a default."
    if isinstance(error, AttributeError | ImportError | NameError):
        return "Correct its forward."
    if "cuda" in str(error).lower():
        return "Use images.device in forward instead of cuda(); the parameter 'device' selects the device."
    others = {each.dtype for each in module.parameters() if each.is_floating_point()} - {torch.float32}
    if others and "type" in str(error):
        return f"Its parameters are {others.pop()}: call float() of the module, or convert the images in its forward."
    return "Resize the images to the size that it expects, or let it accept any size."


def _is_distribution(output: Tensor) -> bool:
    sums = output.float().sum(1)
    return bool((output >= 0).all()) and bool((sums - 1).abs().max() < _TOLERANCE)


def _try_training(module: nn.Module, images: Tensor, num_classes: int, *, returns_probabilities: bool) -> None:
    """Raise `ParameterError` unless a copy of a module can be trained, with outputs as in evaluation mode."""
    name = f"The network {get_short_name(module)}, in training mode,"
    copied = copy_module(module)
    copied.train()
    try:
        with torch.random.fork_rng(devices=[]), torch.enable_grad():
            output = read_logits(copied(images.clone()))
    except Exception as error:  # the code is the user's
        raise ParameterError(f"{name} failed ({type(error).__name__}: {format_error(error)}).") from error
    reason = describe_wrong_output(output, len(images), num_classes)
    if not reason and not output.requires_grad and any(each.requires_grad for each in module.parameters()):
        reason = "returned logits without a gradient. Remove torch.no_grad(), detach() and numpy() from its forward."
    if not reason and _is_distribution(output) != returns_probabilities:
        kinds = ("logits", "probabilities") if returns_probabilities else ("probabilities", "logits")
        reason = f"returned {kinds[0]}, but {kinds[1]} in evaluation mode. Return logits in both."
    if reason:
        raise ParameterError(f"{name} {reason}")


def _compare_calls(module: nn.Module, images: Tensor, num_classes: int) -> tuple[bool, bool]:
    """Return whether the logits are random, and whether those of an image depend on the other images of the batch.

    Raise `ParameterError` if a single image is not accepted.
    """
    name = f"The network {get_short_name(module)}"
    copied = copy_module(module)
    with torch.random.fork_rng(devices=[]):
        first, second = (read_logits(_run(copied, images.clone())).float() for _ in range(2))
        try:
            single = read_logits(_run(copied, images[:1].clone()))
        except Exception as error:  # the code is the user's
            reason = f"failed for a single image ({type(error).__name__}: {format_error(error)})."
            raise ParameterError(f"{name} {reason} Let it accept batches of any size.") from error
    reason = describe_wrong_output(single, 1, num_classes)
    if reason:
        raise ParameterError(f"{name} {reason}")
    close = partial(torch.allclose, rtol=0, atol=_TOLERANCE * float(first.abs().max()), equal_nan=True)
    is_random = not close(first, second)
    return is_random, not is_random and not close(first[:1], single.float())


@torch.no_grad()
def _is_bounded(module: nn.Module, images: Tensor) -> bool:
    """Return whether all outputs are between 0 and 1, also for parameters with other signs, in copies of the module."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):  # the module may draw numbers
        for _ in range(_N_FLIPS):
            try:
                output = read_logits(_run(module, images))
            except Exception:  # the code is the user's, and may need positive parameters
                return False
            if not bool(((output > 0) & (output < 1)).all()):
                return False
            module = copy_module(module)
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

"""Network `ensemble`: several networks averaged in one module, one weights file and one ONNX graph."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from skconv.exceptions import ParameterError
from skconv.networks.blocks import Network
from skconv.networks.input_normalization import InputNormalization
from skconv.networks.logit_calibration import LogitCalibration, to_double
from skconv.networks.options import check_option
from skconv.networks.registry import SHAPE_OPTIONS, register_network
from skconv.networks.spec import NetworkSpec

AVERAGES = ("probabilities", "logits")
_MAX_MEMBERS = 1000  # limits the time to load an altered model folder


class EnsembleNormalization:
    """Input normalization of all members with the interface of one `InputNormalization`.

    This class is not a module, so that weights files contain the buffers of the members only once.
    """

    def __init__(self, layers: Sequence[InputNormalization]) -> None:
        self.layers = list(layers)

    def fit(self, images: Tensor) -> None:
        """Fit the input normalization of each member on images (n, in_channels, height, width) of any dtype."""
        for layer in self.layers:
            layer.fit(images)

    @contextmanager
    def statistics_of(self, images: Tensor) -> Iterator[None]:
        """Normalize with the statistics of `images` in each member, inside the block."""
        with ExitStack() as stack:
            for layer in self.layers:
                stack.enter_context(layer.statistics_of(images))
            yield

    @property
    def mean(self) -> Tensor:
        """Mean of the members' means, shape (in_channels, 1, 1)."""
        return torch.stack([layer.mean for layer in self.layers]).mean(0)

    @property
    def std(self) -> Tensor:
        """Mean of the members' standard deviations, shape (in_channels, 1, 1)."""
        return torch.stack([layer.std for layer in self.layers]).mean(0)


class EnsembleCalibration:
    """Logit calibration of all members, with the interface of one `LogitCalibration`; not a module."""

    def __init__(self, layers: Sequence[LogitCalibration]) -> None:
        self.layers = list(layers)

    def undo_smoothing(self, label_smoothing: float) -> None:
        """Set the label smoothing to undo in every member, 0..1: the value used in training."""
        for layer in self.layers:
            layer.undo_smoothing(label_smoothing)

    def scale(self, factor: float) -> None:
        """Multiply the logits of every member by `factor`."""
        for layer in self.layers:
            layer.scale(factor)

    def shift(self, biases: Sequence[float]) -> None:
        """Add `biases`, one per class, to the logits of every member."""
        for layer in self.layers:
            layer.shift(biases)


class EnsembleNetwork(Network):
    """Average of several networks; each member normalizes images and calibrates logits itself.

    By default, probabilities are averaged. The mean of logits is the normalized geometric mean of the probabilities.
    """

    def __init__(self, members: Sequence[Network], average: str = "probabilities") -> None:
        super().__init__(
            cast(InputNormalization, EnsembleNormalization([member.input_normalization for member in members])),
            cast(LogitCalibration, EnsembleCalibration([member.logit_calibration for member in members])),
        )
        self.members = nn.ModuleList(members)
        self.average = average
        self.channels_last = all(member.channels_last for member in members)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, num_classes) of images (n, in_channels, height, width)."""
        logits = torch.stack([member(images) for member in self.members])  # (members, n, num_classes)
        if self.average == "logits":
            return logits.mean(0)
        # Average in log space, because probabilities can underflow to 0.
        mean = to_double(logits).log_softmax(2).logsumexp(0) - math.log(len(self.members))
        return mean.to(logits.dtype)


def check_ensemble(*, members: Any, network: Any, average: Any) -> None:
    """Raise `ParameterError` for an invalid number of members, member network or average."""
    check_option("members", members, 1, _MAX_MEMBERS, integer=True)
    if NetworkSpec.read(network).name == "ensemble":
        raise ParameterError("The members of an ensemble must be networks other than 'ensemble', such as 'plain'.")
    if average not in AVERAGES:
        names = ", ".join(map(repr, AVERAGES))
        raise ParameterError(f"The network's option 'average' is {average!r}; expected one of {names}.")


def first_member(network: nn.Module) -> nn.Module:
    """Return the first member of an ensemble, or the network itself."""
    return network.members[0] if isinstance(network, EnsembleNetwork) else network


@register_network
def ensemble(
    *,
    members: int = 5,
    network: Any = "plain",
    network_options: Mapping[str, Any] | None = None,
    average: str = "probabilities",
    **shape: Any,
) -> Network:
    """Average of several networks of the same architecture, as in a k-fold ensemble.

    Options: members (number of networks, 5), network (name of the members' network, plain; from Python, also a class
    or function), network_options (mapping of options of that network), average (probabilities or logits).
    """
    check_ensemble(members=members, network=network, average=average)
    options = {} if network_options is None else network_options
    if not isinstance(options, Mapping) or SHAPE_OPTIONS & set(options):
        raise ParameterError(
            f"The network's option 'network_options' is {options!r}; expected a mapping of options of '{network}', as "
            f"listed by: skconv networks {network}"
        )
    spec = NetworkSpec.read(network, options)
    return EnsembleNetwork([spec.create(**shape) for _ in range(members)], average)

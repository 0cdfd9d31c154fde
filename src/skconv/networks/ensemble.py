"""`ensemble`: several networks of one kind as one network, so that one file and one graph hold them all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from skconv.exceptions import ParameterError
from skconv.networks.blocks import Network
from skconv.networks.scaling import Scaling
from skconv.networks.registry import check_option, create_network, register_network

AVERAGES = ("probabilities", "logits")
_MOST_MEMBERS = 1000  # an altered configuration must not keep a reader busy for hours
_FIXED = {"in_channels", "image_size", "num_classes"}


class MemberScalings:
    """The scalings of several networks, set and read as if they were one; each network applies its own.

    It is no layer: the buffers are the members', and weights files hold them once.

    Parameters
    ----------
    scalings : sequence of Scaling
        At least one, all of as many channels.
    """

    def __init__(self, scalings: Sequence[Scaling]) -> None:
        self.scalings = list(scalings)

    def fit(self, images: Tensor) -> None:
        """Set each from pictures (n, in_channels, height, width) of any dtype."""
        for scaling in self.scalings:
            scaling.fit(images)

    @property
    def mean(self) -> Tensor:
        """The mean of the members' means, (in_channels, 1, 1)."""
        return torch.stack([scaling.mean for scaling in self.scalings]).mean(0)

    @property
    def std(self) -> Tensor:
        """The mean of the members' standard deviations, (in_channels, 1, 1)."""
        return torch.stack([scaling.std for scaling in self.scalings]).mean(0)


class EnsembleNetwork(Network):
    """Networks whose answers are averaged; each scales the pictures by itself.

    Parameters
    ----------
    members : sequence of Network
        At least one; all take the same pictures and return logits of the same classes.
    average : {"probabilities", "logits"}, default="probabilities"
        What is averaged. The mean of the logits is the geometric mean of the probabilities, brought back to a sum of 1.
    """

    def __init__(self, members: Sequence[Network], average: str = "probabilities") -> None:
        scaling = MemberScalings([member.scaling for member in members])
        super().__init__(cast(Scaling, scaling))  # used like one by all who set or ask a network's scaling
        self.members = nn.ModuleList(members)
        self.average = average

    def shift_logits(self, amounts: Sequence[float]) -> None:
        """Add `amounts`, one a class, to the logits of every member, for good."""
        for member in self.members:
            cast(Network, member).shift_logits(amounts)

    def scale_logits(self, factor: float) -> None:
        """Multiply all logits of every member, for good."""
        for member in self.members:
            cast(Network, member).scale_logits(factor)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, num_classes) of pictures (n, in_channels, height, width).

        Their softmax is the mean of the members' probabilities, or of their logits.
        """
        logits = torch.stack([member(images) for member in self.members])  # (members, n, num_classes)
        if self.average == "logits":
            return logits.mean(0)
        # The log of a mean of softmaxes, without a probability that could underflow to 0. In double precision, so that
        # where a picture stands in its batch cannot turn the last bit of its answer.
        exact = logits if logits.device.type == "mps" else logits.double()  # Apple's GPUs have none
        mean = exact.log_softmax(2).logsumexp(0) - math.log(len(self.members))
        return mean.to(logits.dtype)


def check_ensemble(*, members: Any, network: Any, average: Any) -> None:
    """Raise `ParameterError` unless so many networks of that name can be averaged in that way."""
    check_option("members", members, 1, _MOST_MEMBERS, whole=True)
    if not isinstance(network, str) or network == "ensemble":
        raise ParameterError(
            f"The members of an ensemble are networks of one kind and no ensembles. Got {network!r} instead of a name "
            "such as 'standard'."
        )
    if average not in AVERAGES:
        raise ParameterError(f"'average' must be one of {', '.join(map(repr, AVERAGES))}. Got {average!r} instead.")


@register_network
def ensemble(
    *,
    in_channels: int,
    image_size: tuple[int, int],
    num_classes: int,
    members: int = 5,
    network: str = "standard",
    network_options: Mapping[str, Any] | None = None,
    average: str = "probabilities",
) -> Network:
    """Several networks of one kind, their answers averaged: the form a k-fold ensemble is saved in.

    Options: members (how many, 5), network (their name, standard), network_options (a mapping of their options),
    average (probabilities or logits).
    """
    check_ensemble(members=members, network=network, average=average)
    options = {} if network_options is None else network_options
    if not isinstance(options, Mapping) or _FIXED & set(options):
        raise ParameterError(
            f"The network's option 'network_options' is {options!r}; expected a mapping of options of '{network}', as "
            f"skconv networks {network} lists them."
        )
    shape: dict[str, Any] = {"in_channels": in_channels, "image_size": image_size, "num_classes": num_classes}
    return EnsembleNetwork([create_network(network, **shape, **options) for _ in range(members)], average)

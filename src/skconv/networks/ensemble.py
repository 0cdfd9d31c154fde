"""`ensemble`: several networks of one kind as one network, so that one file and one graph hold them all."""

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
from skconv.networks.registry import check_option, create_network, register_network

AVERAGES = ("probabilities", "logits")
_MOST_MEMBERS = 1000  # an altered configuration must not keep a reader busy for hours
_FIXED = {"in_channels", "image_size", "num_classes"}


class EnsembleNormalization:
    """The scalings of several networks, set and read as if they were one; each network applies its own.

    It is no layer: the buffers are the members', and weights files hold them once.

    Parameters
    ----------
    scalings : sequence of Scaling
        At least one, all of as many channels.
    """

    def __init__(self, normalizations: Sequence[InputNormalization]) -> None:
        self.normalizations = list(normalizations)

    def fit(self, images: Tensor) -> None:
        """Set each from images (n, in_channels, height, width) of any dtype."""
        for input_normalization in self.normalizations:
            input_normalization.fit(images)

    @contextmanager
    def statistics_of(self, images: Tensor) -> Iterator[None]:
        """Within this context, let each scale all images as these are."""
        with ExitStack() as contexts:
            for input_normalization in self.normalizations:
                contexts.enter_context(input_normalization.statistics_of(images))
            yield

    @property
    def mean(self) -> Tensor:
        """The mean of the members' means, (in_channels, 1, 1)."""
        return torch.stack([input_normalization.mean for input_normalization in self.normalizations]).mean(0)

    @property
    def std(self) -> Tensor:
        """The mean of the members' standard deviations, (in_channels, 1, 1)."""
        return torch.stack([input_normalization.std for input_normalization in self.normalizations]).mean(0)


class EnsembleCalibration:
    """The answers of several networks, set as if they were one; no layer either.

    Parameters
    ----------
    answers : sequence of Answers
        At least one, all of as many classes.
    """

    def __init__(self, logit_calibration: Sequence[LogitCalibration]) -> None:
        self.logit_calibration = list(logit_calibration)

    def undo_smoothing(self, share: float) -> None:
        """Treat the logits of every member as trained on labels smoothed by `share`."""
        for logit_calibration in self.logit_calibration:
            logit_calibration.undo_smoothing(share)

    def scale(self, factor: float) -> None:
        """Multiply the logits of every member."""
        for logit_calibration in self.logit_calibration:
            logit_calibration.scale(factor)

    def shift(self, amounts: Sequence[float]) -> None:
        """Add `amounts`, one a class, to the logits of every member."""
        for logit_calibration in self.logit_calibration:
            logit_calibration.shift(amounts)


class EnsembleNetwork(Network):
    """Networks whose answers are averaged; each scales the images by itself.

    Parameters
    ----------
    members : sequence of Network
        At least one; all take the same images and return logits of the same classes.
    average : {"probabilities", "logits"}, default="probabilities"
        What is averaged. The mean of the logits is the geometric mean of the probabilities, brought back to a sum of 1.
    """

    def __init__(self, members: Sequence[Network], average: str = "probabilities") -> None:
        input_normalization = EnsembleNormalization([member.input_normalization for member in members])
        logit_calibration = EnsembleCalibration([member.logit_calibration for member in members])
        super().__init__(
            cast(InputNormalization, input_normalization), cast(LogitCalibration, logit_calibration)
        )  # used like them by all who set or ask them
        self.members = nn.ModuleList(members)
        self.average = average

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (n, num_classes) of images (n, in_channels, height, width).

        Their softmax is the mean of the members' probabilities, or of their logits.
        """
        logits = torch.stack([member(images) for member in self.members])  # (members, n, num_classes)
        if self.average == "logits":
            return logits.mean(0)
        # The log of a mean of softmaxes, without a probability that could underflow to 0.
        mean = to_double(logits).log_softmax(2).logsumexp(0) - math.log(len(self.members))
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

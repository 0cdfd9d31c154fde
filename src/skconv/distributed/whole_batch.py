"""Layers that look at a whole batch, where each of several processes has a share of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from skconv.distributed.process_group import BatchShard, ProcessGroup

_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


@contextmanager
def synchronize_layers(
    network: nn.Module, processes: ProcessGroup, get_share: Callable[[], BatchShard]
) -> Iterator[None]:
    """Let batch norm and dropout, inside the block and in training mode, do to a share what they do to a whole batch.

    Batch norm takes mean and variance over the shares of all processes (torch's own `SyncBatchNorm` is for GPUs only),
    dropout draws for the whole batch and takes its share. The modules and their names stay what they are.

    Parameters
    ----------
    network : torch.nn.Module
        The network in training.
    processes : Processes
        All of them have to run the same layers in the same order.
    get_share : callable
        Returns the share of the batch at hand.
    """
    changed: list[Any] = []
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            changed.append((module, partial(_normalise, module, processes)))
        elif isinstance(module, _DROPOUTS):
            changed.append((module, partial(_drop, module, get_share)))
    for module, forward in changed:
        module.forward = forward
    try:
        yield
    finally:
        for module, _ in changed:
            del module.forward


def _drop(module: nn.Module, get_share: Callable[[], BatchShard], inputs: Tensor) -> Tensor:
    plain = type(module).forward
    if not module.training:
        return plain(module, inputs)
    share = get_share()
    rows, rest = divmod(len(inputs), share.stop - share.start)  # a layer may see several parts of each image
    if rest:
        return plain(module, inputs)
    ones = (
        torch.ones_like(inputs[:1])
        .expand(share.whole * rows, *inputs.shape[1:])
        .contiguous(memory_format=torch.channels_last if inputs.ndim == 4 else torch.contiguous_format)
    )
    return inputs * plain(module, ones)[share.start * rows : share.stop * rows]


def _normalise(module: Any, processes: ProcessGroup, inputs: Tensor) -> Tensor:
    if not module.training:
        return type(module).forward(module, inputs)
    unit = _widen(inputs.new_ones(inputs.shape[1]))
    weight = unit if module.weight is None else module.weight
    bias = torch.zeros_like(unit) if module.bias is None else module.bias
    outputs, mean, variance, count = _WholeBatchNorm.apply(inputs, weight, bias, module.eps, processes)
    if module.track_running_stats:
        module.num_batches_tracked.add_(1)
        momentum = 1 / float(module.num_batches_tracked) if module.momentum is None else module.momentum
        with torch.no_grad():
            module.running_mean.lerp_(mean, momentum)
            module.running_var.lerp_(variance * (count / (count - 1)), momentum)
    return outputs


class _WholeBatchNorm(torch.autograd.Function):
    """Batch norm of a share (n, channels, …) by the statistics of all shares."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, epsilon: float, processes: ProcessGroup
    ) -> tuple[Tensor, ...]:
        axes = [axis for axis in range(inputs.ndim) if axis != 1]
        variance, mean = torch.var_mean(_widen(inputs), axes, correction=0)
        count = mean.new_tensor([inputs.numel() // inputs.shape[1]])
        # One exchange. Merging means and variances of the shares keeps the digits that sums of squares would lose.
        counts, means, variances = processes.gather(torch.cat([count, mean, variance])).split(
            [1, len(mean), len(mean)], dim=1
        )  # (processes, 1), (processes, channels), (processes, channels)
        total = counts.sum()
        mean = (counts * means).sum(0) / total
        variance = (counts * (variances + (means - mean) ** 2)).sum(0) / total
        ctx.save_for_backward(inputs, weight, mean, torch.rsqrt(variance + epsilon), total)
        ctx.axes, ctx.processes = axes, processes
        ctx.mark_non_differentiable(mean, variance, total)
        return F.batch_norm(inputs, mean, variance, weight, bias, eps=epsilon), mean, variance, total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight, mean, scale, total = ctx.saved_tensors
        shape = [1, -1] + [1] * (inputs.ndim - 2)
        centred = _widen(inputs) - mean.view(shape)
        gradient = _widen(gradient)
        # Of this share: the optimizer's gradients are added up over the processes later, with all others.
        for_bias, for_weight = gradient.sum(ctx.axes), (gradient * centred).sum(ctx.axes) * scale
        of_bias, of_weight = ctx.processes.all_reduce(torch.stack([for_bias, for_weight])) / total
        for_inputs = gradient - of_bias.view(shape) - centred * (of_weight * scale).view(shape)
        for_inputs = for_inputs * (weight * scale).view(shape)
        return for_inputs.to(inputs.dtype), for_weight, for_bias, None, None


def _widen(tensor: Tensor) -> Tensor:
    """Return values in which sums over a batch can be taken."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))

"""Batch norm and dropout synchronised over the shards of a batch.

Implemented here because torch's `SyncBatchNorm` supports GPUs only and torch has no synchronised dropout.
"""

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
    network: nn.Module, process_group: ProcessGroup, get_shard: Callable[[], BatchShard]
) -> Iterator[None]:
    """Synchronise batch norm and dropout in training mode over the shards of a batch, inside the block.

    Batch norm computes mean and variance over all shards. Dropout draws a mask for the whole batch and applies the rows
    of its shard. Modules and parameter names do not change. All processes must run the same layers in the same order;
    `get_shard` returns the shard of the current batch.
    """
    synchronized: list[tuple[Any, Callable[[Tensor], Tensor]]] = []
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            synchronized.append((module, partial(_batch_norm, module, process_group)))
        elif isinstance(module, _DROPOUTS):
            synchronized.append((module, partial(_dropout, module, get_shard)))
    for module, forward in synchronized:
        module.forward = forward
    try:
        yield
    finally:
        for module, _ in synchronized:
            del module.forward


def _dropout(module: nn.Module, get_shard: Callable[[], BatchShard], inputs: Tensor) -> Tensor:
    forward = type(module).forward
    if not module.training:
        return forward(module, inputs)
    shard = get_shard()
    rows, rest = divmod(len(inputs), shard.stop - shard.start)  # the input may have several rows per image
    if rest:
        return forward(module, inputs)
    ones = (
        torch.ones_like(inputs[:1])
        .expand(shard.batch_size * rows, *inputs.shape[1:])
        .contiguous(memory_format=torch.channels_last if inputs.ndim == 4 else torch.contiguous_format)
    )
    return inputs * forward(module, ones)[shard.start * rows : shard.stop * rows]


def _batch_norm(module: Any, process_group: ProcessGroup, inputs: Tensor) -> Tensor:
    if not module.training:
        return type(module).forward(module, inputs)
    ones = _to_float32(inputs.new_ones(inputs.shape[1]))
    weight = ones if module.weight is None else module.weight
    bias = torch.zeros_like(ones) if module.bias is None else module.bias
    outputs, mean, variance, count = _SynchronizedBatchNorm.apply(inputs, weight, bias, module.eps, process_group)
    if module.track_running_stats:
        module.num_batches_tracked.add_(1)
        momentum = 1 / float(module.num_batches_tracked) if module.momentum is None else module.momentum
        with torch.no_grad():
            module.running_mean.lerp_(mean, momentum)
            module.running_var.lerp_(variance * (count / (count - 1)), momentum)
    return outputs


class _SynchronizedBatchNorm(torch.autograd.Function):
    """Batch norm of a shard (n, channels, …) with the statistics of the whole batch."""

    @staticmethod
    def forward(
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, eps: float, process_group: ProcessGroup
    ) -> tuple[Tensor, ...]:
        axes = [axis for axis in range(inputs.ndim) if axis != 1]
        variance, mean = torch.var_mean(_to_float32(inputs), axes, correction=0)
        count = mean.new_tensor([inputs.numel() // inputs.shape[1]])
        # Combine the means and variances of the shards, because sums of squares lose precision.
        counts, means, variances = process_group.gather(torch.cat([count, mean, variance])).split(
            [1, len(mean), len(mean)], dim=1
        )  # (processes, 1), (processes, channels), (processes, channels)
        total = counts.sum()
        mean = (counts * means).sum(0) / total
        variance = (counts * (variances + (means - mean) ** 2)).sum(0) / total
        ctx.save_for_backward(inputs, weight, mean, torch.rsqrt(variance + eps), total)
        ctx.axes, ctx.process_group = axes, process_group
        ctx.mark_non_differentiable(mean, variance, total)
        return F.batch_norm(inputs, mean, variance, weight, bias, eps=eps), mean, variance, total

    @staticmethod
    def backward(ctx: Any, grad_output: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight, mean, inverse_std, total = ctx.saved_tensors
        shape = [1, -1] + [1] * (inputs.ndim - 2)
        centred = _to_float32(inputs) - mean.view(shape)
        grad_output = _to_float32(grad_output)
        # These gradients are of this shard only, because the training step sums them over the processes.
        grad_bias, grad_weight = grad_output.sum(ctx.axes), (grad_output * centred).sum(ctx.axes) * inverse_std
        mean_bias, mean_weight = ctx.process_group.all_reduce(torch.stack([grad_bias, grad_weight])) / total
        grad_input = grad_output - mean_bias.view(shape) - centred * (mean_weight * inverse_std).view(shape)
        grad_input = grad_input * (weight * inverse_std).view(shape)
        return grad_input.to(inputs.dtype), grad_weight, grad_bias, None, None


def _to_float32(tensor: Tensor) -> Tensor:
    """Convert bfloat16 to float32, because sums over a batch lose too much precision in bfloat16."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))

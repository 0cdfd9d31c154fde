"""Copies of modules, also of those that `copy.deepcopy` refuses."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedBuffer

Module = TypeVar("Module", bound=nn.Module)


def copy_module(module: Module) -> Module:
    """Return a deep copy of a module.

    `copy.deepcopy` fails for tensors that result from a computation, such as the weights of
    `torch.nn.utils.weight_norm` or an activation that a hook has stored, and for buffers of lazy layers. The former are
    copied without their gradient function.
    """
    copies: dict[int, Tensor] = {}
    for owner in module.modules():
        for tensor in _list_tensors(vars(owner)):
            if isinstance(tensor, UninitializedBuffer):
                data = tensor.data
                create: Any = UninitializedBuffer  # the annotations of torch lack its arguments
                copies[id(tensor)] = create(device=data.device, dtype=data.dtype)
            elif not tensor.is_leaf:
                copies[id(tensor)] = tensor.detach().clone()
    with torch.no_grad():  # otherwise, the copied parameters of torch.jit are no leaves
        copied = copy.deepcopy(module, copies)
    for parameter, original in zip(copied.parameters(), module.parameters(), strict=True):
        if parameter.requires_grad != original.requires_grad:  # torch.jit does not copy it
            parameter.requires_grad_(original.requires_grad)
    return copied


def _list_tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _list_tensors(each)

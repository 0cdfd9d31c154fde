"""Standard settings of torch for training and prediction, independent of those of the caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch


@contextmanager
def standard_torch_state() -> Iterator[None]:
    """Use torch's standard dtype, device and gradient mode in the block or function, and restore the caller's settings.

    The weights would otherwise depend on ``torch.set_default_dtype``, and training would fail in ``torch.no_grad``,
    ``torch.inference_mode``, ``torch.autocast`` or on another default device.

    Examples
    --------
    >>> with torch.no_grad(), standard_torch_state():
    ...     torch.is_grad_enabled()
    True
    """
    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":  # the context slows down every call of torch
            stack.enter_context(torch.device("cpu"))
        torch.set_default_dtype(torch.float32)
        try:
            yield
        finally:
            torch.set_default_dtype(dtype)

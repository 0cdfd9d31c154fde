"""Which arithmetic to train in: measured on this machine once, not guessed from its name."""

from __future__ import annotations

import time
from functools import lru_cache

import torch
from torch import nn

_LEAST_GAIN = 1.3  # below this the choice could flip from run to run with the machine's noise


@lru_cache(maxsize=8)
def choose_precision(device: str) -> str:
    """Return ``"bf16"`` where autocast to bfloat16 in channels_last order is clearly faster, else ``"fp32"``.

    On a CPU one small convolution is timed forward and backward in both (about 20 ms, once a process): processors
    with matrix units gain several times, others lose as much. CUDA devices are asked; other devices stay in fp32.

    Parameters
    ----------
    device : str
        ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``.

    Returns
    -------
    str
        ``"bf16"`` or ``"fp32"``.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if kind != "cpu":
        return "fp32"
    with torch.random.fork_rng(devices=[]):
        layer = nn.Conv2d(32, 32, 3, padding=1)
        images = torch.randn(32, 32, 14, 14).contiguous(memory_format=torch.channels_last)
    fp32, bf16 = (min(_time_step(layer, images, enabled) for _ in range(5)) for enabled in (False, True))
    return "bf16" if fp32 / bf16 >= _LEAST_GAIN else "fp32"


def _time_step(layer: nn.Module, images: torch.Tensor, autocast: bool) -> float:
    start = time.perf_counter()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        result = layer(images)
    result.sum().backward()
    return time.perf_counter() - start

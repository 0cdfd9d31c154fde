"""Which arithmetic to train in: measured on this machine once, not guessed from its name."""

from __future__ import annotations

import time
from functools import lru_cache

import torch
from torch.nn import functional as F

_LEAST_GAIN = 1.3  # below this the choice could flip from run to run with the machine's noise
_REPEATS = 8  # the first warms up, the best of the rest counts


@lru_cache(maxsize=8)
def choose_precision(device: str) -> str:
    """Return ``"bf16"`` where autocast to bfloat16 in channels_last order is clearly faster, else ``"fp32"``.

    On a CPU one small convolution is timed in both (some 10 ms, once a process): processors with matrix units gain
    several times, others lose as much. CUDA devices are asked; other devices stay in fp32.

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
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        fp32, bf16 = (_time_convolution(dtype) for dtype in (torch.float32, torch.bfloat16))
    finally:
        torch.set_num_threads(threads)
    return "bf16" if fp32 / bf16 >= _LEAST_GAIN else "fp32"


@torch.inference_mode()
def _time_convolution(dtype: torch.dtype) -> float:
    """Return the processor's seconds for one convolution: the time other programs take does not count."""
    images = torch.ones(32, 32, 14, 14, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.ones(32, 32, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    seconds = []
    for _ in range(_REPEATS):
        start = time.thread_time()
        F.conv2d(images, weight, padding=1)
        seconds.append(time.thread_time() - start)
    return min(seconds)

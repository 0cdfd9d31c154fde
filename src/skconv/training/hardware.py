"""Measurement of the processor for the choice of the precision."""

from __future__ import annotations

import time
from functools import lru_cache

import torch
from torch.nn import functional as F

_MIN_BF16_SPEEDUP = 1.3  # a smaller speed-up is within timing noise, so the choice would vary between runs
_REPEATS = 8  # the first is a warm-up; the minimum time is used


@lru_cache(maxsize=8)
def choose_precision(device: str) -> str:
    """Return ``"bf16"`` if autocast to bfloat16 is clearly faster than float32 on `device`, else ``"fp32"``.

    On a CPU, a small convolution is timed in both precisions (10 ms, once per process): processors with matrix units
    are several times faster in bfloat16, others slower. CUDA devices report their support; other devices use fp32.
    """
    kind = torch.device(device).type
    if kind == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    if kind != "cpu":
        return "fp32"
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        fp32, bf16 = (_time_convolution(dtype) for dtype in (torch.float32, torch.bfloat16))
    finally:
        torch.set_num_threads(n_threads)
    return "bf16" if fp32 / bf16 >= _MIN_BF16_SPEEDUP else "fp32"


@torch.inference_mode()
def _time_convolution(dtype: torch.dtype) -> float:
    """Return the processor time of one convolution in seconds, excluding other programs."""
    images = torch.ones(32, 32, 14, 14, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.ones(32, 32, 3, 3, dtype=dtype).contiguous(memory_format=torch.channels_last)
    seconds = []
    for _ in range(_REPEATS):
        start = time.thread_time()
        F.conv2d(images, weight, padding=1)
        seconds.append(time.thread_time() - start)
    return min(seconds)

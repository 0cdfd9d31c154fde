"""Whether the processor is free: training on all cores suffers badly from a neighbour on one of them."""

from __future__ import annotations

import time

import torch
from torch.nn import functional as F

_SECONDS = 0.06  # several turns of the system's scheduler
_LEAST_GAIN = 0.8  # two free cores gain 1.5 and more; with one of them taken, the threads wait for each other


def describe_busy_processor() -> str | None:
    """Return a sentence where several threads are now slower than one, because other programs use the cores.

    The threads of a training step wait for the slowest at every layer. A program that takes one core of two does not
    halve the speed: it can make training ten times slower. It is measured, in about a tenth of a second.
    """
    threads = torch.get_num_threads()
    if threads == 1:
        return None
    try:
        together = _count_convolutions()
        torch.set_num_threads(1)
        alone = _count_convolutions()
    finally:
        torch.set_num_threads(threads)
    if together / alone >= _LEAST_GAIN:
        return None
    return (
        f"Other programs use the processor: {threads} threads are now {alone / together:.1f} times slower than one. "
        "Wait for them, or set OMP_NUM_THREADS=1."
    )


@torch.inference_mode()
def _count_convolutions() -> float:
    """Return the convolutions made in a second."""
    images, weight = torch.ones(32, 32, 14, 14), torch.ones(32, 32, 3, 3)
    F.conv2d(images, weight, padding=1)  # the first prepares the kernel
    start, n = time.perf_counter(), 0
    while n < 1 or time.perf_counter() - start < _SECONDS:
        F.conv2d(images, weight, padding=1)
        n += 1
    return n / (time.perf_counter() - start)

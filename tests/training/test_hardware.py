"""Measured precision and the warning about a busy processor."""

import os
import subprocess
import sys
import time

import pytest
import torch

from skconv.training.hardware import choose_precision, describe_busy_processor

CORES = os.cpu_count() or 1


@pytest.fixture
def set_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_precision_is_repeatable_and_leaves_threads_and_random_state_unchanged():
    torch.manual_seed(0)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    choices = set()
    for _ in range(5):
        choose_precision.cache_clear()
        choices.add(choose_precision("cpu"))
    assert len(choices) == 1 and choices <= {"fp32", "bf16"}
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)


@pytest.mark.skipif(CORES < 2, reason="needs two cores")
def test_busy_cores_are_reported(set_threads):
    set_threads(CORES)
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(CORES)]
    try:
        warning, deadline = None, time.monotonic() + 20  # the scheduler can favour a single measurement
        while warning is None and time.monotonic() < deadline:
            warning = describe_busy_processor()
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert warning is not None and "OMP_NUM_THREADS=1" in warning
    assert torch.get_num_threads() == CORES


def test_one_thread_is_never_reported(set_threads):
    set_threads(1)
    assert describe_busy_processor() is None

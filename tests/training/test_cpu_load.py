"""A busy processor is noticed by measuring, and the number of threads is left as it was."""

import os
import subprocess
import sys
import time

import pytest
import torch

from skconv.training.cpu_load import describe_busy_processor

CORES = os.cpu_count() or 1


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.skipif(CORES < 2, reason="one core has no neighbour")
def test_a_neighbour_on_every_core_is_told(threads):
    threads(CORES)
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(CORES)]
    try:
        said, deadline = None, time.monotonic() + 20  # a single measurement can be lucky with the scheduler
        while said is None and time.monotonic() < deadline:
            said = describe_busy_processor()
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert said is not None and "OMP_NUM_THREADS=1" in said
    assert torch.get_num_threads() == CORES


def test_one_thread_is_never_too_many(threads):
    threads(1)
    assert describe_busy_processor() is None

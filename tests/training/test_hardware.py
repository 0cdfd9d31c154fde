"""Measured precision."""

import torch

from skconv.training.hardware import choose_precision


def test_precision_is_repeatable_and_leaves_threads_and_random_state_unchanged():
    torch.manual_seed(0)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    choices = set()
    for _ in range(5):
        choose_precision.cache_clear()
        choices.add(choose_precision("cpu"))
    assert len(choices) == 1 and choices <= {"fp32", "bf16"}
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)

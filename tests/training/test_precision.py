"""The measured choice of arithmetic."""

import torch

from skconv.training.precision import choose_precision


def test_the_choice_is_repeatable_and_leaves_threads_and_random_numbers_alone():
    torch.manual_seed(0)
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    choices = set()
    for _ in range(5):
        choose_precision.cache_clear()
        choices.add(choose_precision("cpu"))
    assert len(choices) == 1 and choices <= {"fp32", "bf16"}
    assert torch.get_num_threads() == threads and torch.equal(torch.get_rng_state(), state)

"""Number of steps and epochs of a training."""

import pytest

from skconv.training.config import TrainingConfig, count_steps


@pytest.mark.parametrize(
    ("arguments", "options", "expected"),
    [
        ((2.5, 10), {}, (25, 3)),
        ((0.01, 10), {}, (1, 1)),
        ((1, 10, 35), {}, (35, 4)),
        (("auto", 500), {}, (3000, 6)),
        (("auto", 500), {"optimizer": "muon"}, (1500, 3)),
        (("auto", 1), {"n_images": 80}, (80, 80)),
        (("auto", 1), {"n_images": 5000}, (100, 100)),
    ],
)
def test_count_steps(arguments, options, expected):
    assert count_steps(*arguments, **options) == expected


def test_one_cycle_needs_a_number_of_steps():
    assert TrainingConfig(n_steps=5, schedule="one-cycle").is_one_cycle
    assert not TrainingConfig(n_steps=None, schedule="one-cycle").is_one_cycle
    assert not TrainingConfig(n_steps=5).is_one_cycle

"""Number of threads: limits, adaptation to other programs, restoration."""

import threading
import warnings

import numpy as np
import pytest
import torch

from skconv import CNNClassifier
from skconv.exceptions import ParameterError
from skconv.training import threads
from skconv.training.threads import ThreadCount, adapt_threads, count_max_threads, use_threads


class FakeLoad:
    """Load with given numbers of free processors, one measurement per 0.1 s."""

    def __init__(self, free, seconds=0.1):
        self.free, self.seconds = list(free), seconds

    def count_free(self):
        return self.free.pop(0) if len(self.free) > 1 else self.free[0]


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def load(monkeypatch, two_threads):
    """Return a function that sets the free processors of all measurements of a machine with two processors."""
    monkeypatch.setattr(threads, "count_cpus", lambda: 2)
    monkeypatch.setattr(threads, "_local", threading.local())
    monkeypatch.setattr(threads, "_has_warned", False)

    def set_load(*free):
        fake = FakeLoad(free)
        monkeypatch.setattr(threads, "CpuLoad", lambda: fake)

    return set_load


def count(n_max, free, seconds=0.1):
    result = ThreadCount(n_max)
    result._load = FakeLoad(free, seconds)
    numbers = []
    for _ in free:
        result.update()
        numbers.append(result.n)
    return numbers


@pytest.mark.parametrize(
    ("n_max", "free", "expected"),
    [
        (2, [2, 2, 1.8, 1.9], [2, 2, 2, 2]),
        (2, [2, 1, 1, 2, 1, 1], [2, 2, 2, 2, 2, 2]),  # short tasks of another program
        (2, [1.1, 1.0, 1.0, 1.0], [2, 2, 1, 1]),
        (2, [0.3, 0.2, 0.2], [2, 2, 1]),
        (2, [1.0, 1.0, 1.0, *[2] * 10], [2, 2, *[1] * 10, 2]),
        (16, [13.2, 12.9, 13.1, 13.3], [16, 16, 13, 13]),
        (16, [9, 9, 3], [16, 16, 9]),
        (1, [0, 0], [1, 1]),
        (2, [None, None], [2, 2]),
    ],
)
def test_threads_follow_the_free_processors(n_max, free, expected):
    assert count(n_max, free) == expected


def test_long_measurement_counts_as_two():
    assert count(2, [1.0, 1.0], seconds=3) == [2, 1]
    assert count(2, [1.0, 1.0], seconds=0.1) == [2, 2]
    assert count(2, [1.0, 2.0], seconds=3) == [2, 2]  # a program that gave way to the training
    assert count(2, [1.0] * 9, seconds=0.05) == [2] * 9


def test_threads_are_adapted_and_restored(load):
    load(1.0)
    warned = pytest.warns(UserWarning, match=r"Other programs use the processors.* 1 of 2 threads.*n_threads")
    with warned as notes:
        for n in (2, 1):  # the next training starts with the adapted number, and repeats no warning
            with use_threads("auto", warn=True) as use:
                assert torch.get_num_threads() == n
                for _ in range(3):
                    adapt_threads()
                assert torch.get_num_threads() == use.lowest == 1
                assert count_max_threads() == 2
    assert len(notes) == 1 and torch.get_num_threads() == 2
    adapt_threads()  # outside of a block
    assert torch.get_num_threads() == 2


def test_following_training_starts_with_the_adapted_number(load):
    load(1.0)
    with use_threads("auto"):
        for _ in range(3):
            adapt_threads()
    with use_threads("auto") as use:
        assert torch.get_num_threads() == use.lowest == 1
    with use_threads("auto", adapt=False):
        assert torch.get_num_threads() == 2


def test_only_a_fixed_number_changes_that_of_an_outer_block(load):
    load(2.0)
    with use_threads(1):
        with use_threads("auto"):
            assert torch.get_num_threads() == 1
        with use_threads(3):
            assert torch.get_num_threads() == 3
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("n_threads", [2, 3])  # three threads on two processors
def test_fixed_number_stays_and_warns(load, n_threads):
    load(1.0)
    warned = pytest.warns(UserWarning, match=rf"{n_threads} threads may be several times slower than 1.*'auto'")
    with warned, use_threads(n_threads, warn=True) as use:
        for _ in range(3):
            adapt_threads()
        assert torch.get_num_threads() == use.lowest == n_threads
    assert torch.get_num_threads() == 2


def test_fixed_number_above_the_processors_is_no_other_program(load):
    load(2.0)
    with warnings.catch_warnings(), use_threads(3, warn=True):
        warnings.simplefilter("error")
        for _ in range(3):
            adapt_threads()


def test_number_of_the_user_and_of_the_container_limit_auto(load, monkeypatch):
    load(8.0)
    torch.set_num_threads(1)
    with use_threads("auto"):
        assert torch.get_num_threads() == 1
    torch.set_num_threads(6)
    with use_threads("auto"):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == 6


def test_number_is_restored_after_an_error(load):
    load(2.0)
    with pytest.raises(KeyError), use_threads(1):
        raise KeyError
    assert torch.get_num_threads() == 2


def test_fit_adapts_to_another_program_and_reports_it(load):
    load(1.0)
    images, labels = np.zeros((64, 8, 8), np.uint8), np.arange(64) % 2
    with pytest.warns(UserWarning, match="continuing with 1 of 2 threads"):
        classifier = CNNClassifier("fast", max_epochs=3, batch_size=16, random_state=0).fit(images, labels)
    assert classifier.n_threads_ == 1 and torch.get_num_threads() == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier.predict(images)


def test_quiet_fit_has_the_weights_of_the_fixed_number(load):
    load(2.0)
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 255, (300, 12, 12), dtype=np.uint8), np.arange(300) % 3
    quiet, fixed = (
        CNNClassifier("fast", max_epochs=3, n_threads=n_threads, random_state=0).fit(images, labels)
        for n_threads in ("auto", 2)
    )
    assert quiet.n_threads_ == fixed.n_threads_ == 2
    for name, tensor in quiet.net_.module_.state_dict().items():
        assert torch.equal(tensor, fixed.net_.module_.state_dict()[name]), name


@pytest.mark.parametrize("value", [0, -1, 1.5, "two", None, True])
def test_wrong_number_of_threads_is_refused(value):
    with pytest.raises(ParameterError, match=r"'n_threads' parameter must be an integer of at least 1 or 'auto'"):
        CNNClassifier(n_threads=value).fit(np.zeros((4, 8, 8)), [0, 1, 0, 1])

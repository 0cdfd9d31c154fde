"""Time limit of a training, on a clock that advances with each step."""

import numpy as np
import pytest

from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
from skconv.exceptions import ParameterError
from skconv.training import time_limit
from skconv.training.net import ClassifierNet


class Clock:
    """Replacement of the module `time`: each training step takes `seconds`."""

    def __init__(self):
        self.now, self.seconds, self.n_steps = 0.0, 0.1, 0

    def monotonic(self):
        return self.now

    perf_counter = time = monotonic


@pytest.fixture
def clock(monkeypatch):
    clock, step = Clock(), ClassifierNet.train_step
    monkeypatch.setattr(time_limit, "time", clock)
    for module in ("setup", "classifier", "ensemble", "running"):
        monkeypatch.setattr(f"skconv.estimators.{module}.time", clock)

    def train_step(net, batch, **options):
        clock.now += clock.seconds
        clock.n_steps += 1
        if clock.n_steps == 30 and clock.later:
            clock.seconds = clock.later
        return step(net, batch, **options)

    clock.later = None
    monkeypatch.setattr(ClassifierNet, "train_step", train_step)
    return clock


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 255, (100, 8, 8)).astype(np.uint8), np.arange(100) % 2


def fit(images, **settings):
    settings = {"max_epochs": 500, "batch_size": 10, "random_state": 0, "n_threads": 1, "verbose": 1, **settings}
    return CNNClassifier("fast", **settings).fit(*images)


def rates(classifier):
    return [batch["event_lr"] for epoch in classifier.net_.history for batch in epoch["batches"]]


@pytest.mark.parametrize("limit", [20, "20s"])
def test_schedule_has_the_epochs_that_fit(clock, images, limit, capsys):
    classifier = fit(images, time_limit=limit)
    assert 18 < clock.now <= 20
    assert max(rates(classifier)) == pytest.approx(0.01, rel=0.05) and rates(classifier)[-1] < 1e-4
    n_epochs = len(rates(classifier)) / 10  # the last one is incomplete
    assert f"enough for {n_epochs:.3g} of 500 epochs" in capsys.readouterr().err


def test_less_than_an_epoch_is_annealed_too(clock, images):
    classifier = fit(images, time_limit=1.0)
    assert clock.now <= 1.0 and len(rates(classifier)) < 10 and rates(classifier)[-1] < 5e-3


def test_slower_machine_shortens_the_rest(clock, images):
    clock.later = 0.3
    classifier = fit(images, time_limit=20)
    assert 14 < clock.now <= 20 and rates(classifier)[-1] < 1e-3


def test_machine_that_stops_ends_the_training_with_a_message(clock, images, capsys):
    clock.later = 30
    classifier = fit(images, time_limit=20)
    assert classifier.n_epochs_ <= 4 and "slower than planned" in capsys.readouterr().err
    classifier.predict(images[0])


def test_maximum_of_epochs_is_not_exceeded(clock, images):
    assert fit(images, max_epochs=3, time_limit="1h").n_epochs_ == 3


def test_limit_of_an_ensemble_is_for_all_folds(clock, images):
    member = CNNClassifier("fast", max_epochs=500, batch_size=10, time_limit=20, n_threads=1)
    ensemble = KFoldEnsembleClassifier(member, cv=3, random_state=0).fit(*images)
    assert 10 < clock.now <= 20
    epochs = [each.n_epochs_ for each in ensemble.estimators_]
    assert max(epochs) - min(epochs) <= 3


@pytest.mark.parametrize("limit", [0, -1, "soon", "0s", "10 parsecs", True])
def test_wrong_limit_is_an_error(images, limit):
    with pytest.raises(ParameterError, match=r"time_limit.*10m"):
        fit(images, time_limit=limit)


def test_schedule_is_that_of_the_unlimited_training():
    """`TimeLimit` computes the factors of torch's `OneCycleLR`."""
    import torch

    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], 1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total_steps=101, pct_start=0.25, div_factor=25.0, final_div_factor=1000.0
    )
    expected = []
    for _ in range(100):
        expected.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    assert np.allclose(expected, [time_limit.one_cycle_factor(each / 100) for each in range(100)], atol=0.03)


@pytest.mark.parametrize("max_epochs", [0.3, 1])
def test_a_single_epoch_is_measured(images, max_epochs):
    classifier = fit(images, max_epochs=max_epochs, time_limit=60, verbose=0)
    assert len(classifier.net_.history[-1]["batches"]) == round(10 * max_epochs)

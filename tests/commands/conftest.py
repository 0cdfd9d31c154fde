"""Fixtures: a small training run, and interruption of training."""

import pytest

from skconv.commands.train import train
from skconv.training import checkpointing
from skconv.training.net import ClassifierNet


@pytest.fixture(scope="session")
def run(tiny_recipe, tmp_path_factory):
    """Result of a run on `digits`, with its run folder."""
    return train(recipe=tiny_recipe, out=tmp_path_factory.mktemp("runs") / "digits", command="skconv train --test")


@pytest.fixture
def stop_at(monkeypatch):
    """Return a function that interrupts training after a number of steps; None lets it finish."""
    monkeypatch.setattr(checkpointing, "SECONDS", 0.0)
    monkeypatch.setattr(checkpointing, "_INITIAL_COST", 0.0)
    monkeypatch.setattr(checkpointing, "_MAX_OVERHEAD", 1e9)
    left = [None]
    step = ClassifierNet.train_step

    def counted(*arguments, **keywords):
        if left[0] is not None:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt
        return step(*arguments, **keywords)

    def stop(steps):
        left[0] = steps

    monkeypatch.setattr(ClassifierNet, "train_step", counted)
    return stop

"""Scikit-learn's 8×8 digits, and a classifier fitted on them."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from skorch.callbacks import Callback

from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier


@pytest.fixture(scope="session")
def digits():
    """Return the 1,797 images and their labels."""
    data = load_digits()
    return data.images.astype(np.uint8), data.target


@pytest.fixture(scope="session")
def fitted(digits):
    """Return a classifier fitted on the first 1,200 digits."""
    X, y = digits
    return CNNClassifier("fast", max_epochs=6, random_state=0, validation_fraction=0.1).fit(X[:1200], y[:1200])


def same_weights(one, other):
    """Return whether the networks of two classifiers have the same weights, bit for bit."""
    one, other = (each.net_.module_.state_dict() for each in (one, other))
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def make_member(**changes):
    """Return a classifier that trains fast, with changed parameters."""
    return CNNClassifier(**{"network": "fast", "max_epochs": 2, "precision": "fp32", **changes})


def make_ensemble(**changes):
    """Return an uncalibrated ensemble of three members, with changed parameters."""
    return KFoldEnsembleClassifier(
        changes.pop("estimator", make_member()), **{"cv": 3, "calibrate": False, "random_state": 0, **changes}
    )


class StopAt(Callback):
    """Raise KeyboardInterrupt after a number of training steps."""

    def __init__(self, steps):
        self.steps = steps

    def on_batch_end(self, net, training=False, **kwargs):
        self.steps -= training
        if self.steps == 0:
            raise KeyboardInterrupt


def weights_of(classifier):
    return {name: tensor.numpy().tobytes() for name, tensor in classifier.net_.module_.state_dict().items()}

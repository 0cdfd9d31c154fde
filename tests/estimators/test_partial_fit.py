"""`CNNClassifier.partial_fit`."""

import copy

import numpy as np
import pytest

from skconv.estimators import CNNClassifier
from skconv.exceptions import DataError

from .conftest import same_weights


def test_partial_fit_continues_after_fit_and_load(digits, fitted, tmp_path):
    X, y = digits
    model = CNNClassifier("fast", random_state=0)
    for _ in range(8):
        model.partial_fit(X[:800], y[:800], classes=range(10))
    assert model.n_epochs_ == 8 and model.score(X[800:], y[800:]) > 0.8
    fitted.save(tmp_path / "model")
    loaded = CNNClassifier.load(tmp_path / "model")
    before = loaded.score(X[:1200], y[:1200])
    loaded.partial_fit(X[:1200], y[:1200])
    assert loaded.score(X[:1200], y[:1200]) >= before - 0.02
    continued = copy.deepcopy(fitted).partial_fit(X[:100], y[:100])
    assert continued.n_epochs_ == 7 and not same_weights(continued, fitted)


def test_partial_fit_accepts_a_subset_of_the_classes(digits):
    X, y = digits
    model = CNNClassifier("fast", random_state=0).partial_fit(X[y == 3][:20], y[y == 3][:20], classes=range(10))
    assert model.predict_proba(X[:2]).shape == (2, 10)
    with pytest.raises(DataError, match="not among the 10 classes"):
        model.partial_fit(X[:2], np.array([3, 77]))


def test_partial_fit_ignores_patience(digits):
    X, y = digits
    model = CNNClassifier("fast", validation_fraction=0.2, patience=2, random_state=0)
    assert model.partial_fit(X[:100], y[:100]).n_epochs_ == 1

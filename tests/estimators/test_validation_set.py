"""Validation images passed to `fit` as X_val and y_val."""

import numpy as np
import pytest

from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
from skconv.exceptions import DataError, ParameterError


def make(**changes):
    return CNNClassifier("fast", **{"max_epochs": 2, "precision": "fp32", "random_state": 0, **changes})


def test_validation_set_replaces_the_validation_fraction(digits):
    X, y = digits
    plain = make().fit(X[:300], y[:300], X_val=X[300:500], y_val=y[300:500])
    both = make(validation_fraction=0.5).fit(X[:300], y[:300], X_val=X[300:500], y_val=y[300:500])
    assert both.n_samples_fit_ == 300
    np.testing.assert_array_equal(both.predict_proba(X), plain.predict_proba(X))
    np.testing.assert_array_equal(both.held_out_.labels, y[300:500])


def test_validation_set_stops_and_restores(digits):
    X, y = digits
    wrong = (y[300:500] + 1) % 10  # the validation loss rises while the classifier learns
    stopped = make(max_epochs=30, patience=2).fit(X[:300], y[:300], X_val=X[300:500], y_val=wrong)
    losses = [row["valid_loss"] for row in stopped.history_]
    assert len(losses) == int(np.argmin(losses)) + 3 < 30


@pytest.mark.parametrize(
    ("validation", "message"),
    [
        (lambda X, y: {"X_val": X}, r"X_val without y_val"),
        (lambda X, y: {"y_val": y}, r"y_val without X_val"),
        (lambda X, y: {"X_val": X, "y_val": y[1:]}, r"X_val.* 49 labels"),
        (lambda X, y: {"X_val": X[:, 1:], "y_val": y}, r"X_val.*the model expects .n, 8, 8."),
        (lambda X, y: {"X_val": X, "y_val": y + 5}, r"y_val contains the label 1\d, .* the \d+ of 50 images"),
        (lambda X, y: {"X_val": X, "y_val": y.astype(str)}, r"y_val contains the label '\d' \(str\).*astype\(int\)"),
    ],
)
def test_unusable_validation_set_raises_before_training(digits, validation, message):
    X, y = digits
    classifier = make(max_epochs=1000)
    with pytest.raises((DataError, ParameterError), match=message) as caught:
        classifier.fit(X[:300], y[:300], **validation(X[300:350], y[300:350]))
    assert "\n" not in str(caught.value)
    assert not hasattr(classifier, "net_")


def test_validation_labels_may_be_of_an_equal_type(digits):
    X, y = digits
    # At least 50 steps: shorter trainings recalibrate batch norm after the last validation.
    classifier = make(max_epochs=1, batch_size=5, calibrate=False)
    classifier.fit(X[:300], y[:300], X_val=X[300:500], y_val=y[300:500].astype(float))
    assert classifier.history_[0]["valid_accuracy"] == pytest.approx(classifier.score(X[300:500], y[300:500]))


def test_validation_set_of_an_ensemble_is_that_of_every_member(digits):
    X, y = digits
    ensemble = KFoldEnsembleClassifier(make(patience=1, batch_size=5), cv=2, calibrate=False, random_state=0)
    ensemble.fit(X[:300], y[:300], X_val=X[300:600], y_val=y[300:600])
    for member in ensemble.estimators_:
        losses = [row["valid_loss"] for row in member.history_]
        best = member.history_[int(np.argmin(losses))]
        assert best["valid_accuracy"] == pytest.approx(member.score(X[300:600], y[300:600]))
    assert ensemble.out_of_fold_proba_.shape == (300, 10) and np.isfinite(ensemble.out_of_fold_proba_).all()
    with pytest.raises(DataError, match="y_val contains the label 17"):
        ensemble.fit(X[:300], y[:300], X_val=X[300:400], y_val=np.full(100, 17))

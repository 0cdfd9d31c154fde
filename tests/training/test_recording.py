"""Following a training step by step must not change it."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from skconv.estimators import CNNClassifier
from skconv.training.recording import PrintEpochs, RecordIterations


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    return data.images.astype(np.uint8), data.target


def fit(digits, *callbacks):
    X, y = digits
    classifier = CNNClassifier(
        {"name": "standard", "dropout": 0.5},
        max_epochs=2, batch_size=20, ema_decay=0, precision="fp32", random_state=0, callbacks=callbacks,
    )  # fmt: skip
    return classifier.fit(X[:500], y[:500], validation=(X[500:700], y[500:700]))


def test_records_score_the_live_weights_in_evaluation_mode(digits):
    followed = fit(digits, RecordIterations(10))
    rows = dict(followed.net_.callbacks_)["RecordIterations"].rows_
    assert [row["iteration"] for row in rows] == [10, 20, 30, 40, 50]
    # The last step is the end of training, and without averaging these are the final weights.
    assert rows[-1]["valid_accuracy"] == pytest.approx(followed.history_[-1]["valid_accuracy"])
    assert rows[-1]["valid_loss"] == pytest.approx(followed.history_[-1]["valid_loss"], rel=1e-4)
    assert rows[0]["valid_loss"] > rows[-1]["valid_loss"]


def test_recording_does_not_change_the_weights(digits):
    alone, followed = fit(digits), fit(digits, RecordIterations(3), PrintEpochs())
    state, other = alone.net_.module_.state_dict(), followed.net_.module_.state_dict()
    assert all(torch.equal(state[name], other[name]) for name in state)


def test_lines_go_to_standard_error(digits, capsys):
    fit(digits, RecordIterations(5, print_every=25), PrintEpochs())
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["iteration", "25"], ["epoch", "1"], ["iteration", "50"], ["epoch", "2"],
    ]  # fmt: skip
    assert all("validation loss" in line for line in lines)


def test_without_validation_only_the_training_loss_is_recorded(digits):
    X, y = digits
    recorder = RecordIterations(2)
    classifier = CNNClassifier("fast", max_epochs=1, batch_size=50, random_state=0, callbacks=[recorder])
    classifier.fit(X[:200], y[:200])
    assert [row["valid_accuracy"] for row in recorder.rows_] == [None, None]

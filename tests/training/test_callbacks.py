"""Training records and batch-norm statistics, from real fits."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from skconv.estimators import CNNClassifier
from skconv.training.callbacks import PrintEpochs, RecordIterations


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    return data.images.astype(np.uint8), data.target


def fit(digits, *callbacks):
    X, y = digits
    classifier = CNNClassifier(
        {"name": "plain", "dropout": 0.5},
        max_epochs=2, batch_size=20, ema_decay=0, precision="fp32", random_state=0, callbacks=callbacks,
    )  # fmt: skip
    return classifier.fit(X[:500], y[:500], X_val=X[500:700], y_val=y[500:700])


def test_records_score_the_live_weights_in_evaluation_mode(digits):
    classifier = fit(digits, RecordIterations(10))
    rows = dict(classifier.net_.callbacks_)["RecordIterations"].rows_
    assert [row["iteration"] for row in rows] == [10, 20, 30, 40, 50]
    # The last record is at the last step; without EMA its weights are the final ones.
    assert rows[-1]["valid_accuracy"] == pytest.approx(classifier.history_[-1]["valid_accuracy"])
    assert rows[-1]["valid_loss"] == pytest.approx(classifier.history_[-1]["valid_loss"], rel=1e-4)
    assert rows[0]["valid_loss"] > rows[-1]["valid_loss"]


def test_records_do_not_change_the_weights(digits):
    plain, recorded = fit(digits), fit(digits, RecordIterations(3), PrintEpochs())
    state, other = plain.net_.module_.state_dict(), recorded.net_.module_.state_dict()
    assert all(torch.equal(state[name], other[name]) for name in state)


def test_epochs_and_records_are_printed_to_standard_error(digits, capsys):
    fit(digits, RecordIterations(5, print_every=25), PrintEpochs())
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = captured.err.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["iteration", "25"], ["epoch", "1/2"], ["iteration", "50"], ["epoch", "2/2"],
    ]  # fmt: skip
    assert all("validation loss" in line for line in lines)


def test_records_without_validation_hold_the_training_loss_only(digits):
    X, y = digits
    recorder = RecordIterations(2)
    classifier = CNNClassifier("fast", max_epochs=1, batch_size=50, random_state=0, callbacks=[recorder])
    classifier.fit(X[:200], y[:200])
    assert [row["valid_accuracy"] for row in recorder.rows_] == [None, None]


def test_recalibrated_statistics_cover_all_classes_of_sorted_rows():
    labels = np.repeat([0, 1], 6000)  # more rows than are put into a canonical order
    noise = np.random.default_rng(0).integers(0, 40, (len(labels), 8, 8))
    images = (noise + 180 * labels[:, None, None]).astype(np.uint8)  # all dark images first, then all bright ones
    classifier = CNNClassifier("fast", max_epochs=1, batch_size=3000, random_state=0).fit(images, labels)
    network = classifier.net_.module_
    with torch.no_grad():
        features = network.blocks[1][0](network.input_normalization(torch.from_numpy(images)[:, None].float()))
    norm = network.blocks[1][1]
    assert torch.allclose(norm.running_mean, features.mean((0, 2, 3)), atol=0.1)
    assert torch.allclose(norm.running_var, features.var((0, 2, 3)), rtol=0.1)

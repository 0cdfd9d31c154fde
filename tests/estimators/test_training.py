"""Training: epochs, batches, validation, callbacks, best weights."""

import copy

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback

from skconv.estimators import CNNClassifier
from skconv.exceptions import ParameterError, TrainingError

from .conftest import same_weights


def test_history_has_plain_numbers_for_every_epoch(fitted):
    assert [row["epoch"] for row in fitted.history_] == [1, 2, 3, 4, 5, 6] and fitted.n_epochs_ == 6
    for row in fitted.history_:
        assert all(type(value) in (int, float) for value in row.values()), row
        assert 0 <= row["valid_accuracy"] <= 1
    assert fitted.history_[-1]["train_loss"] < fitted.history_[0]["train_loss"]
    assert fitted.history_[-1]["learning_rate"] < fitted.learning_rate / 100
    assert fitted.fit_seconds_ > 0


def test_patience_stops_and_restores_the_best_epoch(digits):
    X, _ = digits
    noise = np.random.default_rng(0).integers(0, 2, 200)  # labels that cannot be learned
    model = CNNClassifier("fast", max_epochs=100, validation_fraction=0.3, patience=3, random_state=0)
    model.fit(X[:200], noise)
    losses = [row["valid_loss"] for row in model.history_]
    assert model.n_epochs_ < 100 and model.n_epochs_ == int(np.argmin(losses)) + 1 + 3
    valid = model.net_.train_split(None)[1]
    kept = model.net_.get_loss(*(torch.as_tensor(a) for a in (model.net_.forward(valid), valid[:][1])))
    assert float(kept) == pytest.approx(min(losses), abs=1e-4)


def test_max_epochs_accepts_a_fraction(digits):
    X, y = digits
    model = CNNClassifier("fast", max_epochs=1.5, batch_size=100, random_state=0).fit(X[:1000], y[:1000])
    assert [epoch["train_batch_count"] for epoch in model.net_.history] == [10, 5]


class Interrupt(Callback):
    """Raise KeyboardInterrupt in the second epoch."""

    def on_batch_end(self, net, training=False, **kwargs):
        if training and len(net.history) == 2:
            raise KeyboardInterrupt


def test_interrupt_leaves_the_classifier_unfitted(digits):
    X, y = digits
    model = CNNClassifier("fast", max_epochs=3, callbacks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:300], y[:300])
    with pytest.raises(NotFittedError):
        model.predict(X[:3])


@pytest.mark.parametrize("n", [2, 3, 128, 129, 300, 420, 600])
def test_schedule_supports_any_number_of_steps(digits, n):
    X, y = digits
    y = np.arange(n) % 2
    assert CNNClassifier("fast", max_epochs=1, random_state=0).fit(X[:n], y).n_epochs_ == 1


def test_validation_fraction_supports_small_data(digits):
    X, y = digits
    model = CNNClassifier("fast", max_epochs=1, validation_fraction=0.05, random_state=0).fit(X[:100], y[:100])
    assert len(model.history_) == 1 and model.history_[0]["valid_accuracy"] is not None


def test_min_steps_adds_epochs_to_small_data(digits):
    X, y = digits
    model = CNNClassifier("fast", max_epochs=0.5, min_steps=25, batch_size=50, random_state=0).fit(X[:500], y[:500])
    assert sum(epoch["train_batch_count"] for epoch in model.net_.history) == 25


def test_batches_have_at_least_two_images():
    X, y = np.arange(15).reshape(15, 1), np.arange(15) % 2
    for settings in ({"batch_size": 1}, {"batch_size": 2}, {"batch_size": 14}):
        CNNClassifier("plain", max_epochs=1, random_state=0, **settings).fit(X, y)


class Evaluate(Callback):
    """Predict after each training step."""

    def on_batch_end(self, net, training=False, batch=None, **kwargs):
        if training:
            net.evaluation_step(batch)


def test_callback_that_predicts_does_not_change_the_weights(digits):
    X, y = digits
    settings = {"max_epochs": 2, "random_state": 0}
    plain = CNNClassifier("plain", **settings).fit(X[:300], y[:300])
    watched = CNNClassifier("plain", callbacks=[Evaluate()], **settings).fit(X[:300], y[:300])
    assert same_weights(plain, watched)


class Poison(Callback):
    """Set a weight to NaN."""

    def on_epoch_begin(self, net, **kwargs):
        with torch.no_grad():
            next(net.module_.parameters()).fill_(float("nan"))


def test_fit_raises_if_the_loss_is_not_finite(digits):
    X, y = digits
    with pytest.raises(TrainingError, match="learning_rate"):
        CNNClassifier("fast", max_epochs=2, callbacks=[Poison()]).fit(X[:100], y[:100])


def test_adam_with_a_constant_rate_equals_a_loop_in_torch(digits):
    """Full batches and a network without dropout need no random numbers."""
    X, y = digits
    X, y = X[:200], y[:200]
    classifier = CNNClassifier(
        "fast", max_epochs=3, batch_size=200, optimizer="adam", schedule="constant", learning_rate=0.002,
        weight_decay=0.01, label_smoothing=0, ema_decay=0, precision="fp32", random_state=3,
    )  # fmt: skip
    started = copy.deepcopy(classifier.set_params(max_epochs=1, learning_rate=1e-12).fit(X, y).net_.module_)
    classifier.set_params(max_epochs=3, learning_rate=0.002).fit(X, y)
    for module in started.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
    started.train()
    adam = torch.optim.Adam(started.parameters(), lr=0.002, weight_decay=0.01)
    images = torch.as_tensor(X, dtype=torch.float32)[:, None]
    for _ in range(3):
        adam.zero_grad()
        torch.nn.functional.cross_entropy(started(images), torch.as_tensor(y)).backward()
        adam.step()
    for module in started.modules():  # short runs recalibrate batch norm
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = 1.0
    with torch.no_grad():
        started(images)
        expected = started.eval()(images).softmax(1).numpy()
    np.testing.assert_allclose(classifier.predict_proba(X), expected, atol=2e-3)


@pytest.mark.parametrize(
    ("restore_best", "losses"), [("valid_loss", ["valid_loss"]), ("both_losses", ["train_loss", "valid_loss"])]
)
def test_restore_best_selects_the_best_epoch(digits, restore_best, losses):
    X, y = digits
    # With a very high learning rate the last epoch is unlikely to be the best.
    classifier = CNNClassifier(
        "fast",
        max_epochs=8,
        schedule="constant",
        learning_rate=0.3,
        ema_decay=0,
        restore_best=restore_best,
        calibrate=False,
        random_state=0,
    ).fit(X[:300], y[:300], X_val=X[300:500], y_val=y[300:500])
    best, lowest = None, [np.inf] * len(losses)
    for epoch in classifier.history_:
        if all(epoch[name] < low for name, low in zip(losses, lowest, strict=True)):
            best, lowest = epoch, [epoch[name] for name in losses]
    assert best is not classifier.history_[-1]
    assert classifier.score(X[300:500], y[300:500]) == pytest.approx(best["valid_accuracy"])


@pytest.mark.parametrize("setting", [{"patience": 2}, {"restore_best": "valid_loss"}])
def test_selection_raises_without_a_validation_split(digits, setting):
    X, y = digits
    with pytest.raises(ParameterError, match="validation_fraction"):
        CNNClassifier("fast", max_epochs=1, **setting).fit(X[:100], y[:100])


def test_short_training_recalibrates_batch_norm(digits):
    """With full batches, predictions equal the outputs in training mode."""
    X, y = digits
    X, y = X[:300], y[:300]
    classifier = CNNClassifier(
        "t4_narrow", max_epochs=20, batch_size=300, optimizer="adam", schedule="constant", learning_rate=0.07,
        label_smoothing=0, ema_decay=0, precision="fp32", random_state=0,
    ).fit(X, y)  # fmt: skip
    network = classifier.net_.module_.train()
    with torch.no_grad():
        in_training = network(torch.as_tensor(X, dtype=torch.float32)[:, None]).softmax(1).numpy()
    np.testing.assert_allclose(classifier.predict_proba(X), in_training, atol=1e-2)

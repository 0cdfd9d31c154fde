"""`CNNClassifier` on scikit-learn's 8×8 digits."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback

from skconv import OnnxClassifier, load_dataset
from skconv.estimators import CNNClassifier
from skconv.exceptions import DataError, ModelFileError, ParameterError, TrainingError, UnknownNameError
from skconv.model_io import read_config


@pytest.fixture(scope="module")
def digits():
    data = load_digits()
    return data.images.astype(np.uint8), data.target


@pytest.fixture(scope="module")
def fitted(digits):
    X, y = digits
    return CNNClassifier("fast", max_epochs=6, random_state=0, validation_fraction=0.1).fit(X[:1200], y[:1200])


def weights(classifier):
    return {name: tensor.clone() for name, tensor in classifier.net_.module_.state_dict().items()}


def same_weights(one, other):
    one, other = weights(one), weights(other)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_fit_generalises_to_other_digits(fitted, digits):
    X, y = digits
    assert fitted.score(X[1200:], y[1200:]) > 0.9


def test_predict_methods_are_consistent(fitted, digits):
    X, _ = digits
    probabilities = fitted.predict_proba(X[:50])
    assert probabilities.shape == (50, 10) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)
    np.testing.assert_array_equal(fitted.predict(X[:50]), fitted.classes_[probabilities.argmax(1)])
    logits = fitted.decision_function(X[:50])
    np.testing.assert_array_equal(logits.argmax(1), probabilities.argmax(1))


def test_prediction_is_independent_of_the_batch(fitted, digits):
    X, _ = digits
    together = fitted.predict_proba(X[:700])
    alone = np.concatenate([fitted.predict_proba(X[i : i + 1]) for i in (0, 511, 512, 699)])
    np.testing.assert_allclose(together[[0, 511, 512, 699]], alone, atol=1e-6)


def test_fit_gives_the_same_weights_for_every_layout_of_X(digits):
    X, y = digits
    X, y = X[:200], y[:200]
    forms = [X, X[:, None], X[..., None], X.reshape(200, -1), X.astype(np.float64), X.astype(np.int32), X[:, ::1, :]]
    models = [CNNClassifier("fast", max_epochs=1, random_state=3).fit(form, y) for form in forms]
    for model, form in zip(models, forms, strict=True):
        assert same_weights(model, models[0])
        np.testing.assert_array_equal(model.predict(form), models[0].predict(X))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_fit_is_deterministic_for_a_seed(digits, precision):
    X, y = digits
    settings = {"max_epochs": 2, "precision": precision, "augmentation": {"rotation": 10, "elastic": 0.02}}
    first = CNNClassifier("plain", random_state=5, **settings).fit(X[:300], y[:300])
    torch.rand(7)  # changes the state of torch's global generator
    second = CNNClassifier("plain", random_state=5, **settings).fit(X[:300], y[:300])
    third = CNNClassifier("plain", random_state=6, **settings).fit(X[:300], y[:300])
    assert same_weights(first, second) and not same_weights(first, third)
    assert [row["train_loss"] for row in first.history_] == [row["train_loss"] for row in second.history_]


def test_fit_restores_the_random_state_of_torch(digits):
    X, y = digits
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    CNNClassifier("fast", max_epochs=1).fit(X[:100], y[:100])
    assert torch.equal(torch.rand(3), expected)


def test_fit_accepts_labels_of_any_kind(digits):
    X, y = digits
    for labels in (np.array([f"class {label}" for label in y]), y * 10 - 5, y > 4):
        model = CNNClassifier("fast", max_epochs=4, random_state=0).fit(X[:600], labels[:600])
        np.testing.assert_array_equal(model.classes_, np.unique(labels))
        assert model.score(X[600:], labels[600:]) > 0.6


def test_decision_function_is_one_dimensional_for_two_classes(digits):
    X, y = digits
    model = CNNClassifier("fast", max_epochs=2, random_state=0).fit(X[:300], y[:300] > 4)
    decision = model.decision_function(X[:40])
    assert decision.shape == (40,)
    np.testing.assert_array_equal(model.predict(X[:40]), decision > 0)


def test_sample_weight_of_zero_removes_an_image(digits):
    X, y = digits
    keep = np.arange(300) % 3 != 0
    settings = {"max_epochs": 2, "random_state": 0, "batch_size": 512, "precision": "fp32"}
    weighted = CNNClassifier("fast", **settings).fit(X[:300], y[:300], sample_weight=keep * 0.5)
    half = np.full(keep.sum(), 0.5)
    without = CNNClassifier("fast", **settings).fit(X[:300][keep], y[:300][keep], sample_weight=half)
    np.testing.assert_allclose(weighted.predict_proba(X), without.predict_proba(X), atol=1e-4)


def test_sample_weight_of_whole_numbers_repeats_rows(digits):
    X, y = digits
    settings = {"max_epochs": 2, "batch_size": 32, "random_state": 0, "precision": "fp32"}
    counts = np.arange(200) % 3
    rows = np.random.default_rng(0).permutation(np.repeat(np.arange(200), counts))
    counted = CNNClassifier("fast", **settings).fit(X[:200], y[:200], sample_weight=counts)
    repeated = CNNClassifier("fast", **settings).fit(X[rows], y[rows])
    assert same_weights(counted, repeated)


def test_class_weight_changes_the_probabilities(digits):
    X, _ = digits
    rare = np.arange(500) % 10 == 0  # independent of the images

    def mean_probability(class_weight):
        settings = {"max_epochs": 8, "random_state": 0, "label_smoothing": 0.0}
        model = CNNClassifier("fast", class_weight=class_weight, **settings).fit(X[:500], rare)
        return model.predict_proba(X)[:, 1].mean()

    assert mean_probability(None) + 0.05 < mean_probability("balanced") < mean_probability({True: 81, False: 1}) - 0.1


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


def test_probabilities_are_corrected_for_label_smoothing(digits):
    X, y = digits
    model = CNNClassifier("fast", max_epochs=8, random_state=0, label_smoothing=0.3).fit(X[:1200], y[:1200])
    assert np.median(model.predict_proba(X[1200:]).max(1)) > 0.8  # at most 0.73 without the correction
    model.net_.module_.logit_calibration.shift([0.5] + [0.0] * 9)
    model.set_params(label_smoothing=0.2).partial_fit(X[:100], y[:100])
    answers = model.net_.module_.logit_calibration
    assert (answers.biases[0].item(), answers.smoothing.item()) == (0.5, pytest.approx(0.2))


def test_bundled_model_predicts_the_same_in_torch_and_onnx():
    bundled = CNNClassifier.load("digits")
    images = load_dataset("mnist").test_images[:100]
    answers = bundled.predict_proba(images)
    np.testing.assert_allclose(OnnxClassifier("digits").predict_proba(images), answers, atol=1e-5)


def test_partial_fit_accepts_a_subset_of_the_classes(digits):
    X, y = digits
    model = CNNClassifier("fast", random_state=0).partial_fit(X[y == 3][:20], y[y == 3][:20], classes=range(10))
    assert model.predict_proba(X[:2]).shape == (2, 10)
    with pytest.raises(DataError, match="not among the 10 classes"):
        model.partial_fit(X[:2], np.array([3, 77]))


def test_loaded_model_predicts_the_same(fitted, digits, tmp_path):
    X, _ = digits
    fitted.save(tmp_path / "model", class_names=[f"digit {k}" for k in range(10)])
    loaded = CNNClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert loaded.get_params()["network"] == "fast" and loaded.max_epochs == 6
    assert loaded.n_parameters_ == fitted.n_parameters_


def test_pixel_range_survives_saving_a_loaded_model(fitted, digits, tmp_path):
    X, _ = digits
    fitted.save(tmp_path / "first")
    CNNClassifier.load(tmp_path / "first").save(tmp_path / "second")
    assert fitted.pixel_range_ == (X.min(), X.max())
    assert read_config(tmp_path / "second").input.pixel_range == fitted.pixel_range_


def test_pickle_and_clone(fitted, digits):
    X, _ = digits
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.predict(X), fitted.predict(X))
    assert not hasattr(clone(fitted), "net_") and clone(fitted).get_params() == fitted.get_params()


def test_fit_accepts_colour_images_with_channels_first_or_last():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 240)
    X = rng.integers(0, 60, (240, 10, 12, 3), dtype=np.uint8)
    X[np.arange(240), :, :, y] += 100
    model = CNNClassifier("fast", max_epochs=6, random_state=0).fit(X[:180], y[:180])
    assert model.score(X[180:], y[180:]) > 0.95
    np.testing.assert_array_equal(model.predict(np.moveaxis(X, 3, 1)), model.predict(X))


def test_unfitted_classifier_raises_not_fitted_error():
    for use in (lambda m: m.predict(np.zeros((1, 8, 8))), lambda m: m.history_, lambda m: m.save("nowhere")):
        with pytest.raises(NotFittedError):
            use(CNNClassifier())


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"network": "fats"}, UnknownNameError, "Did you mean 'fast'"),
        ({"network": 3}, ParameterError, "must be a name"),
        ({"network": {"name": "fast", "deep": 1}}, ParameterError, "no option 'deep'"),
        ({"max_epochs": 0}, ParameterError, "max_epochs"),
        ({"max_epochs": "many"}, ParameterError, "max_epochs"),
        ({"batch_size": -3}, ParameterError, "batch_size"),
        ({"batch_size": 2.5}, ParameterError, "batch_size"),
        ({"learning_rate": 0}, ParameterError, "learning_rate"),
        ({"learning_rate": float("nan")}, ParameterError, "learning_rate"),
        ({"ema_decay": 1}, ParameterError, "ema_decay"),
        ({"label_smoothing": 1.0}, ParameterError, "label_smoothing"),
        ({"validation_fraction": 0.99}, ParameterError, "validation_fraction"),
        ({"patience": 3}, ParameterError, "validation_fraction"),
        ({"precision": "fp8"}, ParameterError, "precision"),
        ({"device": "tpu"}, ParameterError, "auto, cpu, cuda, mps"),
        ({"augmentation": {"spin": 3}}, ParameterError, "no setting 'spin'"),
        ({"augmentation": "much"}, ParameterError, "must be a mapping"),
    ],
)
def test_fit_raises_for_parameters_outside_their_range(digits, settings, error, message):
    X, y = digits
    with pytest.raises(error, match=message):
        CNNClassifier(**settings).fit(X[:40], y[:40])


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (np.zeros((4, 8, 8)), [1, 1, 1, 1], "one class"),
        (np.full((4, 8, 8), np.nan), [0, 1, 0, 1], "NaN"),
        (np.zeros((4, 8, 8)), [0, 1, 0], "4 images, y 3 labels"),
        (np.zeros((4, 8, 8, 5)), [0, 1, 0, 1], "1 or 3 channels"),
        (np.zeros((4, 2, 8, 8, 3)), [0, 1, 0, 1], "expected"),
        (np.zeros((0, 8, 8)), [], "0 sample"),
        (np.array([["a", "b"], ["c", "d"]]), [0, 1], "convert|numeric"),
        (np.zeros((4, 8, 8)), [0.5, 1.2, 0.1, 0.7], "continuous"),
    ],
)
def test_fit_raises_for_invalid_data(X, y, message):
    with pytest.raises(ValueError, match=message):
        CNNClassifier("fast", max_epochs=1).fit(X, y)


def test_predict_raises_for_another_image_size(fitted):
    with pytest.raises(ValueError, match="8"):
        fitted.predict(np.zeros((2, 9, 9)))


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


def test_pickled_copy_continues_training_alike(digits):
    X, y = digits
    original = CNNClassifier("fast", random_state=0, ema_decay=0.9).partial_fit(X[:200], y[:200])
    restored = pickle.loads(pickle.dumps(original))
    for model in (original, restored):
        model.partial_fit(X[:200], y[:200])
    assert same_weights(original, restored)


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


def test_partial_fit_ignores_patience(digits):
    X, y = digits
    model = CNNClassifier("fast", validation_fraction=0.2, patience=2, random_state=0)
    assert model.partial_fit(X[:100], y[:100]).n_epochs_ == 1


def test_save_ignores_parameters_changed_after_fit(fitted, digits, tmp_path):
    X, _ = digits
    changed = copy.deepcopy(fitted).set_params(network="accurate")
    changed.save(tmp_path / "model")
    np.testing.assert_array_equal(CNNClassifier.load(tmp_path / "model").predict(X), fitted.predict(X))


def test_predict_raises_for_values_beyond_float32(fitted):
    with pytest.raises(DataError, match="float32"):
        fitted.predict(np.full((1, 8, 8), 1e300))


class Poison(Callback):
    """Set a weight to NaN."""

    def on_epoch_begin(self, net, **kwargs):
        with torch.no_grad():
            next(net.module_.parameters()).fill_(float("nan"))


def test_fit_raises_if_the_loss_is_not_finite(digits):
    X, y = digits
    with pytest.raises(TrainingError, match="learning_rate"):
        CNNClassifier("fast", max_epochs=2, callbacks=[Poison()]).fit(X[:100], y[:100])


def test_load_refuses_a_pickle(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(ModelFileError, match="pickle"):
        CNNClassifier.load(path)


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


def test_validation_argument_is_scored_but_not_trained_on(digits):
    X, y = digits
    settings = {"max_epochs": 3, "batch_size": 20, "calibrate": False, "random_state": 0, "precision": "fp32"}
    alone = CNNClassifier("fast", **settings).fit(X[:500], y[:500])
    watched = CNNClassifier("fast", **settings).fit(X[:500], y[:500], X_val=X[500:700], y_val=y[500:700])
    assert same_weights(alone, watched)
    assert watched.history_[-1]["valid_accuracy"] == pytest.approx(watched.score(X[500:700], y[500:700]))


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


def test_list_of_augmentations_is_saved(digits, tmp_path):
    X, y = digits
    steps = [{"rotation": 5}, {"shift": 0.1, "perspective": 0.1}]
    classifier = CNNClassifier("fast", max_epochs=1, augmentation=steps, random_state=0).fit(X[:100], y[:100])
    classifier.save(tmp_path / "model")
    assert CNNClassifier.load(tmp_path / "model").augmentation == steps


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

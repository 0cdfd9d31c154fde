"""`CNNClassifier` on scikit-learn's 8×8 digits."""

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError

from skconv.estimators import CNNClassifier
from skconv.exceptions import DataError, ParameterError, UnknownNameError

from .conftest import same_weights


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


def test_probabilities_are_corrected_for_label_smoothing(digits):
    X, y = digits
    model = CNNClassifier("fast", max_epochs=8, random_state=0, label_smoothing=0.3).fit(X[:1200], y[:1200])
    assert np.median(model.predict_proba(X[1200:]).max(1)) > 0.8  # at most 0.73 without the correction
    model.net_.module_.logit_calibration.shift([0.5] + [0.0] * 9)
    model.set_params(label_smoothing=0.2).partial_fit(X[:100], y[:100])
    answers = model.net_.module_.logit_calibration
    assert (answers.biases[0].item(), answers.smoothing.item()) == (0.5, pytest.approx(0.2))


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


def test_predict_raises_for_values_beyond_float32(fitted):
    with pytest.raises(DataError, match="float32"):
        fitted.predict(np.full((1, 8, 8), 1e300))


def test_validation_argument_is_scored_but_not_trained_on(digits):
    X, y = digits
    settings = {"max_epochs": 3, "batch_size": 20, "calibrate": False, "random_state": 0, "precision": "fp32"}
    alone = CNNClassifier("fast", **settings).fit(X[:500], y[:500])
    watched = CNNClassifier("fast", **settings).fit(X[:500], y[:500], X_val=X[500:700], y_val=y[500:700])
    assert same_weights(alone, watched)
    assert watched.history_[-1]["valid_accuracy"] == pytest.approx(watched.score(X[500:700], y[500:700]))

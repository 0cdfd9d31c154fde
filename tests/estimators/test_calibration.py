"""Calibration in `fit`, and correction for another class prior."""

import copy

import numpy as np
import pytest

from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
from skconv.estimators.base import find_prior_shifts
from skconv.exceptions import ParameterError


@pytest.fixture(scope="module")
def fitted(digits):
    X, y = digits
    return CNNClassifier("fast", max_epochs=4, validation_fraction=0.2, random_state=0).fit(X[:1000], y[:1000])


@pytest.mark.parametrize(("calibrate", "has_biases"), [("temperature", False), (True, True)])
def test_fit_calibrates_by_the_validation_images(digits, calibrate, has_biases):
    X, y = digits
    settings = {"max_epochs": 4, "validation_fraction": 0.2, "random_state": 0}
    plain = CNNClassifier("fast", calibrate=False, **settings).fit(X[:1000], y[:1000])
    calibrated = CNNClassifier("fast", calibrate=calibrate, **settings).fit(X[:1000], y[:1000])
    assert plain.held_out_ is None
    assert len(calibrated.held_out_.labels) == 200
    change = np.log(calibrated.predict_proba(X)) - np.log(plain.predict_proba(X)) / calibrated.held_out_.temperature
    by_class = change - change.mean(1, keepdims=True)
    assert np.ptp(by_class, axis=0).max() < 1e-3  # the same for all images
    assert (np.abs(by_class).max() > 0.01) == has_biases


def test_held_out_probabilities_are_those_of_the_calibrated_model(digits, fitted):
    X, y = digits
    everything = fitted.predict_proba(X[:1000])
    for row, label in zip(fitted.held_out_.probabilities[:20], fitted.held_out_.labels[:20], strict=True):
        index = np.abs(everything - row).max(axis=1).argmin()
        np.testing.assert_allclose(everything[index], row, atol=1e-5)
        assert y[index] == label


def test_fewer_than_100_validation_images_do_not_calibrate(digits):
    X, y = digits
    model = CNNClassifier("fast", max_epochs=1, random_state=0).fit(
        X[:200], y[:200], X_val=X[200:299], y_val=y[200:299]
    )
    assert model.held_out_ is None and model.net_.module_.logit_calibration.factor == 1


def test_calibration_uses_the_class_weights(digits):
    X, _ = digits
    rare = np.arange(1000) % 10 == 0  # independent of the images
    settings = {"max_epochs": 1, "validation_fraction": 0.5, "learning_rate": 1e-9, "random_state": 0}
    means = [
        CNNClassifier("fast", class_weight=weight, **settings).fit(X[:1000], rare).predict_proba(X)[:, 1].mean()
        for weight in (None, {True: 9.0})
    ]
    assert means[0] < 0.35 and means[1] == pytest.approx(0.5, abs=0.1)


def test_ensemble_calibrates_its_members_alike(digits):
    X, y = digits
    member = CNNClassifier("fast", max_epochs=2, precision="fp32")
    plain, calibrated = (
        KFoldEnsembleClassifier(member, cv=3, calibrate=calibrate, random_state=0).fit(X[:300], y[:300])
        for calibrate in (False, True)
    )
    assert plain.held_out_ is None
    np.testing.assert_array_equal(calibrated.fold_scores_, plain.fold_scores_)
    np.testing.assert_allclose(calibrated.out_of_fold_proba_, calibrated.held_out_.probabilities, atol=1e-6)
    layers = [each.net_.module_.logit_calibration for each in calibrated.estimators_]
    assert len({float(layer.factor) for layer in layers}) == 1 and float(layers[0].factor) != 1


def test_partial_fit_retains_the_calibration_and_drops_held_out(digits, fitted):
    X, y = digits
    model = copy.deepcopy(fitted).partial_fit(X[:100], y[:100])
    assert model.net_.module_.logit_calibration.factor == fitted.net_.module_.logit_calibration.factor != 1
    assert model.held_out_ is None


def test_loaded_model_has_the_held_out_probabilities(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = CNNClassifier.load(tmp_path / "model").held_out_
    np.testing.assert_array_equal(loaded.labels, fitted.held_out_.labels)
    np.testing.assert_allclose(loaded.probabilities, fitted.held_out_.probabilities, atol=1e-6)


def test_adjust_prior_changes_the_odds_by_bayes_rule(digits, fitted):
    X, y = digits
    model = copy.deepcopy(fitted).adjust_prior({3: 0.01})
    fraction = (y[:1000] == 3).mean()
    expected = (0.01 / 0.99) / (fraction / (1 - fraction))
    for before, after in (
        (fitted.predict_proba(X)[:, 3], model.predict_proba(X)[:, 3]),
        (fitted.held_out_.probabilities[:, 3], model.held_out_.probabilities[:, 3]),
    ):
        inside = (before > 1e-4) & (before < 1 - 1e-4)  # rounding dominates beyond
        ratio = (after / (1 - after)) / (before / (1 - before))
        np.testing.assert_allclose(ratio[inside], expected, rtol=1e-2)


def test_prior_shifts_of_all_classes_are_the_log_ratios():
    trained, classes = np.array([0.5, 0.3, 0.2]), np.array(["a", "b", "c"])
    shifts = find_prior_shifts({"a": 0.25, "b": 0.25, "c": 0.5}, trained, classes)
    np.testing.assert_allclose(shifts, np.log([0.25, 0.25, 0.5]) - np.log(trained))
    two = find_prior_shifts({"a": 0.25, "b": 0.25}, trained, classes)
    np.testing.assert_allclose(two - two[2], shifts - shifts[2])


@pytest.mark.parametrize("fractions", [(0.7, 0.2, 0.1), (0.1, 0.2, 0.7), (1 / 3, 1 / 3, 1 / 3)])
def test_prior_shifts_accept_fractions_whose_sum_is_rounded(fractions):
    shifts = find_prior_shifts(dict(zip("abc", fractions, strict=True)), np.full(3, 1 / 3), np.array(["a", "b", "c"]))
    np.testing.assert_allclose(shifts, np.log(fractions) - np.log(1 / 3))


@pytest.mark.parametrize(
    "prior", [{"d": 0.1}, {"a": 0.0}, {"a": 1.2}, {"a": 0.5, "b": 0.5}, {"a": 0.5, "b": 0.2, "c": 0.2}, {"a": np.nan}]
)
def test_prior_shifts_refuse_impossible_priors(prior):
    with pytest.raises(ParameterError, match="prior"):
        find_prior_shifts(prior, np.full(3, 1 / 3), np.array(["a", "b", "c"]))

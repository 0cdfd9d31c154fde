"""`KFoldEnsembleClassifier` on scikit-learn's 8×8 digits."""

import pickle
import shutil

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    cross_val_score,
)

from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
from skconv.exceptions import DataError, ModelFileError, ParameterError
from skconv.inference import OnnxClassifier

from .conftest import make_ensemble, make_member


@pytest.fixture(scope="module")
def fitted(digits):
    X, y = digits
    # 57 steps per member: shorter runs recalibrate batch norm after the last validation.
    return make_ensemble(estimator=make_member(max_epochs=3, batch_size=32)).fit(X[:900], y[:900])


@pytest.fixture(scope="module")
def saved(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ensemble") / "model"
    fitted.save(folder, class_names=[f"digit {k}" for k in range(10)])
    return folder


def test_ensemble_has_a_lower_loss_than_its_members(fitted, digits):
    X, y = digits
    assert fitted.score(X[900:], y[900:]) > 0.9
    of_truth = [each.predict_proba(X)[np.arange(len(y)), y][900:] for each in (fitted, *fitted.estimators_)]
    loss, *losses = (-np.log(probabilities).mean() for probabilities in of_truth)
    assert loss < np.mean(losses)


def test_probabilities_are_the_mean_of_the_members(fitted, digits):
    X, _ = digits
    expected = np.mean([each.predict_proba(X) for each in fitted.estimators_], axis=0)
    np.testing.assert_allclose(fitted.predict_proba(X), expected, atol=1e-6)
    np.testing.assert_array_equal(fitted.predict(X), fitted.classes_[expected.argmax(1)])
    np.testing.assert_allclose(np.exp(fitted.decision_function(X)), expected, atol=1e-6)


def test_decision_function_is_the_mean_of_logits(fitted, digits):
    X, _ = digits
    by_logits = pickle.loads(pickle.dumps(fitted)).set_params(average="logits")
    expected = np.mean([each.decision_function(X) for each in fitted.estimators_], axis=0)
    np.testing.assert_allclose(by_logits.decision_function(X), expected, atol=1e-4)


def test_out_of_fold_rows_come_from_members_not_trained_on_them(fitted, digits):
    X, y = digits
    folds = StratifiedKFold(3, shuffle=True, random_state=0).split(X[:900], y[:900])
    for each, (_, expected), held_out, score in zip(
        fitted.estimators_, folds, fitted.held_out_indices_, fitted.fold_scores_, strict=True
    ):
        np.testing.assert_array_equal(held_out, expected)
        np.testing.assert_allclose(fitted.out_of_fold_proba_[held_out], each.predict_proba(X[held_out]), atol=1e-6)
        assert score == each.score(X[held_out], y[held_out])
    assert fitted.out_of_fold_proba_.dtype == np.float32
    assert fitted.out_of_fold_score_ == pytest.approx(fitted.fold_scores_.mean(), abs=1e-12)


def test_members_have_their_own_seed_and_validation_fold(fitted):
    assert len({each.random_state for each in fitted.estimators_}) == 3
    for history, score in zip(fitted.histories_, fitted.fold_scores_, strict=True):
        assert [row["epoch"] for row in history] == [1, 2, 3]
        assert history[-1]["valid_accuracy"] == pytest.approx(score)


def test_attributes_summarise_the_members(fitted):
    assert fitted.n_parameters_ == sum(each.n_parameters_ for each in fitted.estimators_)
    assert (fitted.n_epochs_, fitted.n_features_in_, fitted.image_shape_) == (3, 64, (1, 8, 8))
    assert fitted.precision_ == "fp32"
    assert fitted.fit_seconds_ > sum(each.fit_seconds_ for each in fitted.estimators_)


def test_fit_is_deterministic_for_a_seed(digits):
    X, y = (each[:200] for each in digits)
    first, again, other = (make_ensemble(cv=2, random_state=seed).fit(X, y) for seed in (0, 0, 1))
    np.testing.assert_array_equal(again.out_of_fold_proba_, first.out_of_fold_proba_)
    np.testing.assert_array_equal(again.predict_proba(X), first.predict_proba(X))
    assert not np.allclose(other.predict_proba(X), first.predict_proba(X), atol=1e-3)


@pytest.mark.slow
def test_n_jobs_does_not_change_the_predictions(digits):
    X, y = digits
    one, two = (make_ensemble(cv=2, n_jobs=n_jobs).fit(X[:300], y[:300]) for n_jobs in (1, 2))
    # Worker processes may have fewer threads, which change the order of sums.
    np.testing.assert_allclose(one.out_of_fold_proba_, two.out_of_fold_proba_, atol=1e-3)
    np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), atol=1e-3)


def test_fit_accepts_two_text_labels(digits):
    X, y = digits
    labels = np.where(y > 4, "high", "low").astype(object)
    ensemble = make_ensemble(cv=2).fit(X[:300], labels[:300])
    decision = ensemble.decision_function(X[300:])
    assert decision.shape == (1497,)
    np.testing.assert_array_equal(ensemble.predict(X[300:]), np.where(decision > 0, "low", "high"))


def test_members_restore_their_best_epoch(digits):
    X, y = digits
    base = make_member(max_epochs=4, restore_best="valid_loss", learning_rate=0.05)
    ensemble = make_ensemble(estimator=base, cv=2).fit(X[:300], y[:300])
    for each, history, held_out in zip(
        ensemble.estimators_, ensemble.histories_, ensemble.held_out_indices_, strict=True
    ):
        kept = -np.log(each.predict_proba(X[held_out])[np.arange(len(held_out)), y[held_out]]).mean()
        assert kept == pytest.approx(min(row["valid_loss"] for row in history), abs=1e-4)


def test_saved_ensemble_is_one_onnx_model(fitted, saved, digits):
    X, _ = digits
    reader = OnnxClassifier(saved)
    np.testing.assert_allclose(reader.predict_proba(X), fitted.predict_proba(X), atol=1e-4)
    assert reader.config.network.name == "ensemble"
    assert reader.config.parameters["cv"] == 3 and reader.config.parameters["average"] == "probabilities"
    assert reader.config.parameters["estimator"]["max_epochs"] == 3


def test_loaded_ensemble_predicts_the_same(fitted, saved, digits):
    X, y = digits
    loaded = KFoldEnsembleClassifier.load(saved)
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert loaded.get_params()["estimator__max_epochs"] == 3 and loaded.cv == 3
    assert (loaded.n_parameters_, loaded.n_features_in_, loaded.image_shape_) == (fitted.n_parameters_, 64, (1, 8, 8))
    assert loaded.pixel_range_ == fitted.pixel_range_ == (X.min(), X.max())
    for one, other in zip(loaded.estimators_, fitted.estimators_, strict=True):
        np.testing.assert_array_equal(one.predict(X), other.predict(X))
        assert one.n_parameters_ == other.n_parameters_
    loaded.estimators_[0].partial_fit(X[:64], y[:64])


def test_onnx_graph_handles_certain_members_that_disagree(saved, digits, tmp_path):
    X, _ = digits
    loaded = KFoldEnsembleClassifier.load(saved)
    with torch.no_grad():
        for number, each in enumerate(loaded.estimators_):
            each.net_.module_.head[1].weight.mul_(1000)
            each.net_.module_.head[1].bias[number] = 1e4
    loaded.save(tmp_path / "certain")  # compares the graph with the network
    probabilities = loaded.predict_proba(X[:50])
    assert np.isfinite(probabilities).all() and probabilities.max() < 0.7
    np.testing.assert_allclose(OnnxClassifier(tmp_path / "certain").predict_proba(X[:50]), probabilities, atol=1e-4)
    again = KFoldEnsembleClassifier.load(tmp_path / "certain")
    np.testing.assert_array_equal(again.predict_proba(X[:50]), probabilities)


def test_load_names_the_class_that_loads_the_folder(saved, saved_model):
    with pytest.raises(ModelFileError, match=r"Load it with KFoldEnsembleClassifier\.load"):
        CNNClassifier.load(saved)
    with pytest.raises(ModelFileError, match=r"Load it with CNNClassifier\.load"):
        KFoldEnsembleClassifier.load(saved_model)


def test_load_refuses_an_ensemble_without_members(saved, saved_model, make_config, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(saved_model, folder)
    files = OnnxClassifier(saved_model).config.files
    parameters = OnnxClassifier(saved).config.parameters
    (folder / "config.json").write_bytes(make_config(parameters=parameters, files=files).to_bytes())
    with pytest.raises(ModelFileError, match="parameters of an ensemble, but a single network"):
        KFoldEnsembleClassifier.load(folder)


def test_pickled_and_cloned(fitted, digits):
    X, _ = digits
    content = pickle.dumps(fitted)
    np.testing.assert_array_equal(pickle.loads(content).predict_proba(X), fitted.predict_proba(X))
    assert X[fitted.held_out_indices_[0]].tobytes() not in content
    copied = clone(fitted)
    assert copied.get_params()["estimator__max_epochs"] == 3 and not hasattr(copied, "estimators_")


def test_cross_validation_and_search_work(digits):
    X, y = digits
    ensemble = make_ensemble(estimator=make_member(max_epochs=4), cv=2)
    assert cross_val_score(ensemble, X[:400], y[:400], cv=2).min() > 0.5
    search = GridSearchCV(ensemble, {"estimator__learning_rate": [1e-6, 0.01]}, cv=2).fit(X[:400], y[:400])
    assert search.best_params_ == {"estimator__learning_rate": 0.01}


def test_default_estimator_has_default_parameters():
    template = KFoldEnsembleClassifier()._check_estimator()
    assert template.get_params() == CNNClassifier(calibrate=False).get_params()


def test_unfitted_ensemble_raises_not_fitted_error(digits):
    X, _ = digits
    for use in (lambda e: e.predict(X), lambda e: e.histories_, lambda e: e.net_, lambda e: e.save("nowhere")):
        with pytest.raises(NotFittedError):
            use(KFoldEnsembleClassifier())


def test_a_failed_fit_leaves_no_ensemble(fitted, digits):
    X, y = digits
    ensemble = pickle.loads(pickle.dumps(fitted))
    with pytest.raises(DataError):
        ensemble.fit(X[:4], y[:4])
    with pytest.raises(NotFittedError):
        ensemble.predict(X)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cv": 1}, "'cv' parameter must be an integer of at least 2"),
        ({"cv": True}, "'cv' parameter"),
        ({"cv": "five"}, "'cv' parameter"),
        ({"cv": 2.5}, "'cv' parameter"),
        ({"cv": []}, "contains no fold"),
        ({"average": "median"}, "'average' is 'median'; expected one of"),
        ({"estimator": "fast"}, "'estimator' parameter must be a CNNClassifier"),
        ({"estimator": make_member(network={"name": "ensemble"})}, "other than 'ensemble'"),
        ({"estimator": make_member(batch_size=0)}, "batch_size"),
    ],
)
def test_fit_raises_for_invalid_parameters(settings, message, digits):
    X, y = digits
    with pytest.raises(ParameterError, match=message):
        make_ensemble(**settings).fit(X[:100], y[:100])


@pytest.mark.parametrize(
    ("X", "y", "weights", "message"),
    [
        (np.zeros((12, 8, 8)), np.zeros(12), None, "only one class"),
        (np.zeros((12, 8, 8)), np.arange(12) / 7, None, "continuous"),
        (np.full((12, 8, 8), np.nan), np.arange(12) % 2, None, "NaN"),
        (np.zeros((12, 8, 8)), np.arange(11) % 2, None, "12 images, y 11 labels"),
        (np.zeros((12, 8, 8, 5)), np.arange(12) % 2, None, "1 or 3 channels"),
        (np.zeros((12, 8, 8)), np.arange(12) % 2, [-1.0] * 12, "expected non-negative weights"),
    ],
)
def test_fit_raises_for_invalid_data(X, y, weights, message):
    with pytest.raises(ValueError, match=message):
        make_ensemble().fit(X, y, sample_weight=weights)

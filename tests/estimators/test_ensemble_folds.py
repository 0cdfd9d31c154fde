"""Folds of `KFoldEnsembleClassifier`: splitters, small classes, predictions of held-out images."""

import tracemalloc

import numpy as np
import pytest
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedStratifiedKFold,
    StratifiedKFold,
)

from skconv.exceptions import DataError, ParameterError

from .conftest import make_ensemble, make_member


def test_out_of_fold_proba_is_nan_for_images_never_held_out(digits):
    X, y = digits
    everything = np.arange(300)
    folds = [(everything[100:], everything[:50]), (everything[:200], everything[250:])]
    ensemble = make_ensemble(cv=folds).fit(X[:300], y[:300])
    known = np.r_[0:50, 250:300]
    assert np.isnan(ensemble.out_of_fold_proba_[50:250]).all()
    assert np.isfinite(ensemble.out_of_fold_proba_[known]).all()
    right = ensemble.out_of_fold_proba_[known].argmax(1) == y[known]
    assert ensemble.out_of_fold_score_ == right.mean()


def test_out_of_fold_proba_is_the_mean_of_repeated_folds(digits):
    X, y = digits
    splitter = RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0)
    ensemble = make_ensemble(cv=splitter).fit(X[:200], y[:200])
    blind = [each for each, held in zip(ensemble.estimators_, ensemble.held_out_indices_, strict=True) if 7 in held]
    expected = np.mean([each.predict_proba(X[7:8])[0] for each in blind], axis=0)
    assert len(blind) == 2
    np.testing.assert_allclose(ensemble.out_of_fold_proba_[7], expected, atol=1e-6)


def test_groups_are_passed_to_the_splitter(digits):
    X, y = digits
    groups = np.arange(300) // 10
    ensemble = make_ensemble(cv=GroupKFold(2)).fit(X[:300], y[:300], groups=groups)
    assert not set(groups[ensemble.held_out_indices_[0]]) & set(groups[ensemble.held_out_indices_[1]])


def test_copies_are_in_the_same_fold(digits):
    X, y = digits
    order = np.random.default_rng(0).permutation(300) // 2
    ensemble = make_ensemble(cv=3).fit(X[order], y[order])
    parts = [set(order[held]) for held in ensemble.held_out_indices_]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 150


def test_a_class_of_copies_is_in_every_training_part(digits):
    X, y = digits
    X = np.concatenate([X[:100], np.repeat(X[100:101], 6, axis=0)])
    y = np.concatenate([y[:100], np.full(6, 10)])
    with pytest.warns(UserWarning, match=r"Class 10 has 1 different image, fewer than the 3 folds"):
        ensemble = make_ensemble(cv=3).fit(X, y)
    assert not any((y[held] == 10).any() for held in ensemble.held_out_indices_)


def test_sample_weights_are_split_with_the_folds(digits):
    X, y = digits
    wrong = np.arange(400) % 4 == 0
    spoilt = np.where(wrong, (y[:400] + 1) % 10, y[:400])
    settings = {"estimator": make_member(max_epochs=4), "cv": KFold(2, shuffle=True, random_state=0)}
    weighted = make_ensemble(**settings).fit(X[:400], spoilt, sample_weight=np.where(wrong, 0.0, 1.0))
    plain = make_ensemble(**settings).fit(X[:400], spoilt)
    assert weighted.score(X[400:], y[400:]) > plain.score(X[400:], y[400:]) + 0.02


def test_fit_copies_the_images_of_one_fold_at_a_time():
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (3000, 64, 64), dtype=np.uint8)
    y = np.arange(3000) % 2
    quick = make_member(max_epochs=0.01, batch_size=16, network={"name": "fast", "crop": 24})
    tracemalloc.start()
    make_ensemble(estimator=quick, cv=2).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * X.nbytes


EVERY = np.arange(40)


@pytest.mark.parametrize(
    ("cv", "message"),
    [
        (StratifiedKFold(41), "40 images cannot be split by StratifiedKFold"),
        (KFold(41), "40 images cannot be split by KFold"),
        ([(EVERY[3:], EVERY[:3])], "training part of fold 1 lacks the class 'rare'"),
        ([(EVERY, EVERY[30:])], r"has image 30 in its training and in its held-out part \(10 in total\)"),
        ([(EVERY, [])], "not a pair of training"),
        ([(EVERY, EVERY[:0])], "0 held-out images"),
        ([(EVERY, [40])], "not a pair of training and held-out indices of 40 images"),
        ([7], "not a pair"),
        ([(EVERY, EVERY, EVERY)], "not a pair"),
    ],
)
def test_fit_raises_for_invalid_folds(cv, message):
    y = np.array(["rare"] * 3 + ["a", "b"] * 18 + ["a"])
    with pytest.raises(DataError if cv else ParameterError, match=message):
        make_ensemble(cv=cv).fit(np.zeros((40, 8, 8), np.uint8), y)


def test_fit_warns_about_classes_smaller_than_the_folds(digits):
    X, _ = digits
    y = np.array(["once", "rare", "rare", "rare"] + ["a", "b"] * 18)
    ensemble = make_ensemble(cv=5, estimator=make_member(max_epochs=1))
    with pytest.warns(UserWarning, match=r"Class 'once' has 1 image, fewer than the 5 folds: some folds"):
        ensemble.fit(X[:40], y)
    assert len(ensemble.estimators_) == 5
    assert all(list(each.classes_) == ["a", "b", "once", "rare"] for each in ensemble.estimators_)
    assert sorted(np.concatenate(ensemble.held_out_indices_)) == list(
        range(1, 40)
    )  # the only image of its class is never held out
    assert np.isnan(ensemble.out_of_fold_proba_[0]).all() and np.isfinite(ensemble.out_of_fold_score_)


def test_fit_reduces_the_folds_for_small_classes(digits):
    X, _ = digits
    ensemble = make_ensemble(cv=5, estimator=make_member(max_epochs=1))
    with pytest.warns(UserWarning, match="fewer than the 5 folds: using 3 folds"):
        ensemble.fit(X[:8], np.array([0, 0, 1, 1, 1, 2, 2, 2]))
    assert len(ensemble.fold_scores_) == 3
    with pytest.raises(DataError, match="only one image; expected"):
        ensemble.fit(X[:3], np.arange(3))

"""Time of the trials and of the final training."""

import time
from dataclasses import replace

import numpy as np
import pytest

from skconv.auto import planning
from skconv.auto.planning import TimePlan
from skconv.auto.trials import Trial
from skconv.evaluation.metrics import score_predictions

from .candidates import make_candidate, make_dataset


def make_plan(seconds=200.0):
    return TimePlan(time.monotonic() + seconds, reserve=1.0)


def make_trial(candidate, seconds):
    scores = score_predictions(np.repeat([0, 1], 50), np.repeat([[0.9, 0.1], [0.1, 0.9]], 50, axis=0))
    return Trial(candidate, scores, seconds, 2, 1.0)


@pytest.mark.parametrize(
    ("n", "sizes", "seconds", "reason"),
    [
        (60, (0.5, 0.5), 60, "60 training images"),
        (200, (0.98, 0.02), 60, "4 different training images"),
        (200, (0.5, 0.5), 3, "limit"),
    ],
)
def test_choose_splits_returns_why_a_comparison_is_impossible(n, sizes, seconds, reason):
    candidates = [make_candidate(make_dataset(n, sizes)), make_candidate(make_dataset(n, sizes), "other")]
    assert reason in make_plan(seconds).choose_splits(candidates)


@pytest.mark.parametrize(("n", "folds"), [(300, 3), (2400, 0)])
def test_few_images_are_cross_validated(n, folds):
    plan = make_plan()
    assert plan.choose_splits([make_candidate(make_dataset(n))]) == "" and plan.folds == folds


@pytest.mark.parametrize(("features", "trial_seconds"), [(1.0, 19.9), (20.0, 28.0), (45.0, 49.75), (120.0, None)])
def test_trial_of_a_pretrained_network_is_long_enough_for_its_features(monkeypatch, features, trial_seconds):
    monkeypatch.setattr(planning, "estimate_features", lambda candidate, device: features)
    dataset = make_dataset(2400)
    candidates = [make_candidate(dataset), replace(make_candidate(dataset, "weights"), is_pretrained=True)]
    plan = make_plan()
    plan.choose_splits(candidates)
    if trial_seconds is None:
        message = r"weights is left out: the features of 2,400 images take about 2 min, more than 25 % of the time"
        with pytest.warns(UserWarning, match=message):
            assert len(plan.plan_trials(candidates, device="cpu")) == 1
    else:
        seconds = [seconds for _, seconds in plan.plan_trials(candidates, device="cpu")]
        assert seconds == pytest.approx([19.9, trial_seconds], abs=0.5)


def test_the_pretrained_candidate_with_the_lowest_cost_remains(monkeypatch):
    costs = {"a": 400.0, "b": 300.0}
    monkeypatch.setattr(planning, "estimate_features", lambda candidate, device: costs[candidate.name])
    candidates = [replace(make_candidate(make_dataset(2400), name), is_pretrained=True) for name in "ab"]
    with pytest.warns(UserWarning, match="candidate a is left out"):
        assert [candidate.name for candidate, _ in make_plan().plan_trials(candidates, device="cpu")] == ["b"]


@pytest.mark.parametrize(("seconds", "fits"), [(10.0, True), (20.0, False)])
def test_a_longer_trial_is_planned_as_long_as_the_final_training_fits(monkeypatch, seconds, fits):
    plan, trial = make_plan(), make_trial(make_candidate(make_dataset(300)), seconds)
    plan.folds = 3
    monkeypatch.setattr(planning.time, "monotonic", lambda: plan.start + 90)
    assert plan.plan_longer(trial, 2) == (26.0 if fits else None)


@pytest.mark.parametrize(("used", "planned"), [(86, 13.0), (91, None)])
def test_no_change_is_tried_in_the_second_half_of_the_time(monkeypatch, used, planned):
    plan, trial = make_plan(), make_trial(make_candidate(make_dataset(300)), 10.0)
    monkeypatch.setattr(planning.time, "monotonic", lambda: plan.start + used)
    assert plan.plan_change(trial) == planned


def test_copies_of_images_are_too_few_for_a_validation_split():
    dataset = make_dataset(200)
    images = np.where(dataset.train_labels[:, None, None] == 1, dataset.train_images[-1], dataset.train_images)
    reason = make_plan().choose_splits([make_candidate(replace(dataset, train_images=images))])
    assert "1 different training image" in reason

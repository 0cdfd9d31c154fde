"""Selection of a recipe: ranking, changes, final recipe."""

import time
from dataclasses import replace

import numpy as np
import pytest

from skconv.auto import planning, selection
from skconv.auto.planning import TimePlan
from skconv.auto.selection import Search
from skconv.auto.trials import Trial, estimate_features, run_trial, split_validation
from skconv.evaluation.metrics import score_predictions
from skconv.exceptions import TrainingError
from skconv.training.frozen_features import FeatureExtractor

from .. import pretrained_network  # noqa: F401  # registers its network
from .candidates import make_candidate, make_dataset


def make_search(seconds=200.0, *, flips=True):
    plan = TimePlan(time.monotonic() + seconds, reserve=1.0)
    return Search(plan, seed=0, device="cpu", chooses_flips=flips, progress=False)


def test_first_candidate_is_used_if_a_comparison_is_impossible():
    candidates = [make_candidate(make_dataset(60)), make_candidate(make_dataset(60), "other")]
    with pytest.warns(UserWarning, match="60 training images"):
        chosen = make_search(60).run(candidates)
    assert chosen.candidate.recipe.name == "fast" and not chosen.trials
    assert float(chosen.candidate.recipe.training["time_limit"].removesuffix("s")) <= 60


def test_no_trial_above_chance_is_a_warning():
    dataset = make_dataset(300)
    noise = np.random.default_rng(1).integers(0, 256, dataset.train_images.shape, np.uint8)
    dataset = replace(dataset, train_images=noise)
    with pytest.warns(UserWarning, match=r"most frequent class \(50.0 %\)"):
        candidate = make_candidate(dataset)
        candidate = replace(candidate, recipe=replace(candidate.recipe, augmentation={"flip": True}))
        chosen = make_search().run([candidate])
    assert len(chosen.trials) == 1
    assert chosen.candidate.recipe.augmentation == {"flip": True}  # the recipe that the warning names, unchanged


def test_classes_that_are_recognised_below_the_share_of_the_largest_are_above_chance():
    labels = np.repeat([0, 1, 2], [60, 30, 30])
    informed = np.repeat([[0.8, 0.1, 0.1], [0.4, 0.35, 0.25], [0.4, 0.25, 0.35]], [60, 30, 30], axis=0)
    uninformed = np.repeat([[0.5, 0.25, 0.25]], 120, axis=0)
    candidate = make_candidate(make_dataset(300))
    trials = [Trial(candidate, score_predictions(labels, each), 1.0, 1, 1.0) for each in (informed, uninformed)]
    assert [trial.scores.accuracy for trial in trials] == [0.5, 0.5]
    assert [trial.is_above_chance for trial in trials] == [True, False]


def test_candidates_are_left_out_if_trials_take_too_long(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(selection.time, "monotonic", lambda: clock[0])
    search = Search(TimePlan(100, reserve=1.0), seed=0, device="cpu", chooses_flips=False, progress=False)

    def run_slowly(candidate, *_, **__):
        clock[0] += 60
        scores = score_predictions(np.repeat([0, 1], 50), np.repeat([[0.9, 0.1], [0.1, 0.9]], 50, axis=0))
        return Trial(candidate, scores, 60.0, 1, 0.1), None

    monkeypatch.setattr(selection, "run_trial", run_slowly)
    dataset = make_dataset(300)
    with pytest.warns(UserWarning, match="other is not compared"):
        chosen = search.run([make_candidate(dataset), make_candidate(dataset, "other")])
    assert [trial.candidate.name for trial in chosen.trials] == ["fast"]


@pytest.fixture
def bad(fake_trials):
    """Return a candidate whose loss becomes NaN."""

    def confidence(candidate):
        if candidate.recipe.name == "bad":
            raise TrainingError("The training loss became nan.")
        return 0.9

    fake_trials(confidence)
    return make_candidate(make_dataset(300), "bad", max_epochs=1)


def test_a_candidate_that_diverges_is_left_out(bad):
    with pytest.warns(UserWarning, match="candidate bad is left out: The training loss became nan"):
        chosen = make_search(flips=False).run([bad, make_candidate(bad.dataset, "good", max_epochs=1)])
    assert chosen.candidate.recipe.name == "good"


def test_a_change_that_diverges_is_left_out(fake_trials):
    def confidence(candidate):
        if "class weights" in candidate.name:
            raise TrainingError("The training loss became nan.")
        return 0.9

    fake_trials(confidence)
    with pytest.warns(UserWarning, match="No class weights: The training loss became nan"):
        chosen = make_search(flips=False).run([make_candidate(make_dataset(300, (0.9, 0.1)), max_epochs=1)])
    assert "class_weight" not in chosen.candidate.recipe.training


def test_the_error_is_raised_if_all_candidates_diverge(bad):
    with pytest.warns(UserWarning, match="left out"), pytest.raises(TrainingError, match="became nan"):
        make_search(flips=False).run([bad])


def test_run_compares_by_folds_and_selects_the_lower_log_loss(monkeypatch):
    monkeypatch.setattr(Search, "_choose_epochs", lambda _, best: best)  # trains for up to half of the limit
    dataset = make_dataset(300)
    good, bad = make_candidate(dataset, "good"), make_candidate(dataset, "bad", learning_rate=1e-6)
    chosen = make_search().run([bad, good])
    assert chosen.candidate.recipe.name == "good"
    assert {trial.candidate.recipe.name for trial in chosen.trials} == {"good", "bad"}
    losses = [trial.scores.negative_log_likelihood for trial in chosen.trials]
    assert losses == sorted(losses)
    assert all(trial.scores.n == 300 for trial in chosen.trials)  # out of fold: every image
    assert chosen.candidate.recipe.ensemble == {"folds": 5}  # a training takes far less than the limit


def test_many_images_are_scored_on_a_validation_split():
    dataset = make_dataset(2400)
    trial, estimator = run_trial(make_candidate(dataset), 20, seed=0, device="cpu", folds=0)
    assert trial.scores.n == 360 and trial.fraction == 1 and not hasattr(estimator, "estimators_")


def test_split_validation_limits_the_validation_images():
    split = make_dataset(3000)
    dataset = replace(make_dataset(200), valid_images=split.train_images, valid_labels=split.train_labels)
    train, valid = split_validation(dataset, seed=0)
    assert len(train.train_labels) == 200 and len(valid.train_labels) == 2000


def test_shortened_trial_reports_its_fraction():
    trial, _ = run_trial(make_candidate(make_dataset(2400), max_epochs=500), 1.5, seed=0, device="cpu", folds=0)
    assert 0 < trial.fraction < 1 and trial.n_epochs < 500 and "did not fit" in str(trial)


def test_features_are_estimated_from_the_time_of_some_images(monkeypatch):
    n_measured = []
    monkeypatch.setattr(FeatureExtractor, "measure", lambda self, images: n_measured.append(len(images)) or 0.01)
    candidate = make_candidate(make_dataset(300))
    recipe = replace(candidate.recipe, network={"name": "tiny-pretrained"}, augmentation={})
    assert estimate_features(replace(candidate, recipe=recipe), device="cpu") == pytest.approx(3.0)
    assert n_measured == [64]


@pytest.fixture
def fake_trials(monkeypatch):
    """Replace trainings by trials of one second, whose confidence in the true class is a function of the candidate."""

    def replace_trials(confidence):
        def run(candidate, *_, **__):
            sure = confidence(candidate)
            labels = np.repeat([0, 1], 50)
            probabilities = np.where(labels[:, None] == np.arange(2), sure, 1 - sure)
            n_epochs = candidate.recipe.training["max_epochs"]
            scores = score_predictions(labels, probabilities)
            return Trial(candidate, scores, 1.0, n_epochs, 1.0), None

        monkeypatch.setattr(selection, "run_trial", run)

    return replace_trials


@pytest.mark.parametrize(("sizes", "tried"), [((0.9, 0.1), True), ((0.6, 0.4), False)])
def test_class_weights_are_tried_for_classes_of_different_size(fake_trials, sizes, tried):
    fake_trials(lambda candidate: 0.9)
    chosen = make_search(flips=False).run([make_candidate(make_dataset(300, sizes))])
    assert any("class weights" in trial.candidate.name for trial in chosen.trials) is tried


@pytest.mark.parametrize(("found", "used"), [(10, True), (1, False)], ids=["clear gain", "within a standard error"])
def test_class_weights_are_used_if_macro_f1_gains_clearly_more_than_accuracy_loses(monkeypatch, found, used):
    search, candidate = make_search(), make_candidate(make_dataset(300, (0.8, 0.2)))

    def trial(n_found, candidate):
        is_second = np.arange(100) >= 100 - n_found
        scores = score_predictions(np.repeat([0, 1], [80, 20]), np.where(is_second[:, None], [0.1, 0.9], [0.9, 0.1]))
        return Trial(candidate, scores, 1.0, 2, 1.0)

    monkeypatch.setattr(selection, "run_trial", lambda changed, *_, **__: (trial(10 + found, changed), None))
    best = search._choose_weights(trial(10, candidate))
    assert ("class_weight" in best.candidate.recipe.training) is used


def test_the_users_flips_are_not_changed(fake_trials):
    candidate = make_candidate(make_dataset(300), max_epochs=1)
    candidate = replace(candidate, recipe=replace(candidate.recipe, augmentation={"flip": True}))
    fake_trials(lambda candidate: 0.9)
    chosen = make_search(flips=False).run([candidate])
    assert chosen.candidate.recipe.augmentation == {"flip": True}


@pytest.mark.parametrize(("with_flips", "used"), [(0.95, True), (0.8, False)])
def test_a_trial_decides_if_mirrored_images_are_recognised_less_well(fake_trials, monkeypatch, with_flips, used):
    fake_trials(lambda candidate: with_flips if candidate.recipe.augmentation.get("flip") else 0.9)
    monkeypatch.setattr(selection, "compare_mirrored", lambda parts: (None, "less well"))
    search, candidate = make_search(), make_candidate(make_dataset(2400))
    best, _ = search._try(replace(candidate, recipe=replace(candidate.recipe, augmentation={})), 1.0)
    best = search._choose_flips(best, None, {"name": "fast"})
    assert len(search.trials) == 2
    assert bool(best.candidate.recipe.augmentation.get("flip")) is used


def test_more_epochs_are_used_while_the_loss_decreases(fake_trials):
    fake_trials(lambda candidate: {2: 0.7, 4: 0.8, 8: 0.9}.get(candidate.recipe.training["max_epochs"], 0.85))
    chosen = make_search(flips=False).run([make_candidate(make_dataset(300))])
    assert chosen.candidate.recipe.training["max_epochs"] == 8
    assert [trial.n_epochs for trial in chosen.trials] == [8, 16, 4, 2]  # by log loss
    assert chosen.trials[0].candidate.name == "fast, 8 epochs"


@pytest.mark.parametrize("is_pretrained", [False, True])
def test_pretrained_networks_are_not_trained_as_an_ensemble(fake_trials, monkeypatch, is_pretrained):
    fake_trials(lambda candidate: 0.9)
    monkeypatch.setattr(planning, "estimate_features", lambda candidate, device: 1.0)
    chosen = make_search(flips=False).run([replace(make_candidate(make_dataset(300)), is_pretrained=is_pretrained)])
    assert bool(chosen.candidate.recipe.ensemble) is not is_pretrained


def test_final_recipe_uses_the_remaining_time():
    dataset = make_dataset(2400)
    chosen = make_search(20.0).run([make_candidate(dataset, max_epochs=10_000)])
    training = chosen.candidate.recipe.training
    assert 8 <= float(training["time_limit"].removesuffix("s")) <= 20
    assert not chosen.candidate.recipe.ensemble and training["validation_fraction"] == 0.15

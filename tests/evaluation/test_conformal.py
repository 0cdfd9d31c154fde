"""Prediction sets hold what they promise."""

import sys

import numpy as np
import pytest

from skconv.evaluation.conformal import predict_sets
from skconv.exceptions import ParameterError

pytest.importorskip("mapie")


@pytest.fixture(scope="module")
def answers():
    """(probabilities, labels) of 6,000 images by a model that is too sure."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (6000, 5))
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(1)
    exponentials = np.exp(2 * logits)
    return (exponentials / exponentials.sum(1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_sets_hold_the_true_class_as_often_as_asked(answers, level):
    probabilities, labels = answers
    covered = []
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(6000)
        held_out, rest = order[:2000], order[2000:]
        sets = predict_sets(probabilities[held_out], labels[held_out], probabilities[rest], level)
        covered.append(sets[np.arange(4000), labels[rest]].mean())
    assert level - 0.006 <= np.mean(covered) <= level + 0.006


def test_sets_are_those_above_the_quantile(answers):
    probabilities, labels = answers
    held_out, given = probabilities[:500].astype(float), labels[:500]
    scores = np.sort(1 - held_out[np.arange(500), given] / held_out.sum(1))
    bound = scores[int(np.ceil(501 * 0.9)) - 1]
    expected = 1 - probabilities[500:] / probabilities[500:].sum(1, keepdims=True) <= bound
    assert (predict_sets(held_out, given, probabilities[500:], 0.9) == expected).mean() > 0.999


def test_classes_that_no_held_out_image_has_are_allowed(answers):
    probabilities, labels = answers
    few = np.flatnonzero(labels < 3)[:400]
    assert predict_sets(probabilities[few], labels[few], probabilities[:7], 0.9).shape == (7, 5)


def test_no_images_give_no_sets(answers):
    assert predict_sets(*answers, np.zeros((0, 5), np.float32), 0.9).shape == (0, 5)


@pytest.mark.parametrize("coverage", [0, 1, 1.5, True, "0.9", float("nan")])
def test_coverage_outside_its_range_is_refused(answers, coverage):
    with pytest.raises(ParameterError, match="above 0 and below 1"):
        predict_sets(*answers, answers[0], coverage)


def test_too_few_held_out_images_are_told(answers):
    probabilities, labels = answers
    with pytest.raises(ParameterError, match="needs at least 99 held-out images; the model was saved with 50"):
        predict_sets(probabilities[:50], labels[:50], probabilities, 0.99)


def test_missing_package_is_told(answers, monkeypatch):
    monkeypatch.setitem(sys.modules, "mapie.classification", None)
    with pytest.raises(ParameterError, match=r"pip install 'skconv\[reliability\]'"):
        predict_sets(*answers, answers[0], 0.9)


def answer_as_members(n, seed, noise):
    """Probabilities (5 members, n, 4) of members that err at different images, each calibrated, and labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, n)
    # What a member sees is the truth with noise of its own; by Bayes, the logits of it are calibrated.
    seen = np.eye(4)[labels] + noise * generator.normal(size=(5, n, 4))
    exponentials = np.exp(seen / noise**2)
    return exponentials / exponentials.sum(2, keepdims=True), labels


@pytest.mark.parametrize("average", ["probabilities", "logits"])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_sets_of_a_mean_hold_the_true_class_at_least_as_often(average, level):
    members, labels = answer_as_members(8000, 0, noise=0.3)
    fold = np.arange(4000) % 5
    held_out = members[fold, np.arange(4000)]  # each by one member
    asked = members[:, 4000:]
    mean = asked.mean(0)
    if average == "logits":
        mean = np.exp(np.log(asked).mean(0))
        mean /= mean.sum(1, keepdims=True)
    sets = predict_sets(held_out, labels[:4000], mean, level, average=average)
    assert sets[np.arange(4000), labels[4000:]].mean() >= level
    assert sets.sum(1).mean() < 3


def test_quantile_of_single_members_is_no_bound_for_their_mean():
    """Why sets of a mean are made otherwise: one member in doubt lowers a mean below what the others give."""
    members, labels = answer_as_members(8000, 0, noise=0.3)
    held_out, mean = members[np.arange(4000) % 5, np.arange(4000)], members[:, 4000:].mean(0)
    sets = predict_sets(held_out, labels[:4000], mean, 0.8)
    assert sets[np.arange(4000), labels[4000:]].mean() < 0.6

import sys

import numpy as np
import pytest

from skconv.evaluation.conformal import predict_sets
from skconv.exceptions import ParameterError

pytest.importorskip("mapie")


@pytest.fixture(scope="module")
def predictions():
    """Return probabilities and labels of 6,000 images by an overconfident model."""
    generator = np.random.default_rng(0)
    logits = generator.normal(0, 2, (6000, 5))
    labels = (logits + generator.gumbel(size=logits.shape)).argmax(1)
    exponentials = np.exp(2 * logits)
    return (exponentials / exponentials.sum(1, keepdims=True)).astype(np.float32), labels


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_sets_have_the_requested_coverage(predictions, level):
    probabilities, labels = predictions
    covered = []
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(6000)
        held_out, rest = order[:2000], order[2000:]
        sets = predict_sets(probabilities[held_out], labels[held_out], probabilities[rest], level)
        covered.append(sets[np.arange(4000), labels[rest]].mean())
    assert level - 0.006 <= np.mean(covered) <= level + 0.006


def test_sets_contain_the_classes_above_the_quantile(predictions):
    probabilities, labels = predictions
    held_out, given = probabilities[:500].astype(float), labels[:500]
    scores = np.sort(1 - held_out[np.arange(500), given] / held_out.sum(1))
    bound = scores[int(np.ceil(501 * 0.9)) - 1]
    expected = 1 - probabilities[500:] / probabilities[500:].sum(1, keepdims=True) <= bound
    assert (predict_sets(held_out, given, probabilities[500:], 0.9) == expected).mean() > 0.999


def test_classes_absent_from_the_held_out_images_are_allowed(predictions):
    probabilities, labels = predictions
    few = np.flatnonzero(labels < 3)[:400]
    assert predict_sets(probabilities[few], labels[few], probabilities[:7], 0.9).shape == (7, 5)


def test_no_images_give_an_empty_array(predictions):
    assert predict_sets(*predictions, np.zeros((0, 5), np.float32), 0.9).shape == (0, 5)


@pytest.mark.parametrize("coverage", [0, 1, 1.5, True, "0.9", float("nan")])
def test_coverage_out_of_range_is_refused(predictions, coverage):
    with pytest.raises(ParameterError, match="above 0 and below 1"):
        predict_sets(*predictions, predictions[0], coverage)


def test_too_few_held_out_images_are_refused(predictions):
    probabilities, labels = predictions
    with pytest.raises(ParameterError, match="needs at least 99 held-out images; the model was saved with 50"):
        predict_sets(probabilities[:50], labels[:50], probabilities, 0.99)


def test_missing_mapie_raises_with_the_command_to_install_it(predictions, monkeypatch):
    monkeypatch.setitem(sys.modules, "mapie.classification", None)
    with pytest.raises(ParameterError, match=r"pip install 'skconv\[reliability\]'"):
        predict_sets(*predictions, predictions[0], 0.9)


def predict_as_members(n, seed, noise):
    """Return probabilities (5 members, n, 4) of calibrated members with independent errors, and labels."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 4, n)
    # Each member observes the truth with noise of its own; by Bayes, its logits are calibrated.
    observed = np.eye(4)[labels] + noise * generator.normal(size=(5, n, 4))
    exponentials = np.exp(observed / noise**2)
    return exponentials / exponentials.sum(2, keepdims=True), labels


@pytest.mark.parametrize("average", ["probabilities", "logits"])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_sets_of_a_mean_have_at_least_the_requested_coverage(average, level):
    members, labels = predict_as_members(8000, 0, noise=0.3)
    fold = np.arange(4000) % 5
    held_out = members[fold, np.arange(4000)]  # each row is predicted by one member
    asked = members[:, 4000:]
    mean = asked.mean(0)
    if average == "logits":
        mean = np.exp(np.log(asked).mean(0))
        mean /= mean.sum(1, keepdims=True)
    sets = predict_sets(held_out, labels[:4000], mean, level, average=average)
    assert sets[np.arange(4000), labels[4000:]].mean() >= level
    assert sets.sum(1).mean() < 3


def test_quantile_of_single_members_gives_too_low_a_coverage_for_their_mean():
    members, labels = predict_as_members(8000, 0, noise=0.3)
    held_out, mean = members[np.arange(4000) % 5, np.arange(4000)], members[:, 4000:].mean(0)
    sets = predict_sets(held_out, labels[:4000], mean, 0.8)
    assert sets[np.arange(4000), labels[4000:]].mean() < 0.6

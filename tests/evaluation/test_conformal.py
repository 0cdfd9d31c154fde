import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from skconv.evaluation.conformal import find_threshold, predict_sets
from skconv.exceptions import ParameterError


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


@pytest.mark.parametrize(("n", "level"), [(500, 0.9), (101, 0.99), (1999, 0.95)])
def test_sets_equal_those_of_mapie(predictions, n, level):
    mapie = pytest.importorskip("mapie.classification")
    exact = predictions[0].astype(float) / predictions[0].sum(1, dtype=float, keepdims=True)

    class Lookup(ClassifierMixin, BaseEstimator):
        classes_, n_features_in_ = np.arange(5), 5

        def fit(self, X, y):
            return self

        def predict_proba(self, X):
            return X

        def predict(self, X):
            return X.argmax(1)

    reference = mapie.SplitConformalClassifier(Lookup(), confidence_level=level, conformity_score="lac", prefit=True)
    reference.conformalize(exact[:n], predictions[1][:n])
    expected = reference.predict_set(exact[2000:])[1][:, :, 0]
    assert (predict_sets(predictions[0][:n], predictions[1][:n], predictions[0][2000:], level) == expected).all()


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


@pytest.mark.parametrize(("coverage", "n"), [(0.8, 4), (0.9, 9), (0.99, 99)])
def test_minimum_number_of_held_out_images_is_not_rounded_up(coverage, n):
    held_out, labels = np.tile([0.9, 0.1], (n, 1)), np.zeros(n, int)
    assert find_threshold(held_out, labels, coverage) == pytest.approx(0.9)
    with pytest.raises(ParameterError, match=f"needs at least {n} held-out images"):
        find_threshold(held_out[1:], labels[1:], coverage)

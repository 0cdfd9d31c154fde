"""Paired comparison: intervals and tests against independent computations, planted differences."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, chi2

from skconv.evaluation import score_predictions
from skconv.evaluation.paired import (
    MIN_DECISIVE,
    SIGNIFICANCE,
    compare_predictions,
    correct_p_values,
    list_differences,
    mcnemar_test,
    paired_interval,
)
from skconv.exceptions import DataError, ParameterError

NAMES = [str(k) for k in range(10)]


def make_predictions(n=10_000, accuracy=0.99):
    """Return labels 0..9, and probabilities with a share of correct predictions."""
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 10, n)
    predicted = np.where(generator.random(n) < accuracy, labels, (labels + generator.integers(1, 10, n)) % 10)
    probabilities = generator.dirichlet(np.ones(10), n) + 5 * np.eye(10)[predicted]
    return labels, probabilities / probabilities.sum(1, keepdims=True)


def turn_wrong(labels, probabilities, rows):
    """Return the probabilities with those of the true class and the next class exchanged in some rows."""
    changed = probabilities.copy()
    true, other = labels[rows], (labels[rows] + 1) % 10
    changed[rows, true], changed[rows, other] = probabilities[rows, other], probabilities[rows, true]
    return changed


def find_correct(labels, probabilities):
    return np.flatnonzero(probabilities.argmax(1) == labels)


@pytest.mark.parametrize("sign", [1, -1])
def test_planted_difference_of_three_tenths_of_a_point_is_found(sign):
    labels, probabilities = make_predictions()
    altered = turn_wrong(labels, probabilities, find_correct(labels, probabilities)[:30])
    pair = (altered, probabilities) if sign > 0 else (probabilities, altered)
    scores = compare_predictions(labels, *pair, NAMES)
    assert scores.difference == pytest.approx(sign * 0.003)
    assert scores.low <= scores.difference <= scores.high and scores.low * scores.high > 0
    assert scores.p_value < 1e-6 and scores.n_different == 30
    assert scores.log_loss_low * scores.log_loss_high > 0 and scores.log_loss_difference * sign < 0


def test_planted_difference_is_found_among_other_mistakes():
    """Each classifier has errors of its own: 75 by the first and 45 by the second only."""
    labels, probabilities = make_predictions()
    correct = find_correct(labels, probabilities)
    first, second = (turn_wrong(labels, probabilities, rows) for rows in (correct[:75], correct[100:145]))
    scores = compare_predictions(labels, first, second, NAMES)
    assert (scores.n_only_first, scores.n_only_second) == (45, 75)
    assert scores.difference == pytest.approx(0.003) and scores.low > 0 and scores.p_value < 0.01


def test_copy_has_no_difference_but_an_interval():
    labels, probabilities = make_predictions()
    scores = compare_predictions(labels, probabilities, probabilities.copy(), NAMES)
    assert (scores.difference, scores.p_value, scores.n_different, scores.log_loss_difference) == (0, 1, 0, 0)
    assert -0.001 < scores.low < 0 < scores.high < 0.001
    assert all(each.difference == 0 and each.p_value == 1 for each in scores.per_class)


def test_differences_are_those_of_the_separate_scores():
    labels, first = make_predictions(500, 0.8)
    second = make_predictions(500, 0.7)[1][::-1]
    scores = compare_predictions(labels, first, second, NAMES)
    apart = [score_predictions(labels, each, NAMES) for each in (first, second)]
    assert scores.difference == pytest.approx(apart[1].accuracy - apart[0].accuracy)
    losses = [each.negative_log_likelihood for each in apart]
    assert scores.log_loss_difference == pytest.approx(losses[1] - losses[0])
    for each, one, other in zip(scores.per_class, apart[0].per_class, apart[1].per_class, strict=True):
        assert (each.name, each.n) == (one.name, one.support)
        assert (each.first, each.second) == pytest.approx((one.recall, other.recall))


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (3, 9), (12, 12), (40, 95), (30_000, 29_000)])
def test_mcnemar_is_a_binomial_test(first, second):
    expected = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar_test(first, second) == mcnemar_test(second, first) == pytest.approx(expected, rel=1e-9)


def test_fewest_decisive_images_of_a_significant_test():
    assert mcnemar_test(0, MIN_DECISIVE) < SIGNIFICANCE <= mcnemar_test(0, MIN_DECISIVE - 1)


def reject(difference, n_gained, n_lost, n):
    """Return the statistic of the score test, with the nuisance parameter found by a search."""

    def minus_log_likelihood(lost):
        cells = np.array([lost + difference, lost, 1 - 2 * lost - difference])
        counts = np.array([n_gained, n_lost, n - n_gained - n_lost])
        return -(counts[counts > 0] * np.log(cells[counts > 0])).sum()

    bounds = max(0.0, -difference) + 1e-12, (1 - difference) / 2 - 1e-12
    lost = minimize_scalar(minus_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-13}).x
    return (n_gained - n_lost - n * difference) ** 2 / (n * (2 * lost + difference * (1 - difference)))


@pytest.mark.parametrize(("n_gained", "n_lost", "n"), [(50, 20, 10_000), (7, 1, 40), (0, 3, 25), (300, 290, 2000)])
def test_limits_of_the_interval_are_just_accepted_by_the_score_test(n_gained, n_lost, n):
    for limit in paired_interval(n_gained, n_lost, n):
        assert reject(limit, n_gained, n_lost, n) == pytest.approx(chi2.ppf(0.95, 1), rel=1e-3)


def test_interval_is_symmetric_contains_the_difference_and_stays_in_range():
    for n_gained, n_lost, n in [(0, 0, 1), (1, 0, 1), (0, 5, 5), (5, 5, 10), (0, 0, 100), (1, 0, 100)]:
        low, high = paired_interval(n_gained, n_lost, n)
        assert -1 <= low <= (n_gained - n_lost) / n <= high <= 1 and low < high
        assert paired_interval(n_lost, n_gained, n) == pytest.approx((-high, -low))


def test_interval_covers_the_true_difference_in_95_of_100_samples():
    counts = np.random.default_rng(0).multinomial(2000, [0.012, 0.008, 0.98], 2000)
    covered = [low <= 0.004 <= high for low, high in (paired_interval(a, b, 2000) for a, b, _ in counts.tolist())]
    assert 0.935 < np.mean(covered) < 0.965


def test_correction_limits_false_positives_of_many_classes():
    assert correct_p_values([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert correct_p_values([0.9, 0.8]) == [1, 1]
    assert correct_p_values([]) == []


def test_classes_without_images_are_omitted_and_one_image_has_no_interval_of_the_log_loss():
    probabilities = np.array([[0.7, 0.2, 0.1]])
    scores = compare_predictions(np.array([1]), probabilities, probabilities, ["a", "b", "c"])
    assert [each.name for each in scores.per_class] == ["b"]
    assert scores.log_loss_low is scores.log_loss_high is None


def test_images_that_differ_are_listed_most_confident_first():
    first = np.array([[0.9, 0.1, 0], [0.6, 0.4, 0], [0.5, 0.2, 0.3]])
    second = np.array([[0.8, 0.2, 0], [0.3, 0.7, 0], [0.1, 0.1, 0.8]])
    rows = list_differences(["x", "y", "z"], np.array([0, 0, 1]), first, second, ["a", "b", "c"])
    assert rows == [
        ("z", "b", "a", "0.500000", "c", "0.800000"),
        ("y", "a", "a", "0.600000", "b", "0.700000"),
    ]


def test_wrong_shapes_and_counts_raise():
    labels, probabilities = make_predictions(20)
    with pytest.raises(DataError, match=r"shapes \(20, 10\) and \(19, 10\)"):
        compare_predictions(labels, probabilities, probabilities[:-1], NAMES)
    with pytest.raises(DataError, match="at least one image"):
        compare_predictions(labels[:0], probabilities[:0], probabilities[:0], NAMES)
    with pytest.raises(ParameterError, match="n_lost 4 and n 9"):
        paired_interval(6, 4, 9)

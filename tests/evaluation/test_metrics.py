import json
import warnings

import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn import metrics

from skconv.evaluation.metrics import score_predictions, wilson_interval
from skconv.exceptions import DataError, ParameterError


@st.composite
def predictions(draw):
    n, k = draw(st.integers(1, 40)), draw(st.integers(2, 6))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = generator.integers(0, draw(st.integers(1, k)), n)  # the last classes may be absent
    return labels, generator.dirichlet(np.full(k, draw(st.sampled_from([0.1, 1.0, 10.0]))), n)


@given(st.integers(1, 10**7).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_interval_contains_the_proportion_and_stays_in_range(counts):
    n_correct, n = counts
    low, high = wilson_interval(n_correct, n)
    assert 0 <= low <= n_correct / n <= high <= 1


@given(st.integers(0, 50))
def test_wilson_interval_is_symmetric_and_narrows_with_more_images(n_correct):
    low, high = wilson_interval(n_correct, 50)
    mirrored = wilson_interval(50 - n_correct, 50)
    assert (1 - high, 1 - low) == pytest.approx(mirrored)
    more = wilson_interval(100 * n_correct, 5000)
    assert more[1] - more[0] < high - low


def test_wilson_interval_solves_its_equation():
    # Each limit is a proportion exactly z standard errors away from the measured one.
    low, high = wilson_interval(97, 120)
    for end in (low, high):
        assert abs(97 / 120 - end) == pytest.approx(1.959963984540054 * np.sqrt(end * (1 - end) / 120))


@pytest.mark.parametrize("arguments", [(0, 0), (5, 4), (-1, 4)])
def test_wilson_interval_refuses_impossible_counts(arguments):
    with pytest.raises(ParameterError, match="expected"):
        wilson_interval(*arguments)


@given(predictions())
def test_score_predictions_agrees_with_a_plain_computation(case):
    labels, probabilities = case
    n, k = probabilities.shape
    predicted = probabilities.argmax(1)
    truth = np.eye(k)[labels]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = score_predictions(labels, probabilities)
    assert scores.n == n
    assert scores.accuracy == np.mean(predicted == labels)
    assert scores.low <= scores.accuracy <= scores.high
    assert scores.brier == pytest.approx(((probabilities - truth) ** 2).sum(1).mean(), abs=1e-9)
    assert scores.negative_log_likelihood == pytest.approx(
        metrics.log_loss(labels, probabilities, labels=range(k)), rel=1e-6
    )
    np.testing.assert_array_equal(scores.confusion, metrics.confusion_matrix(labels, predicted, labels=range(k)))
    reference = metrics.precision_recall_fscore_support(labels, predicted, labels=range(k), zero_division=0)
    for position, score in enumerate(scores.per_class):
        expected = [column[position] for column in reference]
        assert [score.precision, score.recall, score.f1, score.support] == pytest.approx(expected)


@given(predictions())
def test_calibration_error_agrees_with_a_loop_over_bins(case):
    labels, probabilities = case
    confidences, correct = probabilities.max(1), probabilities.argmax(1) == labels
    expected = 0.0
    for bin_number in range(15):
        inside = (confidences > bin_number / 15) & (confidences <= (bin_number + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(confidences[inside].mean() - correct[inside].mean())
    assert score_predictions(labels, probabilities).expected_calibration_error == pytest.approx(expected)


@given(st.lists(st.integers(0, 3), min_size=1))
def test_scores_of_perfect_predictions(labels):
    scores = score_predictions(np.array(labels), np.eye(4)[labels])
    assert (scores.accuracy, scores.high, scores.brier) == (1, 1, 0)
    assert scores.expected_calibration_error == scores.negative_log_likelihood == 0


def test_absent_class_scores_zero_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = score_predictions(np.array([0, 0]), np.array([[0.9, 0.1, 0.0], [0.0, 1.0, 0.0]]), ["a", "b", "c"])
    absent = scores.per_class[2]
    assert (absent.name, absent.precision, absent.recall, absent.f1, absent.support) == ("c", 0, 0, 0, 0)
    assert np.isfinite(scores.negative_log_likelihood)  # a true class of probability 0


def test_small_label_types_do_not_overflow():
    labels = np.arange(26, dtype=np.uint8).repeat(3)
    assert score_predictions(labels, np.eye(26, dtype=np.float32)[labels]).accuracy == 1


def test_to_json_returns_json_values():
    scores = score_predictions(np.array([0, 1]), np.eye(2, dtype=np.float32), ["cat", "dog"])
    document = json.loads(json.dumps(scores.to_json(), allow_nan=False))
    assert document["per_class"][1] == {"name": "dog", "precision": 1, "recall": 1, "f1": 1, "support": 1} | {
        "roc_auc": 1,
        "average_precision": 1,
    }
    assert document["class_size_range"] == [1, 1]
    assert document["ordered_classes"] is None


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        (np.array([], int), np.zeros((0, 3)), "at least one image"),
        (np.array([0]), np.array([0.5, 0.5]), "expected float of shape"),
        (np.array([0, 1]), np.array([[0.5, 0.5]]), "expected 1 integers"),
        (np.array([0.0]), np.array([[0.5, 0.5]]), "expected 1 integers"),
        (np.array([2]), np.array([[0.5, 0.5]]), r"expected 0\.\.1"),
        (np.array([-1]), np.array([[0.5, 0.5]]), r"expected 0\.\.1"),
        (np.array([0]), np.array([[3.0, -2.0]]), "Are these logits"),
        (np.array([0]), np.array([[np.nan, 1.0]]), "Row 0 is not a row of probabilities"),
    ],
)
def test_score_predictions_refuses_invalid_predictions(labels, probabilities, message):
    with pytest.raises(DataError, match=message) as caught:
        score_predictions(labels, probabilities)
    assert "\n" not in str(caught.value)


def test_score_predictions_refuses_another_number_of_class_names():
    with pytest.raises(DataError, match="3 class names for 2 classes"):
        score_predictions(np.array([0]), np.array([[0.5, 0.5]]), ["a", "b", "c"])


@given(predictions())
def test_scores_in_which_classes_count_alike_agree_with_scikit_learn(case):
    labels, probabilities = case
    predicted = probabilities.argmax(1)
    scores = score_predictions(labels, probabilities, [f"grade {k}" for k in range(probabilities.shape[1])])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # absent classes
        assert scores.balanced_accuracy == pytest.approx(metrics.balanced_accuracy_score(labels, predicted))
        assert scores.macro_f1 == pytest.approx(metrics.f1_score(labels, predicted, average="macro"))
        if scores.cohen_kappa is not None:
            assert scores.cohen_kappa == pytest.approx(metrics.cohen_kappa_score(labels, predicted))
        else:
            assert len({*labels, *predicted}) == 1
        if scores.quadratic_kappa is not None:
            expected = metrics.cohen_kappa_score(
                labels, predicted, weights="quadratic", labels=range(probabilities.shape[1])
            )
            assert scores.quadratic_kappa == pytest.approx(expected)
        if scores.order is not None:
            assert scores.mean_absolute_error == pytest.approx(metrics.mean_absolute_error(labels, predicted))
    assert (scores.order is None) == (probabilities.shape[1] == 2)


@given(predictions())
def test_areas_under_curves_agree_with_scikit_learn(case):
    labels, probabilities = case
    k = probabilities.shape[1]
    present = np.unique(labels)
    scores = score_predictions(labels, probabilities)
    if len(present) == 1:
        assert scores.roc_auc is None and scores.average_precision is None
    elif k == 2:
        assert scores.roc_auc == pytest.approx(metrics.roc_auc_score(labels, probabilities[:, 1]))
        assert scores.average_precision == pytest.approx(metrics.average_precision_score(labels, probabilities[:, 1]))
    else:
        truth = np.eye(k)[labels][:, present]
        assert scores.roc_auc == pytest.approx(metrics.roc_auc_score(truth, probabilities[:, present]))
        expected = metrics.average_precision_score(truth, probabilities[:, present])
        assert scores.average_precision == pytest.approx(expected)


def test_ordered_scores_depend_on_the_order_of_the_names_not_of_the_classes():
    labels, probabilities = np.array([0, 1, 2, 2]), np.eye(3)[[0, 2, 2, 1]]  # high, low, medium
    scores = score_predictions(labels, probabilities, ["high", "low", "medium"])
    assert scores.to_json()["ordered_classes"] == ["low", "medium", "high"]
    expected = metrics.cohen_kappa_score([2, 0, 1, 1], [2, 1, 1, 0], weights="quadratic")
    assert scores.quadratic_kappa == pytest.approx(expected)
    assert scores.mean_absolute_error == 0.5
    # The distances between numbers are those of their values.
    assert score_predictions(labels, probabilities, ["30", "10", "20"]).mean_absolute_error == 5


def test_images_of_one_class_give_null_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = score_predictions(np.zeros(3, int), np.tile([0.8, 0.1, 0.1], (3, 1)), ["low", "medium", "high"])
        document = json.loads(json.dumps(scores.to_json(), allow_nan=False))
    undefined = [name for name, value in document.items() if value is None]
    assert undefined == ["cohen_kappa", "roc_auc", "average_precision", "quadratic_kappa"]
    assert document["balanced_accuracy"] == document["macro_f1"] == 1

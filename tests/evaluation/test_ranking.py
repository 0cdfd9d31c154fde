import numpy as np
import pytest
from hypothesis import given, strategies as st
from sklearn import metrics

from skconv.evaluation.ranking import rank_class


@st.composite
def rankings(draw):
    """Labels of both classes, and scores, often with ties."""
    n = draw(st.integers(2, 60))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    is_positive = generator.integers(0, 2, n).astype(bool)
    is_positive[:2] = [False, True]
    return is_positive, generator.integers(0, draw(st.sampled_from([1, 3, 1000])), n) / 1000


@given(rankings())
def test_areas_agree_with_scikit_learn(case):
    curve = rank_class(*case)
    assert curve.roc_auc == pytest.approx(metrics.roc_auc_score(*case))
    assert curve.average_precision == pytest.approx(metrics.average_precision_score(*case))


@given(rankings())
def test_roc_points_are_points_of_scikit_learn_with_the_same_area(case):
    x, y = rank_class(*case).roc_points()
    all_points = zip(*metrics.roc_curve(*case, drop_intermediate=False)[:2], strict=True)
    assert set(zip(x, y, strict=True)) <= set(all_points)
    assert np.trapezoid(y, x) == pytest.approx(metrics.roc_auc_score(*case))


@given(rankings())
def test_precision_recall_points_are_those_of_scikit_learn_at_which_the_recall_increases(case):
    recall, precision = rank_class(*case).precision_recall_points()
    all_precisions, all_recalls, _ = metrics.precision_recall_curve(*case)
    # In descending order of recall, the last point of a recall has the highest threshold.
    expected = dict(zip(all_recalls, all_precisions, strict=True))
    del expected[0.0]
    assert dict(zip(recall, precision, strict=True)) == pytest.approx(expected)
    assert (np.diff(recall) > 0).all() and recall[-1] == 1


@pytest.mark.parametrize("is_positive", [[True, True], [False, False]])
def test_areas_of_one_class_are_undefined(is_positive):
    curve = rank_class(np.array(is_positive), np.array([0.2, 0.4]))
    assert curve.roc_auc is None and curve.average_precision is None

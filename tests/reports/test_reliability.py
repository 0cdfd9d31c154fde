"""Reliability, and risk against coverage."""

import numpy as np
import pytest

from skconv.exceptions import DataError
from skconv.reports.reliability import draw_reliability


def test_risk_grows_where_the_unsure_answers_are_the_wrong_ones():
    labels = np.array([0, 0, 0, 1])
    probabilities = np.array([[0.99, 0.01], [0.95, 0.05], [0.9, 0.1], [0.6, 0.4]])
    line = draw_reliability(labels, probabilities).axes[1].lines[0]
    np.testing.assert_allclose(line.get_xdata(), [25, 50, 75, 100])
    np.testing.assert_allclose(line.get_ydata(), [0, 0, 0, 25])


def test_equally_sure_answers_are_kept_together():
    labels = np.array([0, 1])
    line = draw_reliability(labels, np.array([[0.8, 0.2], [0.8, 0.2]])).axes[1].lines[0]
    np.testing.assert_allclose(line.get_xdata(), [100])
    np.testing.assert_allclose(line.get_ydata(), [50])


def test_reliability_has_a_point_a_filled_bin():
    rng = np.random.default_rng(0)
    sure = rng.uniform(0.5, 1, 500)
    labels = (rng.uniform(size=500) > sure).astype(int)
    points = draw_reliability(labels, np.stack([sure, 1 - sure], axis=1)).axes[0].lines[1:]
    assert len(points) == 5
    for point in points:
        assert abs(point.get_xdata()[0] - point.get_ydata()[0]) < 15


def test_shapes_that_do_not_fit_are_told():
    with pytest.raises(DataError):
        draw_reliability(np.array([0]), np.ones((2, 2)) / 2)

import numpy as np
import pytest

from skconv.exceptions import DataError
from skconv.reports.reliability import draw_reliability


def test_risk_increases_if_mistakes_have_low_confidence():
    labels = np.array([0, 0, 0, 1])
    probabilities = np.array([[0.99, 0.01], [0.95, 0.05], [0.9, 0.1], [0.6, 0.4]])
    line = draw_reliability(labels, probabilities).axes[1].lines[0]
    np.testing.assert_allclose(line.get_xdata(), [25, 50, 75, 100])
    np.testing.assert_allclose(line.get_ydata(), [0, 0, 0, 25])


def test_predictions_of_equal_confidence_share_a_point():
    labels = np.array([0, 1])
    line = draw_reliability(labels, np.array([[0.8, 0.2], [0.8, 0.2]])).axes[1].lines[0]
    np.testing.assert_allclose(line.get_xdata(), [100])
    np.testing.assert_allclose(line.get_ydata(), [50])


def test_diagram_has_a_point_per_bin():
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.5, 1, 500)
    labels = (rng.uniform(size=500) > confidence).astype(int)
    points = draw_reliability(labels, np.stack([confidence, 1 - confidence], axis=1)).axes[0].lines[1:]
    assert len(points) == 5
    for point in points:
        assert abs(point.get_xdata()[0] - point.get_ydata()[0]) < 15


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(DataError):
        draw_reliability(np.array([0]), np.ones((2, 2)) / 2)

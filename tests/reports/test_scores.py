import numpy as np
import pytest

from skconv.exceptions import DataError
from skconv.reports.scores import draw_confusion, draw_reliability

from .figure_texts import overlaps, texts_of

LONG = "a class with a very long name, number {}"


@pytest.mark.parametrize(
    ("n_classes", "name"),
    [(2, "{}"), (26, "{}"), (10, "Ankle boot {}"), (2, LONG), (26, LONG)],
)
def test_texts_of_confusion_do_not_overlap(n_classes, name):
    generator = np.random.default_rng(0)
    confusion = generator.integers(0, 12, (n_classes, n_classes)) + np.diag(np.full(n_classes, 1234))
    figure = draw_confusion(confusion, [name.format(k) for k in range(n_classes)])
    axes = figure.axes[0]
    expected = [
        (f"{100 * count / confusion[row].sum():.1f} %", f"{count:,}")
        for (row, column), count in np.ndenumerate(confusion)
        if count or row == column
    ]
    assert [tuple(text.split("\n")) for text in texts_of(figure)] == expected
    figure.draw_without_rendering()
    counts = axes.texts[: 3 * n_classes]
    ticks = [*axes.get_xticklabels(), *axes.get_yticklabels()]
    assert overlaps(figure, [*counts, *ticks, axes.xaxis.label, axes.yaxis.label, axes.title]) == []
    assert len({tick.get_text() for tick in axes.get_xticklabels()}) == n_classes


def test_draw_confusion_colours_mistakes_only():
    figure = draw_confusion(np.array([[1000, 9, 1], [0, 1000, 0], [0, 0, 0]]), ["a", "b", "$c^$"])
    pixels = np.asarray(figure.axes[0].images[0].get_array())
    assert (pixels[0, 0] == pixels[1, 1]).all() and (pixels[0, 0] == pixels[2, 2]).all()
    assert pixels[1, 0].tolist() == [1, 1, 1, 0]  # transparent
    brightness = pixels[..., :3].sum(2)
    assert brightness[0, 1] < brightness[0, 2] < brightness[1, 0]
    assert figure.axes[0].get_title() == "10 of 2,010 wrong (0.50 %)"


def test_small_cells_have_the_rate_only_and_extreme_rates_differ_from_0_and_100():
    confusion = np.diag(np.full(36, 5000))
    confusion[0, 1] = 1
    confusion[1, 2] = 2500
    confusion[3] = 0
    figure = draw_confusion(confusion, [str(k) for k in range(36)])
    assert texts_of(figure)[:6] == [">99.9", "<0.1", "66.7", "33.3", "100", "–"]


def test_colour_of_mistakes_depends_on_the_rate_not_on_the_count():
    figure = draw_confusion(np.array([[900, 100], [5, 5]]), ["common", "rare"])
    brightness = np.asarray(figure.axes[0].images[0].get_array())[..., :3].sum(2)
    assert brightness[1, 0] < brightness[0, 1]


def test_draw_confusion_limits_its_size_for_a_thousand_classes():
    figure = draw_confusion(np.eye(1000, dtype=int), [f"class {k}" for k in range(1000)])
    assert len(figure.axes[0].texts) == 0
    assert len(figure.axes[0].get_xticklabels()) < 250
    assert max(figure.get_size_inches()) < 16


def test_draw_confusion_refuses_another_number_of_class_names():
    with pytest.raises(DataError, match=r"expected \(3, 3\)"):
        draw_confusion(np.eye(2, dtype=int), ["a", "b", "c"])


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


def test_draw_reliability_refuses_shapes_that_do_not_fit():
    with pytest.raises(DataError):
        draw_reliability(np.array([0]), np.ones((2, 2)) / 2)

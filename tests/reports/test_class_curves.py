import warnings

import numpy as np
import pytest

from skconv.evaluation.metrics import score_predictions
from skconv.exceptions import DataError
from skconv.reports.class_curves import draw_precision_recall, draw_roc, list_curve_figures

from .figure_texts import overlaps

BOTH = pytest.mark.parametrize("draw", [draw_roc, draw_precision_recall])


def predict(n_classes, n=600, strength=2.0):
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.arange(n) % n_classes)
    logits = generator.normal(size=(n, n_classes)) + strength * np.eye(n_classes)[labels]
    probabilities = np.exp(logits)
    return labels, probabilities / probabilities.sum(1, keepdims=True)


def legend_of(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def value_of(row):
    return float(row.rpartition(": ")[2].split()[0])


@BOTH
@pytest.mark.parametrize("n_classes", [5, 10, 100])
def test_legend_has_mean_and_worst_classes_without_overlap(draw, n_classes):
    labels, probabilities = predict(n_classes)
    names = [f"_a class with a very long name $number^$ {k}" for k in range(n_classes)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw(labels, probabilities, names)
        legend = figure.legends[0]
        texts = [text for axes in figure.axes for text in (axes.title, axes.xaxis.label, axes.yaxis.label)]
        assert overlaps(figure, [*legend.get_texts(), legend.get_title(), *texts]) == []
    scores = score_predictions(labels, probabilities, names)
    mean, areas = scores.average_precision, [each.average_precision for each in scores.per_class]
    if draw is draw_roc:
        mean, areas = scores.roc_auc, [each.roc_auc for each in scores.per_class]
    rows = legend_of(figure)
    assert rows[0].startswith(f"mean of {n_classes} classes: {mean:.4f}")
    shown = areas if n_classes == 5 else sorted(areas)[:5]
    assert [value_of(row) for row in rows[1:6]] == [round(area, 4) for area in shown]
    assert rows[6:] == (["5 other classes"] if n_classes == 10 else [])


def test_two_classes_have_one_roc_curve_and_two_precision_recall_curves():
    labels, probabilities = predict(2)
    scores = score_predictions(labels, probabilities)
    (row,) = legend_of(draw_roc(labels, probabilities, ["cat", "dog"]))
    assert row == f"dog: {scores.roc_auc:.4f} (n = 300)"
    rows = legend_of(draw_precision_recall(labels, probabilities, ["cat", "dog"]))
    assert [row.partition(":")[0] for row in rows] == ["cat", "dog"]


@BOTH
@pytest.mark.parametrize(("strength", "n_views"), [(1.0, 1), (4.0, 2), (50.0, 1)])
def test_corner_is_enlarged_if_the_curves_are_close_to_it_but_not_in_it(draw, strength, n_views):
    figure = draw(*predict(4, strength=strength), "abcd")
    assert len(figure.axes) == n_views


@BOTH
def test_area_under_the_drawn_curves_is_the_area_in_the_legend(draw):
    labels, probabilities = predict(3)
    figure = draw(labels, probabilities, "abc")
    lines = [line for line in figure.axes[0].lines if line.get_linestyle() == "-"]
    for line, row in zip(lines, legend_of(figure), strict=True):
        x, y = line.get_data()
        assert np.trapezoid(y, x) == pytest.approx(value_of(row), abs=0.006)


def test_images_of_one_class_have_no_curves():
    labels, probabilities = np.zeros(4, int), np.full((4, 2), 0.5)
    assert list_curve_figures(labels, probabilities, "ab") == {}
    with pytest.raises(DataError, match="at least two classes"):
        draw_roc(labels, probabilities, "ab")


@BOTH
def test_absent_classes_are_omitted(draw):
    labels, probabilities = predict(4)
    chosen = labels < 3
    rows = legend_of(draw(labels[chosen], probabilities[chosen], "abcd"))
    assert [row.partition(":")[0] for row in rows] == ["mean of 3 classes", "a", "b", "c"]

"""Figure of the comparison with another model."""

import numpy as np
import pytest

from skconv.evaluation.paired import compare_predictions
from skconv.reports.comparison import draw_differences
from skconv.reports.style import BLUE, GREY, VERMILION

from .figure_texts import overlaps


def compare(n_classes, name="class {}"):
    """Return the comparison of a classifier with one that is better for the first class and worse for the second."""
    labels = np.repeat(np.arange(n_classes), 100)
    first = np.eye(n_classes)[labels]
    second = first.copy()
    first[:40], second[100:130] = np.eye(n_classes)[1], np.eye(n_classes)[0]
    return compare_predictions(labels, first, second, [name.format(k) for k in range(n_classes)])


def test_colours_show_which_classifier_is_significantly_better():
    panel = draw_differences(compare(4)).axes[0]
    _, *lines = panel.lines  # the first is at 0
    assert [line.get_color() for line in lines[::2]] == [GREY, BLUE, VERMILION, GREY, GREY]
    assert [line.get_xdata()[0] for line in lines[1::2]] == pytest.approx([2.5, 40, -30, 0, 0])


def test_of_many_classes_those_of_lowest_p_are_drawn_without_overlaps():
    figure = draw_differences(compare(50, "a class with a long name, $number {}$"))
    ticks = figure.axes[0].get_yticklabels()
    names = [tick.get_text() for tick in ticks]
    assert len(names) == 31 and names[0] == "all images" and names[1].endswith("0$") and names[2].endswith("1$")
    assert overlaps(figure, [*ticks, figure.axes[0].title]) == []

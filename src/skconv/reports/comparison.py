"""Sections of the report page on the comparison with another model, and their figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from skconv.evaluation.paired import DIFFERENCE_COLUMNS, SIGNIFICANCE, ClassDifference
from skconv.evaluation.score_table import CLASS_COLUMNS, list_class_differences, select_classes
from skconv.reports.page import PageFigure, PageTable, Section
from skconv.reports.style import BLUE, GREY, VERMILION, fit_text, label_ticks, new_figure, standard_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from skconv.evaluation.paired import PairedScores

_MAX_CLASSES = 30  # classes drawn
_MAX_ROWS = 20  # images listed on the page; the CSV file has all


def show_comparison(
    scores: PairedScores, text: str, rows: Sequence[Sequence[str]], differences: Sequence[Sequence[str]]
) -> list[Section]:
    """Return the sections of a comparison, or one section if the predicted classes are equal for all images.

    `text` names the models, `rows` are the columns score, first model, second model and difference, and `differences`
    those of `list_differences`.
    """
    table = PageTable(["score", "first", "second", "second - first"], rows)
    overall = Section("Comparison with another model", text, table=table)
    if not scores.n_different:
        return [overall]
    n_drawn = min(len(scores.per_class), _MAX_CLASSES)
    drawn = "" if n_drawn == len(scores.per_class) else f" The figure shows the {n_drawn} classes with the lowest p."
    figure = PageFigure(draw_differences(scores), "differences", "Difference in recall of each class.")
    explanation = (
        "Difference in the recall of each class, in points, with its 95 % interval. p: McNemar's test with Holm's "
        "correction for the number of classes, which the intervals do not have."
    )
    classes = PageTable(CLASS_COLUMNS, list_class_differences(scores.per_class))
    images = PageTable(DIFFERENCE_COLUMNS, differences, file="differences.csv", max_rows=_MAX_ROWS)
    return [
        overall,
        Section("Comparison by class", explanation + drawn, figures=[figure], table=classes),
        Section("Images classified differently", "The most confident prediction first.", table=images),
    ]


@standard_style()
def draw_differences(scores: PairedScores) -> Figure:
    """Draw the difference in accuracy and in the recall of each class, with 95 % intervals.

    Significant differences are coloured: blue if the second classifier is better, vermilion if it is worse. Of more
    than 30 classes, those with the lowest p value are drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from skconv.evaluation.paired import compare_predictions
    >>> scores = compare_predictions(np.array([0, 1]), np.eye(2), np.eye(2), ["cat", "dog"])
    >>> [tick.get_text() for tick in draw_differences(scores).axes[0].get_yticklabels()]
    ['all images', 'cat', 'dog']
    """
    everything = ClassDifference("", scores.n, 0, 0, scores.difference, scores.low, scores.high, scores.p_value)
    shown = [everything, *select_classes(scores.per_class, _MAX_CLASSES)]
    names, size = fit_text(["all images", *(each.name for each in shown[1:])], 1.8)
    figure = new_figure(6.5, 0.9 + 0.26 * len(shown))
    panel = figure.subplots()
    panel.axvline(0, color=GREY, linewidth=1, linestyle=":")
    for position, each in enumerate(shown):
        colour = GREY if each.p_value >= SIGNIFICANCE else BLUE if each.difference > 0 else VERMILION
        panel.plot([100 * each.low, 100 * each.high], [position] * 2, color=colour, linewidth=1.4)
        panel.plot(100 * each.difference, position, "o" if position else "D", color=colour, markersize=5)
    label_ticks(panel.yaxis, names, 1, fontsize=size)
    panel.set_ylim(len(shown) - 0.4, -0.6)
    panel.set_xlabel("second - first, points")
    panel.set_title("difference in accuracy and in recall per class (coloured: p < 0.05)", fontsize=9)
    panel.grid(alpha=0.3, axis="x")
    panel.spines[["top", "right"]].set_visible(False)
    return figure

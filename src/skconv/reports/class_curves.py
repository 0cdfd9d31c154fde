"""Figures of the ROC and the precision-recall curves of each class against the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skconv.evaluation.ranking import RankingCurve, rank_class
from skconv.exceptions import DataError
from skconv.reports.style import BLUE, GREY, VERMILION, fit_text, new_figure, standard_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLOURS = (VERMILION, BLUE, "#009E73", "#CC79A7", "#E69F00")  # palette of Okabe and Ito; one per named class
_MAX_GREY = 30  # classes; with more, the curves of classes that are not named would hide the others
_MAX_DETAIL = 0.3  # side of the enlarged corner; if the curves need more, they are legible without
_NAME_WIDTH = 1.5  # inches
# The means are computed on a grid that is denser near 0, where most curves rise.
_GRID = np.unique(np.concatenate([[0.0], np.geomspace(1e-5, 1, 300), np.linspace(0, 1, 201)]))


class _Line(NamedTuple):
    name: str
    n: int  # images of the class
    area: float
    x: np.ndarray
    y: np.ndarray


def list_curve_figures(
    labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]
) -> dict[str, Callable[[], Figure]]:
    """Return functions that draw the curves, by file name; none if the images are of one class only."""
    if len(np.unique(labels)) < 2:
        return {}
    return {
        "roc": partial(draw_roc, labels, probabilities, class_names),
        "precision_recall": partial(draw_precision_recall, labels, probabilities, class_names),
    }


@standard_style()
def draw_roc(labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Draw ROC curves: the curve of the second of two classes, or of each of more classes against the rest.

    Of more than five classes, the five of lowest area are named. The mean is that of the true positive rates. If all
    curves pass close to the ideal corner, an enlarged view of the corner is added.

    Examples
    --------
    >>> figure = draw_roc(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]), ["cat", "dog"])
    >>> figure.axes[0].get_xlabel()
    'false positive rate'
    """
    curves = _find_curves(labels, probabilities)
    if len(class_names) == 2:
        curves.pop(0, None)  # its curve is the mirror image of the other
    points = {k: curve.roc_points() for k, curve in curves.items()}
    lines = [_Line(class_names[k], _count(curve), curve.roc_auc or 0, *points[k]) for k, curve in curves.items()]
    means = np.mean([np.interp(_GRID, *each) for each in points.values()], axis=0)
    mean = _make_mean(lines, np.append(0.0, _GRID), np.append(0.0, means))
    return _draw(lines, mean, ("false positive rate", "true positive rate"), corner=(0, 1), area="area under the curve")


@standard_style()
def draw_precision_recall(labels: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Draw the precision-recall curve of each class against the rest.

    Classes, mean and enlarged corner are as in `draw_roc`, with the average precision as area. The mean is that of the
    precisions at the same recall.

    Examples
    --------
    >>> figure = draw_precision_recall(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]), ["cat", "dog"])
    >>> figure.axes[0].get_xlabel()
    'recall'
    """
    curves = _find_curves(labels, probabilities)
    lines, precisions = [], []
    grid = np.sort(1 - _GRID)
    for k, curve in curves.items():
        recall, precision = curve.precision_recall_points()
        precisions.append(precision[np.searchsorted(recall, grid)])
        # Steps: a precision holds from the previous recall.
        x, y = np.repeat(np.append(0.0, recall), 2)[1:-1], np.repeat(precision, 2)
        lines.append(_Line(class_names[k], _count(curve), curve.average_precision or 0, x, y))
    mean = _make_mean(lines, grid, np.mean(precisions, axis=0))
    return _draw(lines, mean, ("recall", "precision"), corner=(1, 1), area="average precision")


def _find_curves(labels: np.ndarray, probabilities: np.ndarray) -> dict[int, RankingCurve]:
    """Return the curve of each class with images, by the index of the class."""
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    if probabilities.ndim != 2 or len(labels) != len(probabilities) or len(np.unique(labels)) < 2:
        raise DataError(
            f"The probabilities have shape {probabilities.shape} for {len(labels):,} labels of "
            f"{len(np.unique(labels))} classes; expected (n, k) for n labels of at least two classes."
        )
    return {int(k): rank_class(labels == k, probabilities[:, k]) for k in np.unique(labels)}


def _count(curve: RankingCurve) -> int:
    return int(curve.true_positives[-1])


def _make_mean(lines: Sequence[_Line], x: np.ndarray, y: np.ndarray) -> _Line | None:
    """Return the line of the mean, with the mean area; None for one or two classes."""
    if len(lines) <= 2:
        return None
    area = float(np.mean([line.area for line in lines]))
    return _Line(f"mean of {len(lines)} classes", sum(line.n for line in lines), area, x, y)


def _draw(
    lines: Sequence[_Line], mean: _Line | None, axes_names: tuple[str, str], *, corner: tuple[int, int], area: str
) -> Figure:
    """Draw lines in the unit square, and in its enlarged ideal `corner` if they pass close to it, with a legend."""
    named, others = list(lines), []
    if len(lines) > len(_COLOURS):
        ranked = sorted(lines, key=lambda line: line.area)
        named, others = ranked[: len(_COLOURS)], ranked[len(_COLOURS) :]
        area += f"\n(the {len(named)} lowest of {len(lines)} classes)"
    grey = others if len(lines) <= _MAX_GREY else []
    bold = [] if mean is None else [mean]
    side = 3 * max(float(np.maximum(abs(x - corner[0]), abs(y - corner[1])).min()) for *_, x, y in grey + named + bold)
    views = [1.0, side] if 0 < side <= _MAX_DETAIL else [1.0]
    figure = new_figure(4.3 + 2.8 * len(views), 3.6)
    panels = figure.subplots(1, len(views), squeeze=False)[0]
    for panel, view in zip(panels, views, strict=True):
        if corner == (0, 1):
            panel.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1)  # chance
        greys = [panel.plot(line.x, line.y, color=GREY, alpha=0.4, linewidth=0.8)[0] for line in grey]
        handles = [panel.plot(line.x, line.y, color="#000000", linewidth=2.2)[0] for line in bold]
        handles += [
            panel.plot(line.x, line.y, color=colour, linewidth=1.4)[0]
            for line, colour in zip(named, _COLOURS, strict=False)
        ]
        _frame(panel, view, corner, axes_names)
    if len(lines) > 1:
        panels[0].set_title("each class against the rest", fontsize=9)
    if len(views) == 2:
        x, y = (np.array([at, at + side * (1 - 2 * at)]) for at in corner)
        panels[0].plot(x[[0, 1, 1, 0, 0]], y[[0, 0, 1, 1, 0]], color=GREY, linewidth=0.7)
        panels[1].set_title("enlarged corner", fontsize=9)
    names = [line.name for line in bold + named]
    names, size = fit_text(names, _NAME_WIDTH)
    labels = [f"{name}: {line.area:.4f} (n = {line.n:,})" for name, line in zip(names, bold + named, strict=True)]
    if greys:
        handles.append(greys[0])
        labels.append(f"{len(others)} other classes")
    style = {"fontsize": min(8, size), "title_fontsize": 8, "alignment": "left", "frameon": False}
    legend = figure.legend(handles, [""] * len(handles), loc="outside right upper", title=area, **style)
    for text, label in zip(legend.get_texts(), labels, strict=True):
        text.set_text(label)  # not as an argument, because a label that begins with _ would be omitted
        text.set_parse_math(False)
    return figure


def _frame(panel: Any, view: float, corner: tuple[int, int], axes_names: tuple[str, str]) -> None:
    """Set limits, ticks and labels of a panel that shows a square with sides `view` at a corner of the unit square."""
    for axis, at, name in zip("xy", corner, axes_names, strict=True):
        margin = 0.02 * view  # so that lines at the edge are visible
        panel.set(**{f"{axis}lim": (at - view * at - margin, at + view * (1 - at) + margin), f"{axis}label": name})
    panel.locator_params(nbins=5)
    panel.ticklabel_format(useOffset=False)
    panel.grid(alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)

"""Whether a model's confidence can be trusted: reliability, and risk against coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import DataError
from skconv.reports.style import BLUE, GREY, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 10
_FEW = 10  # answers of a bin, below which its share says little: it is drawn hollow
_MARKS = (0.5, 0.9, 0.99, 0.999)  # confidences that are marked on the curve of risk


def draw_trust(labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Draw how often answers of a confidence are right, and how many mistakes are left if the unsure are set aside.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        True classes as positions of the columns.
    probabilities : ndarray of float, shape (n, k)
        Predicted probabilities.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels: reliability in bins of equal width, and the share of mistakes among the most confident answers, with
        marks where a confidence of 0.5, 0.9, 0.99 and 0.999 is asked for.

    Raises
    ------
    DataError
        Shapes that do not fit, or nothing to draw.

    Examples
    --------
    >>> figure = draw_trust(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]))
    >>> len(figure.axes)
    2
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    if probabilities.ndim != 2 or len(labels) != len(probabilities) or not len(labels):
        raise DataError(f"The probabilities have shape {probabilities.shape}; {len(labels):,} labels came.")
    confidence = probabilities.max(axis=1).astype(float)
    is_right = probabilities.argmax(axis=1) == labels
    figure = new_figure(9, 3.8)
    left, right = figure.subplots(1, 2)
    _draw_reliability(left, confidence, is_right)
    _draw_risk(right, confidence, is_right)
    return figure


def _draw_reliability(panel: Any, confidence: np.ndarray, is_right: np.ndarray) -> None:
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    panel.plot([0, 100], [0, 100], color=GREY, linewidth=1, linestyle=":")
    for number in np.unique(bins):
        chosen = bins == number
        x, y, n = 100 * confidence[chosen].mean(), 100 * is_right[chosen].mean(), int(chosen.sum())
        panel.plot(x, y, "o", color=BLUE, markersize=7, fillstyle="full" if n >= _FEW else "none")
        panel.annotate(f"{n:,}", (x, y), (0, -13), textcoords="offset points", fontsize=7, color=GREY, ha="center")
    panel.set_xlabel("mean confidence of the bin, %")
    panel.set_ylabel("right answers, %")
    # Not as a legend: it would hide points wherever it stood.
    panel.set_title("reliability (numbers: answers; dotted: perfect calibration)", fontsize=9)
    panel.set_xlim(0, 104)
    panel.set_ylim(-6, 106)


def _draw_risk(panel: Any, confidence: np.ndarray, is_right: np.ndarray) -> None:
    order = np.argsort(-confidence, kind="stable")
    n = np.arange(1, len(order) + 1)
    coverage, risk = 100 * n / len(n), 100 * np.cumsum(~is_right[order]) / n
    ends = np.append(np.diff(confidence[order]) != 0, True)  # equally sure answers cannot be parted
    panel.plot(coverage[ends], risk[ends], color=VERMILION)
    for least in _MARKS:
        kept = int((confidence >= least).sum())
        if kept:
            place = (coverage[kept - 1], risk[kept - 1])
            panel.plot(*place, "o", color=BLUE, markersize=5)
            side, shift = ("right", -6) if place[0] > 15 else ("left", 2)  # inside the panel
            panel.annotate(
                f"≥ {100 * least:g} %", place, (shift, 5), textcoords="offset points", fontsize=7, color=BLUE, ha=side
            )
    panel.set_xlabel("answers kept, the most confident first, %")
    panel.set_ylabel("mistakes among them, %")
    panel.set_title(f"risk and coverage: all kept, {risk[-1]:.2f} % wrong", fontsize=9)
    panel.set_xlim(0, 102)
    panel.set_ylim(bottom=0)

"""Figures of reliability: reliability diagram, risk by coverage, accuracy on corrupted images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import DataError
from skconv.reports.style import BLUE, GREY, VERMILION, new_figure, put_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BINS = 10
_MIN_FILLED = 10  # predictions in a bin; with fewer its accuracy is uncertain, and its marker is hollow
_MARKS = (0.5, 0.9, 0.99, 0.999)  # confidence thresholds on the risk curve


def draw_reliability(labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Draw a reliability diagram, and the error rate (risk) by coverage.

    Parameters
    ----------
    labels : ndarray of int, shape (n,)
        True classes, 0..k-1.
    probabilities : ndarray of float, shape (n, k)
        Predicted probabilities.

    Returns
    -------
    matplotlib.figure.Figure
        Left: accuracy by confidence in bins of equal width. Right: error rate of the most confident predictions by
        their share, with marks at the confidence thresholds 0.5, 0.9, 0.99 and 0.999.

    Raises
    ------
    DataError
        If shapes do not fit, or there are no predictions.

    Examples
    --------
    >>> figure = draw_reliability(np.array([0, 1]), np.array([[0.9, 0.1], [0.6, 0.4]]))
    >>> len(figure.axes)
    2
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    if probabilities.ndim != 2 or len(labels) != len(probabilities) or not len(labels):
        raise DataError(
            f"The probabilities have shape {probabilities.shape}; expected (n, k) for {len(labels):,} labels, n > 0."
        )
    confidence = probabilities.max(axis=1).astype(float)
    is_correct = probabilities.argmax(axis=1) == labels
    figure = new_figure(9, 3.8)
    left, right = figure.subplots(1, 2)
    _draw_diagram(left, confidence, is_correct)
    _draw_risk(right, confidence, is_correct)
    return figure


def draw_corruptions(accuracies: Mapping[str, Sequence[float]], clean: float) -> Figure:
    """Draw a table of the accuracy by corruption and strength, coloured by the loss in accuracy.

    Parameters
    ----------
    accuracies : mapping of str to sequence of float
        Per corruption the accuracy at each strength, fractions.
    clean : float
        Accuracy on the original images.

    Returns
    -------
    matplotlib.figure.Figure
        One row per corruption, the lowest mean accuracy last.

    Examples
    --------
    >>> figure = draw_corruptions({"fog": [0.9, 0.8], "blur": [0.99, 0.95]}, 0.99)
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['blur', 'fog']
    """
    names = sorted(accuracies, key=lambda name: -float(np.mean(accuracies[name])))
    table = np.array([accuracies[name] for name in names])
    n_strengths = table.shape[1]
    figure = new_figure(2.4 + 0.75 * n_strengths, 1.0 + 0.27 * len(names))
    axes = figure.add_subplot()
    loss = (clean - table).clip(0, 1)
    axes.imshow(loss, cmap="Oranges", vmin=0, vmax=0.9, aspect="auto")
    for (row, column), accuracy in np.ndenumerate(table):
        colour = "white" if loss[row, column] > 0.55 else "black"
        put_text(axes, column, row, f"{100 * accuracy:.1f}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(n_strengths), labels=[str(strength) for strength in range(1, n_strengths + 1)])
    axes.set_yticks(range(len(names)), labels=names, fontsize=9)
    axes.set_xlabel("strength")
    axes.set_title(f"accuracy, % (original images: {100 * clean:.2f})", fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def _draw_diagram(panel: Any, confidence: np.ndarray, is_correct: np.ndarray) -> None:
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    panel.plot([0, 100], [0, 100], color=GREY, linewidth=1, linestyle=":")
    for number in np.unique(bins):
        chosen = bins == number
        x, y, n = 100 * confidence[chosen].mean(), 100 * is_correct[chosen].mean(), int(chosen.sum())
        panel.plot(x, y, "o", color=BLUE, markersize=7, fillstyle="full" if n >= _MIN_FILLED else "none")
        panel.annotate(f"{n:,}", (x, y), (0, -13), textcoords="offset points", fontsize=7, color=GREY, ha="center")
    panel.set_xlabel("mean confidence, %")
    panel.set_ylabel("accuracy, %")
    # A legend would hide points wherever it was placed.
    panel.set_title("reliability (numbers: images per bin; dotted: perfect calibration)", fontsize=9)
    panel.set_xlim(0, 104)
    panel.set_ylim(-6, 106)


def _draw_risk(panel: Any, confidence: np.ndarray, is_correct: np.ndarray) -> None:
    order = np.argsort(-confidence, kind="stable")
    n = np.arange(1, len(order) + 1)
    coverage, risk = 100 * n / len(n), 100 * np.cumsum(~is_correct[order]) / n
    ends = np.append(np.diff(confidence[order]) != 0, True)  # predictions of equal confidence cannot be separated
    panel.plot(coverage[ends], risk[ends], color=VERMILION)
    for threshold in _MARKS:
        n_covered = int((confidence >= threshold).sum())
        if n_covered:
            point = (coverage[n_covered - 1], risk[n_covered - 1])
            panel.plot(*point, "o", color=BLUE, markersize=5)
            side, shift = ("right", -6) if point[0] > 15 else ("left", 2)  # inside the panel
            text = f"≥ {100 * threshold:g} %"
            panel.annotate(text, point, (shift, 5), textcoords="offset points", fontsize=7, color=BLUE, ha=side)
    panel.set_xlabel("coverage (the most confident predictions), %")
    panel.set_ylabel("error rate, %")
    panel.set_title(f"risk by coverage: {risk[-1]:.2f} % errors at full coverage", fontsize=9)
    panel.set_xlim(0, 102)
    panel.set_ylim(bottom=0)

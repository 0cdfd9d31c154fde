"""Figures of scores: confusion matrix, reliability diagram, risk-coverage curve, accuracy on corrupted images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import DataError
from skconv.reports.style import BLUE, GREY, INK, VERMILION, fit_text, label_ticks, new_figure, put_text, standard_style
from skconv.text import format_percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_WRITTEN = 40  # classes; with more, rates would be illegible
_MIN_COUNTED = 0.38  # side of a cell in inches; in smaller cells, only the rate fits
_BINS = 10
_MIN_FILLED = 10  # predictions per bin; the marker of a bin with fewer is hollow
_MARKS = (0.5, 0.9, 0.99, 0.999)  # confidence thresholds on the risk-coverage curve


@standard_style()
def draw_confusion(confusion: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Draw a confusion matrix (row: true class; column: predicted class) in which only mistakes are coloured.

    Rates are percentages of the images of the true class. The colour scale excludes the diagonal, whose high rates
    would hide the mistakes. Rates other than 0 are written for up to 40 classes, with the numbers of images where they
    fit.

    Examples
    --------
    >>> figure = draw_confusion(np.array([[9, 1], [0, 10]]), ["cat", "dog"])
    >>> figure.axes[0].get_title()
    '1 of 20 wrong (5.00 %)'
    """
    confusion = np.asarray(confusion)
    n_classes = len(class_names)
    if confusion.shape != (n_classes, n_classes):
        expected = (n_classes, n_classes)
        raise DataError(f"The confusion matrix has shape {confusion.shape}; expected {expected} for the class names.")
    side = min(11.0, max(2.4, 0.5 * n_classes))  # side of the matrix in inches
    cell = side / n_classes
    names, size = fit_text(list(class_names), 1.8)
    size = min(size, max(4.0, 60 * cell))
    margin = 0.6 + size * 0.62 * max(map(len, names)) / 72
    figure = new_figure(side + margin + 0.6, side + margin + 0.4)
    axes = figure.add_subplot()
    mistakes = confusion - np.diag(np.diag(confusion))
    rates = confusion / np.maximum(confusion.sum(1, keepdims=True), 1)
    shares = np.where(mistakes, rates, 0.0)
    shares /= shares.max() or 1
    axes.imshow(_colour(shares), interpolation="nearest")
    if n_classes <= _MAX_WRITTEN:
        _write_rates(axes, confusion, shares, cell)
    rotate = max(map(len, names)) * size * 0.62 > 72 * cell
    step = math.ceil(1.2 * size / (72 * cell))  # omits names that would overlap
    label_ticks(axes.xaxis, names, step, fontsize=size, rotation=90 if rotate else 0)
    label_ticks(axes.yaxis, names, step, fontsize=size)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true (each row is 100 %)")
    n, wrong = int(confusion.sum()), int(mistakes.sum())
    axes.set_title(f"{wrong:,} of {n:,} wrong ({format_percent(wrong / max(1, n))})", fontsize=10)
    axes.spines[:].set_color("#BBBBBB")
    return figure


@standard_style()
def draw_reliability(labels: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Draw a reliability diagram and a risk-coverage curve.

    Left: accuracy by confidence, in bins of equal width. Right: error rate by coverage, the fraction of the predictions
    that are accepted in descending order of confidence, with marks at the thresholds 0.5, 0.9, 0.99 and 0.999.

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


@standard_style()
def draw_corruptions(accuracies: Mapping[str, Sequence[float]], clean: float) -> Figure:
    """Draw a table of the accuracy by corruption and severity, coloured by the loss relative to the accuracy `clean`.

    The rows are sorted by mean accuracy, in descending order.

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


def _colour(shares: np.ndarray) -> np.ndarray:
    from matplotlib import colormaps

    # The scale starts above 0, so that a single mistake is visible.
    pixels: np.ndarray = colormaps["Oranges"](0.1 + 0.7 * shares)
    pixels[shares == 0] = (1.0, 1.0, 1.0, 0.0)  # transparent, for dark mode
    np.einsum("iic->ic", pixels)[:] = (0.87, 0.92, 0.96, 1.0)
    return pixels


def _write_rates(axes: Any, confusion: np.ndarray, shares: np.ndarray, cell: float) -> None:
    totals = confusion.sum(1)
    for (row, column), count in np.ndenumerate(confusion):
        if count == 0 and row != column:
            continue
        text = _format_rate(count, totals[row])
        if cell >= _MIN_COUNTED:
            text += f" %\n{count:,}" if totals[row] else "\n0"
        width = max(4, *map(len, text.split("\n")))
        size = min(8.0, 0.9 * 72 * cell / (0.62 * width))
        colour = "white" if shares[row, column] > 0.7 else INK
        put_text(axes, column, row, text, ha="center", va="center", fontsize=size, color=colour)


def _format_rate(count: int, total: int) -> str:
    """Return a percentage with one decimal, which distinguishes small rates from 0 and large ones from 100."""
    if count in (0, total):
        return "–" if total == 0 else "0" if count == 0 else "100"
    text = f"{100 * count / total:.1f}"
    return {"0.0": "<0.1", "100.0": ">99.9"}.get(text, text)


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
    # Explain the symbols in the title, because a legend would hide points.
    panel.set_title("reliability (numbers: images per bin; dotted: perfect calibration)", fontsize=9)
    panel.set_xlim(0, 104)
    panel.set_ylim(-6, 106)


def _draw_risk(panel: Any, confidence: np.ndarray, is_correct: np.ndarray) -> None:
    order = np.argsort(-confidence, kind="stable")
    n = np.arange(1, len(order) + 1)
    coverage, risk = 100 * n / len(n), 100 * np.cumsum(~is_correct[order]) / n
    ends = np.append(np.diff(confidence[order]) != 0, True)  # a threshold cannot separate equal confidences
    panel.plot(coverage[ends], risk[ends], color=VERMILION)
    for threshold in _MARKS:
        n_covered = int((confidence >= threshold).sum())
        if n_covered:
            point = (coverage[n_covered - 1], risk[n_covered - 1])
            panel.plot(*point, "o", color=BLUE, markersize=5)
            side, shift = ("right", -6) if point[0] > 15 else ("left", 2)  # inside the panel
            text = f"≥ {100 * threshold:g} %"
            panel.annotate(text, point, (shift, 5), textcoords="offset points", fontsize=7, color=BLUE, ha=side)
    panel.set_xlabel("coverage (most confident predictions first), %")
    panel.set_ylabel("error rate, %")
    panel.set_title(f"risk-coverage curve: {risk[-1]:.2f} % errors at full coverage", fontsize=9)
    panel.set_xlim(0, 102)
    panel.set_ylim(bottom=0)

"""Figure of a confusion matrix."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import DataError
from skconv.reports.style import INK, fit_text, label_ticks, new_figure, put_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MAX_COUNTED = 40  # classes; with more, counts are too small to read


def draw_confusion(confusion: np.ndarray, class_names: Sequence[str]) -> Figure:
    """Draw a confusion matrix with coloured mistakes.

    The diagonal is not part of the colour scale, because its counts would hide those of the mistakes.

    Parameters
    ----------
    confusion : ndarray of int, shape (k, k)
        Row: true class; column: predicted class.
    class_names : sequence of str
        k names.

    Returns
    -------
    matplotlib.figure.Figure
        With counts for up to 40 classes; cells of 0 are empty.

    Raises
    ------
    DataError
        If shapes do not fit.

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
    side = min(11.0, max(2.4, 0.5 * n_classes))  # of the matrix, in inches
    cell = side / n_classes
    names, size = fit_text(list(class_names), 1.8)
    size = min(size, max(4.0, 60 * cell))
    margin = 0.6 + size * 0.62 * max(map(len, names)) / 72
    figure = new_figure(side + margin + 0.6, side + margin + 0.4)
    axes = figure.add_subplot()
    mistakes = confusion - np.diag(np.diag(confusion))
    shares = mistakes / max(1, mistakes.max())
    axes.imshow(_colour(shares), interpolation="nearest")
    if n_classes <= _MAX_COUNTED:
        _write_counts(axes, confusion, shares, cell)
    rotate = max(map(len, names)) * size * 0.62 > 72 * cell
    step = math.ceil(1.2 * size / (72 * cell))  # hundreds of names do not fit
    label_ticks(axes.xaxis, names, step, fontsize=size, rotation=90 if rotate else 0)
    label_ticks(axes.yaxis, names, step, fontsize=size)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    n, wrong = int(confusion.sum()), int(mistakes.sum())
    axes.set_title(f"{wrong:,} of {n:,} wrong ({100 * wrong / max(1, n):.2f} %)", fontsize=10)
    axes.spines[:].set_color("#BBBBBB")
    return figure


def _colour(shares: np.ndarray) -> np.ndarray:
    from matplotlib import colormaps

    # The scale starts above 0, so that a single mistake is visible beside hundreds.
    pixels: np.ndarray = colormaps["Oranges"](0.1 + 0.7 * shares)
    pixels[shares == 0] = (1.0, 1.0, 1.0, 0.0)  # transparent, for a dark page, too
    np.einsum("iic->ic", pixels)[:] = (0.87, 0.92, 0.96, 1.0)
    return pixels


def _write_counts(axes: Any, confusion: np.ndarray, shares: np.ndarray, cell: float) -> None:
    for (row, column), count in np.ndenumerate(confusion):
        if count == 0 and row != column:
            continue
        text = f"{count}"
        size = min(9.0, 0.9 * 72 * cell / (0.62 * max(3, len(text))))
        colour = "white" if shares[row, column] > 0.7 else INK
        put_text(axes, column, row, text, ha="center", va="center", fontsize=size, color=colour)

"""How accuracy falls as images are damaged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from skconv.reports.style import new_figure, put_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_corruptions(accuracies: Mapping[str, Sequence[float]], undamaged: float) -> Figure:
    """Draw a table of accuracy by corruption and strength, coloured by what is lost.

    Parameters
    ----------
    accuracies : mapping of str to sequence of float
        For each corruption the accuracy at every strength, fractions.
    undamaged : float
        Accuracy on the images as they are.

    Returns
    -------
    matplotlib.figure.Figure
        The corruption that does most harm last.

    Examples
    --------
    >>> figure = draw_corruptions({"fog": [0.9, 0.8], "blur": [0.99, 0.95]}, 0.99)
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['blur', 'fog']
    """
    names = sorted(accuracies, key=lambda name: -float(np.mean(accuracies[name])))
    table = np.array([accuracies[name] for name in names])
    figure = new_figure(2.4 + 0.75 * table.shape[1], 1.0 + 0.27 * len(names))
    axes = figure.add_subplot()
    lost = (undamaged - table).clip(0, 1)
    axes.imshow(lost, cmap="Oranges", vmin=0, vmax=0.9, aspect="auto")
    for (row, column), accuracy in np.ndenumerate(table):
        colour = "white" if lost[row, column] > 0.55 else "black"
        put_text(axes, column, row, f"{100 * accuracy:.1f}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(range(table.shape[1]), labels=[str(strength + 1) for strength in range(table.shape[1])])
    axes.set_yticks(range(len(names)), labels=names, fontsize=9)
    axes.set_xlabel("strength")
    axes.set_title(f"accuracy in %; {100 * undamaged:.2f} undamaged", fontsize=9)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure

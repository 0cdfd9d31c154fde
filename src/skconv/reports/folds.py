"""Learning curves of cross-validation: a panel a fold, and one for their mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import DataError
from skconv.reports.curves import draw_line, finish_panel, read_points
from skconv.reports.style import BLUE, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 3
_MOST_FOLDS = 20  # a panel costs a tenth of a second, and nobody looks at a hundred
_LOSSES = (("train_loss", BLUE, "-", "train"), ("valid_loss", VERMILION, "--", "validation"))


def draw_folds(histories: Sequence[Sequence[Mapping[str, Any]]]) -> Figure:
    """Draw training and validation loss by epoch: each fold in a panel of its own, and their mean in the last.

    Parameters
    ----------
    histories : sequence of sequences of mappings
        For each fold one mapping an epoch, with keys ``epoch``, ``train_loss`` and ``valid_loss`` (None without
        validation); others are ignored. `KFoldEnsembleClassifier.histories_` has this form.

    Returns
    -------
    matplotlib.figure.Figure
        Panels of one scale, three in a row, for the first 20 folds. The last shows the mean over all folds that came
        to an epoch, shaded by their standard deviation.

    Raises
    ------
    DataError
        No fold, or one without an epoch.

    Examples
    --------
    >>> epoch = {"epoch": 1, "train_loss": 0.4, "valid_loss": 0.5}
    >>> [panel.get_title() for panel in draw_folds([[epoch], [epoch]]).axes]
    ['fold 1', 'fold 2', 'mean of 2 folds ± standard deviation']
    """
    if not histories or not all(histories):
        raise DataError(
            "A fold without a trained epoch has no curve to draw; expected at least one fold and one epoch."
        )
    n_panels = min(len(histories), _MOST_FOLDS) + 1
    n_rows = -(-n_panels // _COLUMNS)
    figure = new_figure(3.6 * _COLUMNS, 2.7 * n_rows)
    grid = figure.subplots(n_rows, _COLUMNS, sharex=True, sharey=True, squeeze=False)
    panels, unused = grid.flat[:n_panels], grid.flat[n_panels:]
    for number, (panel, history) in enumerate(zip(panels[:-1], histories, strict=False), 1):
        for key, *style in _LOSSES:
            if points := read_points(history, "epoch", key):
                draw_line(panel, points, *style)
        panel.set_title(f"fold {number}", fontsize=10)
    _draw_mean(panels[-1], histories)
    panels[0].legend(frameon=False)
    last = max(history[-1]["epoch"] for history in histories)
    for position, panel in enumerate(panels):
        finish_panel(panel, 1, last)
        if position % _COLUMNS == 0:
            panel.set_ylabel("loss")
        if position + _COLUMNS >= n_panels:
            panel.set_xlabel("epoch")
            panel.tick_params(labelbottom=True)
    for panel in unused:
        panel.remove()
    return figure


def _draw_mean(panel: Any, histories: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    for key, colour, *style in _LOSSES:
        values: dict[int, list[float]] = {}
        for history in histories:
            for epoch, loss in read_points(history, "epoch", key):
                values.setdefault(epoch, []).append(loss)
        if not values:  # no validation
            continue
        epochs = sorted(values)
        means = np.array([np.mean(values[epoch]) for epoch in epochs])
        spreads = np.array([np.std(values[epoch], ddof=1) if len(values[epoch]) > 1 else 0 for epoch in epochs])
        draw_line(panel, list(zip(epochs, means, strict=True)), colour, *style)
        panel.fill_between(epochs, means - spreads, means + spreads, color=colour, alpha=0.2, linewidth=0)
        if len(epochs) == 1:  # no width to shade
            panel.vlines(epochs, means - spreads, means + spreads, color=colour)
    panel.set_title(f"mean of {len(histories)} folds ± standard deviation", fontsize=10)

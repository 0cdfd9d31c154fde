"""Learning curves of one training, and of the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import DataError
from skconv.reports.style import BLUE, GREY, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 3
_MAX_FOLDS = 20  # a panel takes 0.1 s to draw
_LOSSES = (("train_loss", BLUE, "-", "train"), ("valid_loss", VERMILION, "--", "validation"))


def draw_curves(history: Sequence[Mapping[str, Any]], *, by: str = "epoch") -> Figure:
    """Draw the loss and the validation accuracy by epoch or by iteration.

    Parameters
    ----------
    history : sequence of mappings
        One mapping per epoch with keys ``epoch``, ``train_loss``, ``valid_loss`` and ``valid_accuracy`` (both None
        without validation); others are ignored.
    by : str, default="epoch"
        Key of the x axis: ``"iteration"`` for records of single steps.

    Returns
    -------
    matplotlib.figure.Figure
        A panel of losses, and a panel of accuracy in per cent if any epoch has a ``valid_accuracy``.

    Raises
    ------
    DataError
        If the history is empty.

    Examples
    --------
    >>> epoch = {"epoch": 1, "train_loss": 0.4, "valid_loss": None, "valid_accuracy": None}
    >>> len(draw_curves([epoch]).axes)
    1
    """
    if not history:
        raise DataError("The history is empty: no epoch was trained, so there is no curve to draw.")
    accuracy = _select_points(history, by, "valid_accuracy", scale=100)
    figure = new_figure(9 if accuracy else 5, 3.4)
    panels = figure.subplots(1, 2 if accuracy else 1, squeeze=False)[0]
    _draw_losses(panels[0], history, by)
    panels[0].set_ylabel("loss")
    panels[0].legend(frameon=False)
    if accuracy:
        _draw_line(panels[1], accuracy, VERMILION, "--", "validation")
        panels[1].set_ylabel("validation accuracy, %")
        best_at, best = max(accuracy, key=lambda point: point[1])
        panels[1].set_title(f"best {best:.2f} % in {by} {best_at}", fontsize=9, color=GREY)
    for panel in panels:
        panel.set_xlabel(by)
        finish_panel(panel, history[0][by], history[-1][by])
    return figure


def draw_folds(histories: Sequence[Sequence[Mapping[str, Any]]]) -> Figure:
    """Draw the training and validation loss by epoch, one panel per fold and one for the mean over the folds.

    Parameters
    ----------
    histories : sequence of sequences of mappings
        Per fold one mapping per epoch with keys ``epoch``, ``train_loss`` and ``valid_loss`` (None without
        validation), as in `KFoldEnsembleClassifier.histories_`.

    Returns
    -------
    matplotlib.figure.Figure
        Panels with shared axes, three per row, for the first 20 folds. The last panel shows the mean over all folds
        with a band of one standard deviation.

    Raises
    ------
    DataError
        If there is no fold, or a fold has no epoch.

    Examples
    --------
    >>> epoch = {"epoch": 1, "train_loss": 0.4, "valid_loss": 0.5}
    >>> [panel.get_title() for panel in draw_folds([[epoch], [epoch]]).axes]
    ['fold 1', 'fold 2', 'mean of 2 folds ± standard deviation']
    """
    if not histories or not all(histories):
        raise DataError("A fold has no trained epoch; expected at least one fold with at least one epoch each.")
    n_panels = min(len(histories), _MAX_FOLDS) + 1
    n_rows = -(-n_panels // _COLUMNS)
    figure = new_figure(3.6 * _COLUMNS, 2.7 * n_rows)
    grid = figure.subplots(n_rows, _COLUMNS, sharex=True, sharey=True, squeeze=False)
    panels, unused = grid.flat[:n_panels], grid.flat[n_panels:]
    for number, (panel, history) in enumerate(zip(panels[:-1], histories, strict=False), 1):
        _draw_losses(panel, history, "epoch")
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


def finish_panel(panel: Any, first: int, last: int) -> None:
    """Set the limits of the x axis, whole numbers as ticks, and a light grid."""
    panel.set_xlim(first - 0.5, last + 0.5)
    panel.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    panel.ticklabel_format(axis="y", useOffset=False)
    panel.grid(alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)


def _select_points(
    history: Sequence[Mapping[str, Any]], by: str, key: str, scale: float = 1
) -> list[tuple[int, float]]:
    """Return (epoch, scaled value) of each row that has a value of `key`."""
    return [(row[by], scale * row[key]) for row in history if row.get(key) is not None]


def _draw_losses(panel: Any, history: Sequence[Mapping[str, Any]], by: str) -> None:
    for key, *style in _LOSSES:
        if points := _select_points(history, by, key):
            _draw_line(panel, points, *style)


def _draw_line(panel: Any, points: Sequence[tuple[float, float]], colour: str, dash: str, label: str) -> None:
    epochs, values = zip(*points, strict=True)
    # A marker makes a single epoch visible; more than fifty hide the line.
    panel.plot(epochs, values, dash, color=colour, label=label, marker="o" if len(points) <= 50 else None, ms=4)


def _draw_mean(panel: Any, histories: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    for key, colour, *style in _LOSSES:
        values: dict[int, list[float]] = {}
        for history in histories:
            for epoch, loss in _select_points(history, "epoch", key):
                values.setdefault(epoch, []).append(loss)
        if not values:  # no validation
            continue
        epochs = sorted(values)
        means = np.array([np.mean(values[epoch]) for epoch in epochs])
        deviations = np.array([np.std(values[epoch], ddof=1) if len(values[epoch]) > 1 else 0 for epoch in epochs])
        low, high = means - deviations, means + deviations
        _draw_line(panel, list(zip(epochs, means, strict=True)), colour, *style)
        panel.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
        if len(epochs) == 1:  # a band of no width is invisible
            panel.vlines(epochs, low, high, color=colour)
    panel.set_title(f"mean of {len(histories)} folds ± standard deviation", fontsize=10)

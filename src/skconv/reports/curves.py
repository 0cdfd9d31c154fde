"""Figures of training and search: learning curves, losses per fold, trials, parameter importance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import DataError
from skconv.reports.style import BLUE, GREY, INK, VERMILION, label_ticks, new_figure, standard_style
from skconv.text import format_count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 3
_MAX_FOLDS = 20  # a panel takes 0.1 s to draw
_LOSSES = (("train_loss", BLUE, "-", "train"), ("valid_loss", VERMILION, "--", "validation"))
_LOWER_MARGIN = 0.5  # margin below the first quartile of the trials, as a fraction of their spread


@standard_style()
def draw_curves(history: Sequence[Mapping[str, Any]], *, by: str = "epoch") -> Figure:
    """Draw the loss and, if any, the validation accuracy by epoch or iteration.

    Each row of `history` has the key `by` ("epoch" or "iteration"), ``train_loss``, ``valid_loss`` and
    ``valid_accuracy``; the last two are None without validation.

    Examples
    --------
    >>> epoch = {"epoch": 1, "train_loss": 0.4, "valid_loss": None, "valid_accuracy": None}
    >>> len(draw_curves([epoch]).axes)
    1
    """
    if not history:
        raise DataError("The history is empty; expected at least one trained epoch. Train for longer.")
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
        _finish_panel(panel, history[0][by], history[-1][by])
    return figure


@standard_style()
def draw_folds(histories: Sequence[Sequence[Mapping[str, Any]]]) -> Figure:
    """Draw the training and validation loss by epoch: a panel per fold, and one for the mean ± one standard deviation.

    At most 20 folds have a panel; all panels share their axes. `histories` is as in `KFoldEnsembleClassifier`.

    Examples
    --------
    >>> epoch = {"epoch": 1, "train_loss": 0.4, "valid_loss": 0.5}
    >>> [panel.get_title() for panel in draw_folds([[epoch], [epoch]]).axes]
    ['fold 1', 'fold 2', 'mean of 2 folds ± standard deviation']
    """
    if not histories or not all(histories):
        raise DataError("There is no fold, or a fold has no trained epoch; expected at least one epoch per fold.")
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
        _finish_panel(panel, 1, last)
        if position % _COLUMNS == 0:
            panel.set_ylabel("loss")
        if position + _COLUMNS >= n_panels:
            panel.set_xlabel("epoch")
            panel.tick_params(labelbottom=True)
    for panel in unused:
        panel.remove()
    return figure


@standard_style()
def draw_trials(trials: Sequence[Any]) -> Figure:
    """Draw the validation accuracy of every trial, and the best accuracy so far.

    The axis limits depend on the complete trials only; outliers are drawn at the lower edge.
    """
    complete = [trial for trial in trials if trial.state == "complete"]
    if not complete:
        raise DataError("No trial is complete; expected at least one. Run more trials.")
    low, high = _choose_scale([100 * trial.valid_accuracy for trial in complete])
    figure = new_figure(7, 3.6)
    panel = figure.subplots()
    groups = {"complete": ("o", BLUE, "trial"), "pruned": ("x", GREY, "pruned")}
    for state, (marker, colour, label) in groups.items():
        points = [
            (trial.number, max(100 * trial.valid_accuracy, low))
            for trial in trials
            if trial.state == state and trial.valid_accuracy is not None
        ]
        if points:
            panel.plot(*zip(*points, strict=True), marker, color=colour, label=label, ms=5, clip_on=False, zorder=3)
    best = list(accumulate((100 * trial.valid_accuracy for trial in complete), max))
    numbers = [trial.number for trial in complete]
    last = max(trial.number for trial in trials)
    panel.step([*numbers, last], [*best, best[-1]], where="post", color=VERMILION, label="best so far")
    panel.set_ylim(low, high)
    panel.set_xlabel("trial")
    panel.set_ylabel("validation accuracy, %")
    _finish_panel(panel, 0, last)
    panel.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=3)  # above the trials
    return figure


@standard_style()
def draw_leaderboard(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw a bar chart of the validation accuracy of the trials of recipe `auto`, with their log loss and time.

    `rows` are those of ``leaderboard.csv``.

    Examples
    --------
    >>> row = {"candidate": "standard", "epochs": 3, "accuracy": 0.9, "log_loss": 0.3, "seconds": 12}
    >>> draw_leaderboard([row]).axes[0].get_yticklabels()[0].get_text()
    'standard, 3 epochs'
    """
    figure = new_figure(7, 0.9 + 0.32 * len(rows))
    panel = figure.subplots()
    accuracies = [100 * float(row["accuracy"]) for row in rows]
    panel.barh(range(len(rows)), accuracies, color=BLUE, height=0.7)
    for position, (row, accuracy) in enumerate(zip(rows, accuracies, strict=True)):
        text = f"{accuracy:.1f} %, log loss {float(row['log_loss']):.3f}, {float(row['seconds']):.0f} s"
        inside = accuracy > 55
        panel.text(
            accuracy - 1 if inside else accuracy + 1,
            position,
            text,
            ha="right" if inside else "left",
            va="center",
            fontsize=8,
            color="white" if inside else INK,
        )
    label_ticks(panel.yaxis, [f"{row['candidate']}, {format_count(int(row['epochs']), 'epoch')}" for row in rows], 1)
    panel.set_title("trials, lowest log loss first", fontsize=10)
    panel.invert_yaxis()
    panel.set_xlim(0, 100)
    panel.set_xlabel("validation accuracy, %")
    panel.grid(alpha=0.3, axis="x")
    panel.spines[["top", "right"]].set_visible(False)
    return figure


@standard_style()
def draw_importance(importance: Mapping[str, float]) -> Figure:
    """Draw a bar chart of the parameter importance: the share of the accuracy's variance that a parameter explains.

    Examples
    --------
    >>> [text.get_text() for text in draw_importance({"rotation": 0.7, "dropout": 0.3}).axes[0].get_yticklabels()]
    ['rotation', 'dropout']
    """
    if not importance:
        raise DataError("No importance is available, because too few trials are complete. Run more trials.")
    names = sorted(importance, key=lambda name: -importance[name])
    figure = new_figure(6, 0.8 + 0.28 * len(names))
    panel = figure.subplots()
    panel.barh(range(len(names)), [100 * importance[name] for name in names], color=BLUE, height=0.7)
    label_ticks(panel.yaxis, names, 1)
    panel.invert_yaxis()
    panel.set_xlabel("share of the variance of the accuracy, %")
    panel.grid(alpha=0.3, axis="x")
    panel.spines[["top", "right"]].set_visible(False)
    return figure


def _finish_panel(panel: Any, first: int, last: int) -> None:
    panel.set_xlim(first - 0.5, last + 0.5)
    panel.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    panel.ticklabel_format(axis="y", useOffset=False)
    panel.grid(alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)


def _select_points(
    history: Sequence[Mapping[str, Any]], by: str, key: str, scale: float = 1
) -> list[tuple[int, float]]:
    """Return (epoch or iteration, scaled value) of each row with a value of `key`."""
    return [(row[by], scale * row[key]) for row in history if row.get(key) is not None]


def _draw_losses(panel: Any, history: Sequence[Mapping[str, Any]], by: str) -> None:
    for key, *style in _LOSSES:
        if points := _select_points(history, by, key):
            _draw_line(panel, points, *style)


def _draw_line(panel: Any, points: Sequence[tuple[float, float]], colour: str, dash: str, label: str) -> None:
    epochs, values = zip(*points, strict=True)
    # A single epoch needs a marker to be visible; more than fifty markers hide the line.
    panel.plot(epochs, values, dash, color=colour, label=label, marker="o" if len(points) <= 50 else None, ms=4)


def _draw_mean(panel: Any, histories: Sequence[Sequence[Mapping[str, Any]]]) -> None:
    for key, colour, *style in _LOSSES:
        values: dict[int, list[float]] = {}
        for history in histories:
            for epoch, loss in _select_points(history, "epoch", key):
                values.setdefault(epoch, []).append(loss)
        if not values:  # trained without validation
            continue
        epochs = sorted(values)
        means = np.array([np.mean(values[epoch]) for epoch in epochs])
        deviations = np.array([np.std(values[epoch], ddof=1) if len(values[epoch]) > 1 else 0 for epoch in epochs])
        low, high = means - deviations, means + deviations
        _draw_line(panel, list(zip(epochs, means, strict=True)), colour, *style)
        panel.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
        if len(epochs) == 1:  # the band of a single epoch has no width
            panel.vlines(epochs, low, high, color=colour)
    panel.set_title(f"mean of {len(histories)} folds ± standard deviation", fontsize=10)


def _choose_scale(accuracies: Sequence[float]) -> tuple[float, float]:
    """Return axis limits, in per cent, that exclude outliers far below the first quartile."""
    quarter, best = float(np.percentile(accuracies, 25)), max(accuracies)
    spread = max(best - quarter, 0.2)
    return max(quarter - _LOWER_MARGIN * spread, 0.0), min(best + 0.15 * spread, 100.0)

"""Figures of a hyper-parameter search: accuracy by trial, importance of the parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from skconv.exceptions import DataError
from skconv.reports.curves import finish_panel
from skconv.reports.style import BLUE, GREY, VERMILION, label_ticks, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LOWER_MARGIN = 0.5  # of the spread, shown below the first quartile


def draw_trials(trials: Sequence[Any]) -> Figure:
    """Draw the validation accuracy of every trial, and the best so far.

    Parameters
    ----------
    trials : sequence of TrialResult
        With ``number``, ``state`` (``"complete"`` or ``"pruned"``) and ``valid_accuracy``, 0..1 or None; at least one
        complete.

    Returns
    -------
    matplotlib.figure.Figure
        The scale is that of the complete trials; trials far below are drawn at the lower edge.

    Raises
    ------
    DataError
        If no trial is complete.
    """
    complete = [trial for trial in trials if trial.state == "complete"]
    if not complete:
        raise DataError("No trial is complete, so there is no accuracy to draw. Run more trials.")
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
    finish_panel(panel, 0, last)
    panel.legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 1), ncols=3)  # above the trials
    return figure


def draw_importance(importance: Mapping[str, float]) -> Figure:
    """Draw the importance of each parameter for the accuracy as bars, the largest first.

    Parameters
    ----------
    importance : mapping of str to float
        Fraction of the variance of the accuracy that each parameter explains, 0..1.

    Raises
    ------
    DataError
        If the mapping is empty.

    Examples
    --------
    >>> [text.get_text() for text in draw_importance({"rotation": 0.7, "dropout": 0.3}).axes[0].get_yticklabels()]
    ['rotation', 'dropout']
    """
    if not importance:
        raise DataError("There is no importance to draw: too few trials are complete. Run more trials.")
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


def _choose_scale(accuracies: Sequence[float]) -> tuple[float, float]:
    """Return limits in per cent that exclude outliers below the first quartile."""
    import numpy as np

    quarter, best = float(np.percentile(accuracies, 25)), max(accuracies)
    spread = max(best - quarter, 0.2)
    return max(quarter - _LOWER_MARGIN * spread, 0.0), min(best + 0.15 * spread, 100.0)

"""Learning curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from skconv.exceptions import DataError
from skconv.reports.style import BLUE, GREY, VERMILION, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_curves(history: Sequence[Mapping[str, Any]], *, by: str = "epoch") -> Figure:
    """Draw loss and, where there is validation, accuracy by epoch or by iteration.

    Parameters
    ----------
    history : sequence of mappings
        One an epoch, with keys ``epoch``, ``train_loss``, ``valid_loss`` and ``valid_accuracy`` (both None
        without validation); others are ignored.
    by : str, default="epoch"
        The key to draw over: ``"iteration"`` for records of single steps.

    Returns
    -------
    matplotlib.figure.Figure
        One panel of losses, and one of accuracy in per cent when any epoch has a ``valid_accuracy``.

    Raises
    ------
    DataError
        An empty history.

    Examples
    --------
    >>> epoch = {"epoch": 1, "train_loss": 0.4, "valid_loss": None, "valid_accuracy": None}
    >>> len(draw_curves([epoch]).axes)
    1
    """
    if not history:
        raise DataError("The history is empty: no epoch was trained, so there is no curve to draw.")
    accuracy = read_points(history, by, "valid_accuracy", scale=100)
    figure = new_figure(9 if accuracy else 5, 3.4)
    panels = figure.subplots(1, 2 if accuracy else 1, squeeze=False)[0]
    draw_line(panels[0], read_points(history, by, "train_loss"), BLUE, "-", "train")
    valid = read_points(history, by, "valid_loss")
    if valid:
        draw_line(panels[0], valid, VERMILION, "--", "validation")
    panels[0].set_ylabel("loss")
    panels[0].legend(frameon=False)
    if accuracy:
        draw_line(panels[1], accuracy, VERMILION, "--", "validation")
        panels[1].set_ylabel("validation accuracy, %")
        best_at, best = max(accuracy, key=lambda point: point[1])
        panels[1].set_title(f"best {best:.2f} % in {by} {best_at}", fontsize=9, color=GREY)
    for panel in panels:
        panel.set_xlabel(by)
        finish_panel(panel, history[0][by], history[-1][by])
    return figure


def read_points(history: Sequence[Mapping[str, Any]], by: str, key: str, scale: float = 1) -> list[tuple[int, float]]:
    """Return (epoch, value) of each row of a history that has the value `key`, multiplied by `scale`."""
    return [(row[by], scale * row[key]) for row in history if row.get(key) is not None]


def draw_line(panel: Any, points: Sequence[tuple[float, float]], colour: str, dash: str, label: str) -> None:
    """Draw one curve through `points`, which are (epoch, value)."""
    epochs, values = zip(*points, strict=True) if points else ((), ())
    # A dot shows a single epoch, which is no line; beyond fifty dots hide the curve.
    panel.plot(epochs, values, dash, color=colour, label=label, marker="o" if len(points) <= 50 else None, ms=4)


def finish_panel(panel: Any, first: int, last: int) -> None:
    """Give a panel of curves its limits, whole epochs as ticks, and a light grid."""
    panel.set_xlim(first - 0.5, last + 0.5)
    panel.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
    panel.ticklabel_format(axis="y", useOffset=False)
    panel.grid(alpha=0.3)
    panel.spines[["top", "right"]].set_visible(False)

"""The door to every figure; matplotlib itself is loaded when one is drawn."""

from __future__ import annotations

from skconv.reports.activations import draw_activations
from skconv.reports.confusion import draw_confusion
from skconv.reports.corruptions import draw_corruptions
from skconv.reports.curves import draw_curves
from skconv.reports.image_grids import draw_mistakes, draw_neighbours, draw_predictions, draw_samples
from skconv.reports.style import save_figure

__all__ = [
    "draw_activations",
    "draw_confusion",
    "draw_corruptions",
    "draw_curves",
    "draw_mistakes",
    "draw_neighbours",
    "draw_predictions",
    "draw_samples",
    "save_figure",
]

"""Figure of images with their attribution maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from skconv.reports.style import fit_text, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WIDTH = 9.6  # inches
_MAX_TILES = 9  # per row
_GAP = 0.15  # between an image with its maps and the next, as a fraction of the image width
_MAX_SIDE = 1.5  # inches of an image
_LINE, _MARGIN = 0.26, 0.06  # inches of a caption, and of the lower margin
_BAR, _FOOT = (0.9, 0.1), 0.28  # inches of the colour bar, and of the footer around it
_OPACITY = 0.75  # of the strongest colour
_RAISES, _LOWERS = np.array([0.84, 0.37, 0.0]), np.array([0.0, 0.45, 0.70])  # as in the activation maps


def draw_attributions(images: np.ndarray, maps: Sequence[Sequence[np.ndarray]], captions: Sequence[str]) -> Figure:
    """Draw images, each followed by copies of it that are coloured by its attribution maps.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        1 to 40 images.
    maps : sequence of n sequences of ndarray, shape (h, w)
        1 to 8 maps per image, from `skconv.evaluation.attributions`.
    captions : sequence of n str

    Returns
    -------
    matplotlib.figure.Figure
        Orange for positive values, blue for negative ones; each map is scaled to its largest magnitude.

    Examples
    --------
    >>> figure = draw_attributions(np.zeros((1, 4, 4), np.uint8), [[np.eye(4)]], ["7, 99.0 %"])
    >>> len(figure.axes)  # the image, its map, the colour bar
    3
    """
    tiles = 1 + len(maps[0])
    columns = min(_MAX_TILES // tiles, len(images))
    rows = -(-len(images) // columns)
    side = min(_MAX_SIDE, _WIDTH / (columns * (tiles + _GAP)))
    high = min(3.0, images.shape[1] / images.shape[2]) * side
    width, height = columns * (tiles + _GAP) * side, rows * (high + _LINE) + _MARGIN + _FOOT
    texts, size = fit_text(list(captions), tiles * side)
    figure = new_figure(width, height)
    figure.set_layout_engine("none")  # all positions are explicit
    for index, (image, values) in enumerate(zip(images, maps, strict=True)):
        row, column = divmod(index, columns)
        left, top = (column * (tiles + _GAP) + _GAP / 2) * side, row * (high + _LINE) + _LINE
        pixels = _to_rgb(image)
        for position, drawn in enumerate([pixels, *(_colour(pixels, each) for each in values)]):
            x, y = left + position * side, height - top - high
            axes = figure.add_axes((x / width, y / height, 0.97 * side / width, 0.97 * high / height))
            axes.set_axis_off()
            axes.imshow(drawn, interpolation="nearest", aspect="auto")
        text = figure.text(left / width, 1 - (top - 0.05) / height, texts[index], fontsize=size, va="bottom")
        text.set_parse_math(False)  # a class called ``$5$`` is not a formula
    _add_colour_bar(figure, width, height)
    return figure


def _add_colour_bar(figure: Figure, width: float, height: float) -> None:
    """Draw the colour bar on grey in the footer of a figure of `width` × `height` inches."""
    long, high = _BAR
    left, middle = (width - long) / 2, _FOOT / 2
    axes = figure.add_axes((left / width, (middle - high / 2) / height, long / width, high / height))
    axes.set_axis_off()
    axes.imshow(_colour(np.full((1, 65, 3), 0.5), np.linspace(-1, 1, 65)[None]), aspect="auto")
    texts, size = fit_text(["lowers the probability", "raises the probability"], left - 0.1)
    for text, x, side in zip(texts, (left - 0.06, left + long + 0.06), ("right", "left"), strict=True):
        figure.text(x / width, middle / height, text, fontsize=size, ha=side, va="center")


def _to_rgb(image: np.ndarray) -> np.ndarray:
    pixels = image.astype(float) / 255
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def _colour(pixels: np.ndarray, values: np.ndarray) -> np.ndarray:
    strength = np.abs(values) / (np.abs(values).max() or 1.0)
    colour = np.where(values[..., None] > 0, _RAISES, _LOWERS)
    share = _OPACITY * strength[..., None]
    return (1 - share) * pixels + share * colour

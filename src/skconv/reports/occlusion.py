"""Pictures with the parts coloured that the answer rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from skconv.reports.style import fit_text, new_figure, put_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 4
_SIDE = 1.55  # inches of a picture
_STRONGEST = 0.75  # how much of the picture the strongest colour hides
# Orange where the answer rests on it, blue where it speaks against it: as in the activation maps.
_FOR, _AGAINST = np.array([0.84, 0.37, 0.0]), np.array([0.0, 0.45, 0.70])


def draw_occlusion(images: np.ndarray, drops: Sequence[np.ndarray], captions: Sequence[str]) -> Figure:
    """Draw pictures, each beside itself with the parts coloured whose covering changes the answer.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, h, w) or (n, h, w, 3)
        1 to 40 pictures.
    drops : sequence of n arrays, shape (h, w)
        As `skconv.evaluation.occlusion.occlude` returns them.
    captions : sequence of n str

    Returns
    -------
    matplotlib.figure.Figure
        Orange where covering lowers the probability, blue where it raises it; each picture up to its own strongest.

    Examples
    --------
    >>> figure = draw_occlusion(np.zeros((1, 4, 4), np.uint8), [np.eye(4)], ["7, 99.0 %"])
    >>> len(figure.axes)
    2
    """
    columns = min(_COLUMNS, len(images))
    rows = -(-len(images) // columns)
    texts, size = fit_text(list(captions), 2 * _SIDE)
    figure = new_figure(2 * columns * _SIDE, rows * (_SIDE + 0.3))
    grid = figure.subplots(rows, 2 * columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for index, (image, drop) in enumerate(zip(images, drops, strict=True)):
        row, column = divmod(index, columns)
        plain, coloured = grid[row, 2 * column : 2 * column + 2]
        pixels = _to_rgb(image)
        plain.imshow(pixels, interpolation="nearest")
        coloured.imshow(_colour(pixels, drop), interpolation="nearest")
        put_text(plain, 0, -0.04 * image.shape[0] - 0.5, texts[index], fontsize=size, va="bottom")
    for axes in grid.flat[2 * len(images) :]:
        axes.remove()
    return figure


def _to_rgb(image: np.ndarray) -> np.ndarray:
    pixels = image.astype(float) / 255
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def _colour(pixels: np.ndarray, drop: np.ndarray) -> np.ndarray:
    strength = np.abs(drop) / (np.abs(drop).max() or 1.0)
    colour = np.where(drop[..., None] > 0, _FOR, _AGAINST)
    share = _STRONGEST * strength[..., None]
    return (1 - share) * pixels + share * colour

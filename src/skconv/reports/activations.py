"""Figure of the filters of the first convolution and the activation maps of all convolutions.

The maps of a layer share one axes, because one axes per map takes seconds to draw and much memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import DataError
from skconv.reports.style import BLUE, GREY, VERMILION, fit_text, new_figure, standard_style
from skconv.text import format_percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from skconv.evaluation.activations import LayerActivations

_MAX_MAPS = 32  # drawn per layer
_COLUMNS = 16
_GAP = 0.1  # gap around a map, as a fraction of its width
_BACKGROUND = 222  # grey level between the maps, which the colour map does not contain
_RESOLUTION = 120  # width of a map in pixels of the drawn array, larger than in the saved figure
# Lengths in inches.
_WIDTH, _MIN_WIDTH = 9.6, 7.0
_MAX_TILE = 0.85
_MARGIN, _SPACE, _LINE = 0.2, 0.17, 0.2
_IMAGE = 1.9
_LARGE, _MIDDLE, _SMALL = 14.0, 9.0, 8.0  # font sizes in points


@dataclass(frozen=True)
class _Band:
    """Title lines, and the tiles below them: uint8 (n, height, width, 3)."""

    title: list[str]
    tiles: np.ndarray


@standard_style()
def draw_activations(
    image: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    layers: Sequence[LayerActivations],
    filters: np.ndarray,
    *,
    note: str = "",
) -> Figure:
    """Draw an image with its prediction, the filters of the first convolution and the activation maps of all.

    For each layer, the 32 maps of largest magnitude are drawn in descending order; for the first layer, their filters
    too. The colours are scaled to the largest magnitude of each layer: blue below 0, white at 0, orange above.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width) or (height, width, 3)
        Network input.
    probabilities : ndarray of float, shape (k,)
        Predicted probabilities of at least two classes.
    class_names : sequence of str
        Name of each of the k classes.
    layers, filters
        Return values of `collect_activations` and `filters_on_pixels` in `skconv.evaluation.activations`. Filters with
        three channels are drawn in RGB; of other filters, the mean over the channels is drawn.
    note : str, default=""
        Text next to the image, in one line.
    """
    _check_prediction(image, probabilities, class_names)
    _check_layers(layers, filters)
    strongest = [np.argsort(-np.abs(layer.maps).max((1, 2)), kind="stable")[:_MAX_MAPS] for layer in layers]
    bands = [_draw_filters(layers[0].kernel, filters, strongest[0])]
    for number, (layer, chosen) in enumerate(zip(layers, strongest, strict=True), 1):
        n, height, width = layer.maps.shape
        largest = float(np.abs(layer.maps).max())
        title = (
            f"Convolution {number} ({layer.name}): {len(chosen)} of {n} maps, {width}×{height}, "
            f"largest magnitude {largest:.3g}"
        )
        bands.append(_Band([title], _colour(layer.maps[chosen], largest)))
    columns = min(_COLUMNS, max(len(band.tiles) for band in bands))
    tile = min(_MAX_TILE, (_WIDTH - 2 * _MARGIN) / _add_gaps(columns))
    sizes = [_measure(band.tiles, columns, tile) for band in bands]
    width = max(_MIN_WIDTH, 2 * _MARGIN + tile * _add_gaps(columns))
    titles = sum(_SPACE + _LINE * len(band.title) for band in bands)
    figure = new_figure(width, 2 * _MARGIN + _IMAGE + titles + sum(height for _, height in sizes))
    figure.set_layout_engine("none")  # the code below computes all positions
    _draw_header(figure, image, np.asarray(probabilities), class_names, note)
    top = _MARGIN + _IMAGE
    for band, size in zip(bands, sizes, strict=True):
        top += _SPACE
        for line, text in enumerate(band.title):
            _write(figure, _MARGIN, top, text, _SMALL if line else _MIDDLE)
            top += _LINE
        _show(figure, _MARGIN, top, *size, _tile(band.tiles, columns))
        top += size[1]
    return figure


def _check_prediction(image: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str]) -> None:
    if image.dtype != np.uint8 or (image.ndim != 2 and image.shape[2:] != (3,)):
        raise DataError(
            f"The image is {image.dtype} of shape {image.shape}; expected uint8 of shape (height, width) or "
            "(height, width, 3)."
        )
    if len(class_names) < 2 or np.shape(probabilities) != (len(class_names),):
        raise DataError(
            f"The probabilities have shape {np.shape(probabilities)} for {len(class_names)} class names; expected "
            "one probability and one name for each of at least two classes."
        )


def _check_layers(layers: Sequence[LayerActivations], filters: np.ndarray) -> None:
    if not layers:
        raise DataError("There are no layers to draw; expected at least one.")
    if filters.ndim != 4 or len(filters) != len(layers[0].maps):
        raise DataError(
            f"The filters have shape {filters.shape}; expected {len(layers[0].maps)} filters of shape "
            "(channels, height, width), one per map of the first layer."
        )


def _draw_filters(kernel: np.ndarray, filters: np.ndarray, chosen: np.ndarray) -> _Band:
    n, channels, height, width = filters.shape
    weights = np.moveaxis(filters[chosen], 1, 3) if channels == 3 else filters[chosen].mean(1)
    largest = float(np.abs(weights).max())
    title = [f"Filters of convolution 1: {len(chosen)} of {n}, {width}×{height}, largest magnitude {largest:.3g}"]
    if filters.shape != kernel.shape:
        title.append(
            f"The {kernel.shape[1]} input channels are the pixels of each {width // kernel.shape[3]}×"
            f"{height // kernel.shape[2]} square; their {kernel.shape[3]}×{kernel.shape[2]} weights are drawn at the "
            "positions of these pixels."
        )
    if channels == 3:
        title.append("The weights of the channels are drawn as red, green and blue; grey is 0.")
        return _Band(title, np.rint(127.5 + 127.5 * weights / (largest or 1.0)).astype(np.uint8))
    if channels > 1:
        title.append(f"Mean over {channels} channels.")
    return _Band(title, _colour(weights, largest))


def _colour(values: np.ndarray, largest: float) -> np.ndarray:
    """Return values as uint8 colours (…, 3): blue at -largest, white at 0, orange at largest."""
    from matplotlib.colors import LinearSegmentedColormap

    # An odd number of colours, so that 0 is exactly white.
    scale = LinearSegmentedColormap.from_list("signed", [BLUE, "white", VERMILION], N=257)
    colours: np.ndarray = scale(0.5 + 0.5 * values / (largest or 1.0), bytes=True)
    return colours[..., :3]


def _draw_header(
    figure: Figure, image: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str], note: str
) -> None:
    """Draw the image, and next to it the prediction, the note and the colour scale."""
    ratio = _limit_ratio(*image.shape[:2])
    width = _IMAGE / max(1.0, ratio)
    pixels = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    _show(figure, _MARGIN, _MARGIN, width, width * ratio, pixels)
    left = 2 * _MARGIN + width
    predictions = [
        f"{rank}: {class_names[position]} ({format_percent(probabilities[position], 1)})"
        for rank, position in zip(("Prediction", "Runner-up"), np.argsort(-probabilities, kind="stable"), strict=False)
    ]
    _write(figure, left, _MARGIN, predictions[0], _LARGE, weight="bold")
    _write(figure, left, _MARGIN + 0.34, predictions[1], _MIDDLE)
    lines = [
        f"Network input of {image.shape[1]}×{image.shape[0]} pixels.",
        "Maps: output of each convolution before ReLU, largest magnitude first.",
        note,
    ]
    for number, line in enumerate(lines):
        _write(figure, left, _MARGIN + 0.62 + number * _LINE, line, _SMALL)
    _write(figure, left, _MARGIN + 1.26, "Colours, scaled to the largest magnitude of each layer:", _SMALL)
    scale = _colour(np.linspace(-1, 1, 301)[None], 1.0)
    axes = _show(figure, left + 0.2, _MARGIN + 1.47, 3.0, 0.16, scale)
    axes.set_xticks([0, 150, 300], ["−largest", "0", "+largest"], fontsize=_SMALL)


def _show(figure: Figure, left: float, top: float, width: float, height: float, pixels: np.ndarray) -> Any:
    """Draw an array (h, w, 3) at a position in inches from the upper left corner, and return the axes."""
    figure_width, figure_height = figure.get_size_inches()
    bottom = 1 - (top + height) / figure_height
    axes = figure.add_axes((left / figure_width, bottom, width / figure_width, height / figure_height))
    axes.imshow(pixels, aspect="auto")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def _write(figure: Figure, left: float, top: float, text: str, size: float, **style: Any) -> None:
    """Write a line of plain text, reduced in size to fit into the figure."""
    width, height = figure.get_size_inches()
    (text,), fitting = fit_text([text], (width - left - _MARGIN) * _MIDDLE / size)
    style = {"fontsize": size * fitting / _MIDDLE, "color": GREY if size == _SMALL else "black", **style}
    figure.text(left / width, 1 - top / height, text, va="top", **style).set_parse_math(False)


def _limit_ratio(height: int, width: int) -> float:
    """Return the ratio of height to width of a drawn image, limited to 1:3..3:1."""
    return min(3.0, max(1 / 3, height / width))


def _add_gaps(n: int) -> float:
    """Return the width of n maps with the gaps between and around them, in units of a map's width."""
    return n + _GAP * (n + 1)


def _choose_grid(n: int, columns: int) -> tuple[int, int]:
    """Return the numbers of rows and columns for n tiles: full rows of similar lengths, at most `columns`."""
    rows = math.ceil(n / columns)
    return rows, math.ceil(n / rows)


def _measure(tiles: np.ndarray, columns: int, tile: float) -> tuple[float, float]:
    """Return the width and height, in inches, of a grid of tiles that are `tile` inches wide."""
    rows, columns = _choose_grid(len(tiles), columns)
    return tile * _add_gaps(columns), tile * (rows * _limit_ratio(*tiles.shape[1:3]) + _GAP * (rows + 1))


def _tile(tiles: np.ndarray, columns: int) -> np.ndarray:
    """Arrange tiles (n, height, width, 3) in one array, with grey between and around them."""
    n, height, width = tiles.shape[:3]
    rows, columns = _choose_grid(n, columns)
    ratio = _limit_ratio(height, width)
    tiles = tiles.repeat(math.ceil(_RESOLUTION * ratio / height), axis=1).repeat(math.ceil(_RESOLUTION / width), axis=2)
    down, right = round(_GAP * tiles.shape[1] / ratio), round(_GAP * tiles.shape[2])
    tiles = np.pad(tiles, ((0, rows * columns - n), (0, down), (0, right), (0, 0)), constant_values=_BACKGROUND)
    grid = tiles.reshape(rows, columns, *tiles.shape[1:]).transpose(0, 2, 1, 3, 4)
    whole = grid.reshape(rows * tiles.shape[1], columns * tiles.shape[2], 3)
    return np.pad(whole, ((down, 0), (right, 0), (0, 0)), constant_values=_BACKGROUND)

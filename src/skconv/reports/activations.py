"""What a network makes of one image: the first filters, and the activation maps after every convolution.

All maps of a layer are one array that is drawn at once: an axes a map would take seconds and much memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import DataError
from skconv.reports.style import BLUE, GREY, VERMILION, fit_text, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from skconv.evaluation.activations import LayerActivations

_MOST_MAPS = 32  # of a layer
_COLUMNS = 16
_GAP = 0.1  # around a map, of its width
_GROUND = 222  # the grey between maps: neither white, which is 0, nor a colour of the scale
_FINE = 120  # pixels across a map in the array that is drawn: more than are saved, so that borders stay sharp
# Inches.
_WIDTH, _LEAST_WIDTH = 9.6, 7.0
_WIDEST_MAP = 0.85
_MARGIN, _SPACE, _LINE = 0.2, 0.17, 0.2
_IMAGE = 1.9
_LARGE, _MIDDLE, _SMALL = 14.0, 9.0, 8.0  # font sizes in points


@dataclass(frozen=True)
class _Band:
    """The lines of a title, and what is drawn under them: uint8 (n, height, width, 3)."""

    title: list[str]
    tiles: np.ndarray


def draw_activations(
    image: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    layers: Sequence[LayerActivations],
    filters: np.ndarray,
    *,
    note: str = "",
) -> Figure:
    """Draw the image with its prediction, the first convolution's filters, and the maps after every convolution.

    At most 32 maps of a layer are drawn: those that reach the largest magnitude, the largest first. The filters are
    those of the first layer's maps, in the same order. One scale of colours serves all: blue below 0, white at 0,
    orange above, in each layer up to its own largest magnitude, which the title tells.

    Parameters
    ----------
    image : ndarray of uint8, shape (height, width) or (height, width, 3)
        The image as the network takes it.
    probabilities : ndarray of float, shape (k,)
        Predicted probabilities of at least two classes.
    class_names : sequence of str
        k names.
    layers : sequence of LayerActivations
        As `skconv.evaluation.activations.collect_activations` returns them.
    filters : ndarray of float, shape (n, channels, height, width)
        The first layer's filters, as `skconv.evaluation.activations.filters_on_pixels` returns them. Those of three
        channels are drawn in red, green and blue; of another number, as their mean over the channels.
    note : str, default=""
        A line for the reader, beside the image.

    Returns
    -------
    matplotlib.figure.Figure
        One axes for the image, one for the scale, one for the filters and one a layer.

    Raises
    ------
    DataError
        Shapes that do not fit, or no layers.
    """
    _check(image, probabilities, class_names, layers, filters)
    strongest = [_find_strongest(layer.maps) for layer in layers]
    bands = [_describe_filters(layers[0].kernel, filters, strongest[0])]
    for number, (layer, chosen) in enumerate(zip(layers, strongest, strict=True), 1):
        bands.append(_describe_maps(number, layer, chosen))
    columns = min(_COLUMNS, max(len(band.tiles) for band in bands))
    tile = min(_WIDEST_MAP, (_WIDTH - 2 * _MARGIN) / _with_gaps(columns))
    sizes = [_measure(band.tiles, columns, tile) for band in bands]
    width = max(_LEAST_WIDTH, 2 * _MARGIN + tile * _with_gaps(columns))
    titles = sum(_SPACE + _LINE * len(band.title) for band in bands)
    figure = new_figure(width, 2 * _MARGIN + _IMAGE + titles + sum(height for _, height in sizes))
    figure.set_layout_engine("none")  # every place is known
    _draw_head(figure, image, np.asarray(probabilities), class_names, note)
    top = _MARGIN + _IMAGE
    for band, size in zip(bands, sizes, strict=True):
        top += _SPACE
        for line, text in enumerate(band.title):
            _write(figure, _MARGIN, top, text, _SMALL if line else _MIDDLE)
            top += _LINE
        _show(figure, _MARGIN, top, *size, _arrange(band.tiles, columns))
        top += size[1]
    return figure


def _check(
    image: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    layers: Sequence[LayerActivations],
    filters: np.ndarray,
) -> None:
    if image.dtype != np.uint8 or (image.ndim != 2 and image.shape[2:] != (3,)):
        raise DataError(
            f"The image is {image.dtype} of shape {image.shape}; expected uint8 of (height, width) or "
            "(height, width, 3)."
        )
    if len(class_names) < 2 or np.shape(probabilities) != (len(class_names),):
        raise DataError(
            f"The probabilities have shape {np.shape(probabilities)} and {len(class_names)} class names came; expected "
            "one of each for at least two classes."
        )
    if not layers:
        raise DataError("There are no layers to draw; expected at least one.")
    if filters.ndim != 4 or len(filters) != len(layers[0].maps):
        raise DataError(
            f"The filters have shape {filters.shape}; expected {len(layers[0].maps)} filters of shape "
            "(channels, height, width), one for each map of the first layer."
        )


def _find_strongest(maps: np.ndarray) -> np.ndarray:
    """Positions of the maps that reach the largest magnitude, the largest first."""
    return np.argsort(-np.abs(maps).max((1, 2)), kind="stable")[:_MOST_MAPS]


def _describe_filters(kernel: np.ndarray, filters: np.ndarray, chosen: np.ndarray) -> _Band:
    n, channels, height, width = filters.shape
    weights = np.moveaxis(filters[chosen], 1, 3) if channels == 3 else filters[chosen].mean(1)
    largest = float(np.abs(weights).max())
    title = [f"Filters of convolution 1: {len(chosen)} of {n}, {height}×{width}, largest magnitude {largest:.3g}"]
    if filters.shape != kernel.shape:
        title.append(
            f"The image enters as {kernel.shape[1]} channels, the pixels of each {height // kernel.shape[2]}×"
            f"{width // kernel.shape[3]} square; their {kernel.shape[2]}×{kernel.shape[3]} weights are put back in "
            "place."
        )
    if channels == 3:
        title.append("The weights of red, green and blue are drawn as a colour; grey is 0.")
        return _Band(title, np.rint(127.5 + 127.5 * weights / (largest or 1.0)).astype(np.uint8))
    if channels > 1:
        title.append(f"The mean over the {channels} channels is drawn.")
    return _Band(title, _colour(weights, largest))


def _describe_maps(number: int, layer: LayerActivations, chosen: np.ndarray) -> _Band:
    n, height, width = layer.maps.shape
    largest = float(np.abs(layer.maps).max())
    size = f"{len(chosen)} of {n} maps, {height}×{width}"
    title = f"After convolution {number} ({layer.name}): {size}, largest magnitude {largest:.3g}"
    return _Band([title], _colour(layer.maps[chosen], largest))


def _colour(values: np.ndarray, largest: float) -> np.ndarray:
    """Return values as uint8 colours (…, 3): blue at -largest, white at 0, orange at largest."""
    from matplotlib.colors import LinearSegmentedColormap

    # An odd number of colours, so that one of them is white.
    scale = LinearSegmentedColormap.from_list("signed", [BLUE, "white", VERMILION], N=257)
    colours: np.ndarray = scale(0.5 + 0.5 * values / (largest or 1.0), bytes=True)
    return colours[..., :3]


def _draw_head(
    figure: Figure, image: np.ndarray, probabilities: np.ndarray, class_names: Sequence[str], note: str
) -> None:
    """Draw the image, and beside it the prediction, the note and the scale of the colours."""
    ratio = _find_ratio(*image.shape[:2])
    width = _IMAGE / max(1.0, ratio)
    pixels = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=2)
    _show(figure, _MARGIN, _MARGIN, width, width * ratio, pixels)
    left = 2 * _MARGIN + width
    answers = [
        f"{what}: {class_names[position]} ({100 * probabilities[position]:.1f} %)"
        for what, position in zip(("Prediction", "Runner-up"), np.argsort(-probabilities, kind="stable"), strict=False)
    ]
    _write(figure, left, _MARGIN, answers[0], _LARGE, weight="bold")
    _write(figure, left, _MARGIN + 0.34, answers[1], _MIDDLE)
    lines = [
        f"{image.shape[0]}×{image.shape[1]} pixels, as the network takes them.",
        "Maps: what a convolution gives, before ReLU; the strongest first.",
        note,
    ]
    for number, line in enumerate(lines):
        _write(figure, left, _MARGIN + 0.62 + number * _LINE, line, _SMALL)
    _write(figure, left, _MARGIN + 1.26, "Colours of a row, up to the largest magnitude in its title:", _SMALL)
    scale = _colour(np.linspace(-1, 1, 301)[None], 1.0)
    axes = _show(figure, left + 0.2, _MARGIN + 1.47, 3.0, 0.16, scale)
    axes.set_xticks([0, 150, 300], ["−largest", "0", "+largest"], fontsize=_SMALL)


def _show(figure: Figure, left: float, top: float, width: float, height: float, pixels: np.ndarray) -> Any:
    """Draw an array (h, w, 3) there, inches from the upper left corner, and return its axes."""
    whole_width, whole_height = figure.get_size_inches()
    place = (left / whole_width, 1 - (top + height) / whole_height, width / whole_width, height / whole_height)
    axes = figure.add_axes(place)
    axes.imshow(pixels, aspect="auto")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def _write(figure: Figure, left: float, top: float, text: str, size: float, **style: Any) -> None:
    """Write a line there, as it is (a class called ``$5$`` is no formula), small enough to end before the margin."""
    width, height = figure.get_size_inches()
    (text,), fitting = fit_text([text], (width - left - _MARGIN) * _MIDDLE / size)
    style = {"fontsize": size * fitting / _MIDDLE, "color": GREY if size == _SMALL else "black", **style}
    figure.text(left / width, 1 - top / height, text, va="top", **style).set_parse_math(False)


def _find_ratio(height: int, width: int) -> float:
    """Height of a drawn image by its width; a very long one is drawn shorter, or nothing could be seen."""
    return min(3.0, max(1 / 3, height / width))


def _with_gaps(n: int) -> float:
    """Width of so many maps in a row, and the gaps between and around them, in widths of a map."""
    return n + _GAP * (n + 1)


def _lay_out(n: int, columns: int) -> tuple[int, int]:
    """Rows and columns of n tiles, at most `columns` in a row, in rows as even as can be."""
    rows = math.ceil(n / columns)
    return rows, math.ceil(n / rows)


def _measure(tiles: np.ndarray, columns: int, tile: float) -> tuple[float, float]:
    """Width and height of tiles as `_arrange` puts them, each `tile` inches wide."""
    rows, columns = _lay_out(len(tiles), columns)
    return tile * _with_gaps(columns), tile * (rows * _find_ratio(*tiles.shape[1:3]) + _GAP * (rows + 1))


def _arrange(tiles: np.ndarray, columns: int) -> np.ndarray:
    """Put tiles (n, height, width, 3) into one array, at most `columns` in a row, with grey between and around them."""
    n, height, width = tiles.shape[:3]
    rows, columns = _lay_out(n, columns)
    ratio = _find_ratio(height, width)
    tiles = tiles.repeat(math.ceil(_FINE * ratio / height), axis=1).repeat(math.ceil(_FINE / width), axis=2)
    down, right = round(_GAP * tiles.shape[1] / ratio), round(_GAP * tiles.shape[2])
    # What the last row lacks is grey too.
    tiles = np.pad(tiles, ((0, rows * columns - n), (0, down), (0, right), (0, 0)), constant_values=_GROUND)
    grid = tiles.reshape(rows, columns, *tiles.shape[1:]).transpose(0, 2, 1, 3, 4)
    whole = grid.reshape(rows * tiles.shape[1], columns * tiles.shape[2], 3)
    return np.pad(whole, ((down, 0), (right, 0), (0, 0)), constant_values=_GROUND)

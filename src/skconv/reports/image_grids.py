"""Image grids: samples, mistakes, predictions, label issues and attribution maps.

The images of a grid share one axes, except with attribution maps, because one axes per image takes seconds to draw and
much memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from skconv.evaluation.label_issues import KINDS, LabelIssue
from skconv.exceptions import DataError, ParameterError
from skconv.reports.style import fit_text, new_figure, put_text, standard_style
from skconv.text import format_percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 10
_MAX_IMAGES = 400
_MAX_MISTAKES = 40
_GAP = 0.12  # gap between images, as a fraction of their width
# Grid of attribution maps; lengths in inches, the gap as a fraction of the width of an image.
_MAP_WIDTH, _MAP_SIDE, _MAX_TILES, _MAP_GAP = 9.6, 1.5, 9, 0.15
_LINE, _MARGIN = 0.26, 0.06  # height of a caption and of the lower margin
_BAR, _FOOT = (0.9, 0.1), 0.28  # width and height of the colour bar, height of the footer that contains it
_OPACITY = 0.75  # opacity at the largest magnitude of a map
_RAISES, _LOWERS = np.array([0.84, 0.37, 0.0]), np.array([0.0, 0.45, 0.70])  # RGB, as in the activation maps


@standard_style()
def draw_samples(
    images: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    rows: int = 4,
    columns: int = _COLUMNS,
) -> Figure:
    """Draw the first images of each class with their labels, alternating between the classes.

    Parameters
    ----------
    images : ndarray of uint8 or float, shape (n, h, w), (n, h, w, 3), (n, 1, h, w) or (n, 3, h, w)
        Images. Those of float are scaled to the range from their common minimum to their maximum.
    labels : ndarray of int, shape (n,)
        Indices into `class_names`.
    class_names : sequence of str
        Name of each class.
    rows, columns : int, default=4 and 10
        Number of rows and columns of the grid, which has at most 400 images.
    """
    if rows < 1 or columns < 1 or rows * columns > _MAX_IMAGES:
        raise ParameterError(
            f"rows is {rows} and columns is {columns}; expected at least 1 each, and at most {_MAX_IMAGES} images in "
            "total."
        )
    labels = np.asarray(labels)
    _check(images, labels, class_names)
    by_class = np.argsort(labels, kind="stable")
    rank_in_class = np.arange(len(labels)) - np.searchsorted(labels[by_class], labels[by_class])
    chosen = by_class[np.lexsort((labels[by_class], rank_in_class))][: rows * columns]
    return draw_grid(images[chosen], [[str(class_names[label])] for label in labels[chosen]], columns=columns)


@standard_style()
def draw_mistakes(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
) -> Figure:
    """Draw the 40 most confident mistakes, in descending order, with true class, predicted class and confidence.

    These mistakes reveal label errors, and kinds of images that are missing from the training data.
    """
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    _check(images, labels, class_names)
    if probabilities.shape != (len(labels), len(class_names)):
        raise DataError(
            f"The probabilities have shape {probabilities.shape}; expected {(len(labels), len(class_names))}."
        )
    predicted, confidences = probabilities.argmax(1), probabilities.max(1)
    wrong = np.flatnonzero(predicted != labels)
    if len(wrong) == 0:
        figure = new_figure(5, 1.2)
        axes = figure.add_subplot()
        axes.set_axis_off()
        put_text(axes, 0.5, 0.5, f"No mistakes among {len(labels):,} images.", ha="center", va="center", fontsize=11)
        return figure
    chosen = wrong[np.argsort(-confidences[wrong], kind="stable")][:_MAX_MISTAKES]
    captions = [
        [str(class_names[labels[index]]), f"→ {class_names[predicted[index]]}", format_percent(confidences[index], 1)]
        for index in chosen
    ]
    title = f"{len(wrong):,} of {len(labels):,} wrong"
    if len(chosen) < len(wrong):
        title += f"; the {len(chosen)} most confident"
    return draw_grid(images[chosen], captions, f"{title}\n(true, → predicted, confidence)")


@standard_style()
def draw_predictions(images: np.ndarray, labels: Sequence[str], confidences: Sequence[float]) -> Figure:
    """Draw images with their predicted labels and the confidences, 0..1."""
    captions = [[label, format_percent(confidence, 1)] for label, confidence in zip(labels, confidences, strict=True)]
    return draw_grid(images, captions)


@standard_style()
def draw_issues(
    images: np.ndarray, issues: Sequence[LabelIssue], positions: Sequence[int], *, max_images: int
) -> Figure:
    """Draw the first issues of one kind; `positions` are the indices of their images in `images`."""
    drawn = images[np.asarray(positions[:max_images])]
    meaning = KINDS[issues[0].kind]
    title = f"{meaning[0].upper()}{meaning[1:]}: {len(drawn):,} of {len(issues):,}"
    return draw_grid(drawn, [issue.caption for issue in issues[:max_images]], title)


@standard_style()
def draw_grid(
    images: np.ndarray, captions: Sequence[Sequence[str]], title: str = "", *, columns: int = _COLUMNS
) -> Figure:
    """Draw images in a grid, each above its caption; all captions must have the same number of lines.

    Examples
    --------
    >>> len(draw_grid(np.zeros((2, 4, 4), np.uint8), [["7", "98 %"], ["1", "99 %"]]).axes)
    1
    """
    rgb = _to_rgb(images)
    n, height, width = rgb.shape[:3]
    columns = min(columns, n)
    rows = -(-n // columns)
    cell = min(1.05, 14 / columns)  # inches
    texts, size = fit_text([line for lines in captions for line in lines], cell * 0.98)
    n_lines = len(captions[0])
    scale = width / (cell / (1 + _GAP))  # pixels per inch
    step_x = width * (1 + _GAP)
    step_y = height + (n_lines * size * 1.3 / 72 + 0.1) * scale
    figure = new_figure(max(4.0, columns * cell), rows * step_y / scale + (0.55 if title else 0.05))
    if title:
        figure.suptitle(title, fontsize=9)
    axes = figure.add_subplot()
    axes.set_axis_off()
    for index in range(n):
        x, y = index % columns * step_x, index // columns * step_y
        axes.imshow(rgb[index], extent=(x, x + width, y + height, y), interpolation="nearest")
        lines = "\n".join(texts[index * n_lines : (index + 1) * n_lines])
        put_text(axes, x + width / 2, y + height + 0.04 * scale, lines, fontsize=size, ha="center", va="top")
    axes.set_xlim(-width * _GAP, columns * step_x)
    axes.set_ylim(rows * step_y, -height * 0.04)
    axes.set_aspect("equal")
    return figure


@standard_style()
def draw_attributions(images: np.ndarray, maps: Sequence[Sequence[np.ndarray]], captions: Sequence[str]) -> Figure:
    """Draw images with captions, each followed by a copy per attribution map, coloured by the map.

    `images` are 1 to 40 uint8 images, (n, h, w) or (n, h, w, 3), with 1 to 8 maps (h, w) each. Orange is positive, blue
    is negative; each map is scaled to its largest magnitude.

    Examples
    --------
    >>> figure = draw_attributions(np.zeros((1, 4, 4), np.uint8), [[np.eye(4)]], ["7, 99.0 %"])
    >>> len(figure.axes)  # the image, its map, the colour bar
    3
    """
    tiles = 1 + len(maps[0])
    columns = min(_MAX_TILES // tiles, len(images))
    rows = -(-len(images) // columns)
    side = min(_MAP_SIDE, _MAP_WIDTH / (columns * (tiles + _MAP_GAP)))
    high = min(3.0, images.shape[1] / images.shape[2]) * side
    width, height = columns * (tiles + _MAP_GAP) * side, rows * (high + _LINE) + _MARGIN + _FOOT
    texts, size = fit_text(list(captions), tiles * side)
    figure = new_figure(width, height)
    figure.set_layout_engine("none")  # the code below computes all positions
    rgb = images.astype(float) / 255
    if rgb.ndim == 3:
        rgb = np.repeat(rgb[..., None], 3, axis=3)
    for index, (pixels, values) in enumerate(zip(rgb, maps, strict=True)):
        row, column = divmod(index, columns)
        left, top = (column * (tiles + _MAP_GAP) + _MAP_GAP / 2) * side, row * (high + _LINE) + _LINE
        for position, drawn in enumerate([pixels, *(_colour(pixels, each) for each in values)]):
            x, y = left + position * side, height - top - high
            axes = figure.add_axes((x / width, y / height, 0.97 * side / width, 0.97 * high / height))
            axes.set_axis_off()
            axes.imshow(drawn, interpolation="nearest", aspect="auto")
        text = figure.text(left / width, 1 - (top - 0.05) / height, texts[index], fontsize=size, va="bottom")
        text.set_parse_math(False)  # a class may be named $5$
    _add_colour_bar(figure, width, height)
    return figure


def _check(images: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> None:
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise DataError(f"The images have shape {images.shape}; expected (n, h, w) or (n, h, w, 3).")
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise DataError(
            f"The labels are {labels.dtype} of shape {labels.shape}; expected {len(images)} integers, one per image."
        )
    if labels.min() < 0 or labels.max() >= len(class_names):
        raise DataError(
            f"The labels are in {labels.min()}..{labels.max()}; expected indices of class names, "
            f"0..{len(class_names) - 1}."
        )


def _to_rgb(images: np.ndarray) -> np.ndarray:
    """Return images of any accepted shape as float32 (n, h, w, 3), 0..1."""
    rgb = images.astype(np.float32)
    if images.dtype == np.uint8:
        rgb /= 255
    else:
        low, high = float(rgb.min()), float(rgb.max())
        rgb = (rgb - low) / ((high - low) or 1.0)
    if rgb.ndim == 4 and rgb.shape[3] not in (1, 3):
        rgb = np.moveaxis(rgb, 1, 3)
    if rgb.ndim == 3:
        rgb = rgb[..., None]
    if rgb.shape[3] not in (1, 3):
        raise DataError(f"The images have shape {images.shape}; expected 1 or 3 channels.")
    return np.repeat(rgb, 3, axis=3) if rgb.shape[3] == 1 else rgb


def _add_colour_bar(figure: Figure, width: float, height: float) -> None:
    """Draw the colour bar of attribution maps in the footer of a figure of `width` × `height` inches."""
    long, high = _BAR
    left, middle = (width - long) / 2, _FOOT / 2
    axes = figure.add_axes((left / width, (middle - high / 2) / height, long / width, high / height))
    axes.set_axis_off()
    axes.imshow(_colour(np.full((1, 65, 3), 0.5), np.linspace(-1, 1, 65)[None]), aspect="auto")
    texts, size = fit_text(["lowers the probability", "raises the probability"], left - 0.1)
    for text, x, side in zip(texts, (left - 0.06, left + long + 0.06), ("right", "left"), strict=True):
        figure.text(x / width, middle / height, text, fontsize=size, ha=side, va="center")


def _colour(pixels: np.ndarray, values: np.ndarray) -> np.ndarray:
    strength = np.abs(values) / (np.abs(values).max() or 1.0)
    colour = np.where(values[..., None] > 0, _RAISES, _LOWERS)
    share = _OPACITY * strength[..., None]
    return (1 - share) * pixels + share * colour

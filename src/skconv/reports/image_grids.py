"""Many images in one figure: samples of the data, and the most confident mistakes.

All images go into one array that is drawn at once: an axes an image would take seconds and much memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skconv.exceptions import DataError, ParameterError
from skconv.reports.style import fit_text, new_figure, put_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 10
_MOST_IMAGES = 400
_GAP = 0.12  # between images, of an image's width


def draw_samples(
    images: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    rows: int = 4,
    columns: int = _COLUMNS,
) -> Figure:
    """Draw images with their labels, the classes in turn, so that each is seen.

    Parameters
    ----------
    images : ndarray of uint8 or float, shape (n, h, w), (n, h, w, 3), (n, 1, h, w) or (n, 3, h, w)
        Images; float ones are drawn from their smallest to their largest value.
    labels : ndarray of int, shape (n,)
        Positions in `class_names`.
    class_names : sequence of str
        What each label means.
    rows, columns : int, default 4 and 10
        Size of the grid, at least 1, together at most 400 images.

    Returns
    -------
    matplotlib.figure.Figure
        The first images of each class, fewer than the grid holds where there are not as many.

    Raises
    ------
    DataError
        Shapes that do not fit, or no images.
    ParameterError
        A grid of no or of more than 400 images.
    """
    if rows < 1 or columns < 1 or rows * columns > _MOST_IMAGES:
        raise ParameterError(f"A grid of {rows}×{columns} images; expected 1 to {_MOST_IMAGES} images.")
    labels = np.asarray(labels)
    _check(images, labels, class_names)
    chosen = _take_in_turn(labels, rows * columns)
    captions = [[str(class_names[label])] for label in labels[chosen]]
    return _draw_grid(images[chosen], captions, columns)


def draw_mistakes(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    *,
    most: int = 40,
) -> Figure:
    """Draw the model's most confident mistakes, each as true → predicted with its confidence.

    Confident mistakes show wrong labels in the data and kinds of images the model never saw.

    Parameters
    ----------
    images : ndarray
        As in `draw_samples`.
    labels : ndarray of int, shape (n,)
        True classes as positions in `class_names`.
    probabilities : ndarray of float, shape (n, k)
        Predicted probabilities.
    class_names : sequence of str
        k names.
    most : int, default 40
        Images to draw, 1 to 400.

    Returns
    -------
    matplotlib.figure.Figure
        The most confident mistake first; a figure that says so where there is none.

    Raises
    ------
    DataError
        Shapes that do not fit, or no images.
    ParameterError
        `most` outside 1..400.
    """
    if not 1 <= most <= _MOST_IMAGES:
        raise ParameterError(f"most must be from 1 to {_MOST_IMAGES}, got {most}.")
    labels, probabilities = np.asarray(labels), np.asarray(probabilities)
    _check(images, labels, class_names)
    if probabilities.shape != (len(labels), len(class_names)):
        raise DataError(
            f"The probabilities have shape {probabilities.shape}; expected {(len(labels), len(class_names))}."
        )
    predicted, confidences = probabilities.argmax(1), probabilities.max(1)
    wrong = np.flatnonzero(predicted != labels)
    if len(wrong) == 0:
        return _draw_none(len(labels))
    chosen = wrong[np.argsort(-confidences[wrong], kind="stable")][:most]
    captions = [
        [str(class_names[labels[index]]), f"→ {class_names[predicted[index]]}", f"{100 * confidences[index]:.1f} %"]
        for index in chosen
    ]
    shown = f"{len(wrong):,} of {len(labels):,} wrong"
    if len(chosen) < len(wrong):
        shown += f"; the {len(chosen)} most confident"
    title = f"{shown}\n(true, → predicted, confidence)"
    return _draw_grid(images[chosen], captions, _COLUMNS, title)


def draw_predictions(images: np.ndarray, labels: Sequence[str], confidences: Sequence[float]) -> Figure:
    """Draw images as the model saw them, below each its label and the confidence.

    Parameters
    ----------
    images : ndarray
        As in `draw_samples`, 1 to 400 images.
    labels : sequence of str
    confidences : sequence of float
        0..1.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        Shapes that do not fit, or no images.
    """
    _check(images, np.arange(len(images)), labels)
    captions = [[label, f"{100 * confidence:.1f} %"] for label, confidence in zip(labels, confidences, strict=True)]
    return _draw_grid(images, captions, _COLUMNS)


def draw_suspects(images: np.ndarray, captions: Sequence[Sequence[str]], title: str) -> Figure:
    """Draw a contact sheet: images with the lines of a caption below each.

    Parameters
    ----------
    images : ndarray
        As in `draw_samples`, 1 to 400 images.
    captions : sequence of sequence of str
        For each image as many lines.
    title : str
        What is said of all of them.

    Returns
    -------
    matplotlib.figure.Figure
    """
    return _draw_grid(images, [list(lines) for lines in captions], _COLUMNS, title)


def draw_neighbours(images: np.ndarray, labels: Sequence[str], distances: Sequence[float], title: str) -> Figure:
    """Draw an image and those a network finds nearest to it.

    Parameters
    ----------
    images : ndarray
        The image and its neighbours, as in `draw_samples`; 2 to 41.
    labels : sequence of n str
        The image's prediction, and the neighbours' true classes.
    distances : sequence of n - 1 float
        How far each neighbour is.
    title : str

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> figure = draw_neighbours(np.zeros((2, 4, 4), np.uint8), ["7", "7"], [0.01], "Nearest of two")
    >>> len(figure.axes)
    1
    """
    told = ["the image", *(f"{distance:.3f}" for distance in distances)]
    return _draw_grid(images, [list(each) for each in zip(labels, told, strict=True)], _COLUMNS, title)


def _check(images: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> None:
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise DataError(f"The images have shape {images.shape}; expected (n, h, w) or (n, h, w, 3).")
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise DataError(f"{len(images)} images came with {labels.dtype} labels of shape {labels.shape}.")
    if labels.min() < 0 or labels.max() >= len(class_names):
        raise DataError(
            f"The labels span {labels.min()}..{labels.max()}; expected 0..{len(class_names) - 1}, "
            "the positions of the class names."
        )


def _take_in_turn(labels: np.ndarray, most: int) -> np.ndarray:
    """Return up to `most` positions: the first image of each class, then the second of each, and so on."""
    by_class = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[by_class], labels[by_class])
    turns = np.arange(len(labels)) - starts
    return by_class[np.lexsort((labels[by_class], turns))][:most]


def _draw_grid(images: np.ndarray, captions: list[list[str]], columns: int, title: str = "") -> Figure:
    """Draw images in rows, below each the lines of its caption."""
    rgb = _to_rgb(images)
    n, height, width = rgb.shape[:3]
    columns = min(columns, n)
    rows = -(-n // columns)
    cell = min(1.05, 14 / columns)  # inches
    texts, size = fit_text([line for lines in captions for line in lines], cell * 0.98)
    n_lines = len(captions[0])
    scale = width / (cell / (1 + _GAP))  # pixels an inch
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


def _to_rgb(images: np.ndarray) -> np.ndarray:
    """Return images as (n, h, w, 3), 0..1, whichever form they came in."""
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


def _draw_none(n: int) -> Any:
    figure = new_figure(5, 1.2)
    axes = figure.add_subplot()
    axes.set_axis_off()
    put_text(axes, 0.5, 0.5, f"No mistakes among {n:,} images.", ha="center", va="center", fontsize=11)
    return figure

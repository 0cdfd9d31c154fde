"""Image grids: samples of the data, the most confident mistakes, any images with captions.

All images of a grid share one axes: an axes per image would take seconds to draw and much memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from skconv.evaluation.label_issues import KINDS, LabelIssue
from skconv.exceptions import DataError, ParameterError
from skconv.reports.style import fit_text, new_figure, put_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 10
_MAX_IMAGES = 400
_GAP = 0.12  # between images, as a fraction of their width


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
        Float images are scaled from their minimum and maximum.
    labels : ndarray of int, shape (n,)
        Indices into `class_names`.
    class_names : sequence of str
        Name of each class.
    rows, columns : int, default=4 and 10
        Size of the grid, at least 1×1, at most 400 images.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    DataError
        If shapes do not fit, or there are no images.
    ParameterError
        If the grid has no image or more than 400.
    """
    if rows < 1 or columns < 1 or rows * columns > _MAX_IMAGES:
        raise ParameterError(f"The grid has {rows}×{columns} images; expected 1 to {_MAX_IMAGES} images.")
    labels = np.asarray(labels)
    _check(images, labels, class_names)
    by_class = np.argsort(labels, kind="stable")
    rank_in_class = np.arange(len(labels)) - np.searchsorted(labels[by_class], labels[by_class])
    chosen = by_class[np.lexsort((labels[by_class], rank_in_class))][: rows * columns]
    return draw_grid(images[chosen], [[str(class_names[label])] for label in labels[chosen]], columns=columns)


def draw_mistakes(
    images: np.ndarray,
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    *,
    max_images: int = 40,
) -> Figure:
    """Draw the most confident mistakes, with true class, predicted class and confidence.

    They reveal wrong labels, and kinds of images that are missing from the training data.

    Parameters
    ----------
    images, labels, class_names
        As in `draw_samples`.
    probabilities : ndarray of float, shape (n, k)
        Predicted probabilities.
    max_images : int, default=40
        Number of mistakes drawn, 1..400.

    Returns
    -------
    matplotlib.figure.Figure
        The most confident mistake first; a line of text if there is no mistake.

    Raises
    ------
    DataError
        If shapes do not fit, or there are no images.
    ParameterError
        If `max_images` is out of range.
    """
    if not 1 <= max_images <= _MAX_IMAGES:
        raise ParameterError(f"max_images must be from 1 to {_MAX_IMAGES}, got {max_images}.")
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
    chosen = wrong[np.argsort(-confidences[wrong], kind="stable")][:max_images]
    captions = [
        [str(class_names[labels[index]]), f"→ {class_names[predicted[index]]}", f"{100 * confidences[index]:.1f} %"]
        for index in chosen
    ]
    title = f"{len(wrong):,} of {len(labels):,} wrong"
    if len(chosen) < len(wrong):
        title += f"; the {len(chosen)} most confident"
    return draw_grid(images[chosen], captions, f"{title}\n(true, → predicted, confidence)")


def draw_predictions(images: np.ndarray, labels: Sequence[str], confidences: Sequence[float]) -> Figure:
    """Draw images with their predicted labels and the confidences.

    Parameters
    ----------
    images : ndarray
        As in `draw_samples`, 1 to 400 images.
    labels : sequence of n str
        Predicted labels.
    confidences : sequence of n float
        Probability of each predicted label, 0..1.

    Returns
    -------
    matplotlib.figure.Figure
    """
    captions = [[label, f"{100 * confidence:.1f} %"] for label, confidence in zip(labels, confidences, strict=True)]
    return draw_grid(images, captions)


def draw_issues(
    images: np.ndarray, issues: Sequence[LabelIssue], positions: Sequence[int], *, max_images: int
) -> Figure:
    """Draw the first issues of one kind.

    Parameters
    ----------
    images : ndarray of uint8
        All images of the data.
    issues : sequence of n LabelIssue
        Of one kind.
    positions : sequence of n int
        Position of each issue in `images`.
    max_images : int
        Number of issues drawn, 1..400.

    Returns
    -------
    matplotlib.figure.Figure
    """
    drawn = images[np.asarray(positions[:max_images])]
    meaning = KINDS[issues[0].kind]
    title = f"{meaning[0].upper()}{meaning[1:]}: {len(drawn):,} of {len(issues):,}"
    return draw_grid(drawn, [issue.caption for issue in issues[:max_images]], title)


def draw_grid(
    images: np.ndarray, captions: Sequence[Sequence[str]], title: str = "", *, columns: int = _COLUMNS
) -> Figure:
    """Draw images in rows, each above the lines of its caption.

    Parameters
    ----------
    images : ndarray
        As in `draw_samples`, 1 to 400 images.
    captions : sequence of n sequences of str
        Lines of text per image, equally many for all.
    title : str, default=""
        Title of the figure.
    columns : int, default=10
        Images per row.

    Returns
    -------
    matplotlib.figure.Figure

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


def _check(images: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> None:
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise DataError(f"The images have shape {images.shape}; expected (n, h, w) or (n, h, w, 3).")
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise DataError(
            f"The labels are {labels.dtype} of shape {labels.shape}; expected {len(images)} whole numbers, "
            "one per image."
        )
    if labels.min() < 0 or labels.max() >= len(class_names):
        raise DataError(
            f"The labels span {labels.min()}..{labels.max()}; expected 0..{len(class_names) - 1}, "
            "indices into the class names."
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

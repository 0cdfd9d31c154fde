"""Recognition of the numbers in an image, in lines or in the cells of ruled grids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skconv.digits.ocr.grid_recognition import read_grid
from skconv.digits.ocr.grids import Grid, find_grids
from skconv.digits.ocr.readings import GridReading, NumberReading, join_grids
from skconv.digits.ocr.recognition import read_image
from skconv.digits.ocr.segmentation import find_ink, find_rows
from skconv.digits.preprocess.background import check_image
from skconv.exceptions import DataError, ParameterError
from skconv.inference import OnnxClassifier

LAYOUTS = ("auto", "lines", "grid")
MARGIN = 0.5  # around a grid, in cells; ink of digits that extend beyond the frame
MIN_OUTSIDE_HEIGHT = 0.5  # of marks outside grids that are counted, in heights of the digits inside


def check_layout(layout: str) -> None:
    """Raise `ParameterError` unless the layout is one of `LAYOUTS`."""
    if layout not in LAYOUTS:
        raise ParameterError(f"The 'layout' parameter must be one of {', '.join(LAYOUTS)}. Got {layout!r}.")


def read_page(model: OnnxClassifier, image: np.ndarray, name: str = "image", layout: str = "auto") -> NumberReading:
    """Recognise the handwritten numbers in an image; `name` becomes the `input` of the reading.

    With the layout "auto", an image with ruled grids is read cell by cell, and another in lines. "lines" ignores grids;
    "grid" raises `DataError` if there is none. The image is uint8 (h, w), (h, w, 1) or (h, w, 3); for other arrays,
    raise `DataError`.
    """
    check_layout(layout)
    image = check_image(image)
    if layout == "lines":
        return read_image(model, image, name)
    grids = find_grids(image)
    found = [(grid, reading) for grid in grids if (reading := read_grid(model, image, grid)) is not None]
    if found:
        readings = [reading for _, reading in found]
        return join_grids(name, readings, _count_outside(image, [grid for grid, _ in found], readings))
    if layout == "grid":
        raise DataError(
            f"{name} contains no ruled grid of at least three cells. Photograph the whole grid with its frame, or pass "
            "the layout lines."
        )
    return read_image(model, image, name)


def _count_outside(image: np.ndarray, grids: Sequence[Grid], readings: Sequence[GridReading]) -> int:
    """Return the number of marks of the size of a digit outside the grids."""
    strokes, components = find_ink(image)
    factor = -(-image.shape[0] // strokes.shape[0])
    heights = [digit.box[3] - digit.box[1] for each in readings for cell in each.cells for digit in cell.digits]
    cell = min(float(np.median(np.diff(grid.y, axis=0)[::2])) for grid in grids)
    min_height = MIN_OUTSIDE_HEIGHT * (float(np.median(heights)) if heights else MIN_OUTSIDE_HEIGHT * cell)
    written = np.array([k for row in find_rows(components) for k in row], int)
    boxes = components.boxes[written] * factor
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    outside = boxes[:, 3] - boxes[:, 1] >= min_height
    for grid in grids:
        outside &= ~_is_inside(centres, grid)
    return int(np.count_nonzero(outside))


def _is_inside(points: np.ndarray, grid: Grid) -> np.ndarray:
    """Return whether points, (n, 2), are inside a grid or in its margin, bool (n,)."""
    corners = np.array([(grid.x[i, j], grid.y[i, j]) for i, j in ((0, 0), (0, -1), (-1, -1), (-1, 0))])
    sizes = np.median(np.diff(grid.x, axis=1)[:, ::2]), np.median(np.diff(grid.y, axis=0)[::2])
    corners += MARGIN * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * sizes
    inside = np.ones(len(points), bool)
    for start, stop in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        along, to_point = stop - start, points - start
        inside &= along[0] * to_point[:, 1] - along[1] * to_point[:, 0] >= 0
    return inside

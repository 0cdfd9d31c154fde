"""Ink in the cells of a ruled grid: rectification, background and rulings removed, ink assigned to cells."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from skconv.digits.ocr.cuts import Box
from skconv.digits.ocr.grids import Grid
from skconv.digits.preprocess.background import find_otsu_threshold, measure_background, to_grey
from skconv.digits.preprocess.morphology import (
    Components,
    blur,
    close_grey,
    find_connected_ink,
    open_runs,
    resample,
)

MIN_CELL, MAX_CELL = 40, 64  # pixels of the shorter side of a rectified cell
MARGIN = 0.4  # around the grid, in cells; digits may extend beyond the frame
BACKGROUND_WINDOW = 0.5  # side of the closing, in cells; wider than a stroke, narrower than most shadows
MAX_SHADOW = 8.0  # ratio of the brightest to the darkest background
MAX_SAMPLES = 200_000  # pixels from which the thresholds are determined
SIGMA = 1.0  # pixels; blur before the thresholds
MIN_CONTRAST, NOISE_FACTOR = 10.0, 6.0  # of ink: grey levels, and standard deviations of the background
INK_LEVELS = 0.15, 0.3  # fractions of the contrast of typical ink; low and high threshold of the hysteresis
MIN_DARKER = 1.5  # contrast of ink, relative to a ruling, above which ink on the ruling is recognised by its contrast
MARGIN_OF_RULING = 2  # pixels between a ruling and the sides of the cells
MIN_FRAME = 6.0  # minimum thickness of the frame in pixels, if there is no inner ruling
RULING_QUANTILE, RULING_VARIATION = 0.75, 1.15  # of the contrast along a ruling, and its maximum relative to that
MAX_RULING_LEVEL = 1.4  # contrast of a ruling, relative to the median of all rulings in its direction
MIN_PARTS = 3  # cells along a ruling from which its typical profile is determined
MIN_CROSSING = 4  # pixels by which a stroke extends beyond a ruling that it crosses
MAX_SHARED = 0.25  # fraction of a component's ink outside its main cell; more is ink of several cells


@dataclass(frozen=True)
class GridInk:
    """Ink of a grid in rectified pixels.

    Parameters
    ----------
    strokes : ndarray of float32, shape (h, w)
        1 for ink and 0 for background; rulings are removed.
    owners : ndarray of int, shape (h, w)
        Index of the cell, row * columns + column, that the ink of a pixel belongs to; -1 for pixels without ink.
    rows, columns : ndarray of float, shapes (2 * rows,), (2 * columns,)
        Positions of the sides of the cells.
    spread : float
        Fraction of the ink in components that extend over several cells.
    """

    strokes: np.ndarray
    owners: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    spread: float

    def select_cell(self, row: int, column: int) -> tuple[int, int, np.ndarray]:
        """Return left, top and strokes of the ink of a cell, with a margin; other ink is 0."""
        n_columns = len(self.columns) // 2
        top, bottom = self._find_window(self.rows, row)
        left, right = self._find_window(self.columns, column)
        inside = slice(top, bottom), slice(left, right)
        is_own = self.owners[inside] == row * n_columns + column
        return left, top, np.where(is_own, self.strokes[inside], np.float32(0))

    @staticmethod
    def _find_window(sides: np.ndarray, number: int) -> tuple[int, int]:
        start, stop = sides[2 * number : 2 * number + 2]
        reach = MARGIN * (stop - start)
        return max(0, int(start - reach)), int(stop + reach)


@dataclass(frozen=True)
class Rectification:
    """Mapping between rectified pixels, in which rulings are horizontal and vertical, and pixels of the image."""

    grid: Grid
    rows: np.ndarray
    columns: np.ndarray
    image_size: tuple[int, int]  # height and width of the image

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the rectified image."""
        return round(self.rows[-1] + self.rows[0]), round(self.columns[-1] + self.columns[0])

    def map(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions in the image of all crossings of rectified columns `x`, (w,), and rows `y`, (h,)."""
        column, row = (_find_index(sides, at) for sides, at in ((self.columns, x), (self.rows, y)))
        return _interpolate(self.grid.x, row, column), _interpolate(self.grid.y, row, column)

    def map_box(self, box: Box) -> Box:
        """Return the box in the image that contains a rectified box."""
        x, y = self.map(np.array(box[::2], float), np.array(box[1::2], float))
        height, width = self.image_size
        left, top = (min(max(0, round(float(each.min()))), side - 1) for each, side in ((x, width), (y, height)))
        right, bottom = min(width, round(float(x.max()))), min(height, round(float(y.max())))
        return left, top, max(left + 1, right), max(top + 1, bottom)


def rectify(grid: Grid, image_size: tuple[int, int]) -> Rectification:
    """Return a mapping that preserves the mean height and width of each row, column and ruling.

    `image_size` is the height and width of the image.
    """
    heights = np.diff(grid.y, axis=0).mean(axis=1)
    widths = np.diff(grid.x, axis=1).mean(axis=0)
    side = min(float(np.median(heights[::2])), float(np.median(widths[::2])))
    factor = min(max(side, MIN_CELL), MAX_CELL) / side
    margin = MARGIN * factor * side
    rows, columns = (
        margin + np.concatenate([[0], np.cumsum(np.maximum(factor * sizes, 0.5))]) for sizes in (heights, widths)
    )
    return Rectification(grid, rows, columns, image_size)


def _find_index(sides: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the fractional index of positions among sides; positions outside are extrapolated."""
    k = np.clip(np.searchsorted(sides, at) - 1, 0, len(sides) - 2)
    return k + (at - sides[k]) / (sides[k + 1] - sides[k])


def _interpolate(values: np.ndarray, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Interpolate values (r, c) bilinearly at fractional indices of rows, (h,), and columns, (w,); extrapolate."""
    values = values.astype(np.float32)
    for index in (row, column):
        k = np.clip(index.astype(int), 0, len(values) - 2)
        part = (index - k).astype(np.float32)[:, None]
        values = (values[k] * (1 - part) + values[k + 1] * part).T
    return values


def find_grid_ink(image: np.ndarray, mapping: Rectification) -> GridInk:
    """Return the ink of an image, uint8 (h, w) or (h, w, 3), in the cells of a grid.

    The background is estimated by a closing. A ruling that is lighter than the ink is subtracted; on a ruling that is
    as dark as the ink, only strokes that cross it are ink. A digit that extends beyond its cell belongs to the cell
    that contains most of it.
    """
    contrast = _measure_contrast(image, mapping)
    smooth = blur(contrast, SIGMA)
    inside = _make_inside_mask(mapping)
    levels = _find_levels(smooth[inside])
    if levels is None:
        empty = np.zeros(contrast.shape, np.float32)
        return GridInk(empty, np.full(contrast.shape, -1), mapping.rows, mapping.columns, 0.0)
    floor, core = levels
    mixed = _remove_rulings((smooth + contrast) / 2, mapping, floor, core)
    strokes = np.clip((mixed - floor) / (core - floor), 0, 1).astype(np.float32)
    components = find_connected_ink(strokes, *INK_LEVELS)
    owners, spread = _assign(strokes, components, mapping)
    return GridInk(strokes, owners, mapping.rows, mapping.columns, spread)


def _measure_contrast(image: np.ndarray, mapping: Rectification) -> np.ndarray:
    """Return by how much each rectified pixel is darker than the background, in grey levels, float32 (h, w)."""
    grid = mapping.grid
    height, width = mapping.shape
    x, y = mapping.map(np.arange(width) + 0.5, np.arange(height) + 0.5)
    # Reduce the image first, because interpolation at distant positions would omit pixels.
    factor = max(1, int((grid.x[0, -1] - grid.x[0, 0]) / (mapping.columns[-1] - mapping.columns[0])))
    reduced = np.asarray(Image.fromarray(image).reduce(factor)) if factor > 1 else image
    columns, rows = ((values / factor - 0.5).astype(np.float32) for values in (x, y))
    grey = to_grey(resample(reduced, columns, rows).astype(np.float32))
    grey = 255 - grey if grid.is_light else grey
    window = round(BACKGROUND_WINDOW * min(np.diff(mapping.rows)[::2].min(), np.diff(mapping.columns)[::2].min()))
    background = close_grey(grey, max(3, window | 1))
    brightest = float(np.median(background))
    return (background - grey) * (brightest / np.maximum(background, brightest / MAX_SHADOW))


def _make_inside_mask(mapping: Rectification) -> np.ndarray:
    """Return the pixels inside cells, away from rulings, bool (h, w)."""
    masks = []
    for sides, length in zip((mapping.rows, mapping.columns), mapping.shape, strict=True):
        number = np.searchsorted(sides, np.arange(length) + 0.5)
        near = np.abs(np.arange(length)[:, None] + 0.5 - sides).min(axis=1) < 2
        masks.append((number % 2 == 1) & ~near)
    return masks[0][:, None] & masks[1]


def _find_levels(contrast: np.ndarray) -> tuple[float, float] | None:
    """Return the contrast at which ink begins and that of typical ink, given pixels inside cells; None without ink."""
    values = np.sort(contrast[:: max(1, contrast.size // MAX_SAMPLES)])
    background, noise = measure_background(values, find_otsu_threshold(values))
    floor = background + 3 * noise
    above = values[np.searchsorted(values, floor + MIN_CONTRAST / 2) :]
    if above.size == 0:
        return None
    ink = above[np.searchsorted(above, find_otsu_threshold(above)) :]
    core = float(ink[len(ink) // 2]) if ink.size else 0.0
    return None if core - background < max(MIN_CONTRAST, NOISE_FACTOR * noise) else (floor, core)


def _remove_rulings(contrast: np.ndarray, mapping: Rectification, floor: float, core: float) -> np.ndarray:
    """Return the contrast without rulings."""
    gaps = [sides[2::2] - sides[1:-1:2] for sides in (mapping.rows, mapping.columns)]
    thickness = max(float(np.concatenate(gaps).max()), MIN_FRAME)
    contrast = _remove_horizontal(contrast, mapping.rows, mapping.columns, thickness, (floor, core))
    return _remove_horizontal(contrast.T, mapping.columns, mapping.rows, thickness, (floor, core)).T


def _remove_horizontal(
    contrast: np.ndarray, across: np.ndarray, along: np.ndarray, thickness: float, levels: tuple[float, float]
) -> np.ndarray:
    """Return the contrast without horizontal rulings, given the sides of cells in both directions."""
    reach = MARGIN_OF_RULING + MIN_CROSSING
    starts = [across[0] - thickness, *across[1:-1:2], across[-1]]
    stops = [across[0], *across[2::2], across[-1] + thickness]
    borders = np.concatenate([[0], (along[1:-1:2] + along[2::2]) / 2, [contrast.shape[1]]]).round().astype(int)
    rows = [
        slice(max(0, int(start - reach)), int(np.ceil(stop + reach))) for start, stop in zip(starts, stops, strict=True)
    ]
    parts = [slice(left, right) for left, right in pairwise(borders.tolist())]
    profiles = [np.array([_measure_ruling(contrast[band, part]) for part in parts]) for band in rows]
    # A stroke along a ruling must not be taken for it.
    limit = MAX_RULING_LEVEL * float(np.median([profile.max() for ruling in profiles for profile in ruling]))
    cleaned = contrast.copy()
    for band, ruling in zip(rows, profiles, strict=True):
        typical = _widen(np.median(ruling, axis=0)) if len(parts) >= MIN_PARTS else np.full(ruling.shape[1], np.inf)
        for part, profile in zip(parts, ruling, strict=True):
            limited = np.minimum(profile, np.minimum(limit, MAX_RULING_LEVEL * typical))
            cleaned[band, part] = _remove_ruling(contrast[band, part], limited, *levels)
    return cleaned


def _measure_ruling(band: np.ndarray) -> np.ndarray:
    """Return the contrast of a horizontal ruling in each row of its surroundings, (h,)."""
    # A quantile above the median includes the gaps of dotted rulings; digits cross less of a ruling.
    profile = np.quantile(band, RULING_QUANTILE, axis=1)
    profile[:MIN_CROSSING] = profile[-MIN_CROSSING:] = 0
    return _widen(profile)


def _widen(profile: np.ndarray) -> np.ndarray:
    """Return a profile widened by one pixel on both sides, because a ruling may be slightly slanted or wavy."""
    padded = np.pad(profile, 1)
    return np.maximum(np.maximum(padded[:-2], padded[2:]), profile)


def _remove_ruling(band: np.ndarray, ruling: np.ndarray, floor: float, core: float) -> np.ndarray:
    """Return the contrast of a part of a horizontal ruling and its surroundings without the ruling, (h, w)."""
    if ruling.max(initial=0) <= floor:
        return band
    ruling = RULING_VARIATION * ruling[:, None]
    is_dark = MIN_DARKER * ruling > core
    # Ink covers a ruling, so that its contrast is the same there and elsewhere.
    rest = np.maximum(band - ruling, 0) * (core / np.where(is_dark, core, core - ruling))
    if not is_dark.any():
        return rest
    crossing = open_runs(band > (floor + core) / 2, int(is_dark.sum()) + MIN_CROSSING, axis=0)
    return np.where(crossing, band, np.where(is_dark, np.float32(0), rest))


def _assign(strokes: np.ndarray, components: Components, mapping: Rectification) -> tuple[np.ndarray, float]:
    """Return the owner of each pixel, see `GridInk`, and the fraction of the ink in digits of several cells."""
    n_columns = mapping.grid.columns
    n_cells = mapping.grid.rows * n_columns
    numbers = []
    for sides, length in zip((mapping.rows, mapping.columns), mapping.shape, strict=True):
        middles = (sides[1:-1:2] + sides[2::2]) / 2
        numbers.append(np.searchsorted(middles, np.arange(length) + 0.5))
    cell = numbers[0][:, None] * n_columns + numbers[1]
    inked = components.labels > 0
    label, own = components.labels[inked].astype(np.int64) - 1, cell[inked]
    pairs, inverse = np.unique(label * n_cells + own, return_inverse=True)
    mass = np.bincount(inverse, strokes[inked])
    component, place = pairs // n_cells, pairs % n_cells
    order = np.lexsort((-mass, component))
    first = order[np.unique(component[order], return_index=True)[1]]
    main, largest, total = place[first], mass[first], np.bincount(component, mass)
    is_whole = largest >= (1 - MAX_SHARED) * total
    owner = np.where(is_whole[component], main[component], place)
    owners = np.full(strokes.shape, -1)
    owners[inked] = owner[inverse]
    return owners, float(total[~is_whole].sum() / max(total.sum(), 1e-6))

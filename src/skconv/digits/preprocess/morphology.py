"""Morphology of masks and grey images with OpenCV: dilation, opening, closing, connected components, stroke width."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# OpenCV's threads would compete with the callers' threads, which process one image per core.
cv2.setNumThreads(1)


@dataclass(frozen=True)
class Components:
    """The 8-connected components of a mask."""

    labels: np.ndarray  # int (h, w): 0 for background, k + 1 for the pixels of component k
    boxes: np.ndarray  # int (n, 4): left, top, right, bottom; right and bottom are exclusive
    areas: np.ndarray  # int (n,), in pixels

    @property
    def heights(self) -> np.ndarray:
        """Height of each component in pixels, shape (n,)."""
        return self.boxes[:, 3] - self.boxes[:, 1]

    def touch_border(self) -> np.ndarray:
        """Return a mask, bool (n,), of the components that touch the border of the image."""
        height, width = self.labels.shape
        left, top, right, bottom = self.boxes.T
        return (left == 0) | (top == 0) | (right == width) | (bottom == height)

    def make_mask(self, selected: np.ndarray) -> np.ndarray:
        """Return the pixels of the components in the mask `selected`, bool (n,), as a mask, bool (h, w)."""
        return np.append(False, selected)[self.labels]

    def select(self, selected: np.ndarray) -> Components:
        """Return the components in the mask `selected`, bool (n,), in the same order."""
        numbers = np.zeros(len(selected) + 1, self.labels.dtype)
        numbers[1:][selected] = np.arange(1, np.count_nonzero(selected) + 1)
        return Components(numbers[self.labels], self.boxes[selected], self.areas[selected])


def find_components(mask: np.ndarray) -> Components:
    """Return the 8-connected components of a mask, bool (h, w)."""
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(_as_bytes(mask), connectivity=8)
    left, top, width, height, areas = statistics[1:].astype(int).T
    return Components(labels, np.stack([left, top, left + width, top + height], axis=1), areas)


def find_connected_ink(strokes: np.ndarray, low: float, high: float) -> Components:
    """Return the components of pixels of at least `low` that contain a pixel of at least `high` (hysteresis)."""
    components = find_components(strokes >= low)
    reaches = np.zeros(len(components.areas) + 1, bool)
    reaches[components.labels[strokes >= high]] = True
    return components.select(reaches[1:])


def stroke_width(mask: np.ndarray) -> float:
    """Return the mean stroke width in pixels, from area and perimeter (Cauchy-Crofton formula); 0 for an empty mask."""
    if not mask.any():
        return 0.0
    # A stroke of width w and length l has area w·l and perimeter 2·l. The perimeter follows from the number of changes
    # along horizontal, vertical and diagonal lines. A margin of background separates the rows of the flattened mask.
    height, width = mask.shape[0] + 2, mask.shape[1] + 2
    padded = np.zeros(height * width, bool)
    padded.reshape(height, width)[1:-1, 1:-1] = mask
    straight, diagonal = (
        sum(np.count_nonzero(padded[step:] != padded[:-step]) for step in steps)
        for steps in ((1, width), (width + 1, width - 1))
    )
    perimeter = np.pi / 8 * (straight + diagonal / np.sqrt(2))
    return max(1.0, 2 * np.count_nonzero(mask) / perimeter)


def dilate(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Dilate bool or float32 (h, w) with a rectangle; an even size extends one pixel farther to the left or top."""
    return _as_type_of(values, cv2.dilate(_as_bytes(values), np.ones((height, width), np.uint8)))


def open_runs(mask: np.ndarray, length: int, axis: int) -> np.ndarray:
    """Select the runs of at least `length` pixels along an axis of a mask, bool (h, w).

    Examples
    --------
    >>> open_runs(np.array([[1, 1, 0, 1, 1, 1]], dtype=bool), 3, axis=1).astype(int).tolist()
    [[0, 0, 0, 1, 1, 1]]
    """
    window = np.ones((length, 1) if axis == 0 else (1, length), np.uint8)
    anchor = length - 1 - length // 2  # reverses the shift that an erosion with an even window causes
    eroded = cv2.erode(_as_bytes(mask), window, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return _as_type_of(mask, cv2.dilate(eroded, window, anchor=(0, anchor) if axis == 0 else (anchor, 0))) & mask


def open_grey(values: np.ndarray, side: int) -> np.ndarray:
    """Remove light structures narrower than a square of side `side` from a float32 image (h, w)."""
    return cv2.morphologyEx(values, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))


def close_grey(values: np.ndarray, side: int) -> np.ndarray:
    """Remove dark structures narrower than a square of side `side` from a float32 image (h, w)."""
    return cv2.morphologyEx(values, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))


def smooth_along(values: np.ndarray, length: int, axis: int) -> np.ndarray:
    """Return the mean of `length` neighbouring pixels along an axis of an image, uint8 or float32 (h, w)."""
    window = (1, length) if axis == 0 else (length, 1)
    return cv2.blur(values, window, borderType=cv2.BORDER_REPLICATE)


def find_dark_lines(values: np.ndarray, width: int, axis: int) -> np.ndarray:
    """Return by how much structures narrower than `width` pixels along an axis are darker than their surroundings.

    This is the difference of an image, uint8 or float32 (h, w), from its closing along the axis.
    """
    window = np.ones((width, 1) if axis == 0 else (1, width), np.uint8)
    return cv2.morphologyEx(values, cv2.MORPH_BLACKHAT, window)


def resample(values: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return an image, uint8 or float32 (h, w), at positions `columns` and `rows`, float32, by linear interpolation.

    Positions outside the image have the value of the nearest pixel of the border.
    """
    return cv2.remap(values, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def dilate_disk(values: np.ndarray, radius: int) -> np.ndarray:
    """Dilate float32 (h, w) with a disk."""
    return cv2.dilate(values, _make_disk(radius))


def erode_disk(values: np.ndarray, radius: int) -> np.ndarray:
    """Erode float32 (h, w) with a disk."""
    return cv2.erode(values, _make_disk(radius))


def blur(values: np.ndarray, sigma: float) -> np.ndarray:
    """Blur float32 (h, w) with a Gaussian of standard deviation `sigma` pixels; the border is mirrored."""
    reach = int(4 * sigma + 0.5)
    return cv2.GaussianBlur(values, (2 * reach + 1,) * 2, sigma, borderType=cv2.BORDER_REFLECT)


def _make_disk(radius: int) -> np.ndarray:
    grid = np.arange(-radius, radius + 1)
    return (np.hypot(*np.meshgrid(grid, grid)) <= radius + 0.3).astype(np.uint8)


def _as_bytes(values: np.ndarray) -> np.ndarray:
    values = np.ascontiguousarray(values)
    return values.view(np.uint8) if values.dtype == bool else values


def _as_type_of(values: np.ndarray, result: np.ndarray) -> np.ndarray:
    return result.view(bool) if values.dtype == bool else result

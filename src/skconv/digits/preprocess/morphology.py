"""Masks and grey values widened and narrowed, and the connected parts of a mask: OpenCV for arrays of NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

# On images this small OpenCV's threads cost more than they bring, and they fight with ours, of which there is one a
# core wherever there is more than one image. This holds for the whole process.
cv2.setNumThreads(1)


@dataclass(frozen=True)
class Components:
    """The connected parts of a mask.

    Parameters
    ----------
    labels : ndarray of int, shape (h, w)
        0 for no ink, k + 1 for pixels of component k.
    boxes : ndarray of int, shape (n, 4)
        Left, top, right, bottom of each; right and bottom are the first column and row beyond.
    areas : ndarray of int, shape (n,)
        Pixels of each.
    """

    labels: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray

    @property
    def heights(self) -> np.ndarray:
        """Height of each component in pixels, shape (n,)."""
        return self.boxes[:, 3] - self.boxes[:, 1]

    def find_outside(self) -> np.ndarray:
        """Tell which components touch the border of the image, bool (n,)."""
        height, width = self.labels.shape
        left, top, right, bottom = self.boxes.T
        return (left == 0) | (top == 0) | (right == width) | (bottom == height)

    def select(self, chosen: np.ndarray) -> Components:
        """Return some of the components, those where bool (n,) is true, in the same order."""
        if chosen.all():
            return self
        numbers = np.zeros(len(chosen) + 1, self.labels.dtype)
        numbers[1:][chosen] = np.arange(1, np.count_nonzero(chosen) + 1)
        return Components(numbers[self.labels], self.boxes[chosen], self.areas[chosen])


def find_components(mask: np.ndarray) -> Components:
    """Return the connected parts of a mask, bool (h, w); touching by a corner is connected.

    Examples
    --------
    >>> find_components(np.eye(3, dtype=bool)).boxes.tolist()
    [[0, 0, 3, 3]]
    """
    if mask.size == 0:
        return Components(np.zeros(mask.shape, np.int32), np.zeros((0, 4), int), np.zeros(0, int))
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(_as_bytes(mask), connectivity=8)
    left, top, width, height, areas = statistics[1:].astype(int).T
    return Components(labels, np.stack([left, top, left + width, top + height], axis=1), areas)


def dilate(values: np.ndarray, height: int, width: int) -> np.ndarray:
    """Give each pixel the highest value in a window around it; the window of an even size reaches farther back.

    Parameters
    ----------
    values : ndarray of bool or float32, shape (h, w)
    height, width : int
        Of the window, in pixels. What lies outside the image does not count.

    Returns
    -------
    ndarray of the same type and shape

    Examples
    --------
    >>> dilate(np.array([[0, 0, 1, 0, 0]], dtype=bool), 1, 3).astype(int).tolist()
    [[0, 1, 1, 1, 0]]
    """
    return _as_given(cv2.dilate(_as_bytes(values), np.ones((height, width), np.uint8)), values)


def open_runs(mask: np.ndarray, length: int, axis: int) -> np.ndarray:
    """Keep the runs of at least that many pixels along an axis of a mask, bool (h, w).

    Examples
    --------
    >>> open_runs(np.array([[1, 1, 0, 1, 1, 1]], dtype=bool), 3, axis=1).astype(int).tolist()
    [[0, 0, 0, 1, 1, 1]]
    """
    window = np.ones((length, 1) if axis == 0 else (1, length), np.uint8)
    back = length - 1 - length // 2  # an even window leans to one side; for the way back it must lean to the other
    eroded = cv2.erode(_as_bytes(mask), window, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return _as_given(cv2.dilate(eroded, window, anchor=(0, back) if axis == 0 else (back, 0)), mask) & mask


def open_grey(values: np.ndarray, side: int) -> np.ndarray:
    """Take away what is lighter than its surroundings and narrower than a window of float32 (h, w)."""
    return cv2.morphologyEx(values, cv2.MORPH_OPEN, np.ones((side, side), np.uint8))


def close_grey(values: np.ndarray, side: int) -> np.ndarray:
    """Take away what is darker than its surroundings and narrower than a window of float32 (h, w)."""
    return cv2.morphologyEx(values, cv2.MORPH_CLOSE, np.ones((side, side), np.uint8))


def dilate_disk(values: np.ndarray, radius: int) -> np.ndarray:
    """Give each pixel of float32 (h, w) the highest value within a disk of that radius."""
    return cv2.dilate(values, _disk(radius))


def erode_disk(values: np.ndarray, radius: int) -> np.ndarray:
    """Give each pixel of float32 (h, w) the lowest value within a disk of that radius."""
    return cv2.erode(values, _disk(radius))


def blur(values: np.ndarray, deviation: float) -> np.ndarray:
    """Blur float32 (h, w) by a Gaussian of that standard deviation in pixels; the image is mirrored at its border."""
    reach = int(4 * deviation + 0.5)
    return cv2.GaussianBlur(values, (2 * reach + 1,) * 2, deviation, borderType=cv2.BORDER_REFLECT)


def _disk(radius: int) -> np.ndarray:
    grid = np.arange(-radius, radius + 1)
    return (np.hypot(*np.meshgrid(grid, grid)) <= radius + 0.3).astype(np.uint8)


def _as_bytes(values: np.ndarray) -> np.ndarray:
    values = np.ascontiguousarray(values)
    return values.view(np.uint8) if values.dtype == bool else values


def _as_given(values: np.ndarray, given: np.ndarray) -> np.ndarray:
    return values.view(bool) if given.dtype == bool else values

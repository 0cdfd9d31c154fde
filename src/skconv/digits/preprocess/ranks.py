"""Medians and quartiles as NumPy's own functions give them, bit for bit.

Most of the time that NumPy's take on a few thousand values goes into cases that do not come up here: other axes, NaN,
masked arrays, for which a package is loaded at the first call.
"""

from __future__ import annotations

import numpy as np


def median(values: np.ndarray) -> float:
    """Return the median of all values, of which there is at least one and none is NaN.

    Examples
    --------
    >>> median(np.array([3, 1, 2, 5]))
    2.5
    """
    middle = values.size // 2
    parted = np.partition(values, middle, axis=None)
    if values.size % 2:
        return float(parted[middle])
    lower, upper = parted[:middle].max(), parted[middle]
    # Small whole numbers would overflow; floats are added in their own precision, as NumPy does.
    return float((lower + upper) / 2) if values.dtype.kind == "f" else (float(lower) + float(upper)) / 2


def upper_quartile(values: np.ndarray) -> np.float32:
    """Return the value, interpolated, below which three quarters of all values lie: float32 (n,), n at least 1.

    Examples
    --------
    >>> float(upper_quartile(np.array([3, 1, 2, 5], np.float32)))
    3.5
    """
    place, quarters = divmod(3 * (len(values) - 1), 4)
    parted = np.partition(values, place)
    if quarters == 0:
        return parted[place]
    low, high = parted[place], parted[place + 1 :].min()
    # From the nearer end, as NumPy does, so that rounding is the same.
    if quarters == 1:
        return low + (high - low) * np.float32(0.25)
    return high - (high - low) * np.float32(1 - quarters / 4)

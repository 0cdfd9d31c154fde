"""Checks of image arrays for a fitted model, with the same messages from the estimators and `OnnxClassifier`."""

from __future__ import annotations

import math

import numpy as np

_RANGE_RATIO = 12  # warn if the training range is that many times the range of the pixels, such as 0..16, when resized
_MIN_OUTSIDE = 0.005  # share of the pixels far outside the training range


class RangeCheck:
    """Comparison of the pixels of images, added part by part, with the range of the training images.

    Images differ clearly if their range is 12 times smaller, or if at least 0.5 % of the pixels are outside by more
    than the training range; single outliers are usual in scaled features. Images with a single value are accepted,
    because blank images exist in every range. `pixel_range` is the minimum and maximum of the training images, or None
    if these are unknown.

    Examples
    --------
    >>> check = RangeCheck((0, 255))
    >>> check.add(np.array([0, 0.5, 1]))
    >>> check.describe()
    'The images have pixels from 0 to 1; the model was trained on pixels from 0 to 255. Predictions for other ranges \
are unreliable. Scale the images to that range.'
    """

    def __init__(self, pixel_range: tuple[float, float] | None) -> None:
        self.low, self.high = pixel_range or (0.0, 0.0)
        self.minimum, self.maximum = np.inf, -np.inf
        self._n_values = self._n_outside = 0

    def add(self, values: np.ndarray) -> None:
        """Update the range check with the pixels of more images."""
        if values.size == 0:
            return
        # min and max of uint8 are much faster than of float32; a NaN makes both NaN.
        low, high = float(values.min()), float(values.max())
        span = self.high - self.low
        if low <= self.low - span or high >= self.high + span:
            self._n_outside += int(((values <= self.low - span) | (values >= self.high + span)).sum())
        self._n_values += values.size
        self.minimum, self.maximum = min(self.minimum, low), max(self.maximum, high)

    def describe(self) -> str:
        """Return a warning if the images clearly differ from the training images, else ""."""
        span = self.high - self.low
        if not span > 0:  # unknown, or constant training images
            return ""
        is_narrow = self.minimum < self.maximum and _RANGE_RATIO * (self.maximum - self.low) <= span
        if not (is_narrow or self._n_outside > _MIN_OUTSIDE * self._n_values):
            return ""
        return (
            f"The images have pixels from {self.minimum:g} to {self.maximum:g}; the model was trained on pixels "
            f"from {self.low:g} to {self.high:g}. Predictions for other ranges are unreliable. Scale the images to "
            "that range."
        )


def describe_file_range(pixel_range: tuple[float, float] | None) -> str:
    """Return a warning if pixels of image files, 0..255, clearly differ from the training range, else "".

    Examples
    --------
    >>> describe_file_range((0, 255))
    ''
    """
    check = RangeCheck(pixel_range)
    check.add(np.arange(256))
    message = check.describe()
    return f"Image files do not fit the model. {message}" if message else ""


def describe_shape(shape: tuple[int, ...], image_shape: tuple[int, int, int]) -> str:
    """Return an error message for an array of images whose `shape` does not fit (channels, height, width)."""
    channels, height, width = image_shape
    accepted = f"(n, {height}, {width}, {channels}) or (n, {channels}, {height}, {width})"
    if channels == 1:
        accepted = f"(n, {height}, {width}), (n, {height * width}), {accepted}"
    fix = "Resize the images first."
    if shape in ((height, width), (height, width, channels), (channels, height, width)):
        fix = "For a single image, pass images[None]."
    elif channels == 1 and shape == (height * width,):
        fix = "For a single image reshape your data: images.reshape(1, -1)."
    elif len(shape) == 2 and channels == 1 and shape[1] == height * width + 1:
        fix = "If the label is among the columns, remove it."
    elif len(shape) == 2 and shape[1] == math.prod(image_shape):
        fix = "Reshape the rows in the order in which the training images were read."
    elif channels == 3 and (shape[1:] == (height, width) or shape[1:] in ((height, width, 1), (1, height, width))):
        fix = "The model was trained on colour images: repeat the grey channel three times."
    elif channels == 1 and shape in ((height, width, 3), (3, height, width)):
        fix = "For a single image convert it to grey, and pass images[None]."
    elif channels == 1 and shape[1:] in ((height, width, 3), (3, height, width)):
        fix = "The model was trained on grey images: convert the colour images to grey."
    elif len(shape) == 4 and shape[1:] == (height, width, 4):
        fix = "Remove the transparency: images[..., :3]."
    return f"The images have shape {shape}; the model expects {accepted}. {fix}"


def describe_invalid(values: np.ndarray, start: int = 0) -> str:
    """Return an error message that names the first image of float32 `values` with NaN or infinity; "" without one.

    `start` is the number of the first image.
    """
    if np.isfinite(values.min(initial=0)) and np.isfinite(values.max(initial=0)):  # NaN makes both NaN
        return ""
    valid = np.isfinite(values.reshape(len(values), -1)).all(1)
    return (
        f"Image {start + int(valid.argmin())} contains NaN, infinity or a value too large for float32. Correct or "
        "remove it."
    )

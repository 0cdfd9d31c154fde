"""What every reader of a format returns: images and the names of their labels, in one or two splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Splits(NamedTuple):
    """Images (uint8) with label names, as they stand in the source; the test split may be missing."""

    train_images: np.ndarray
    train_labels: Sequence[str]
    test_images: np.ndarray | None = None
    test_labels: Sequence[str] | None = None

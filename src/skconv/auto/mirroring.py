"""Test whether random flips preserve the classes, by the predictions for mirrored images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from skconv.evaluation.metrics import Scores
from skconv.text import format_percent

_MAX_LOSS = 0.02  # accuracy that mirroring may cost
_MAX_LOST = 0.2  # part of the accuracy above the share of the largest class that mirroring may cost
_MAX_LOST_TRIED = 0.5  # the same, up to which a training with flips is worth its time
_MAX_CLASS_LOSS = 0.15  # recall that mirroring may cost a class: a pair of mirrored classes among many
_MIN_CLASS = 8  # images of a class, to compare its recall
_DEVIATIONS = 2  # standard deviations of the number of lost images of a class


def compare_mirrored(parts: Sequence[tuple[Any, np.ndarray, np.ndarray]]) -> tuple[bool | None, str]:
    """Return whether mirrored images are recognised as well as the originals, and a sentence with the figures.

    Return None instead if they are recognised less well, but well enough that a training with flips may be better. Each
    part has a classifier that was trained without flips and is better than chance, and images and labels that it was
    not trained on: uint8 (n, height, width) or (n, height, width, 3), and int (n,).
    """
    labels = np.concatenate([labels for _, _, labels in parts])
    original = np.concatenate([classifier.predict(images) == labels for classifier, images, labels in parts])
    mirrored = np.concatenate([classifier.predict(_mirror(images)) == labels for classifier, images, labels in parts])
    accuracy, after = float(original.mean()), float(mirrored.mean())
    figures = f"accuracy {format_percent(accuracy, 1)}, mirrored {format_percent(after, 1)}"
    above_chance = accuracy - float(np.bincount(labels).max() / len(labels))
    max_loss = min(_MAX_LOSS, _MAX_LOST * above_chance)
    has_lost = any(_is_lost(original[labels == each], mirrored[labels == each]) for each in np.unique(labels))
    if accuracy - after <= max_loss and not has_lost:
        return True, f"Random flips: mirrored images are recognised as well as the originals ({figures})."
    if accuracy - after <= _MAX_LOST_TRIED * above_chance:
        return None, f"Mirrored images are recognised less well than the originals ({figures})."
    return False, f"No random flips: mirrored images are not recognised as well as the originals ({figures})."


def is_improved(flipped: Scores, original: Scores) -> bool:
    """Return whether a training with flips has a lower log loss, and no class with a much lower recall.

    Classes that are mirror images of each other, such as "left" and "right", may be few among many.
    """
    losses = [
        before.recall - after.recall
        for before, after in zip(original.per_class, flipped.per_class, strict=True)
        if min(before.support, after.support) >= _MIN_CLASS
    ]
    loss = max(losses, default=0.0)
    return flipped.negative_log_likelihood < original.negative_log_likelihood and loss <= _MAX_CLASS_LOSS


def _mirror(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(images[:, :, ::-1])


def _is_lost(original: np.ndarray, mirrored: np.ndarray) -> bool:
    """Return whether mirroring costs a class clearly more than the maximum recall; True marks recognised images."""
    n_lost, n_gained = int((original & ~mirrored).sum()), int((mirrored & ~original).sum())
    loss = n_lost - n_gained
    is_certain = loss > _DEVIATIONS * math.sqrt(n_lost + n_gained)  # as in McNemar's test
    return len(original) >= _MIN_CLASS and is_certain and loss > _MAX_CLASS_LOSS * len(original)

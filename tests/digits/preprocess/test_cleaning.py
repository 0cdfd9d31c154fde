"""Removal of ruled lines."""

import numpy as np

from skconv.digits.preprocess.cleaning import find_ruled_lines


def test_find_ruled_lines_retains_strokes():
    mask = np.zeros((60, 200), bool)
    mask[10:52, 50:55] = mask[10:52, 120:125] = True
    strokes = mask.copy()
    mask[np.rint(48 + 0.02 * np.arange(200)).astype(int), np.arange(200)] = True
    mask[np.rint(49 + 0.02 * np.arange(200)).astype(int), np.arange(200)] = True
    rest = mask & ~find_ruled_lines(mask, 5)
    assert (rest & ~strokes).sum() == 0
    assert (strokes & ~rest).sum() < 0.05 * strokes.sum()


def test_find_ruled_lines_ignores_bar_of_digit():
    mask = np.zeros((60, 70), bool)
    mask[10:14, 10:60] = mask[14:55, 50:54] = True
    assert not find_ruled_lines(mask, 4).any()

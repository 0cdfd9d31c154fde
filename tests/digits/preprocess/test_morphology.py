"""Morphology of masks: runs, hysteresis threshold and stroke width."""

import numpy as np
import pytest

from skconv.digits.preprocess.morphology import find_connected_ink, open_runs, stroke_width


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7])
def test_open_runs_selects_long_runs(length):
    mask = np.random.default_rng(0).random((30, 40)) < 0.7
    expected = np.zeros_like(mask)
    for row, column in np.ndindex(mask.shape[0], mask.shape[1] - length + 1):
        if mask[row, column : column + length].all():
            expected[row, column : column + length] = True
    np.testing.assert_array_equal(open_runs(mask, length, axis=1), expected)
    np.testing.assert_array_equal(open_runs(mask.T, length, axis=0), expected.T)


def test_find_connected_ink_selects_faint_ink_connected_to_strong_ink():
    strokes = np.zeros((5, 12), np.float32)
    strokes[2, 1:5], strokes[2, 3], strokes[2, 8:11] = 0.4, 0.9, 0.4
    assert find_connected_ink(strokes, 0.3, 0.8).boxes.tolist() == [[1, 2, 5, 3]]


@pytest.mark.parametrize("width", [3, 6, 12])
def test_stroke_width_of_bar_and_ring(width):
    bar = np.zeros((300, 40), bool)
    bar[20:280, 10 : 10 + width] = True
    assert stroke_width(bar) == pytest.approx(width, rel=0.12)
    rows, columns = np.mgrid[:200, :200]
    ring = np.abs(np.hypot(rows - 100, columns - 100) - 70) <= width / 2
    assert stroke_width(ring) == pytest.approx(width, rel=0.12)
    assert stroke_width(np.zeros((5, 5), bool)) == 0

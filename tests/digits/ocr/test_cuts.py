"""Cuts through touching digits."""

import numpy as np

from skconv.digits.ocr.cuts import cut_component


def test_cut_component_separates_rings_with_shared_wall():
    rows, columns = np.mgrid[:40, :75]
    ring = np.zeros((40, 75), np.float32)
    for middle in (20, 54):
        ring[np.abs(np.hypot(rows - 20, columns - middle) - 17) <= 2] = 1
    pieces = cut_component(ring, pen=4, height=40)
    assert pieces[20, 3] < pieces[20, 71]
    edges = np.flatnonzero(np.diff(pieces[0])) + 1
    assert min(abs(edge - 37) for edge in edges) <= 3

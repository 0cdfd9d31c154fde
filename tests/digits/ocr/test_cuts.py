"""Cuts through touching digits."""

import numpy as np

from skconv.digits.ocr.cuts import Ink, cut_component, cut_ink


def test_cut_component_separates_rings_with_shared_wall():
    rows, columns = np.mgrid[:40, :75]
    ring = np.zeros((40, 75), np.float32)
    for middle in (20, 54):
        ring[np.abs(np.hypot(rows - 20, columns - middle) - 17) <= 2] = 1
    pieces = cut_component(ring, pen=4, height=40)
    assert pieces[20, 3] < pieces[20, 71]
    edges = np.flatnonzero(np.diff(pieces[0])) + 1
    assert min(abs(edge - 37) for edge in edges) <= 3


def test_piece_without_visible_ink_is_joined(monkeypatch):
    strokes = np.zeros((8, 12), np.float32)
    strokes[1:7, 1:3] = 1
    strokes[1:7, 6:12] = 0.01  # below the minimum of visible ink, but more than a tiny share
    pieces = np.zeros((8, 12), int)
    pieces[:, 5:] = 1
    monkeypatch.setattr("skconv.digits.ocr.cuts.cut_component", lambda *_: pieces)
    monkeypatch.setattr("skconv.digits.ocr.cuts.MIN_PIECE", 0.01)
    found = cut_ink(Ink(0, 0, strokes), 2, 8)
    assert [piece.strokes.shape for piece in found] == [(6, 2)]

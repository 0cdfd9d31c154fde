"""Rendering of glyphs and paper."""

import numpy as np

from skconv.digits.synthetic.rendering import draw_glyph, draw_on_paper


def test_draw_glyph_has_full_contrast():
    rng = np.random.default_rng(0)
    assert all(draw_glyph(text, rng).max() == 1 for text in "0123456789")


def test_draw_on_paper_has_visible_strokes():
    strokes = np.zeros((40, 30), np.float32)
    strokes[8:32, 13:17] = 1
    for seed in range(20):
        image = draw_on_paper(strokes, np.random.default_rng(seed)).astype(float)
        assert abs(image[12:28, 14:16].mean() - image[12:28, :8].mean()) > 15

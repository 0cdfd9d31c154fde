"""Synthetic digits drawn with a pen or a font."""

import numpy as np

from skconv.digits.synthetic.drawn_digits import draw_glyph, draw_styled_digit


def test_draw_styled_digit_has_eight_values():
    rng = np.random.default_rng(0)
    values = {draw_styled_digit(rng)[1] for _ in range(200)}
    assert values == {0, 1, 2, 3, 4, 5, 7, 9}


def test_draw_glyph_has_full_contrast():
    rng = np.random.default_rng(0)
    assert all(draw_glyph(text, rng).max() == 1 for text in "0123456789")

"""Synthetic scans of MNIST digits."""

import numpy as np

from skconv.digits.synthetic.scanned_digits import (
    add_ruled_lines,
    draw_digit,
    draw_on_paper,
    make_digit_in_row,
    make_imprecise_cut,
    make_wrong_cut,
)


def test_scanned_digits_contain_ink(digits):
    rng = np.random.default_rng(0)
    for index in range(30):
        strokes = make_digit_in_row(digits[0], rng, index)
        assert strokes.max() > 0.5 and 20 <= strokes.shape[0] <= 80
        assert make_imprecise_cut(digits[0], rng, index).sum() > 20
        assert make_wrong_cut(digits[0], rng).sum() > 0


def test_add_ruled_lines_retains_digit_and_adds_horizontal_lines(digits):
    rng = np.random.default_rng(0)
    for index in range(30):
        strokes = draw_digit(digits[0], rng, index)
        on_line = add_ruled_lines(strokes, rng)
        margin = (on_line.shape[0] - strokes.shape[0]) // 2
        inside = on_line[margin:-margin, margin:-margin]
        added = on_line.copy()
        added[margin:-margin, margin:-margin] -= strokes
        assert (inside >= strokes).all()
        assert 2 <= (added > 0.1).any(axis=1).sum() <= 8  # rows of one or two lines


def test_draw_on_paper_has_visible_strokes():
    strokes = np.zeros((40, 30), np.float32)
    strokes[8:32, 13:17] = 1
    for seed in range(20):
        image = draw_on_paper(strokes, np.random.default_rng(seed)).astype(float)
        assert abs(image[12:28, 14:16].mean() - image[12:28, :8].mean()) > 15

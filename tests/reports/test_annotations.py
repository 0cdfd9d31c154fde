"""Boxes and labels drawn on images."""

import numpy as np
import pytest

from skconv.reports.annotations import Box, draw_boxes


@pytest.mark.parametrize("shape", [(1, 1), (30, 200), (3000, 40), (1200, 2000, 3)])
def test_draw_boxes_limits_size(shape):
    drawn = draw_boxes(np.full(shape, 255, np.uint8), [Box(0, 0, shape[1], shape[0], "8", 0.5)])
    assert drawn.mode == "RGB" and drawn.width <= 1600 and drawn.height <= 1700 and max(drawn.size) >= 640


def test_draw_boxes_colours_depend_on_confidence():
    paper = np.full((100, 640), 255, np.uint8)
    drawn = np.asarray(draw_boxes(paper, [Box(50, 20, 100, 80, "1", 0.99), Box(200, 20, 260, 80, "2", 0.6)]))
    strip = len(drawn) - 100
    blue, orange = drawn[strip + 50, 50], drawn[strip + 50, 200]
    assert blue[2] > blue[0] and orange[0] > orange[2]
    assert (drawn[strip + 50, 75] == 255).all()  # the inside is unchanged


def test_draw_boxes_without_boxes_leaves_image_unchanged():
    drawn = np.asarray(draw_boxes(np.full((100, 640), 200, np.uint8), []))
    assert (drawn[-100:] == 200).all()

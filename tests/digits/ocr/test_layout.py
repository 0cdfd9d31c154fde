"""Page layout: dark areas and rows of components."""

import numpy as np
from PIL import Image, ImageDraw

from skconv.digits.ocr.layout import find_areas, find_rows
from skconv.digits.preprocess.morphology import find_components


def test_find_areas_excludes_number_of_touching_digits():
    rings = Image.new("L", (190, 56), 0)
    for k in range(5):
        ImageDraw.Draw(rings).ellipse((2 + 36 * k, 6, 41 + 36 * k, 50), outline=255, width=6)
    mask = np.asarray(rings) > 0
    mask[2::6, 3::20] = mask[2::6, 4::20] = mask[2::6, 5::20] = True  # grain of printed paper
    components = find_components(mask)
    assert not find_areas(components).any()


def test_find_rows_groups_slanted_rows_and_adds_small_components():
    mask = np.zeros((120, 200), bool)
    for k in range(4):
        mask[10 + 4 * k : 40 + 4 * k, 10 + 40 * k : 16 + 40 * k] = True
        mask[70 + 4 * k : 100 + 4 * k, 10 + 40 * k : 16 + 40 * k] = True
    mask[38:44, 30:34] = True  # a full stop in the first row
    components = find_components(mask)
    rows = find_rows(components)
    assert [len(row) for row in rows] == [5, 4]
    assert max(components.boxes[rows[0], 3]) < max(components.boxes[rows[1], 3])

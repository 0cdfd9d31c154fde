"""Segmentation of numbers, on rows of MNIST digits and drawn shapes."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from skconv import load_dataset
from skconv.digits.ocr.segmentation import find_areas, find_lines, find_rows
from skconv.digits.preprocess.morphology import find_components
from skconv.exceptions import DataError


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_dataset("mnist").test_images[:30].reshape(-1, 28, 28)


def find_single_boxes(line) -> list:
    """Return the boxes of the candidates of one piece."""
    return [candidate.box for candidate in line.candidates if candidate.stop == candidate.start + 1]


def find_extent(image) -> np.ndarray:
    """Return left, top, right, bottom of all candidates."""
    boxes = np.array([candidate.box for line in find_lines(image) for candidate in line.candidates])
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def test_find_lines_returns_reading_order(digits, write_rows):
    lines = find_lines(write_rows([digits[:4], digits[4:7]]))
    assert len(lines) == 2
    middles = [np.mean([(box[1] + box[3]) / 2 for box in find_single_boxes(line)]) for line in lines]
    assert middles[0] < middles[1]
    for line in lines:
        lefts = [box[0] for box in find_single_boxes(line)]
        assert lefts == sorted(lefts)


def test_find_lines_boxes_enclose_ink(digits, write_rows):
    image = write_rows([digits[:1]], margin=30)
    (line,) = find_lines(image)
    whole = max(line.candidates, key=lambda candidate: candidate.stop - candidate.start)
    left, top, right, bottom = whole.box
    rows, columns = np.nonzero(image < 140)
    assert abs(left - columns.min()) <= 2
    assert abs(right - columns.max()) <= 2
    assert abs(top - rows.min()) <= 2
    assert abs(bottom - rows.max()) <= 2
    assert whole.digit.shape == (28, 28)
    assert whole.digit.dtype == np.uint8


def test_find_lines_is_invariant_to_polarity(digits, write_rows):
    image = write_rows([digits[:5]])
    dark, light = find_lines(image), find_lines(255 - image)
    assert [line.cuts for line in dark] == [line.cuts for line in light]


def test_find_lines_scales_boxes_of_reduced_images(digits, write_rows):
    small = find_extent(write_rows([digits[:3]], scale=4))
    large = find_extent(write_rows([digits[:3]], scale=24, margin=72))
    np.testing.assert_allclose((large - 72) / 24, (small - 12) / 4, atol=0.6)


def test_find_lines_returns_comma_as_mark(digits, write_rows):
    image = write_rows([[digits[0], digits[2], digits[3]]], gap=12)
    (line,) = find_lines(image)
    between = (line.cuts[1] - 6, 52)
    image[between[1] : between[1] + 9, between[0] - 2 : between[0] + 2] = 40
    (line,) = find_lines(image)
    (mark,) = line.marks
    assert mark.position == 1
    assert mark.box[0] <= between[0] <= mark.box[2]


def test_find_lines_separates_touching_digits(digits, write_rows):
    for first, second in ((0, 4), (1, 6), (3, 10)):
        image = write_rows([[digits[first], digits[second]]], gap=3)
        separate = find_single_boxes(find_lines(image)[0])
        apart = [(box[0], box[2]) for box in separate]
        right, left = apart[0][1], apart[-1][0]
        image[36:40, right - 12 : left + 12] = 40
        found = [(c.box[0], c.box[2]) for line in find_lines(image) for c in line.candidates]
        assert any(abs(a) <= 8 for a in (box[1] - right for box in found)), (first, second)
        assert any(abs(a) <= 8 for a in (box[0] - left for box in found)), (first, second)


def test_find_lines_joins_parts_of_broken_digit():
    image = np.full((80, 90), 230, np.uint8)
    image[10:38, 20:25] = image[42:70, 20:25] = 30
    image[10:15, 20:50] = image[38:43, 28:50] = image[65:70, 28:50] = 30
    image[43:65, 45:50] = 30
    (line,) = find_lines(image)
    assert (20, 10, 50, 70) in [candidate.box for candidate in line.candidates]


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (40, 200), (60, 60, 3), (30, 40, 1)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_find_lines_returns_none_for_blank_image(shape, value):
    assert find_lines(np.full(shape, value, np.uint8)) == ()


def test_find_lines_returns_none_for_noise():
    noise = np.random.default_rng(0).normal(200, 6, (80, 300))
    assert find_lines(noise.clip(0, 255).astype(np.uint8)) == ()


def test_find_lines_returns_valid_candidates_for_any_image():
    rng = np.random.default_rng(1)
    for shape in ((5, 7), (20, 200), (200, 20), (64, 64)):
        for image in (rng.integers(0, 256, shape), rng.integers(0, 2, shape) * 255):
            for line in find_lines(image.astype(np.uint8)):
                for candidate in line.candidates:
                    assert 0 <= candidate.start < candidate.stop < len(line.cuts)
                    left, top, right, bottom = candidate.box
                    assert 0 <= left < right <= shape[1]
                    assert 0 <= top < bottom <= shape[0]
                    assert candidate.digit.shape == (28, 28)


def test_find_lines_rejects_float_array():
    with pytest.raises(DataError, match="uint8"):
        find_lines(np.zeros((20, 20)))


def test_find_lines_ignores_dark_corner(digits, write_rows):
    image = write_rows([digits[:4]], scale=3, margin=60)
    (plain,) = find_lines(image)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    image[rows + columns > sum(image.shape) - 130] = 60
    (found,) = find_lines(image)
    assert abs(found.cuts[0] - plain.cuts[0]) <= 2
    assert abs(found.cuts[-1] - plain.cuts[-1]) <= 2


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

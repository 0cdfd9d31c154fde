"""Lines, cuts and candidates, on rows of MNIST's digits and on strokes drawn by hand."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from skconv import load_dataset
from skconv.digits.ocr.cuts import cut_component
from skconv.digits.ocr.lines import find_areas
from skconv.digits.ocr.printed import find_ruled_lines, find_writing
from skconv.digits.ocr.segmentation import find_lines
from skconv.digits.preprocess.morphology import find_components
from skconv.exceptions import DataError


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_dataset("mnist").test_images[:30].reshape(-1, 28, 28)


def find_single_boxes(line) -> list:
    """Return the boxes of a line whose pieces are digits each."""
    return [candidate.box for candidate in line.candidates if candidate.stop == candidate.start + 1]


def find_ends(image) -> np.ndarray:
    """Return left, top, right, bottom of all that is found."""
    boxes = np.array([candidate.box for line in find_lines(image) for candidate in line.candidates])
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])


def test_find_lines_order_is_that_of_reading(digits, write_rows):
    lines = find_lines(write_rows([digits[:4], digits[4:7]]))
    assert len(lines) == 2
    middles = [np.mean([(box[1] + box[3]) / 2 for box in find_single_boxes(line)]) for line in lines]
    assert middles[0] < middles[1]
    for line in lines:
        lefts = [box[0] for box in find_single_boxes(line)]
        assert lefts == sorted(lefts)


def test_find_lines_boxes_hold_the_ink(digits, write_rows):
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


def test_find_lines_polarity_makes_no_difference(digits, write_rows):
    image = write_rows([digits[:5]])
    dark, light = find_lines(image), find_lines(255 - image)
    assert [line.cuts for line in dark] == [line.cuts for line in light]


def test_find_lines_large_image_boxes_are_in_its_pixels(digits, write_rows):
    small = find_ends(write_rows([digits[:3]], scale=4))
    large = find_ends(write_rows([digits[:3]], scale=24, margin=72))
    np.testing.assert_allclose((large - 72) / 24, (small - 12) / 4, atol=0.6)


def test_find_lines_comma_is_a_mark(digits, write_rows):
    image = write_rows([[digits[0], digits[2], digits[3]]], gap=12)
    (line,) = find_lines(image)
    between = (line.cuts[1] - 6, 52)
    image[between[1] : between[1] + 9, between[0] - 2 : between[0] + 2] = 40
    (line,) = find_lines(image)
    (mark,) = line.marks
    assert mark.position == 1
    assert mark.box[0] <= between[0] <= mark.box[2]


def test_find_lines_touching_digits_are_cut_apart(digits, write_rows):
    """Of two digits joined by a stroke each must be among the candidates, alone."""
    for first, second in ((0, 4), (1, 6), (3, 10)):
        image = write_rows([[digits[first], digits[second]]], gap=3)
        parted = find_single_boxes(find_lines(image)[0])
        apart = [(box[0], box[2]) for box in parted]
        right, left = apart[0][1], apart[-1][0]
        image[36:40, right - 12 : left + 12] = 40
        found = [(c.box[0], c.box[2]) for line in find_lines(image) for c in line.candidates]
        assert any(abs(a) <= 8 for a in (box[1] - right for box in found)), (first, second)
        assert any(abs(a) <= 8 for a in (box[0] - left for box in found)), (first, second)


def test_find_lines_broken_digit_is_a_candidate_as_a_whole():
    image = np.full((80, 90), 230, np.uint8)
    image[10:38, 20:25] = image[42:70, 20:25] = 30
    image[10:15, 20:50] = image[38:43, 28:50] = image[65:70, 28:50] = 30
    image[43:65, 45:50] = 30
    (line,) = find_lines(image)
    assert (20, 10, 50, 70) in [candidate.box for candidate in line.candidates]


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (40, 200), (60, 60, 3), (30, 40, 1)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_find_lines_blank_has_none(shape, value):
    assert find_lines(np.full(shape, value, np.uint8)) == ()


def test_find_lines_noise_on_paper_has_none():
    noise = np.random.default_rng(0).normal(200, 6, (80, 300))
    assert find_lines(noise.clip(0, 255).astype(np.uint8)) == ()


def test_find_lines_anything_has_only_whole_candidates():
    """Whatever is in an image, every candidate is a normalised digit between two cuts, inside the image."""
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


def test_find_lines_wrong_array_is_told():
    with pytest.raises(DataError, match="uint8"):
        find_lines(np.zeros((20, 20)))


def test_find_writing_printed_ground_is_taken_away(digits, write_rows):
    image = write_rows([digits[:4]], paper=200).astype(float)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    waves = 35 * ((rows + 3 * np.sin(columns / 9)).astype(int) % 5 == 0)
    printed = np.clip(image - waves, 0, 255).astype(np.uint8)
    clean, found = find_writing(image.astype(np.uint8)) >= 0.4, find_writing(printed) >= 0.4
    assert (clean & found).sum() > 0.85 * clean.sum()
    assert (found & ~clean).sum() < 0.35 * clean.sum()


def test_find_ruled_lines_are_found_and_strokes_stay():
    mask = np.zeros((60, 200), bool)
    mask[10:52, 50:55] = mask[10:52, 120:125] = True
    strokes = mask.copy()
    mask[np.rint(48 + 0.02 * np.arange(200)).astype(int), np.arange(200)] = True
    mask[np.rint(49 + 0.02 * np.arange(200)).astype(int), np.arange(200)] = True
    rest = mask & ~find_ruled_lines(mask, 5)
    assert (rest & ~strokes).sum() == 0
    assert (strokes & ~rest).sum() < 0.05 * strokes.sum()


def test_find_ruled_lines_the_bar_of_a_digit_is_none():
    mask = np.zeros((60, 70), bool)
    mask[10:14, 10:60] = mask[14:55, 50:54] = True
    assert not find_ruled_lines(mask, 4).any()


def test_cut_component_rings_that_share_a_wall_are_parted():
    rows, columns = np.mgrid[:40, :75]
    ring = np.zeros((40, 75), np.float32)
    for middle in (20, 54):
        ring[np.abs(np.hypot(rows - 20, columns - middle) - 17) <= 2] = 1
    pieces = cut_component(ring, pen=4, height=40)
    assert pieces[20, 3] < pieces[20, 71]
    edges = np.flatnonzero(np.diff(pieces[0])) + 1
    assert min(abs(edge - 37) for edge in edges) <= 3


def test_find_lines_dark_corner_is_not_written(digits, write_rows):
    image = write_rows([digits[:4]], scale=3, margin=60)
    (plain,) = find_lines(image)
    rows, columns = np.mgrid[: image.shape[0], : image.shape[1]]
    image[rows + columns > sum(image.shape) - 130] = 60
    (found,) = find_lines(image)
    assert abs(found.cuts[0] - plain.cuts[0]) <= 2
    assert abs(found.cuts[-1] - plain.cuts[-1]) <= 2


def test_number_whose_digits_all_touch_is_no_frame():
    rings = Image.new("L", (190, 56), 0)
    for place in range(5):
        ImageDraw.Draw(rings).ellipse((2 + 36 * place, 6, 41 + 36 * place, 50), outline=255, width=6)
    mask = np.asarray(rings) > 0
    mask[2::6, 3::20] = mask[2::6, 4::20] = mask[2::6, 5::20] = True  # the grain of printed paper
    components = find_components(mask)
    assert not find_areas(components).any()

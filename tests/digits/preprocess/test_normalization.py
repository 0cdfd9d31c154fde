"""Any image of a digit in the form of MNIST: digits of MNIST, written on made paper, must come back."""

import numpy as np
import pytest
from PIL import Image

from skconv import load_dataset
from skconv.digits.preprocess.background import find_strokes
from skconv.digits.preprocess.normalization import normalize_digit, normalize_strokes
from skconv.exceptions import DataError

# One pixel of shift changes a digit by about 15 grey levels in the mean, another digit by 40 or more.
SAME = 10


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return load_dataset("mnist").test_images[:60]


@pytest.fixture(scope="module")
def digit(digits) -> np.ndarray:
    return digits[0]


def write(digit, *, scale=6, margins=(10, 40, 25, 5), paper=255.0, ink=0.0) -> np.ndarray:
    """Write a digit of MNIST on paper; margins are top, right, bottom, left."""
    top, right, bottom, left = margins
    large = np.kron(digit, np.ones((scale, scale))) / 255
    cover = np.pad(large, ((top, bottom), (left, right)))
    return np.clip(paper * (1 - cover) + ink * cover, 0, 255).astype(np.uint8)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


def test_normalize_digit_leaves_mnist_as_it_is(digits):
    for digit in digits:
        np.testing.assert_array_equal(normalize_digit(digit), digit)


@pytest.mark.parametrize("scale", [3, 7, 12])
@pytest.mark.parametrize("method", ["NEAREST", "BILINEAR", "BICUBIC"])
def test_normalize_digit_finds_mnist_again_on_clean_paper(digits, scale, method):
    size = (28 * scale, 28 * scale)
    large = [255 - np.asarray(Image.fromarray(digit).resize(size, Image.Resampling[method])) for digit in digits]
    differences = [difference(normalize_digit(image), digit) for image, digit in zip(large, digits, strict=True)]
    assert np.mean(differences) < 4


@pytest.mark.parametrize("scale", [1, 8])
def test_normalize_digit_cut_out_tightly_is_found(digits, scale):
    for digit in digits:
        rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
        cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        large = np.kron(cut, np.ones((scale, scale), np.uint8))
        assert difference(normalize_digit(large), digit) < SAME
        assert difference(normalize_digit(255 - large), digit) < SAME


def test_normalize_digit_neighbour_at_the_edge_and_full_stop_are_taken_away(digit):
    image = write(digit, margins=(30, 80, 30, 80))
    expected = normalize_digit(image)
    image[40:180, -30:] = 0  # a neighbour, cut off by the edge
    image[170:185, 235:250] = 0  # a full stop
    assert difference(normalize_digit(image), expected) < 1


def test_normalize_digit_line_of_a_table_beside_a_small_digit_is_taken_away(digit):
    image = np.pad(255 - digit, 8, constant_values=255)
    expected = normalize_digit(image)
    image[:, 2:4] = 0
    assert difference(normalize_digit(image), expected) < 1


def test_normalize_digit_polarity_makes_no_difference(digit):
    image = write(digit, paper=220, ink=40)
    np.testing.assert_allclose(normalize_digit(image), normalize_digit(255 - image), atol=2)


def test_normalize_digit_place_makes_no_difference(digit):
    one = normalize_digit(write(digit, margins=(5, 80, 90, 5)))
    assert difference(one, normalize_digit(write(digit, margins=(100, 5, 5, 60)))) < 1


@pytest.mark.parametrize("side", [20, 50, 300, 2000])
def test_normalize_digit_size_makes_little_difference(digit, side):
    image = Image.fromarray(255 - digit).resize((side, side), Image.Resampling.BICUBIC)
    assert difference(normalize_digit(np.array(image)), digit) < 18


def test_normalize_digit_shadow_is_taken_away(digit):
    rows, columns = np.mgrid[: 28 * 6 + 35, : 28 * 6 + 45]
    light = 235 - 0.3 * columns - 0.2 * rows + np.random.default_rng(0).normal(0, 2, rows.shape)
    image = write(digit, paper=light, ink=0.25 * light)
    assert difference(normalize_digit(image), digit) < 18


def test_normalize_digit_ruled_and_squared_paper_is_taken_away(digit):
    image = write(digit, margins=(60, 60, 60, 60))
    expected = normalize_digit(image)
    ruled = image.copy()
    ruled[20::45] = np.minimum(ruled[20::45], 90)
    squared = ruled.copy()
    squared[:, 15::45] = np.minimum(squared[:, 15::45], 90)
    assert difference(normalize_digit(ruled), expected) < SAME
    assert difference(normalize_digit(squared), expected) < SAME


def test_normalize_digit_specks_and_frame_are_taken_away(digit):
    image = write(digit, margins=(40, 40, 40, 40))
    expected = normalize_digit(image)
    image[5:8, 5:8] = image[-9:-6, 30:33] = 0
    assert difference(normalize_digit(image), expected) < 1
    image[:2] = image[-2:] = 0
    image[:, :2] = image[:, -2:] = 0
    assert difference(normalize_digit(image), expected) < 1


@pytest.mark.parametrize(("ink", "paper"), [("red", "white"), ("navy", "lightblue"), ("yellow", "purple")])
def test_normalize_digit_colour_of_ink_makes_no_difference(digit, ink, paper):
    grey = write(digit)
    colour = np.where(grey[..., None] < 128, Image.new("RGB", (1, 1), ink), Image.new("RGB", (1, 1), paper))
    black = np.where(grey < 128, 0, 255).astype(np.uint8)
    assert difference(normalize_digit(colour.astype(np.uint8)), normalize_digit(black)) < 1


def test_normalize_digit_hairline_and_marker_become_a_pen():
    hairline, marker = np.full((300, 200), 255, np.uint8), np.full((300, 200), 255, np.uint8)
    hairline[50:250, 99] = 0
    hairline[50, 60:100] = 0
    marker[50:250, 70:150] = 0
    marker[50:130, 20:150] = 0
    widths = [np.median((normalize_digit(p)[10:20] > 127).sum(axis=1)) for p in (hairline, marker)]
    assert 2 <= widths[0] <= 4
    assert widths[1] < 8


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 3, 3), (40, 40), (300, 5), (64, 64, 1)])
@pytest.mark.parametrize("value", [0, 130, 255])
def test_normalize_digit_blank_is_all_zeros(shape, value):
    result = normalize_digit(np.full(shape, value, np.uint8))
    assert result.shape == (28, 28)
    assert result.dtype == np.uint8
    assert not result.any()


def test_normalize_digit_empty_paper_in_falling_light_is_all_zeros():
    light = np.linspace(240, 120, 150)[None, :] * np.linspace(1, 0.8, 100)[:, None]
    noise = np.random.default_rng(0).normal(0, 2, light.shape)
    assert not normalize_digit((light + noise).astype(np.uint8)).any()


def test_normalize_digit_empty_ruled_paper_is_all_zeros():
    image = np.full((200, 150), 240, np.uint8)
    image[20::40] = 150
    assert not normalize_digit(image).any()


def test_normalize_digit_empty_noisy_paper_is_all_zeros():
    noise = np.random.default_rng(0).normal(200, 6, (120, 90))
    assert not normalize_digit(noise.astype(np.uint8)).any()


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (3, 3), (5, 400), (400, 5, 3), (17, 23)])
def test_normalize_digit_takes_images_of_odd_shapes(shape):
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert normalize_digit(noise).shape == (28, 28)


def test_normalize_digit_opens_a_file(tmp_path, digit):
    Image.fromarray(write(digit)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(normalize_digit(tmp_path / "a.png"), normalize_digit(write(digit)))


@pytest.mark.parametrize(
    "wrong", [np.zeros((28, 28)), np.zeros((0, 5), np.uint8), np.zeros((2, 28, 28), np.uint8), np.zeros(5, np.uint8)]
)
def test_find_strokes_refuses_what_is_not_an_image(wrong):
    with pytest.raises(DataError, match="came; expected"):
        find_strokes(wrong)


def test_specks_far_apart_give_a_blank_and_no_warning(recwarn):
    strokes = np.zeros((900, 900), np.float32)
    strokes[0, 0] = strokes[-1, -1] = 1
    assert normalize_strokes(strokes).shape == (28, 28)
    assert not recwarn.list

"""Normalisation of digits: examples and properties, on MNIST digits drawn on synthetic backgrounds."""

import io

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from PIL import Image

from skconv import load_dataset
from skconv.digits.preprocess.normalization import normalize_digit, normalize_strokes
from skconv.exceptions import SkconvError
from skconv.images.opening import open_image

DIGITS = load_dataset("mnist").test_images[:60]
# Mean difference in grey levels: a shift by one pixel causes about 15, another digit 40 or more.
SAME, MAX_SHIFT = 10, 25
FLIP = Image.Transpose
ORIENTATIONS = {  # transformation of the stored image per EXIF orientation
    1: lambda image: image,
    2: lambda image: image.transpose(FLIP.FLIP_LEFT_RIGHT),
    3: lambda image: image.transpose(FLIP.ROTATE_180),
    4: lambda image: image.transpose(FLIP.FLIP_TOP_BOTTOM),
    5: lambda image: image.transpose(FLIP.TRANSPOSE),
    6: lambda image: image.transpose(FLIP.ROTATE_90),
    7: lambda image: image.transpose(FLIP.TRANSVERSE),
    8: lambda image: image.transpose(FLIP.ROTATE_270),
}

digits_of_mnist = st.integers(0, 49).map(lambda index: DIGITS[index])
properties = settings(max_examples=30, deadline=None, database=None, derandomize=True)


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return DIGITS


@pytest.fixture(scope="module")
def digit() -> np.ndarray:
    return DIGITS[0]


def write(digit, *, scale=6, margins=(10, 40, 25, 5), paper=255.0, ink=0.0) -> np.ndarray:
    """Draw a digit of MNIST on a background; margins are top, right, bottom, left."""
    top, right, bottom, left = margins
    large = np.kron(digit, np.ones((scale, scale))) / 255
    cover = np.pad(large, ((top, bottom), (left, right)))
    return np.clip(paper * (1 - cover) + ink * cover, 0, 255).astype(np.uint8)


def write_resized(digit, side=168, margins=(20, 20, 20, 20), paper=235, ink=30) -> np.ndarray:
    """Draw a digit, resized to `side`, on an even background; margins are top, right, bottom, left."""
    top, right, bottom, left = margins
    cover = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)) / 255
    cover = np.pad(cover, ((top, bottom), (left, right)))
    return np.rint(paper + (ink - paper) * cover).astype(np.uint8)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).mean())


def test_normalize_digit_returns_mnist_unchanged(digits):
    for digit in digits:
        np.testing.assert_array_equal(normalize_digit(digit), digit)


@pytest.mark.parametrize("scale", [3, 7, 12])
@pytest.mark.parametrize("method", ["NEAREST", "BILINEAR", "BICUBIC"])
def test_normalize_digit_recovers_mnist_from_resized_digits(digits, scale, method):
    size = (28 * scale, 28 * scale)
    large = [255 - np.asarray(Image.fromarray(digit).resize(size, Image.Resampling[method])) for digit in digits]
    differences = [difference(normalize_digit(image), digit) for image, digit in zip(large, digits, strict=True)]
    assert np.mean(differences) < 4


@pytest.mark.parametrize("scale", [1, 8])
def test_normalize_digit_recovers_mnist_from_tight_crops(digits, scale):
    for digit in digits:
        rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
        cut = digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        large = np.kron(cut, np.ones((scale, scale), np.uint8))
        assert difference(normalize_digit(large), digit) < SAME
        assert difference(normalize_digit(255 - large), digit) < SAME


def test_normalize_digit_removes_neighbour_and_full_stop(digit):
    image = write(digit, margins=(30, 80, 30, 80))
    expected = normalize_digit(image)
    image[40:180, -30:] = 0  # a neighbour on the border
    image[170:185, 235:250] = 0  # a full stop
    assert difference(normalize_digit(image), expected) < 1


def test_normalize_digit_removes_table_line_beside_small_digit(digit):
    image = np.pad(255 - digit, 8, constant_values=255)
    expected = normalize_digit(image)
    image[:, 2:4] = 0
    assert difference(normalize_digit(image), expected) < 1


def test_normalize_digit_polarity_changes_no_pixel_by_more_than_2(digit):
    image = write(digit, paper=220, ink=40)
    np.testing.assert_allclose(normalize_digit(image), normalize_digit(255 - image), atol=2)


@pytest.mark.parametrize("side", [20, 50, 300, 2000])
def test_normalize_digit_recovers_mnist_from_any_size(digit, side):
    image = Image.fromarray(255 - digit).resize((side, side), Image.Resampling.BICUBIC)
    assert difference(normalize_digit(np.array(image)), digit) < 18


def test_normalize_digit_removes_shadow(digit):
    rows, columns = np.mgrid[: 28 * 6 + 35, : 28 * 6 + 45]
    light = 235 - 0.3 * columns - 0.2 * rows + np.random.default_rng(0).normal(0, 2, rows.shape)
    image = write(digit, paper=light, ink=0.25 * light)
    assert difference(normalize_digit(image), digit) < 18


def test_normalize_digit_removes_ruled_and_squared_paper(digit):
    image = write(digit, margins=(60, 60, 60, 60))
    expected = normalize_digit(image)
    ruled = image.copy()
    ruled[20::45] = np.minimum(ruled[20::45], 90)
    squared = ruled.copy()
    squared[:, 15::45] = np.minimum(squared[:, 15::45], 90)
    assert difference(normalize_digit(ruled), expected) < SAME
    assert difference(normalize_digit(squared), expected) < SAME


def test_normalize_digit_removes_specks_and_frame(digit):
    image = write(digit, margins=(40, 40, 40, 40))
    expected = normalize_digit(image)
    image[5:8, 5:8] = image[-9:-6, 30:33] = 0
    assert difference(normalize_digit(image), expected) < 1
    image[:2] = image[-2:] = 0
    image[:, :2] = image[:, -2:] = 0
    assert difference(normalize_digit(image), expected) < 1


@pytest.mark.parametrize(("ink", "paper"), [("red", "white"), ("navy", "lightblue"), ("yellow", "purple")])
def test_normalize_digit_is_invariant_to_ink_colour(digit, ink, paper):
    grey = write(digit)
    colour = np.where(grey[..., None] < 128, Image.new("RGB", (1, 1), ink), Image.new("RGB", (1, 1), paper))
    black = np.where(grey < 128, 0, 255).astype(np.uint8)
    assert difference(normalize_digit(colour.astype(np.uint8)), normalize_digit(black)) < 1


def test_normalize_digit_normalizes_stroke_width():
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
def test_normalize_digit_returns_zeros_for_blank_image(shape, value):
    result = normalize_digit(np.full(shape, value, np.uint8))
    assert result.shape == (28, 28)
    assert result.dtype == np.uint8
    assert not result.any()


def test_normalize_digit_returns_zeros_for_shaded_paper():
    light = np.linspace(240, 120, 150)[None, :] * np.linspace(1, 0.8, 100)[:, None]
    noise = np.random.default_rng(0).normal(0, 2, light.shape)
    assert not normalize_digit((light + noise).astype(np.uint8)).any()


def test_normalize_digit_returns_zeros_for_ruled_paper():
    image = np.full((200, 150), 240, np.uint8)
    image[20::40] = 150
    assert not normalize_digit(image).any()


def test_normalize_digit_returns_zeros_for_noisy_paper():
    noise = np.random.default_rng(0).normal(200, 6, (120, 90))
    assert not normalize_digit(noise.astype(np.uint8)).any()


@pytest.mark.parametrize("shape", [(1, 2), (2, 1), (3, 3), (5, 400), (400, 5, 3), (17, 23)])
def test_normalize_digit_accepts_any_shape(shape):
    noise = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    assert normalize_digit(noise).shape == (28, 28)


def test_normalize_digit_opens_file(tmp_path, digit):
    Image.fromarray(write(digit)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(normalize_digit(tmp_path / "a.png"), normalize_digit(write(digit)))


def test_normalize_strokes_returns_zeros_for_distant_specks_without_warning(recwarn):
    strokes = np.zeros((900, 900), np.float32)
    strokes[0, 0] = strokes[-1, -1] = 1
    assert normalize_strokes(strokes).shape == (28, 28)
    assert not recwarn.list


@properties
@given(digits_of_mnist, st.integers(0, 110), st.integers(150, 255))
def test_normalize_digit_is_invariant_to_polarity(digit, ink, paper):
    image = write_resized(digit, ink=ink, paper=paper)
    assert difference(normalize_digit(image), normalize_digit(255 - image)) < 1


@properties
@given(digits_of_mnist, st.tuples(*[st.integers(0, 120)] * 4))
def test_normalize_digit_is_invariant_to_position(digit, margins):
    assert difference(normalize_digit(write_resized(digit, margins=margins)), normalize_digit(write_resized(digit))) < 1


@properties
@given(digits_of_mnist, st.integers(20, 2000))
@example(DIGITS[0], 20)
@example(DIGITS[1], 2000)
def test_normalize_digit_is_nearly_invariant_to_size(digit, side):
    image = write_resized(digit, side=side, margins=(side // 10,) * 4)
    assert difference(normalize_digit(image), digit) < MAX_SHIFT


@properties
@given(digits_of_mnist, st.sampled_from(["png", "webp", "bmp", "tiff", "gif", "jpeg"]), st.integers(1, 8))
def test_normalize_digit_is_nearly_invariant_to_format_and_orientation(tmp_path_factory, digit, format_, orientation):
    image = write_resized(digit)
    stored = Image.fromarray(image)
    exif = Image.Exif()
    if format_ in ("png", "jpeg", "webp"):  # formats with EXIF orientation
        stored = ORIENTATIONS[orientation](stored)
        exif[274] = orientation
    path = tmp_path_factory.mktemp("image") / f"a.{format_}"
    stored.save(path, exif=exif)
    assert difference(normalize_digit(path), normalize_digit(image)) < 6


@properties
@given(digits_of_mnist, st.integers(2, 8), st.tuples(*[st.integers(0, 40)] * 4))
def test_normalize_digit_is_idempotent(digit, scale, margins):
    once = normalize_digit(write_resized(digit, side=28 * scale, margins=margins))
    np.testing.assert_array_equal(normalize_digit(once), once)


@properties
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([(), (3,)]), st.integers(0, 2**32 - 1))
def test_normalize_digit_returns_valid_image_for_any_array(height, width, channels, seed):
    random = np.random.default_rng(seed)
    low, high = np.sort(random.integers(0, 256, 2))
    image = random.integers(low, high + 1, (height, width, *channels), dtype=np.uint8)
    once = normalize_digit(image)
    assert once.shape == (28, 28) and once.dtype == np.uint8
    np.testing.assert_array_equal(normalize_digit(once), once)


@properties
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"GIF89a", b"BM", b"II*\0"]),
)
def test_open_image_returns_image_or_error_for_any_bytes(tmp_path_factory, content, start):
    check_bytes(tmp_path_factory, start + content)


@properties
@given(
    st.sampled_from(["png", "webp", "bmp", "tiff", "gif", "jpeg"]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8),
    st.integers(0, 2000),
)
def test_open_image_returns_image_or_error_for_damaged_file(tmp_path_factory, format_, changes, length):
    buffer = io.BytesIO()
    Image.fromarray(DIGITS[3]).save(buffer, format_)
    content = bytearray(buffer.getvalue())
    for position, value in changes:
        content[position % len(content)] = value
    check_bytes(tmp_path_factory, bytes(content[: max(1, length)]))


def check_bytes(tmp_path_factory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("bytes") / "any.bin"
    path.write_bytes(content)
    try:
        image = open_image(path)
    except SkconvError as error:
        assert "any.bin" in str(error) and "\n" not in str(error)
    else:
        assert image.dtype == np.uint8
        assert normalize_digit(image).shape == (28, 28)

"""What must not matter to the normalisation of a digit, for whatever numbers hypothesis finds."""

import io

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from skconv import load_dataset, normalize_digit
from skconv.exceptions import SkconvError
from skconv.images.opening import open_image

DIGITS = load_dataset("mnist").test_images[:50]
# One pixel of shift, where the centre of mass lies between two, is 15 grey levels in the mean; another digit is 40.
SAME, SHIFTED = 6, 25
TURN = Image.Transpose
TURNS = {  # how a camera held in another way stores an image under each tag
    1: lambda image: image,
    2: lambda image: image.transpose(TURN.FLIP_LEFT_RIGHT),
    3: lambda image: image.transpose(TURN.ROTATE_180),
    4: lambda image: image.transpose(TURN.FLIP_TOP_BOTTOM),
    5: lambda image: image.transpose(TURN.TRANSPOSE),
    6: lambda image: image.transpose(TURN.ROTATE_90),
    7: lambda image: image.transpose(TURN.TRANSVERSE),
    8: lambda image: image.transpose(TURN.ROTATE_270),
}

digits = st.integers(0, len(DIGITS) - 1).map(lambda position: DIGITS[position])
properties = settings(max_examples=30, deadline=None, database=None, derandomize=True)


def write(digit, side=168, margins=(20, 20, 20, 20), paper=235, ink=30) -> np.ndarray:
    """Write a digit on even paper; margins are top, right, bottom, left."""
    top, right, bottom, left = margins
    cover = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)) / 255
    cover = np.pad(cover, ((top, bottom), (left, right)))
    return np.rint(paper + (ink - paper) * cover).astype(np.uint8)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one.astype(float) - other).mean())


@properties
@given(digits, st.integers(0, 110), st.integers(150, 255))
def test_normalize_digit_polarity_changes_nothing(digit, ink, paper):
    image = write(digit, ink=ink, paper=paper)
    assert difference(normalize_digit(image), normalize_digit(255 - image)) < 1


@properties
@given(digits, st.tuples(*[st.integers(0, 120)] * 4))
def test_normalize_digit_place_changes_nothing(digit, margins):
    assert difference(normalize_digit(write(digit, margins=margins)), normalize_digit(write(digit))) < 1


@properties
@given(digits, st.integers(20, 2000))
@example(DIGITS[0], 20)
@example(DIGITS[1], 2000)
def test_normalize_digit_size_changes_little(digit, side):
    image = write(digit, side=side, margins=(side // 10,) * 4)
    assert difference(normalize_digit(image), digit) < SHIFTED


@properties
@given(digits, st.sampled_from(["png", "webp", "bmp", "tiff", "gif", "jpeg"]), st.integers(1, 8))
def test_normalize_digit_file_format_and_camera_rotation_change_little(tmp_path_factory, digit, format_, orientation):
    image = write(digit)
    stored = Image.fromarray(image)
    exif = Image.Exif()
    if format_ in ("png", "jpeg", "webp"):  # those that carry how the camera was held
        stored = TURNS[orientation](stored)
        exif[274] = orientation
    path = tmp_path_factory.mktemp("image") / f"a.{format_}"
    stored.save(path, exif=exif)
    assert difference(normalize_digit(path), normalize_digit(image)) < SAME


@properties
@given(digits, st.integers(2, 8), st.tuples(*[st.integers(0, 40)] * 4))
def test_normalize_digit_twice_is_once(digit, scale, margins):
    once = normalize_digit(write(digit, side=28 * scale, margins=margins))
    np.testing.assert_array_equal(normalize_digit(once), once)


@pytest.mark.parametrize("index", range(0, 50, 7))
def test_normalize_digit_of_mnist_is_itself(index):
    np.testing.assert_array_equal(normalize_digit(DIGITS[index]), DIGITS[index])


@properties
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([(), (3,)]), st.integers(0, 2**32 - 1))
def test_normalize_digit_any_array_gives_an_image_of_its_form(height, width, channels, seed):
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
def test_open_image_any_bytes_give_an_image_or_a_clear_error(tmp_path_factory, content, start):
    check_bytes(tmp_path_factory, start + content)


@properties
@given(
    st.sampled_from(["png", "webp", "bmp", "tiff", "gif", "jpeg"]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=8),
    st.integers(0, 2000),
)
def test_open_image_any_damage_gives_an_image_or_a_clear_error(tmp_path_factory, format_, changes, kept):
    buffer = io.BytesIO()
    Image.fromarray(DIGITS[3]).save(buffer, format_)
    content = bytearray(buffer.getvalue())
    for place, value in changes:
        content[place % len(content)] = value
    check_bytes(tmp_path_factory, bytes(content[: max(1, kept)]))


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

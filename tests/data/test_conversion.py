"""Pixel values and image shapes."""

import numpy as np
import pytest

from skconv.data.conversion import as_images, as_uint8, shape_rows, warn_if_dark
from skconv.exceptions import DataError


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 255]), [0, 255]),
        (np.array([0.0, 7.0, 255.0]), [0, 7, 255]),
        (np.array([0, 51 / 255, 1], np.float32), [0, 51, 255]),
        (np.array([False, True]), [0, 255]),
        (np.array([0, 1]), [0, 1]),  # integers are grey levels, not fractions
    ],
)
def test_as_uint8_casts_or_scales(values, expected):
    result = as_uint8("x", values)
    assert result.dtype == np.uint8
    assert result.tolist() == expected


@pytest.mark.parametrize("values", [[-1, 1], [0, 256], [0.5, 2], [np.nan, 1.0], [np.inf, 1.0], ["a", "b"], [1j]])
def test_as_uint8_rejects_ambiguous_values(values):
    with pytest.raises(DataError, match="expected"):
        as_uint8("x", np.array(values))


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 8, 8), (2, 8, 8)),
        ((2, 8, 8, 1), (2, 8, 8)),
        ((2, 8, 8, 3), (2, 8, 8, 3)),
        ((2, 1, 8, 8), (2, 8, 8)),
        ((2, 3, 8, 8), (2, 8, 8, 3)),
        ((2, 64), (2, 8, 8)),
        ((2, 1, 64), (2, 8, 8)),
        ((2, 64, 1), (2, 8, 8)),
    ],
)
def test_as_images_brings_channels_last(shape, expected):
    assert as_images("x", np.zeros(shape)).shape == expected


@pytest.mark.parametrize("shape", [(64,), (2, 8, 8, 4), (2, 5, 8, 8), (2, 3, 8, 3), (2, 2, 2, 2, 2)])
def test_as_images_rejects_other_shapes(shape):
    with pytest.raises(DataError, match="shape"):
        as_images("x", np.zeros(shape))


def test_as_images_moves_each_pixel_of_channels_first():
    first = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert as_images("x", first)[1, 2, 3, 1] == first[1, 1, 2, 3]


def test_as_images_requires_the_size_of_images_of_three_rows():
    colour = np.arange(2 * 4 * 4 * 3).reshape(2, 4, 4, 3)
    first, last = colour.transpose(0, 3, 1, 2).reshape(2, 3, 16), colour.reshape(2, 16, 3)
    for rows, size, grey in ((first, "3x4x4", "3x16"), (last, "4x4x3", "16x3")):
        with pytest.raises(DataError, match=rf"--image-size {size} for colour.* {grey} for grey"):
            as_images("x", rows)
        np.testing.assert_array_equal(as_images("x", rows, tuple(map(int, size.split("x")))), colour)
        np.testing.assert_array_equal(as_images("x", rows, tuple(map(int, grey.split("x")))), rows)
    np.testing.assert_array_equal(as_images("x", first, (4, 4)), colour)


def test_shape_rows_accepts_size_that_is_not_square():
    assert shape_rows("x", np.zeros((2, 50)), (5, 10)).shape == (2, 5, 10)
    assert shape_rows("x", np.zeros((2, 50)), (5, 10, 1)).shape == (2, 5, 10)


def test_shape_rows_reads_colour_by_pixel_or_by_channel():
    colour = np.arange(2 * 5 * 10 * 3).reshape(2, 5, 10, 3)
    by_channel = colour.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(shape_rows("x", colour.reshape(2, -1), (5, 10, 3)), colour)
    np.testing.assert_array_equal(shape_rows("x", by_channel.reshape(2, -1), (3, 5, 10)), colour)


@pytest.mark.parametrize(
    ("n_pixels", "image_size", "message"),
    [
        (3072, None, r"colour images of 32×32, .*--image-size 32x32x3 .* 3x32x32 .*grey"),
        (2352, None, r"colour images of 28×28"),
        (150, (5, 10), r"colour images of 10×5, .*--image-size 5x10x3 .*3x5x10"),
    ],
)
def test_shape_rows_requires_the_order_of_colours(n_pixels, image_size, message):
    with pytest.raises(DataError, match=message):
        shape_rows("x", np.zeros((2, n_pixels)), image_size)


def test_shape_rows_783_columns_suggests_missing_column():
    with pytest.raises(DataError, match=r"x has 783 pixel columns; .*28×28 has 784 values\. .*column missing"):
        shape_rows("x", np.zeros((2, 783)))


def test_as_uint8_rounds_grey_levels_with_fractions_with_a_count():
    with pytest.warns(UserWarning, match="2 of 4 pixels in 0..200 have fractions and were rounded"):
        assert as_uint8("x", np.array([0, 0.4, 99.6, 200])).tolist() == [0, 0, 100, 200]


def test_as_uint8_rejects_a_single_fraction_among_integers():
    values = np.arange(256.0).repeat(2)
    values[7] = 2.5
    with pytest.raises(DataError, match="with fractions"):
        as_uint8("x", values)


def test_as_uint8_converts_range_around_zero_with_a_note():
    with pytest.warns(UserWarning, match=r"-1\.\.1"):
        assert as_uint8("x", np.array([-1.0, 0.0, 1.0], np.float32)).tolist() == [0, 128, 255]


@pytest.mark.parametrize("values", [[-0.5, 0.5], [-0.4, 2.8]])
def test_as_uint8_rejects_standardized_pixels(values):
    with pytest.raises(DataError, match="range"):
        as_uint8("x", np.array(values))


def test_as_uint8_accepts_8_bit_values_in_wider_types():
    for dtype in (np.uint16, np.int64, np.float16):
        assert as_uint8("x", np.array([0, 200], dtype)).tolist() == [0, 200]
    with pytest.raises(DataError, match=r"0\.\.65535"):
        as_uint8("x", np.array([0, 65535], np.uint16))


def test_warn_if_dark_reports_other_scales():
    with pytest.warns(UserWarning, match="maximum pixel is 16.*multiply"):
        warn_if_dark("x", np.full((1, 2, 2), 16, np.uint8))

"""Value ranges and shapes of pixels."""

import numpy as np
import pytest

from skconv.data.pixels import arrange_axes, as_uint8, shape_rows
from skconv.exceptions import DataError


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 255]), [0, 255]),
        (np.array([0.0, 7.0, 255.0]), [0, 7, 255]),
        (np.array([0, 51 / 255, 1], np.float32), [0, 51, 255]),
        (np.array([False, True]), [0, 255]),
        (np.array([0, 1]), [0, 1]),  # whole numbers are levels, not fractions
    ],
)
def test_as_uint8_keeps_or_scales(values, expected):
    result = as_uint8("x", values)
    assert result.dtype == np.uint8
    assert result.tolist() == expected


@pytest.mark.parametrize("values", [[-1, 1], [0, 256], [0.5, 200], [np.nan, 1.0], [np.inf, 1.0], ["a", "b"], [1j]])
def test_as_uint8_refuses_what_it_would_have_to_guess(values):
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
        ((2, 192), (2, 8, 8, 3)),
    ],
)
def test_arrange_axes_brings_channels_last(shape, expected):
    assert arrange_axes("x", np.zeros(shape)).shape == expected


@pytest.mark.parametrize("shape", [(64,), (2, 8, 8, 4), (2, 5, 8, 8), (2, 2, 2, 2, 2)])
def test_arrange_axes_other_shapes_are_told(shape):
    with pytest.raises(DataError, match="have shape"):
        arrange_axes("x", np.zeros(shape))


def test_arrange_axes_channels_first_keeps_each_pixel():
    first = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert arrange_axes("x", first)[1, 2, 3, 1] == first[1, 1, 2, 3]


def test_shape_rows_takes_a_size_that_is_not_square():
    assert shape_rows("x", np.zeros((2, 50)), (5, 10)).shape == (2, 5, 10)
    assert shape_rows("x", np.zeros((2, 150)), (5, 10)).shape == (2, 5, 10, 3)


def test_shape_rows_783_columns_names_the_likely_mistake():
    with pytest.raises(DataError, match=r"x has 783 pixel columns; a 28×28 image has 784 values\. .*column missing"):
        shape_rows("x", np.zeros((2, 783)))

"""Pixel values, image shapes and label names."""

import numpy as np
import pytest

from skconv.data.conversion import as_images, as_uint8, encode_labels, name_labels, shape_rows
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


@pytest.mark.parametrize("values", [[-1, 1], [0, 256], [0.5, 200], [np.nan, 1.0], [np.inf, 1.0], ["a", "b"], [1j]])
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
        ((2, 192), (2, 8, 8, 3)),
    ],
)
def test_as_images_brings_channels_last(shape, expected):
    assert as_images("x", np.zeros(shape)).shape == expected


@pytest.mark.parametrize("shape", [(64,), (2, 8, 8, 4), (2, 5, 8, 8), (2, 2, 2, 2, 2)])
def test_as_images_rejects_other_shapes(shape):
    with pytest.raises(DataError, match="shape"):
        as_images("x", np.zeros(shape))


def test_as_images_moves_each_pixel_of_channels_first():
    first = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    assert as_images("x", first)[1, 2, 3, 1] == first[1, 1, 2, 3]


def test_shape_rows_accepts_size_that_is_not_square():
    assert shape_rows("x", np.zeros((2, 50)), (5, 10)).shape == (2, 5, 10)
    assert shape_rows("x", np.zeros((2, 150)), (5, 10)).shape == (2, 5, 10, 3)


def test_shape_rows_783_columns_suggests_missing_column():
    with pytest.raises(DataError, match=r"x has 783 pixel columns; .*28×28 has 784 values\. .*column missing"):
        shape_rows("x", np.zeros((2, 783)))


def test_encode_labels_sorts_numbers_by_value():
    train, test, names = encode_labels("x", ["10", "9", "2", "9"], ["2", "10"])
    assert names == ("2", "9", "10")
    assert train.tolist() == [2, 1, 0, 1] and test.tolist() == [0, 2]
    assert train.dtype == np.int64


def test_encode_labels_rejects_class_only_in_test_split():
    with pytest.raises(DataError, match="class 'c' is in the test split"):
        encode_labels("x", ["a", "b"], ["c"])


@pytest.mark.parametrize(("labels", "message"), [([], "no labels"), (["a", "a"], "only one class, 'a'")])
def test_encode_labels_rejects_fewer_than_two_classes(labels, message):
    with pytest.raises(DataError, match=message):
        encode_labels("x", labels)


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (np.array([[3], [1]]), ["3", "1"]),
        (np.array([3.0, 1.0]), ["3", "1"]),
        (np.array(["a", "b"]), ["a", "b"]),
        (np.array([b"a", "ä".encode()]), ["a", "ä"]),
        (np.array([True, False]), ["1", "0"]),
    ],
)
def test_name_labels_accepts_integers_floats_text_and_bool(labels, names):
    assert name_labels("x", labels) == names


@pytest.mark.parametrize("labels", [np.zeros((2, 10)), np.array([0.5, 1]), np.array([np.nan, 1]), np.array([1j])])
def test_name_labels_rejects_other_arrays(labels):
    with pytest.raises(DataError, match="label"):
        name_labels("x", labels)

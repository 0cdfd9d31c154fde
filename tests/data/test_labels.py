"""Labels as people write them."""

import numpy as np
import pytest

from skconv.data.labels import encode_labels, name_labels
from skconv.exceptions import DataError


def test_encode_labels_numbers_are_sorted_by_value():
    train, test, names = encode_labels("x", ["10", "9", "2", "9"], ["2", "10"])
    assert names == ("2", "9", "10")
    assert train.tolist() == [2, 1, 0, 1] and test.tolist() == [0, 2]
    assert train.dtype == np.int64


def test_encode_labels_class_only_in_the_test_split_is_an_error():
    with pytest.raises(DataError, match="test split has the class 'c'"):
        encode_labels("x", ["a", "b"], ["c"])


@pytest.mark.parametrize(("labels", "message"), [([], "no labels"), (["a", "a"], "only one class, 'a'")])
def test_encode_labels_fewer_than_two_classes_is_an_error(labels, message):
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
def test_name_labels_accepts_usual_arrays(labels, names):
    assert name_labels("x", labels) == names


@pytest.mark.parametrize("labels", [np.zeros((2, 10)), np.array([0.5, 1]), np.array([np.nan, 1]), np.array([1j])])
def test_name_labels_refuses_what_names_no_class(labels):
    with pytest.raises(DataError, match="label"):
        name_labels("x", labels)

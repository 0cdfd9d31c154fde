"""Names, order and encoding of labels."""

import unicodedata

import numpy as np
import pytest

from skconv.data.labels import clean_labels, encode_labels, name_labels, sort_names
from skconv.exceptions import DataError


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


@pytest.mark.parametrize(
    "labels", [np.zeros((2, 10)), np.ones((2, 2)), np.array([0.5, 1]), np.array([np.nan, 1]), np.array([1j])]
)
def test_name_labels_rejects_other_arrays(labels):
    with pytest.raises(DataError, match="label"):
        name_labels("x", labels)


def test_name_labels_accepts_one_hot_rows_with_a_note():
    with pytest.warns(UserWarning, match="one-hot rows of 3 columns"):
        assert name_labels("x", np.eye(3)[[2, 0]]) == ["2", "0"]


def test_name_labels_accepts_objects_and_reports_missing_ones():
    assert name_labels("x", np.array(["cat", "dog"], object)) == ["cat", "dog"]
    with pytest.raises(DataError, match="2 missing labels; the first is label 1"):
        name_labels("x", np.array(["cat", None, np.nan], object))
    pandas = pytest.importorskip("pandas")
    with pytest.raises(DataError, match="1 missing label; the first is label 1"):
        name_labels("x", np.array(["cat", pandas.NA], object))


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["3.0", "11.0"], ["3", "11"]),
        (["3.000000000000000000e+00", "4.000000000000000000e+00"], ["3", "4"]),  # numpy.savetxt
        (["3,0", "0,5", "0,5", "3,0"], ["3", "0.5", "0.5", "3"]),
        (["01", "10"], ["01", "10"]),
        (["3.0", "cat"], ["3.0", "cat"]),
        (["nan", "1"], ["nan", "1"]),
    ],
)
def test_clean_labels_writes_whole_numbers_without_decimals(labels, names, recwarn):
    assert clean_labels("x", labels) == names
    assert not recwarn.list


@pytest.mark.parametrize(
    ("labels", "names", "count"),
    [
        (["3", "3.0", "4"], ["3", "3", "4"], "1 of 3"),
        (["01", "1", "2", "1"], ["1", "1", "2", "1"], "1 of 4"),
        ([" cat", "cat", "dog "], ["cat", "cat", "dog"], "2 of 3"),
        (["Café", unicodedata.normalize("NFD", "Café")], ["Café", "Café"], "1 of 2"),
    ],
)
def test_clean_labels_unifies_spellings_with_a_count(labels, names, count):
    with pytest.warns(UserWarning, match=count):
        assert clean_labels("x", labels) == names


def test_clean_labels_rejects_measurements():
    with pytest.raises(DataError, match=r"3 different numbers in 4 rows.*--label-column"):
        clean_labels("x", ["0.1", "0.25", "7.5", "7.5"])


def test_encode_labels_treats_unicode_forms_as_one_class():
    decomposed = unicodedata.normalize("NFD", "Café")
    train, test, names = encode_labels("x", ["Café", decomposed, "Tee"], [decomposed])
    assert names == ("Café", "Tee") and train.tolist() == [0, 0, 1] and test.tolist() == [0]


def test_sort_names_orders_fractions_and_negative_numbers_by_value():
    assert sort_names(["10", "-1", "0.5", "9"]) == ["-1", "0.5", "9", "10"]

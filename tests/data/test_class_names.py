"""Notes on class names that may not be those of classes."""

import re
import warnings

import numpy as np
import pytest

from skconv.data.class_names import note_class_names
from skconv.data.dataset import Splits
from skconv.data.loading import load_dataset


def list_notes(names):
    images = np.zeros((2 * len(names), 4, 4), np.uint8)
    dataset = Splits(images, names * 2).to_dataset("a", "a.csv")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        note_class_names(dataset)
    return [str(each.message) for each in caught]


@pytest.mark.parametrize(
    ("names", "note"),
    [
        (["cat", "dog", "NaN"], "label 'NaN' of 2 images .* pass --drop-class 'NaN'"),
        (["1", "2", "null"], "label 'null' of 2 images"),
        (["Cat", "cat", "dog"], r"different classes .*: 'Cat' \(2\) and 'cat' \(2\)"),
        (["golden retriever", "golden_retriever", "dog"], "similar names are different classes"),
        (["3", "3.0", "03", "4"], r"different classes .*: '03' \(2\) and '3' \(2\) and '3\.0' \(2\)"),
        (["cat", "dog", "cat|dog"], "1 of 3 classes may combine several labels, such as 'cat.dog'"),
        (["a, b", "b, c", "a, c"], "3 of 3 classes may combine"),
    ],
)
def test_note_class_names(names, note):
    (found,) = list_notes(names)
    assert re.search(note, found)


@pytest.mark.parametrize(
    "names",
    [
        ["a", "A", "b"],  # letters
        ["red apple", "green apple", "red pear", "green pear"],
        ["Paris, Texas", "Paris, France"],
        ["0,5", "1,5", "0,1"],
        ["-1", "1"],
        ["C", "C++", "C+"],
        ["left", "right"],
    ],
)
def test_note_class_names_is_silent_for_usual_names(names):
    assert list_notes(names) == []


def test_dropped_classes_are_not_noted(tmp_path, samples, recwarn):
    np.savez(tmp_path / "a.npz", images=samples.images(9), labels=np.array(["cat", "dog", "nan"] * 3))
    dataset = load_dataset(tmp_path / "a.npz", drop_class="nan")
    assert dataset.class_names == ("cat", "dog")
    assert not [each for each in recwarn if "is used as a class" in str(each.message)]

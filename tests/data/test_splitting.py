"""Held-out images of data with a validation split or small classes."""

from dataclasses import replace

import numpy as np
import pytest

from skconv.data.dataset import Dataset
from skconv.data.splitting import (
    check_folds,
    drop_classes,
    hold_out_test,
    hold_out_validation,
    merge_validation,
    resplit,
    take_fraction,
)
from skconv.exceptions import DataError


def make_data(*counts: int, n_valid: int = 0, n_test: int = 0) -> Dataset:
    """Return data whose images are numbered; the numbers of other splits begin at 100 and 200."""
    labels = np.repeat(np.arange(len(counts)), counts)
    parts = {}
    for split, start, n in (("valid", 100, n_valid), ("test", 200, n_test)):
        if n:
            parts[f"{split}_images"] = np.arange(start, start + n, dtype=np.uint8).reshape(-1, 1, 1)
            parts[f"{split}_labels"] = np.arange(n) % len(counts)
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1)
    return Dataset("made", images, labels, tuple("abcdef"[: len(counts)]), **parts)


def test_hold_out_test_leaves_out_classes_that_cannot_be_split():
    with pytest.warns(UserWarning, match=r"2 classes \('b', 'd'; 3 images\) are left out: 3 or more different"):
        data = hold_out_test(make_data(10, 1, 10, 2), seed=0)
    assert data.class_names == ("a", "c")
    assert (len(data.train_labels), len(data.test_labels)) == (17, 3)
    numbers = [*data.train_images.ravel(), *data.test_images.ravel()]
    assert sorted(numbers) == [*range(10), *range(11, 21)]
    assert all(
        (number < 10) == (label == 0) for number, label in zip(data.test_images.ravel(), data.test_labels, strict=True)
    )


def test_hold_out_test_takes_one_image_of_each_of_many_small_classes():
    data = hold_out_test(make_data(4, 4, 4, 4, 4), seed=0)
    assert np.bincount(data.test_labels).tolist() == [1] * 5


def test_hold_out_test_keeps_the_validation_split():
    data = hold_out_test(make_data(20, 20, n_valid=6), seed=0)
    assert len(data.test_images) == 6 and len(data.valid_images) == 6


def test_hold_out_test_keeps_copies_together():
    data = make_data(40, 40)
    images, labels = np.repeat(data.train_images, 2, axis=0), np.repeat(data.train_labels, 2)
    with pytest.warns(UserWarning, match=r"80 images .* are copies .*skconv audit"):
        held_out = hold_out_test(replace(data, train_images=images, train_labels=labels), seed=0)
    numbers = held_out.test_images.ravel().tolist()
    assert len(numbers) == 24 and len(set(numbers)) == 12
    assert not set(numbers) & set(held_out.train_images.ravel().tolist())


def test_check_folds_counts_copies_of_an_image_once():
    data = make_data(6, 6)
    data.train_images[6:10] = 6
    check_folds(data, 3)
    with pytest.raises(DataError, match="class 'b' has 3 different training images, fewer than the 4 folds"):
        check_folds(data, 4)


def test_hold_out_test_leaves_out_classes_of_copies():
    data = make_data(10, 10, 3)
    images = np.where(data.train_labels[:, None, None] == 2, 255, data.train_images)
    with pytest.warns(UserWarning, match=r"The class 'c' \(3 images\) is left out: 3 or more different images"):
        assert hold_out_test(replace(data, train_images=images), seed=0).class_names == ("a", "b")


def test_hold_out_validation_returns_the_validation_split():
    train, valid = hold_out_validation(take_fraction(make_data(20, 20, n_valid=6), 0.5, seed=0), seed=0)
    assert len(train.train_images) == 20 and valid.train_images.ravel().tolist() == list(range(100, 106))
    assert train.valid_images is None and valid.valid_images is None


def test_resplit_pools_all_splits():
    data = resplit(make_data(20, 20, n_valid=6, n_test=4), fraction=0.3, seed=0)
    assert len(data.train_images) + len(data.test_images) == 50 and data.valid_images is None
    assert merge_validation(make_data(2, 2, n_valid=1)).train_images.ravel().tolist() == [0, 1, 2, 3, 100]


def test_a_split_of_dropped_classes_is_ignored_with_a_note():
    data = replace(make_data(3, 3, 3), test_images=np.zeros((1, 1, 1), np.uint8), test_labels=np.array([1]))
    with pytest.warns(UserWarning, match="the test split has no image of the remaining classes"):
        assert drop_classes(data, ["b"]).test_images is None


def test_drop_classes_selects_in_all_splits():
    data = make_data(3, 3, 3, n_valid=6, n_test=3)
    with pytest.warns(UserWarning, match="The class 'b'"):
        data = drop_classes(data, ["b"])
    assert data.class_names == ("a", "c")
    assert data.train_labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert data.valid_images.ravel().tolist() == [100, 102, 103, 105] and data.valid_labels.tolist() == [0, 1, 0, 1]
    assert data.test_images.ravel().tolist() == [200, 202]

"""Held-out test split of a data set."""

import numpy as np
import pytest

from skconv.data.dataset import Dataset
from skconv.data.splitting import hold_out_test
from skconv.exceptions import DataError


def make_data(counts, **more):
    """Return data whose images encode their own position."""
    labels = np.repeat(np.arange(len(counts)), counts)
    images = np.zeros((len(labels), 1, 2), np.uint8)
    images[:, 0, 0], images[:, 0, 1] = np.divmod(np.arange(len(labels)), 256)
    return Dataset("made", images, labels, tuple("abcdefghij"[: len(counts)]), **more)


def keys(images):
    return {tuple(image.ravel()) for image in images}


def test_hold_out_test_splits_are_disjoint_and_complete():
    data = make_data([100, 60, 40])
    split = hold_out_test(data, seed=0)
    assert not keys(split.train_images) & keys(split.test_images)
    assert keys(split.train_images) | keys(split.test_images) == keys(data.train_images)


def test_hold_out_test_takes_15_percent_of_each_class():
    split = hold_out_test(make_data([100, 60, 40]), seed=0)
    assert np.bincount(split.test_labels).tolist() == [15, 9, 6]


def test_hold_out_test_preserves_labels_of_images():
    data = make_data([100, 60])
    split = hold_out_test(data, seed=3)
    number = split.test_images[:, 0, 0].astype(int) * 256 + split.test_images[:, 0, 1]
    assert np.array_equal(data.train_labels[number], split.test_labels)


def test_hold_out_test_depends_on_seed():
    first, again, other = (keys(hold_out_test(make_data([100, 60]), seed=s).test_images) for s in (0, 0, 1))
    assert first == again != other


def test_hold_out_test_returns_existing_test_split():
    data = make_data([10, 10])
    data = make_data([10, 10], test_images=data.train_images, test_labels=data.train_labels)
    assert hold_out_test(data, seed=0) is data


@pytest.mark.parametrize("counts", [[2, 2], [2, 100], [1, 1, 1]])
def test_hold_out_test_rejects_too_few_images(counts):
    with pytest.raises(DataError, match=rf"{sum(counts)} images of {len(counts)} classes, {min(counts)} of"):
        hold_out_test(make_data(counts), seed=0)


def test_hold_out_test_accepts_seven_images_per_class():
    # As the error for too few images advises.
    for n_classes in range(2, 11):
        split = hold_out_test(make_data([7] * n_classes), seed=0)
        assert set(split.test_labels) == set(range(n_classes))

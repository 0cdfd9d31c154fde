"""Validation split of an estimator: copies of images."""

import numpy as np
import torch

from skconv.estimators.splitting import hold_out
from skconv.training.batches import ImageDataset


def split(numbers, labels, fraction, positions=None):
    """Return the numbers, one per image, of the training and of the validation images."""
    images = torch.as_tensor(numbers, dtype=torch.uint8)[:, None, None, None]
    dataset = ImageDataset(images, torch.as_tensor(labels), None, positions)
    parts = hold_out(dataset, fraction, np.random.RandomState(0))
    return [images[part.positions].ravel().tolist() for part in parts]


def test_copies_are_in_the_same_split():
    numbers = np.random.default_rng(0).permutation(200) // 2
    train, valid = split(numbers, numbers % 2, 0.2)
    assert len(valid) == 40 and len(set(valid)) == 20 and not set(valid) & set(train)


def test_copies_of_images_that_are_not_used_are_ignored():
    numbers = np.arange(40) // 2
    train, valid = split(numbers, numbers % 2, 0.2, torch.arange(1, 40, 2))
    assert sorted(train + valid) == list(range(20)) and len(valid) == 4


def test_equal_images_of_two_classes_are_not_copies():
    train, valid = split(np.arange(40) // 2, np.arange(40) % 2, 0.25)
    assert len(valid) == 10 and set(valid) & set(train)


def test_a_class_of_copies_is_split_like_different_images():
    numbers, labels = np.r_[np.arange(40), np.full(10, 50)], np.r_[np.arange(40) % 2, np.full(10, 2)]
    train, valid = split(numbers, labels, 0.3)
    assert 50 in train and 50 in valid

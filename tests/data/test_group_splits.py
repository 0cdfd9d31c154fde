"""Held-out images and folds of data with groups."""

from dataclasses import replace

import numpy as np
import pytest

from skconv.data.dataset import Dataset
from skconv.data.group_splits import describe_groups, describe_shared, join_groups, split_group_folds
from skconv.data.groups import ImageGroups
from skconv.data.splitting import find_dependent, find_separable, hold_out_test, hold_out_validation


def _make(labels, groups) -> Dataset:
    """Return a data set of different images with labels and groups."""
    labels = np.array(labels)
    images = np.zeros((len(labels), 8, 8), np.uint8)
    images[:, 0, 0] = np.arange(len(labels))
    names = tuple(f"{position}.png" for position in range(len(labels)))
    by_name = dict(zip(names, map(str, groups), strict=True))
    return Dataset("data", images, labels, ("a", "b"), names=names, groups=ImageGroups(by_name, "the column 'patient'"))


def _split_codes(dataset: Dataset) -> tuple[set[int], set[int]]:
    codes = dataset.groups.encode(dataset.list_names()).tolist()
    return set(codes[: len(dataset.train_labels)]), set(codes[len(dataset.train_labels) :])


@pytest.mark.parametrize("is_mixed", [False, True])
def test_held_out_images_are_of_other_groups(is_mixed):
    groups = np.arange(200) // 5
    labels = np.arange(200) % 2 if is_mixed else groups % 2
    dataset = hold_out_test(_make(labels, groups), seed=0)
    train, test = _split_codes(dataset)
    assert not train & test
    assert set(dataset.test_labels) == {0, 1} and 20 <= len(dataset.test_labels) <= 40
    train, valid = ({each.groups.by_name[name] for name in each.list_names()[: len(each.train_labels)]}
                    for each in hold_out_validation(dataset, seed=0))  # fmt: skip
    assert valid and not train & valid


def test_hold_out_test_warns_of_too_few_groups():
    with pytest.warns(UserWarning, match=r"column 'patient', but a class has fewer than 3 groups"):
        dataset = hold_out_test(_make([0] * 20 + [1] * 20, [0] * 10 + [1] * 10 + list(range(2, 22))), seed=0)
    assert dataset.groups is None and len(dataset.test_labels) == 6


def test_join_groups_joins_groups_that_share_a_copy():
    dataset = _make([0] * 6 + [1] * 6, [0, 0, 1, 1, 2, 2, *range(3, 9)])
    first = np.arange(12)
    assert join_groups(dataset, first).tolist()[:6] == [0, 0, 2, 2, 4, 4]
    first[3] = 1  # an image of group 1 is a copy of one of group 0
    assert join_groups(dataset, first).tolist()[:6] == [0, 0, 0, 0, 4, 4]
    assert join_groups(replace(dataset, groups=None), first) is first


def test_find_dependent_ignores_groups_that_cannot_be_held_out():
    labels = [0] * 6 + [1] * 6
    assert find_dependent(_make(labels, [0] * 6 + [1] * 6)).tolist() == list(range(12))
    assert find_dependent(_make(labels, np.arange(12) // 2)).tolist() == [0, 0, 2, 2, 4, 4, 6, 6, 8, 8, 10, 10]


def test_split_group_folds_needs_training_images_of_each_class():
    labels, groups = np.arange(60) % 2, np.arange(60) // 6
    folds = split_group_folds(labels, groups, 5, seed=0)
    assert len(folds) == 5 and not any(set(groups[train]) & set(groups[part]) for train, part in folds)
    assert split_group_folds(labels, labels, 2, seed=0) == []
    assert split_group_folds(labels, groups, 20, seed=0) == []


def test_hold_out_test_has_images_of_every_class():
    dataset = _make([0] * 60 + [1] * 3, [*np.arange(60) // 5, 20, 21, 22])
    for seed in range(5):
        assert set(hold_out_test(dataset, seed=seed).test_labels) == {0, 1}


def test_copies_do_not_hide_that_groups_are_too_few():
    dataset = _make([0] * 8 + [1] * 8, np.arange(16) // 4)
    assert find_separable(dataset, np.arange(16) // 2 * 2) is None


def test_images_in_groups_of_training_images_are_noted():
    data = _make(np.arange(12) % 2, [0, 0, 1, 1, 2, 2, 0, 3, 3, 1, 2, 3])
    parts = {"train": slice(6), "valid": slice(6, 9), "test": slice(9, 12)}
    splits = {f"{name}_{kind}": getattr(data, f"train_{kind}")[part] for name, part in parts.items() for kind in
              ("images", "labels")}  # fmt: skip
    data = replace(data, **splits)
    note = describe_shared(data)
    assert "1 of 3 validation images and 2 of 3 test images are in groups of training images, by the column" in note
    assert note.endswith("pass --groups none.")
    assert describe_shared(replace(data, groups=replace(data.groups, is_chosen=True))).endswith("to one split.")
    assert describe_shared(replace(data, groups=ImageGroups({"0.png": "0"}, "test"))) is None


def test_groups_of_single_images_are_noted():
    assert "each training image is a group of its own" in describe_groups(_make([0, 1] * 3, range(6)), 6)

"""Batches: completeness, sizes, repeatable order."""

import warnings

import numpy as np
import torch
from hypothesis import given, settings, strategies as st

from skconv.training.batches import BatchIterator, ImageDataset


def numbered(n):
    """Return n images of one pixel; pixel and label are the image's number."""
    return ImageDataset(torch.arange(n, dtype=torch.float32).view(n, 1, 1, 1), torch.arange(n))


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 300), batch_size=st.integers(1, 64), shuffle=st.booleans(), seed=st.integers(0, 2**31))
def test_epoch_contains_every_image_once_in_nearly_equal_batches(n, batch_size, shuffle, seed):
    iterator = BatchIterator(numbered(n), batch_size, shuffle=shuffle, seed=seed)
    batches = list(iterator)
    assert len(batches) == len(iterator)
    sizes = [len(labels) for _, labels in batches]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= (max(batch_size, 3) if shuffle else batch_size)
    assert min(sizes) >= min(n, 2) or not shuffle, "a single image has no batch statistics"
    labels = torch.cat([labels for _, labels in batches])
    assert sorted(labels.tolist()) == list(range(n))
    images = torch.cat([images for images, _ in batches]).flatten()
    assert torch.equal(images.long(), labels)


def test_order_is_a_function_of_seed_and_epoch():
    def order(seed, epochs):
        iterator = BatchIterator(numbered(100), 10, shuffle=True, seed=seed)
        return [torch.cat([labels for _, labels in iterator]).tolist() for _ in range(epochs)]

    first, second = order(3, 2)
    assert first != second and order(3, 2) == [first, second] and order(4, 1) != [first]
    resumed = BatchIterator(numbered(100), 10, shuffle=True, seed=3)
    resumed.epoch = 1
    assert torch.cat([labels for _, labels in resumed]).tolist() == second


def test_max_batches_ends_within_an_epoch():
    iterator = BatchIterator(numbered(100), 10, max_batches=17)
    assert [len(list(iterator)) for _ in range(3)] == [10, 7, 0]


def test_weights_stay_with_their_images():
    weights = torch.linspace(0, 2, 20)
    dataset = ImageDataset(torch.zeros(20, 1, 2, 2), torch.arange(20), weights)
    for inputs, labels in BatchIterator(dataset, 6, shuffle=True):
        assert torch.equal(inputs["sample_weight"], weights[labels])


def test_positions_select_images():
    dataset = ImageDataset(torch.arange(10.0).view(10, 1, 1, 1), torch.arange(10), positions=torch.tensor([7, 2]))
    (images, labels), *rest = BatchIterator(dataset, 4)
    assert not rest and images.flatten().tolist() == [7, 2] and labels.tolist() == [7, 2]


def test_read_only_memory_map_is_accepted(tmp_path):
    np.arange(64, dtype=np.uint8).tofile(tmp_path / "pixels")
    mapped = np.memmap(tmp_path / "pixels", dtype=np.uint8, mode="r", shape=(16, 1, 2, 2))
    with warnings.catch_warnings(action="ignore"):  # torch warns once per process that the array is read-only
        images = torch.from_numpy(mapped)
    batches = [batch for batch, _ in BatchIterator(ImageDataset(images), 5)]
    assert torch.equal(torch.cat(batches).flatten(), torch.arange(64.0))

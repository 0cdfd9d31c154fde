"""Activations of frozen stages: views, positions, memory."""

import pytest
import torch
from torch import nn

from skconv.data import memory
from skconv.training.augmentation import Augmentation
from skconv.training.batches import ImageDataset
from skconv.training.frozen_features import FeatureExtractor, select_share

IMAGES = torch.arange(40 * 16, dtype=torch.uint8).view(40, 1, 4, 4)


def make_extractor(network=None, **settings):
    return FeatureExtractor(network or nn.Flatten(), "cpu", Augmentation(shift=0.4), **settings)


def test_first_view_is_the_image_and_others_depend_on_the_seed():
    images = ImageDataset(IMAGES, torch.arange(40))
    features = make_extractor(seed=1).compute(images, 3)
    assert len(features) == 120 and torch.equal(features.labels, torch.arange(40).repeat(3))
    views = features.images.view(3, 40, 16)
    assert torch.equal(views[0], IMAGES.flatten(1).float())
    assert not any(torch.equal(views[one], views[other]) for one, other in ((0, 1), (0, 2), (1, 2)))
    assert torch.equal(make_extractor(seed=1).compute(images, 3).images, features.images)
    assert not torch.equal(make_extractor(seed=2).compute(images, 3).images, features.images)


def test_repeated_images_are_computed_once_and_weights_are_retained():
    calls = []
    network = nn.Flatten()
    network.register_forward_hook(lambda module, inputs, output: calls.append(len(output)))
    images = ImageDataset(IMAGES, torch.arange(40), torch.arange(40.0), torch.tensor([7, 3, 7, 39]))
    features = make_extractor(network).compute(images, 2)
    assert sum(calls) == 6 and len(features) == 8
    rows, labels = features[torch.arange(8)]
    assert labels.tolist() == [7, 3, 7, 39] * 2 and rows["sample_weight"].tolist() == [7, 3, 7, 39] * 2
    assert torch.equal(rows["images"][:4], IMAGES[[7, 3, 7, 39]].flatten(1).float())


def test_large_features_are_memory_mapped(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    images = ImageDataset(IMAGES)
    expected = make_extractor().compute(images, 2).images
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    with pytest.warns(UserWarning, match="features of 80 images need .* temporary file"):
        mapped = make_extractor().compute(images, 2).images
    assert torch.equal(mapped, expected)


def test_maps_are_half_precision_and_finite():
    features = make_extractor(nn.Hardtanh(0, 1e6)).compute(ImageDataset(IMAGES.float() * 1000))
    assert features.images.dtype == torch.float16 and features.images.isfinite().all()


def test_images_are_contiguous():
    formats = []
    network = nn.Flatten()
    network.register_forward_pre_hook(lambda module, inputs: formats.append(inputs[0].is_contiguous()))
    make_extractor(network).compute(ImageDataset(IMAGES.view(-1, 2, 4, 4)))  # channels_last is unsafe for some networks
    assert all(formats) and formats


def test_select_share_returns_distinct_images_of_the_data_set():
    images = ImageDataset(IMAGES, positions=torch.arange(10, 30))
    chosen = select_share(images, 0.5, seed=0).positions.tolist()
    assert len(set(chosen)) == 10 and set(chosen) <= set(range(10, 30))
    assert select_share(images, 1.0, seed=0) is images

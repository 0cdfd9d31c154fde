from contextlib import nullcontext

import numpy as np
import pytest
import torch
from torch import nn

from skconv.networks import create_network
from skconv.networks.blocks import single_view
from skconv.networks.custom import wrap_module
from skconv.networks.ensemble import EnsembleNetwork
from skconv.networks.ood_score import MahalanobisDistance, OodScore, describe_pixels, record_features


def make_vectors(n, d, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    scales = torch.linspace(0.5, 2, d)
    return 3 * labels[:, None] + scales * torch.randn(n, d, generator=generator), labels


def test_mahalanobis_distance_is_that_to_the_nearest_class_mean():
    vectors, labels = make_vectors(3000, 5)
    means = np.stack([vectors[labels == k].mean(0).numpy() for k in range(3)])
    within = vectors.numpy() - means[labels]
    differences = vectors.numpy()[:, None] - means
    covariance = np.cov(within.T) + 0.01 * np.var(vectors.numpy(), axis=0).mean() * np.eye(5)
    expected = np.einsum("nkd,de,nke->nk", differences, np.linalg.inv(covariance), differences).min(1)
    found = MahalanobisDistance.fit(vectors, labels)(vectors).numpy()
    np.testing.assert_allclose(found, expected, rtol=0.01, atol=0.01)


def test_mahalanobis_distance_grows_in_directions_outside_its_subspace():
    vectors, labels = make_vectors(400, 100)
    vectors[:, 60:] = 0  # such as features that are 0 for all training images
    distance = MahalanobisDistance.fit(vectors, labels)
    assert distance.basis.shape == (100, 64)
    moved = vectors[:50].clone()
    moved[:, 90] = 3
    assert float((distance(moved) - distance(vectors[:50])).min()) > 100


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 1, 9), (3, 2, 1), (1, 8, 8), (3, 33, 20)])
def test_statistics_of_images_of_any_size_are_those_of_normalized_images(shape):
    images = torch.randint(0, 256, (4, *shape), generator=torch.Generator().manual_seed(0)).float()
    statistics = describe_pixels(images, shape, 100.0, 50.0)
    assert statistics.isfinite().all()
    torch.testing.assert_close(statistics, describe_pixels((images - 100) / 50, shape, 0.0, 1.0), rtol=1e-3, atol=1e-3)
    constant = describe_pixels(torch.zeros(1, *shape), shape, 0.0, 1.0)
    assert constant.isfinite().all()


def test_features_are_the_input_of_the_last_linear_layer_of_any_network():
    images = torch.rand(4, 1, 28, 28)
    module = wrap_module(
        nn.Sequential(nn.Flatten(), nn.Linear(784, 7), nn.ReLU(), nn.Linear(7, 3)),
        in_channels=1,
        image_size=(28, 28),
        num_classes=3,
    )
    convolutional = wrap_module(
        nn.Sequential(nn.Conv2d(1, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        in_channels=1,
        image_size=(28, 28),
        num_classes=3,
    )
    member = create_network("fast", in_channels=1, image_size=(28, 28), num_classes=3, crop=2)
    for network, n_features in ((module, 7), (convolutional, 3), (EnsembleNetwork([member, member]), 256)):
        network.eval()
        with record_features(network) as recorder:
            network(images)
            features, logits = recorder.take()
        assert (features.shape, logits.shape) == ((4, n_features), (4, 3))
        assert not any(each._forward_pre_hooks for each in network.modules())


@pytest.mark.parametrize(
    ("network", "n_views"),
    [
        ({"name": "residual", "tta": "flip-shift", "width": 4}, 10),
        ({"name": "residual", "tta": "flip", "width": 4}, 2),
        ("accurate", 7),
        ("wide", 10),
        ({"name": "fast", "crop": 2}, 5),
        ("fast", 1),
    ],
)
def test_features_and_logits_of_many_views_are_those_without_test_time_augmentation(network, n_views):
    options = {"name": network} if isinstance(network, str) else network
    network = create_network(**options, in_channels=1, image_size=(28, 28), num_classes=3).eval()
    images, recorded = torch.rand(4, 1, 28, 28), []
    assert network.n_views == n_views
    for context in (nullcontext(), single_view(network)):
        with context, record_features(network) as recorder:
            network(images)
            recorded.append(recorder.take())
    assert network.n_views == n_views
    (features, logits), (expected_features, expected_logits) = recorded
    torch.testing.assert_close(features, expected_features, rtol=1e-5, atol=1e-6)
    assert torch.allclose(logits, expected_logits, rtol=1e-5, atol=1e-6) == (n_views != 2)


class Keyword(nn.Module):
    """A module that passes the input of its last layer by keyword."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(784, 7), nn.Linear(7, 3)

    def forward(self, images):
        return self.last(input=self.first(images.flatten(1)).relu())


class Wide(nn.Module):
    """A module whose last layer has many inputs."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(784, 8), nn.Linear(2**15 + 8, 3)

    def forward(self, images):
        return self.last(self.first(images.flatten(1)).repeat(1, 2**12 + 1))


@pytest.mark.parametrize("module", [Keyword, Wide])
def test_features_are_the_logits_if_the_last_layer_has_no_usable_input(module):
    network = wrap_module(module(), in_channels=1, image_size=(28, 28), num_classes=3).eval()
    with record_features(network) as recorder:
        network(torch.rand(4, 1, 28, 28))
        features, logits = recorder.take()
    assert features is logits


def test_score_of_constant_images_and_equal_probabilities_is_finite():
    images, labels = torch.zeros(20, 1, 4, 4), torch.arange(20) % 2
    score = OodScore.fit(images, torch.zeros(20, 3), labels)
    score.standardize(score.measure(images, torch.zeros(20, 3), torch.zeros(20, 2)))
    assert score(images, torch.zeros(20, 3), torch.zeros(20, 2)).isfinite().all()

"""Integrated gradients, against what can be reckoned by hand and what the method promises."""

import sys

import numpy as np
import pytest
import torch

from skconv.exceptions import DataError, ParameterError
from skconv.networks import create_network

pytest.importorskip("captum")

from skconv.evaluation.attributions import integrate_gradients


class LooksAtCorner(torch.nn.Module):
    """Two classes; the first is the surer the brighter the upper left pixels."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(0.01))

    def forward(self, images):
        logit = self.weight * images[:, :, :3, :3].mean((1, 2, 3))
        return torch.stack([logit, -logit], 1)


@pytest.fixture
def image():
    image = np.zeros((12, 10), np.uint8)
    image[:3, :3] = image[8:, 6:9] = 200
    return image


def test_only_what_the_network_looks_at_counts_and_all_of_it_adds_up(image):
    added = integrate_gradients(LooksAtCorner(), image, 0)
    assert added.shape == (12, 10)
    assert not added[3:].any()
    whole = 1 / (1 + np.exp(-2 * 0.01 * 200)) - 0.5  # the blank image gives one half
    np.testing.assert_allclose(added[:3, :3], whole / 9, rtol=1e-4)
    np.testing.assert_allclose(integrate_gradients(LooksAtCorner(), image, 1), -added, atol=1e-7)


@pytest.mark.parametrize("channels", [1, 3])
def test_sum_is_what_the_image_has_over_a_blank_one(channels):
    torch.manual_seed(0)
    network = create_network("standard", in_channels=channels, image_size=(28, 28), num_classes=4).eval()
    image = np.random.default_rng(0).integers(0, 256, (28, 28, channels), dtype=np.uint8)
    image[[0, -1]] = image[:, [0, -1]] = 30
    both = torch.from_numpy(np.stack([image, np.full_like(image, 30)])).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        whole, blank = network(both).softmax(1)[:, 2].tolist()
    assert abs(whole - blank) > 1e-3
    given = image[..., 0] if channels == 1 else image
    assert integrate_gradients(network, given, 2, steps=200).sum() == pytest.approx(whole - blank, rel=0.05)


@pytest.mark.parametrize(
    ("name", "options"),
    [("accurate", {}), ("ensemble", {"network": "accurate", "members": 2})],
    ids=["one", "ensemble"],
)
def test_a_network_that_stretches_each_image_is_explained_as_one_that_does_not(name, options):
    torch.manual_seed(0)
    network = create_network(name, in_channels=1, image_size=(28, 28), num_classes=4, **options).eval()
    image = np.random.default_rng(0).integers(100, 160, (28, 28), dtype=np.uint8)
    image[[0, -1]] = image[:, [0, -1]] = 100
    image[14, 14] = 180
    both = torch.from_numpy(np.stack([image, np.full_like(image, 100)]))[:, None].float()
    network.input_normalization.fit(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
    network.logit_calibration.scale(300)  # fresh weights tell the two apart by little
    with torch.no_grad():
        whole, blank = network(both).softmax(1)[:, 2].tolist()
    added = integrate_gradients(network, image, 2, steps=200)
    assert added.sum() == pytest.approx(whole - blank, rel=0.05)
    rest = np.delete(np.abs(added).ravel(), 14 * 28 + 14)
    assert abs(added[14, 14]) < 3 * rest.max()  # nothing is laid on the brightest pixel, which only sets the range
    with torch.no_grad():
        assert network(both).softmax(1)[0, 2].item() == whole  # and nothing stays behind


def test_network_is_left_as_it_was(image):
    network = create_network("fast", in_channels=1, image_size=(12, 10), num_classes=2).train()
    integrate_gradients(network, image, 0)
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())


def test_what_cannot_be_explained_is_told(image):
    network = create_network("fast", in_channels=1, image_size=(12, 10), num_classes=2)
    with pytest.raises(DataError, match="one image"):
        integrate_gradients(network, np.zeros((2, 12, 10, 1), np.uint8), 0)
    with pytest.raises(DataError, match="does not take"):
        integrate_gradients(network, np.zeros((12, 10, 3), np.uint8), 0)
    with pytest.raises(ParameterError, match="0 to 1"):
        integrate_gradients(network, image, 2)
    with pytest.raises(ParameterError, match="at least 1"):
        integrate_gradients(network, image, 0, steps=0)


def test_missing_package_is_told_with_how_to_install_it(image, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(ParameterError, match=r"pip install 'skconv\[explain\]'"):
        integrate_gradients(LooksAtCorner(), image, 0)

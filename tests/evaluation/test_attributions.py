import sys

import numpy as np
import pytest
import torch

from skconv.evaluation.attributions import has_captum, integrate_gradients, occlude
from skconv.exceptions import DataError, ParameterError
from skconv.networks import create_network

needs_captum = pytest.mark.skipif(not has_captum(), reason="captum is not installed")


def predict_from_corner(images):
    """Predict from the upper left pixels only."""
    share = images[:, :3, :3].reshape(len(images), -1).mean(axis=1) / 255
    return np.stack([share, 1 - share], axis=1)


def test_occlude_finds_the_relevant_pixels():
    image = np.zeros((12, 10), np.uint8)
    image[:3, :3] = image[8:, 6:9] = 255
    drop = occlude(predict_from_corner, image, 0, patch=3)
    assert drop.shape == (12, 10)
    assert drop[:3, :3].min() > 0
    np.testing.assert_allclose(drop[6:, 6:], 0)


def test_occlude_has_opposite_signs_for_two_classes():
    image = np.zeros((12, 10), np.uint8)
    image[:3, :3] = 255
    np.testing.assert_allclose(occlude(predict_from_corner, image, 0), -occlude(predict_from_corner, image, 1))


def test_occlude_covers_with_the_background_colour():
    image = np.full((8, 8, 3), (200, 10, 30), np.uint8)
    covered = []

    def record(images):
        covered.append(images)
        return np.full((len(images), 2), 0.5)

    assert not occlude(record, image, 0).any()
    assert (covered[0] == image).all()


def test_occlude_needs_no_more_predictions_for_large_images():
    counts = []

    def predict(images):
        counts.append(len(images))
        share = (images[:, 20:100, 20:100] > 0).mean((1, 2))  # of a square that the patches do not divide
        return np.stack([share, 1 - share], axis=1)

    for side in (32, 160):
        image = np.zeros((side, side), np.uint8)
        image[20:100, 20:100] = 255
        drop = occlude(predict, image, 0)
        assert drop.shape == (side, side) and drop[24, 24] > 0
    assert counts[1] <= counts[0] <= 1300
    assert not drop[:, 135:].any()  # too far away for a patch
    inside = drop[50:70, 50:70]
    np.testing.assert_allclose(inside, inside[0, 0])  # also between the steps


@pytest.mark.parametrize("patch", [0, 9])
def test_occlude_refuses_a_patch_larger_than_the_image(patch):
    with pytest.raises(ParameterError, match="1 to 8"):
        occlude(predict_from_corner, np.zeros((9, 8), np.uint8), 0, patch=patch)


def test_occlude_refuses_several_images():
    with pytest.raises(DataError):
        occlude(predict_from_corner, np.zeros((2, 9, 8, 3), np.uint8), 0)


class CornerNetwork(torch.nn.Module):
    """Two classes, with logits proportional to the brightness of the upper left pixels."""

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


@needs_captum
def test_integrated_gradients_sum_over_the_relevant_pixels(image):
    contributions = integrate_gradients(CornerNetwork(), image, 0)
    assert contributions.shape == (12, 10)
    assert not contributions[3:].any()
    whole = 1 / (1 + np.exp(-2 * 0.01 * 200)) - 0.5  # the probability for a blank image is 0.5
    np.testing.assert_allclose(contributions[:3, :3], whole / 9, rtol=1e-4)
    np.testing.assert_allclose(integrate_gradients(CornerNetwork(), image, 1), -contributions, atol=1e-7)


@needs_captum
@pytest.mark.parametrize("channels", [1, 3])
def test_integrated_gradients_sum_to_the_difference_from_a_blank_image(channels):
    torch.manual_seed(0)
    network = create_network("plain", in_channels=channels, image_size=(28, 28), num_classes=4).eval()
    image = np.random.default_rng(0).integers(0, 256, (28, 28, channels), dtype=np.uint8)
    image[[0, -1]] = image[:, [0, -1]] = 30
    both = torch.from_numpy(np.stack([image, np.full_like(image, 30)])).permute(0, 3, 1, 2).float()
    with torch.no_grad():
        whole, blank = network(both).softmax(1)[:, 2].tolist()
    assert abs(whole - blank) > 1e-3
    given = image[..., 0] if channels == 1 else image
    assert integrate_gradients(network, given, 2).sum() == pytest.approx(whole - blank, rel=0.05)


@needs_captum
@pytest.mark.parametrize(
    ("name", "options"),
    [("accurate", {}), ("ensemble", {"network": "accurate", "members": 2})],
    ids=["one", "ensemble"],
)
def test_integrated_gradients_of_a_network_with_contrast_normalization(name, options):
    torch.manual_seed(0)
    network = create_network(name, in_channels=1, image_size=(28, 28), num_classes=4, **options).eval()
    image = np.random.default_rng(0).integers(100, 160, (28, 28), dtype=np.uint8)
    image[[0, -1]] = image[:, [0, -1]] = 100
    image[14, 14] = 180
    both = torch.from_numpy(np.stack([image, np.full_like(image, 100)]))[:, None].float()
    network.input_normalization.fit(torch.tensor([[[[0, 255]]]], dtype=torch.uint8))
    network.logit_calibration.scale(300)  # the outputs of fresh weights hardly differ
    with torch.no_grad():
        whole, blank = network(both).softmax(1)[:, 2].tolist()
    contributions = integrate_gradients(network, image, 2)
    assert contributions.sum() == pytest.approx(whole - blank, rel=0.05)
    rest = np.delete(np.abs(contributions).ravel(), 14 * 28 + 14)
    assert abs(contributions[14, 14]) < 3 * rest.max()  # the brightest pixel only sets the range
    with torch.no_grad():
        assert network(both).softmax(1)[0, 2].item() == whole  # the statistics are restored


@needs_captum
def test_integrate_gradients_restores_mode_and_gradients(image):
    network = create_network("fast", in_channels=1, image_size=(12, 10), num_classes=2).train()
    integrate_gradients(network, image, 0)
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())


@needs_captum
def test_integrate_gradients_refuses_invalid_arguments(image):
    network = create_network("fast", in_channels=1, image_size=(12, 10), num_classes=2)
    with pytest.raises(DataError, match="one image"):
        integrate_gradients(network, np.zeros((2, 12, 10, 1), np.uint8), 0)
    with pytest.raises(DataError, match="do not fit"):
        integrate_gradients(network, np.zeros((12, 10, 3), np.uint8), 0)
    with pytest.raises(ParameterError, match="0 to 1"):
        integrate_gradients(network, image, 2)


@needs_captum
def test_missing_captum_raises_with_the_command_to_install_it(image, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(ParameterError, match=r"pip install 'skconv\[explain\]'"):
        integrate_gradients(CornerNetwork(), image, 0)

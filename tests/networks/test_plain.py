"""Test-time augmentation of the networks `accurate` and `wide`."""

import torch

from skconv.networks import create_network
from skconv.networks.blocks import rotate


def test_accurate_averages_three_rotations_and_five_shifts():
    torch.manual_seed(0)
    images = torch.zeros(2, 1, 28, 28)
    images[:, :, 6:-6, 6:-6] = torch.rand(2, 1, 16, 16)  # empty borders, so that shifts lose no content
    for name in ("accurate", "plain"):
        network = create_network(name, in_channels=1, image_size=(28, 28), num_classes=4).eval()
        network.input_normalization.fit(images)
        inputs = network.input_normalization(images)
        shifted = [torch.roll(inputs, shift, (2, 3)) for shift in ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))]
        single = [network.head(network.blocks(each)) for each in (*shifted, rotate(inputs, 7), rotate(inputs, -7))]
        mean = (torch.stack(single[:5]).mean(0) + single[5] + single[6]) / 3
        torch.testing.assert_close(network(images), mean if name == "accurate" else single[0])
        assert not torch.allclose(mean, single[0], atol=1e-6)


def test_wide_predicts_the_same_for_mirrored_images_in_evaluation_only():
    torch.manual_seed(0)
    images = torch.rand(2, 1, 28, 28)
    network = create_network("wide", in_channels=1, image_size=(28, 28), num_classes=4).eval()
    torch.testing.assert_close(network(images), network(images.flip(3)))
    network.training = True
    assert not torch.allclose(network(images), network(images.flip(3)), atol=1e-6)

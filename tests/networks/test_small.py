"""Test-time augmentation of the network `fast`."""

import torch

from skconv.networks import create_network


def test_fast_averages_five_shifts_in_evaluation_only():
    torch.manual_seed(0)
    network = create_network("fast", in_channels=1, image_size=(28, 28), num_classes=4, crop=2)
    images = torch.rand(3, 1, 28, 28)
    network.eval()
    shifts = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))
    shifted = [torch.roll(images, (-down, -right), (2, 3))[:, :, 2:-2, 2:-2] for down, right in shifts]
    single = [network.head(network.blocks(each)) for each in shifted]
    torch.testing.assert_close(network(images), torch.stack(single).mean(0))
    network.training = True  # its layers stay in evaluation mode
    torch.testing.assert_close(network(images), single[0])

"""`RuntimeModule`: the same output as torch, for any batch size and number of threads."""

import pytest
import torch
from torch import nn

from skconv.model_io.runtime import RuntimeModule, make_runtime_module
from skconv.networks import create_network
from skconv.networks.pretrained import fold_batch_norm


@pytest.mark.parametrize("n_threads", [1, 3])
def test_features_equal_those_of_torch(n_threads):
    torch.manual_seed(0)
    network = create_network("efficientnet-lite0", in_channels=3, image_size=(24, 20), num_classes=2, size=32).eval()
    stages = fold_batch_norm(nn.Sequential(network.input_normalization, *network.stages))
    images = torch.randint(0, 256, (7, 3, 24, 20)).float()
    module = make_runtime_module(stages, images, n_threads)
    assert isinstance(module, RuntimeModule)
    with torch.inference_mode():
        for batch in (images, images[:1], images.contiguous(memory_format=torch.channels_last)):
            expected = stages(batch)
            torch.testing.assert_close(module(batch), expected, atol=1e-4 * float(expected.abs().max()), rtol=1e-4)


class Branching(nn.Module):
    """Module whose operators depend on the values of the images."""

    def forward(self, images):
        return images if images.mean() > 0 else -images


def test_module_that_cannot_be_exported_is_returned():
    module = Branching()
    assert make_runtime_module(module, torch.ones(2, 3, 4, 4)) is module

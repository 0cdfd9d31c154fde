"""`RuntimeModule`: the same output as torch, for any batch size and number of threads."""

import pytest
import torch
from torch import nn

from skconv.model_io.runtime import RuntimeModule
from skconv.networks import create_network
from skconv.networks.pretrained import fold_batch_norm


@pytest.fixture
def set_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_features_equal_those_of_torch(set_threads):
    torch.manual_seed(0)
    network = create_network("efficientnet-lite0", in_channels=3, image_size=(24, 20), num_classes=2, size=32).eval()
    stages = fold_batch_norm(nn.Sequential(network.input_normalization, *network.stages))
    images = torch.randint(0, 256, (7, 3, 24, 20)).float()
    module = RuntimeModule(stages)
    first = module(images[:1])
    assert module.session is not None
    with torch.inference_mode():
        expected = stages(images)
    tolerances = {"atol": 1e-4 * float(expected.abs().max()), "rtol": 1e-4}
    torch.testing.assert_close(first, expected[:1], **tolerances)
    torch.testing.assert_close(module(images.contiguous(memory_format=torch.channels_last)), expected, **tolerances)
    single = module(images)
    set_threads(3)
    assert torch.equal(module(images), single)


class Branching(nn.Module):
    """Module whose operators depend on the values of the images."""

    def forward(self, images):
        return images if images.mean() > 0 else -images


class NoisyOutput(nn.Module):
    """Module whose output differs at every call."""

    def forward(self, images):
        return images + torch.rand_like(images)


class FixedBatch(nn.Module):
    """Module whose graph contains the size of the traced batch."""

    def forward(self, images):
        return torch.cat(images.split(1))


def test_graph_of_a_fixed_batch_is_not_used(set_threads):
    set_threads(1)
    runtime = RuntimeModule(FixedBatch())
    for n in (2, 5):
        assert runtime(torch.ones(n, 3, 4, 4)).shape == (n, 3, 4, 4)


@pytest.mark.parametrize("module", [Branching(), NoisyOutput()])
def test_module_whose_graph_differs_is_computed_by_torch(module):
    runtime, images = RuntimeModule(module), -torch.ones(2, 3, 4, 4)
    assert runtime(images).shape == images.shape
    assert runtime.session is None
    assert runtime(images).mean() > -1

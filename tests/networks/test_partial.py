"""`PartialNetwork`, and the extractor of its input, together compute the logits of the whole network."""

import pytest
import torch

from skconv.networks.partial import PartialNetwork, make_extractor

from ..pretrained_network import TinyPretrained


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = TinyPretrained(in_channels=1, image_size=(8, 8), num_classes=5)
    network.load_pretrained()
    return network.eval()


@pytest.mark.parametrize("n_frozen", range(4))
def test_extractor_and_partial_network_equal_the_network(network, n_frozen):
    images = torch.rand(6, 1, 8, 8) * 255
    activations = make_extractor(network, 0, n_frozen)(images) if n_frozen else images
    partial = PartialNetwork(network, n_frozen).eval()
    torch.testing.assert_close(partial(activations), network(images), rtol=1e-4, atol=1e-5)
    features = activations if n_frozen == 3 else make_extractor(network, n_frozen, 3)(activations)
    assert features.shape == (6, 16 * 9)  # includes pooling and flattening, but not dropout
    torch.testing.assert_close(PartialNetwork(network, 3).eval()(features), network(images), rtol=1e-4, atol=1e-5)


def test_training_mode_affects_the_head_only(network):
    partial = PartialNetwork(network.train(), 1)
    assert partial.head.training and not any(module.training for module in partial.stages.modules())
    before = {name: tensor.clone() for name, tensor in partial.stages.state_dict().items()}
    partial(torch.rand(8, 16, 12, 12))
    assert all(torch.equal(before[name], tensor) for name, tensor in partial.stages.state_dict().items())

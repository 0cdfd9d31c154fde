import numpy as np
import pytest
import torch

from skconv.evaluation.features import collect_features, find_nearest
from skconv.exceptions import DataError
from skconv.networks import create_network, list_networks


def test_features_are_the_input_of_the_last_linear_layer(make_network, sample):
    network = make_network().train()
    images = sample[:20, 0]
    features = collect_features(network, images)
    assert network.training
    linear = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
    network.eval()
    with torch.no_grad():
        inputs = []
        hook = linear.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
        network(torch.from_numpy(images[:, None].astype(np.float32)))
        hook.remove()
    np.testing.assert_allclose(features, inputs[0].flatten(1).numpy(), atol=1e-5)


@pytest.mark.parametrize("name", [name for name in list_networks() if name != "ensemble"])
def test_every_network_has_features(name):
    size = {"t1-usps-skorch": (16, 16)}.get(name, (28, 28))
    network = create_network(name, in_channels=1, image_size=size, num_classes=10)
    features = collect_features(network, np.zeros((3, *size), np.uint8))
    assert features.shape[0] == 3
    assert features.ndim == 2


def test_images_of_another_size_are_refused(make_network):
    with pytest.raises(DataError, match="size"):
        collect_features(make_network(), np.zeros((2, 3, 3), np.uint8))


def test_nearest_is_sorted_by_cosine_distance():
    features = np.array([[1.0, 1.0], [10.0, 0.0], [-1.0, 0.0]])
    positions, distances = find_nearest(features, np.array([1.0, 0.0]), 3)
    assert positions.tolist() == [1, 0, 2]
    np.testing.assert_allclose(distances, [0, 1 - 2**-0.5, 2], atol=1e-9)


def test_zero_features_have_distance_one():
    _, distances = find_nearest(np.zeros((1, 2)), np.array([1.0, 0.0]), 1)
    assert distances.tolist() == [1.0]

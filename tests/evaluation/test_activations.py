import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skconv.evaluation.activations import (
    collect_activations,
    collect_features,
    filters_on_pixels,
    find_nearest,
)
from skconv.exceptions import DataError, ParameterError
from skconv.networks import create_network, list_networks
from skconv.networks.ensemble import first_member

from ..small_networks import list_small_options


def make_network(name, *, in_channels=1, image_size=(28, 28), **options):
    torch.manual_seed(0)
    network = create_network(name, in_channels=in_channels, image_size=image_size, num_classes=4, **options)
    network.input_normalization.fit(torch.randint(0, 256, (50, in_channels, *image_size)))
    return network.eval()


def make_image(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def to_batch(image):
    return torch.from_numpy(np.moveaxis(np.atleast_3d(image), 2, 0)[None].astype(np.float32))


@pytest.mark.parametrize("name", list_networks())
@pytest.mark.parametrize("shape", [(28, 28), (12, 10, 3), (1, 5)])
def test_every_network_has_a_map_per_filter_of_each_convolution(name, shape):
    options = list_small_options(name)
    network = make_network(name, in_channels=3 if len(shape) == 3 else 1, image_size=shape[:2], **options)
    layers = collect_activations(network, make_image(*shape))
    convolutions = {
        name: module for name, module in first_member(network).named_modules() if isinstance(module, nn.Conv2d)
    }
    assert [layer.name for layer in layers] == list(convolutions)
    for layer in layers:
        weight = convolutions[layer.name].weight.detach().numpy()
        np.testing.assert_array_equal(layer.kernel, weight)
        assert layer.maps.ndim == 3 and len(layer.maps) == len(weight) and layer.maps.dtype == np.float32
        assert np.isfinite(layer.maps).all() and layer.maps.std() > 0


def test_maps_are_the_outputs_of_the_convolutions():
    network, image = make_network("plain"), make_image(28, 28)
    layers = collect_activations(network, image)
    with torch.no_grad():
        features = network.input_normalization(to_batch(image))
        for layer, block in zip(layers, network.blocks, strict=True):
            expected = F.conv2d(features, block[0].weight, padding=block[0].padding)[0]
            np.testing.assert_allclose(layer.maps, expected.numpy(), atol=1e-4)
            features = block(features)


def test_maps_include_the_bias_and_precede_an_in_place_relu():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 6, 3, stride=2), nn.ReLU(inplace=True))
    image = make_image(9, 9)
    (layer,) = collect_activations(network, image)
    expected = F.conv2d(to_batch(image), network[0].weight, network[0].bias, stride=2)[0].detach().numpy()
    np.testing.assert_allclose(layer.maps, expected, rtol=1e-4, atol=1e-3)
    assert expected.min() < 0


def test_maps_of_a_network_with_crops_are_those_of_the_first_crop():
    network, image = make_network("fast", crop=2), make_image(28, 28)
    with torch.no_grad():
        half = network.blocks[0](network.input_normalization(to_batch(image))[:, :, 2:26, 2:26])
        expected = network.blocks[1][0](half)[0].numpy()
    np.testing.assert_allclose(collect_activations(network, image)[0].maps, expected, atol=1e-5)


def test_maps_of_an_ensemble_are_those_of_its_first_member():
    ensemble, image = make_network("ensemble", members=2, network="t4_narrow"), make_image(28, 28)
    assert first_member(ensemble) is ensemble.members[0]
    for layer, expected in zip(
        collect_activations(ensemble, image), collect_activations(ensemble.members[0], image), strict=True
    ):
        assert layer.name == expected.name
        np.testing.assert_array_equal(layer.maps, expected.maps)


@pytest.mark.parametrize(("name", "channels"), [("fast", 1), ("fast", 3), ("accurate", 1), ("plain", 3)])
def test_filters_on_pixels_reproduce_the_first_maps(name, channels):
    network = make_network(name, in_channels=channels, image_size=(24, 26))
    image = make_image(24, 26) if channels == 1 else make_image(24, 26, 3)
    layer = collect_activations(network, image)[0]
    filters = filters_on_pixels(network, layer.kernel)
    assert filters.shape[1] == channels
    stride = filters.shape[2] // layer.kernel.shape[2]
    with torch.no_grad():
        expected = F.conv2d(network.input_normalization(to_batch(image)), torch.from_numpy(filters), stride=stride)[
            0
        ].numpy()
    np.testing.assert_allclose(layer.maps, expected, atol=1e-5)


def test_collect_activations_restores_mode_and_hooks():
    network, image = make_network("fast"), make_image(28, 28)
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    first = collect_activations(network, image)
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())
    np.testing.assert_array_equal(collect_activations(network, image)[-1].maps, first[-1].maps)


@pytest.mark.parametrize("shape", [(40, 28), (28, 28, 3), (28,), (1, 28, 28, 1)])
def test_image_of_another_shape_is_refused(shape):
    network = make_network("t1_skorch")
    with pytest.raises(DataError, match="shape"):
        collect_activations(network, make_image(*shape))
    assert not any(module._forward_hooks for module in network.modules())


def test_network_without_convolution_is_refused():
    with pytest.raises(ParameterError, match="no convolution"):
        collect_activations(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), make_image(2, 2))


def test_features_are_the_input_of_the_last_linear_layer():
    network = make_network("fast").train()
    images = make_image(20, 28, 28)
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
    network = create_network(name, in_channels=1, image_size=size, num_classes=10, **list_small_options(name))
    features = collect_features(network, np.zeros((3, *size), np.uint8))
    assert features.shape[0] == 3
    assert features.ndim == 2


def test_features_of_images_of_another_size_are_refused():
    with pytest.raises(DataError, match="size"):
        collect_features(make_network("fast"), np.zeros((2, 3, 3), np.uint8))


def test_nearest_is_sorted_by_cosine_distance():
    features = np.array([[1.0, 1.0], [10.0, 0.0], [-1.0, 0.0]])
    positions, distances = find_nearest(features, np.array([1.0, 0.0]), 3)
    assert positions.tolist() == [1, 0, 2]
    np.testing.assert_allclose(distances, [0, 1 - 2**-0.5, 2], atol=1e-9)


def test_zero_features_have_distance_one():
    _, distances = find_nearest(np.zeros((1, 2)), np.array([1.0, 0.0]), 1)
    assert distances.tolist() == [1.0]

"""Networks of the tutorials: layers, parameters and input ranges as published."""

import pytest
import torch
from torch import nn

from skconv.networks import create_network
from skconv.tutorials.networks import RangeNormalization

# Image sizes of the tutorials.
SIZES = {
    "t1_skorch": (16, 16),
    "t2_sequential": (28, 28),
    "t3_strided": (28, 28),
    "t4_narrow": (28, 28),
    "t5_average_pooling": (28, 28),
}


def make(name, image_size=None, in_channels=1):
    torch.manual_seed(0)
    return create_network(name, in_channels=in_channels, image_size=image_size or SIZES[name], num_classes=10)


# Weights and biases per layer, counted by hand; a batch norm has two values per channel.
COUNTS = {
    "t1_skorch": [9 * 32 + 32, 9 * 32 * 64 + 64, 9 * 64 * 128 + 128, 2048 * 256 + 256, 256 * 10 + 10],
    "t2_sequential": [
        *(9 * 5 + 5, 9 * 5 * 10 + 10, 2 * 10, 9 * 10 * 20 + 20, 2 * 20, 9 * 20 * 40 + 40, 2 * 40),
        *(1960 * 200 + 200, 200 * 500 + 500, 500 * 10 + 10),
    ],
    "t3_strided": [
        *(9 * 32 + 32, 2 * 32, 9 * 32 * 32 + 32, 2 * 32),
        *(9 * 32 * 64 + 64, 2 * 64, 9 * 64 * 64 + 64, 2 * 64),
        *(9 * 64 * 128 + 128, 2 * 128, 128 * 10 + 10),
    ],
    "t4_narrow": [9 * 4 + 4, 2 * 4, 9 * 4 * 4 + 4, 2 * 4, 196 * 10 + 10],
    "t5_average_pooling": [25 * 10 + 10, 25 * 10 * 20 + 20, 500 * 250 + 250, 250 * 100 + 100, 100 * 10 + 10],
}


@pytest.mark.parametrize("name", COUNTS)
def test_layers_have_the_published_number_of_parameters(name):
    network = make(name)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]
    assert [sum(parameter.numel() for parameter in layer.parameters()) for layer in layers] == COUNTS[name]
    assert sum(parameter.numel() for parameter in network.parameters()) == sum(COUNTS[name])


STAGES = {
    "t1_skorch": "conv 32×16×16, relu, max 32×8×8, conv 64×8×8, relu, max 64×4×4, conv 128×4×4, relu | "
    "flatten, linear 256, relu, dropout 0.2, linear 10",
    "t2_sequential": "conv 5×28×28, relu, conv 10×28×28, max 10×14×14, relu, norm, conv 20×14×14, relu, norm, "
    "conv 40×14×14, max 40×7×7, relu, norm | "
    "flatten, linear 200, relu, dropout 0.5, linear 500, relu, linear 10",
    "t3_strided": "conv 32×28×28, relu, norm, conv 32×14×14, relu, norm, max 32×7×7, dropout 0.25, "
    "conv 64×7×7, relu, norm, conv 64×4×4, relu, norm, max 64×2×2, dropout 0.25, "
    "conv 128×2×2, relu, norm, max 128×1×1, dropout 0.25 | flatten, linear 10",
    "t4_narrow": "conv 4×28×28, norm, relu, max 4×14×14, conv 4×14×14, norm, relu, max 4×7×7 | flatten, linear 10",
    "t5_average_pooling": "conv 10×28×28, relu, average 10×14×14, conv 20×10×10, relu, average 20×5×5 | "
    "flatten, linear 250, relu, linear 100, relu, linear 10",
}


def describe_stages(layers, values):
    """Return the kind and output shape of each layer, and the output of the last."""
    words = []
    for layer in layers:
        values = layer(values)
        shape = "×".join(map(str, values.shape[1:]))
        if isinstance(layer, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d | nn.Linear):
            kinds = {nn.Conv2d: "conv", nn.MaxPool2d: "max", nn.AvgPool2d: "average", nn.Linear: "linear"}
            words.append(f"{kinds[type(layer)]} {shape}")
        elif isinstance(layer, nn.Dropout):
            words.append(f"dropout {layer.p:g}")
        else:
            words.append({nn.ReLU: "relu", nn.BatchNorm2d: "norm", nn.Flatten: "flatten"}[type(layer)])
    return ", ".join(words), values


@pytest.mark.parametrize("name", STAGES)
def test_layers_have_the_published_order_and_shapes(name):
    network = make(name).eval()
    images = torch.rand(2, 1, *SIZES[name])
    features, values = describe_stages(network.features, network.input_normalization(images))
    classifier, logits = describe_stages(network.classifier, values)
    assert f"{features} | {classifier}" == STAGES[name]
    torch.testing.assert_close(network(images), logits)


@pytest.mark.parametrize("name", SIZES)
def test_features_report_the_shape_of_their_output(name):
    for image_size in ((1, 1), (1, 7), (5, 5), (6, 40), (64, 48)):
        network = make(name, image_size, in_channels=3).eval()
        features = network.features(torch.rand(2, 3, *image_size))
        assert features.shape == (2, network.features.channels, *network.features.size)
        assert min(network.features.size) >= 1


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("t1_skorch", 0, 1), ("t2_sequential", -1, 1), ("t4_narrow", 0, 1), ("t5_average_pooling", 0, 1)],
)
def test_pixels_are_mapped_to_the_range_of_the_tutorial(name, low, high):
    network = make(name)
    for minimum, maximum in ((0, 255), (-1, 1)):
        images = torch.rand(8, 1, *SIZES[name]) * (maximum - minimum) + minimum
        images[0, 0, 0, :2] = torch.tensor([minimum, maximum])
        network.input_normalization.fit(images)
        normalized = network.input_normalization(images)
        assert normalized.min() == pytest.approx(low, abs=1e-6)
        assert normalized.max() == pytest.approx(high, abs=1e-6)


def test_t3_normalizes_to_mean_0_and_standard_deviation_1():
    network = make("t3_strided")
    images = torch.randint(0, 256, (50, 1, 28, 28), dtype=torch.uint8)
    network.input_normalization.fit(images)
    normalized = network.input_normalization(images)
    assert normalized.mean() == pytest.approx(0, abs=1e-5) and normalized.std() == pytest.approx(1, abs=1e-3)


def test_range_is_shared_by_the_channels():
    images = torch.zeros(2, 3, 4, 4)
    images[:, 0], images[0, 1, 0, 0] = 100, 200  # a range per channel would change the colours
    layer = RangeNormalization(3, 0, 1)
    layer.fit(images)
    torch.testing.assert_close(layer(images), images / 200)


def test_range_of_constant_images_stays_finite():
    layer = RangeNormalization(1, -1, 1)
    layer.fit(torch.full((3, 1, 2, 2), 7, dtype=torch.uint8))
    assert layer(torch.full((1, 1, 2, 2), 7.0)).isfinite().all()

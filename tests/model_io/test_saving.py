import struct
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from skconv.exceptions import ModelFileError, OutputError
from skconv.model_io import load_weights, read_config, save_model
from skconv.model_io.card import write_card
from skconv.model_io.folder import ONNX_NAME, WEIGHTS_NAME


def test_save_model_round_trip(saved_model, make_config):
    assert {path.name for path in saved_model.iterdir()} == {
        "model.safetensors",
        "model.onnx",
        "config.json",
        "card.md",
    }
    written = read_config(saved_model)
    expected = make_config()
    assert replace(written, files={}, created=expected.created) == expected


def test_load_weights_restores_the_predictions(saved_model, make_network, sample):
    network = make_network()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    load_weights(saved_model, network)
    images = torch.from_numpy(sample[:8]).float()
    with torch.inference_mode():
        assert torch.equal(network.eval()(images), make_network().eval()(images))


def test_save_model_does_not_change_the_network(tmp_path, make_network, make_config, sample, capfd, recwarn):
    network = make_network().to(memory_format=torch.channels_last).train()
    frozen = next(module for module in network.modules() if isinstance(module, torch.nn.BatchNorm2d))
    frozen.eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    save_model(tmp_path / "model", network, make_config(), sample=sample[:1])
    assert network.training and not frozen.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert any(p.dim() == 4 and not p.is_contiguous() for p in network.parameters())
    assert all(parameter.requires_grad for parameter in network.parameters())
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_save_model_writes_a_card(saved_model):
    card = (saved_model / "card.md").read_text(encoding="utf-8")
    for fact in (
        "three, five, eight",
        "CC BY-SA 3.0",
        "ab" * 32,
        "test accuracy: 99.57 %",
        "skconv predict model",
        "torch 2",
        "10×12",
    ):
        assert fact in card


def test_card_shows_accuracy_with_interval_and_split(make_config):
    scores = {"test_accuracy": 0.9957, "test_low": 0.9942, "test_high": 0.9968, "test_n": 10_000, "fit_seconds": 2.5}
    config = make_config(scores=scores)
    data = replace(config.data, scored_on="the test split of mnist")
    lines = write_card(replace(config, data=data), n_parameters=5).splitlines()
    interval = "95 % interval 99.42 to 99.68 %, n = 10,000"
    assert f"- test accuracy: 99.57 % ({interval}), measured on the test split of mnist" in lines
    assert "- fit_seconds: 2.5" in lines and not any("test_" in line for line in lines)
    ensemble = {"out_of_fold_accuracy": 0.9, "out_of_fold_low": 0.8, "out_of_fold_high": 0.95, "out_of_fold_n": 60}
    card = write_card(make_config(scores=ensemble), n_parameters=5)
    assert "- out of fold accuracy: 90.00 % (95 % interval 80.00 to 95.00 %, n = 60)\n" in card
    assert "No scores were measured" in write_card(make_config(scores={}), n_parameters=5)


def test_onnx_contains_no_paths(saved_model):
    content = (saved_model / ONNX_NAME).read_bytes()
    assert b".py" not in content and b"site-packages" not in content


def test_onnx_is_about_as_small_as_the_weights(saved_model):
    assert (saved_model / ONNX_NAME).stat().st_size < 1.2 * (saved_model / WEIGHTS_NAME).stat().st_size


def test_save_model_refuses_a_network_that_diverged(tmp_path, make_network, make_config, sample):
    network = make_network()
    with torch.no_grad():
        next(network.parameters())[0] = float("nan")
    with pytest.raises(ModelFileError, match="lower the learning rate"):
        save_model(tmp_path / "model", network, make_config(), sample=sample)
    assert list(tmp_path.iterdir()) == []


def test_save_model_refuses_another_number_of_classes(tmp_path, make_network, make_config, sample):
    config = make_config(classes=(3, 5), class_names=("three", "five"))
    with pytest.raises(ModelFileError, match=r"has 2 classes"):
        save_model(tmp_path / "model", make_network(), config, sample=sample)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(5, 12, 10), (0, 1, 12, 10), (5, 1, 10, 12)])
def test_save_model_refuses_a_sample_of_another_shape(tmp_path, make_network, make_config, shape):
    with pytest.raises(ModelFileError, match="The sample has shape"):
        save_model(tmp_path / "model", make_network(), make_config(), sample=np.zeros(shape, np.uint8))


def test_save_model_refuses_a_non_empty_folder(tmp_path, make_network, make_config, sample):
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        save_model(tmp_path, make_network(), make_config(), sample=sample)
    assert (tmp_path / "note.txt").read_text() == "mine"


def damage_as_pickle(path):
    torch.save({"weight": torch.zeros(2)}, path)


def damage_header(path):
    path.write_bytes(struct.pack("<Q", 2**62) + b"{}")


def damage_with_nan(path):
    weights = load_file(path)
    name = next(name for name, tensor in weights.items() if tensor.dim() == 4)
    weights[name].view(-1)[0] = float("nan")
    save_file(weights, path)


def damage_shape(path):
    weights = load_file(path)
    name = next(name for name, tensor in weights.items() if tensor.dim() == 4)
    save_file({**weights, name: weights[name].flatten()}, path)


def damage_dtype(path):
    save_file({name: tensor.double() for name, tensor in load_file(path).items()}, path)


def damage_by_leaving_out(path):
    weights = load_file(path)
    weights.popitem()
    save_file(weights, path)


def damage_by_leaving_out_biases(path):
    weights = load_file(path)
    del weights["logit_calibration.biases"]
    save_file(weights, path)


def damage_by_adding(path):
    save_file({**load_file(path), "surprise": torch.zeros(1)}, path)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_as_pickle, "is not a safetensors file"),
        (damage_header, "is not a safetensors file"),
        (lambda path: path.write_bytes(b""), "is not a safetensors file"),
        (lambda path: path.write_bytes(path.read_bytes()[:-8]), "is not a safetensors file"),
        (lambda path: path.unlink(), "is missing"),
        (damage_with_nan, "contains NaN or infinity in"),
        (damage_shape, "the network in config.json has"),
        (damage_dtype, "torch.float64"),
        (damage_by_leaving_out, "lacks"),
        (damage_by_leaving_out_biases, "lacks the tensor 'logit_calibration.biases'"),
        (damage_by_adding, "unknown tensor 'surprise'"),
    ],
)
def test_load_weights_refuses_a_hostile_file_in_one_line(model_copy, make_network, damage, message):
    damage(model_copy / WEIGHTS_NAME)
    network = make_network()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ModelFileError, match=message) as caught:
        load_weights(model_copy, network)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_importing_model_io_does_not_import_torch():
    code = "import sys, skconv.model_io; assert not {'torch', 'onnx', 'onnxruntime', 'sklearn'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)

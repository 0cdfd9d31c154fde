import os
import shutil

import pytest

from skconv.exceptions import ModelFileError, SourceNotFoundError
from skconv.model_io import find_model_folder, read_config
from skconv.model_io.folder import CONFIG_NAME, ONNX_NAME, WEIGHTS_NAME
from skconv.registry import MODELS

FILES = [CONFIG_NAME, ONNX_NAME, WEIGHTS_NAME]


def test_find_model_folder_accepts_a_model_folder_and_a_run_folder(saved_model):
    assert find_model_folder(saved_model) == saved_model
    assert find_model_folder(str(saved_model.parent)) == saved_model


def test_find_model_folder_finds_the_bundled_model_by_name(saved_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()  # a folder of images
    assert find_model_folder("digits") == MODELS.get("digits")
    with pytest.raises(ModelFileError, match="contains no model"):
        find_model_folder("./digits")
    shutil.copytree(saved_model, tmp_path / "digits", dirs_exist_ok=True)
    assert find_model_folder("digits").resolve() == tmp_path / "digits"


def test_bundled_model_is_small_and_intact():
    config = read_config(find_model_folder("digits"))
    assert config.class_names == (*"0123456789", "nothing")
    assert config.input.normalization == "digit" and config.input.shape == (1, 28, 28)
    assert config.files[ONNX_NAME].bytes <= 1_500_000


@pytest.mark.parametrize("suffix", [".pt", ".PKL"])
def test_find_model_folder_refuses_a_pickle_with_the_reason(tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    path.write_bytes(b"\x80\x04.")
    with pytest.raises(ModelFileError, match="can run code") as caught:
        find_model_folder(path)
    assert "\n" not in str(caught.value)


def test_find_model_folder_suggests_the_folder_of_a_file(saved_model):
    with pytest.raises(ModelFileError, match="is a file; expected a run folder") as caught:
        find_model_folder(saved_model / ONNX_NAME)
    assert f"Pass {saved_model}." in str(caught.value)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("photo.JPG", "is an image; expected a run folder .*skconv train DATA --out RUN, then skconv serve RUN"),
        ("table.csv", "is a table; expected a run folder .*skconv serve RUN"),
        ("flowers.onnx", "is a file; .* run folder that the file was exported from"),
    ],
)
def test_find_model_folder_advises_on_a_file(tmp_path, name, advice):
    (tmp_path / name).touch()
    with pytest.raises(ModelFileError, match=advice):
        find_model_folder(tmp_path / name, "skconv serve RUN")


def test_find_model_folder_recognises_the_name_of_a_data_set():
    with pytest.raises(SourceNotFoundError, match=r"no model mnist, only a data set .*; expected a run folder"):
        find_model_folder("mnist")


def test_find_model_folder_suggests_a_similar_folder(tmp_path):
    (tmp_path / "flowers").mkdir()
    (tmp_path / "flowrs.txt").touch()
    with pytest.raises(SourceNotFoundError, match=r"Did you mean '.*flowers/'"):
        find_model_folder(tmp_path / "flowrs")


def test_find_model_folder_names_the_expected_files(tmp_path):
    with pytest.raises(SourceNotFoundError, match=r"there is no such folder.*config\.json"):
        find_model_folder(tmp_path / "nowhere")
    with pytest.raises(ModelFileError, match="contains no model"):
        find_model_folder(tmp_path)


def test_find_model_folder_lists_the_runs_of_several_seeds(tmp_path):
    for seed in range(7):
        (tmp_path / f"seed-{seed}" / "model").mkdir(parents=True)
        (tmp_path / f"seed-{seed}" / "model" / CONFIG_NAME).touch()
    with pytest.raises(ModelFileError, match=r"pass one of them: .*seed-0, .*seed-4 and 2 more\.$"):
        find_model_folder(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_read_config_names_a_missing_file(model_copy, name):
    (model_copy / name).unlink()
    with pytest.raises(ModelFileError, match=f"{name} is missing") as caught:
        read_config(model_copy)
    assert "Copy the model folder again" in str(caught.value)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("position", [0.1, 0.5, 0.9])
def test_read_config_detects_one_altered_byte(model_copy, name, position):
    path = model_copy / name
    content = bytearray(path.read_bytes())
    content[int(position * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=name) as caught:
        read_config(model_copy)
    assert "\n" not in str(caught.value)


def test_read_config_detects_a_truncated_file(model_copy):
    path = model_copy / ONNX_NAME
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match=r"model\.onnx was altered .* expected"):
        read_config(model_copy)


def test_read_config_does_not_block_on_a_pipe(model_copy):
    (model_copy / ONNX_NAME).unlink()
    os.mkfifo(model_copy / ONNX_NAME)
    with pytest.raises(ModelFileError, match="missing"):
        read_config(model_copy)


def test_read_config_refuses_a_config_without_files(model_copy, make_config):
    (model_copy / CONFIG_NAME).write_bytes(make_config().to_bytes())
    with pytest.raises(ModelFileError, match=r"lists the files none; expected model\.safetensors and model\.onnx"):
        read_config(model_copy)


def test_read_config_ignores_additional_files(model_copy):
    shutil.copy(model_copy / "card.md", model_copy / "notes.md")
    assert read_config(model_copy).classes == (3, 5, 8)

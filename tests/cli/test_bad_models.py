"""Bad models, and bad images to predict: exit code 1, one helpful line, no traceback, nothing written."""

import json
import os
import pickle
import shutil

import numpy as np
import pytest
from PIL import Image

from skconv.cli.main import main

from .conftest import check_one_line, write


class Canary:
    """Create a folder when unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize(
    ("command", "suffix"),
    [("evaluate", ".pt"), ("evaluate", ".pkl"), ("evaluate", ".joblib"), ("evaluate", ".pth"), ("predict", ".pkl")],
)
def test_pickle_as_a_model_is_refused_and_not_opened(command, suffix, tmp_path, capsys):
    canary = tmp_path / "canary"
    model = write(tmp_path / f"model{suffix}", pickle.dumps(Canary(canary)))
    check_one_line([command, model, "digits"], [suffix, "pickle"], tmp_path, capsys)
    assert not canary.exists()


# config.json is parsed; the other files are only compared with their sha256.
DAMAGES = [("config.json", damage) for damage in ("missing", "empty", "cut", "altered")]
DAMAGES += [(file, damage) for file in ("model.onnx", "model.safetensors") for damage in ("missing", "altered")]


@pytest.mark.parametrize(("file", "damage"), DAMAGES)
def test_damaged_model_folder_is_refused(file, damage, trained, tmp_path, capsys):
    folder = tmp_path / "model"
    shutil.copytree(trained[0] / "model", folder)
    content = (folder / file).read_bytes()
    if damage == "missing":
        (folder / file).unlink()
    else:
        middle = len(content) // 2
        altered = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        (folder / file).write_bytes({"empty": b"", "cut": content[:-20], "altered": altered}[damage])
    check_one_line(["evaluate", folder, "digits"], [str(folder)], tmp_path, capsys)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda f: write(f / "a.png", "no image"), ["a.png"]),
        (lambda f: write(f / "a.png", ""), ["a.png"]),
        (lambda f: f / "missing.png", ["missing.png"]),
        (lambda f: (f / "none").mkdir() or f / "none", ["none"]),
        (lambda f: write(f / "a.txt", "7"), ["a.txt"]),
    ],
    ids=["no image", "empty file", "missing", "empty folder", "text"],
)
def test_bad_input_to_predict_is_one_line(make, words, trained, tmp_path, capsys):
    arguments = ["predict", trained[0], make(tmp_path), "--out", tmp_path / "predictions.csv"]
    check_one_line(arguments, words, tmp_path, capsys)


@pytest.mark.parametrize(("command", "key"), [(["predict", "digits"], "predictions"), (["read"], "readings")])
def test_broken_image_among_others_is_an_error_record_and_exit_code_1(command, key, tmp_path, capsys):
    Image.fromarray(np.full((60, 60), 250, np.uint8)).save(tmp_path / "a.png")
    write(tmp_path / "b.png", "no image")
    assert main([*command, str(tmp_path), "--json"]) == 1
    streams = capsys.readouterr()
    assert ["error" in each for each in json.loads(streams.out)[key]] == [False, True]
    (line,) = streams.err.splitlines()
    assert line.startswith("Note: 1 of 2 images could not be read. ") and "b.png is not an image" in line


def test_out_that_is_a_pipe_is_refused(trained, tmp_path, capsys):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe.csv")
    arguments = ["predict", trained[0], tmp_path / "a.png", "--out", tmp_path / "pipe.csv"]
    check_one_line(arguments, ["not a regular file"], tmp_path, capsys)

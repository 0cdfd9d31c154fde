"""`skconv explain`, end to end."""

import json
import os
import pickle

import numpy as np
import pytest
from PIL import Image

from skconv.cli.main import main

from .conftest import check_one_line, write


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "digit.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)).save(path)
    return path


def test_explain_prints_one_json_object_and_writes_the_figure(trained, image, tmp_path, capsys):
    out = tmp_path / "maps.png"
    assert main(["explain", str(trained[0]), str(image), "--out", str(out), "--json"]) == 0
    streams = capsys.readouterr()
    record = json.loads(streams.out)
    assert streams.err == ""
    assert set(record) == {"input", "label", "confidence", "layers", "figure", "neighbours"}
    assert record["figure"] == str(out) and out.read_bytes().startswith(b"\x89PNG")
    assert record["layers"][0] == {"name": "blocks.1.0", "maps": 16, "height": 6, "width": 6}


def test_explain_prints_label_layers_and_file(trained, tmp_path, capsys):
    Image.fromarray(np.zeros((20, 20), np.uint8)).save(tmp_path / "large.png")
    out = tmp_path / "maps.png"
    assert main(["explain", str(trained[0]), str(tmp_path / "large.png"), "--out", str(out)]) == 0
    streams = capsys.readouterr()
    assert streams.out.startswith(f"{tmp_path / 'large.png'}: ") and " %)" in streams.out
    assert "blocks.1.0: 16 maps, 6×6" in streams.out and str(out) in streams.out
    assert streams.err.startswith("Note: 1 image was resized to 8×8") and streams.err.count("\n") == 1


def make_pipe(path):
    os.mkfifo(path)
    return path


# name: (image, file to write, words of the message); None for a valid one.
BAD = {
    "not an image": (lambda f: write(f / "a.png", b"no image"), None, ["a.png", "not an image"]),
    "missing image": (lambda f: f / "missing.png", None, ["missing.png"]),
    "text": (lambda f: write(f / "a.txt", b"7"), None, ["a.txt"]),
    "wrong suffix": (None, lambda f: f / "maps.jpeg", ["maps.jpeg", "ends in .png"]),
    "folder that is not there": (None, lambda f: f / "missing" / "maps.png", ["Cannot write", "maps.png"]),
    "path below a file": (None, lambda f: write(f / "file", b"x") / "maps.png", ["Cannot write"]),
    "folder": (None, lambda f: (f / "maps.png").mkdir() or f / "maps.png", ["not a regular file"]),
    "pipe": (None, lambda f: make_pipe(f / "maps.png"), ["not a regular file"]),
    "name too long": (None, lambda f: f / f"{'n' * 300}.png", ["too long"]),
    "the image itself": (None, lambda f: f / "digit.png", ["would be overwritten"]),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_to_explain_is_one_line_and_writes_nothing(name, trained, image, tmp_path, capsys):
    make_image, make_out, words = BAD[name]
    bad_image = make_image(tmp_path) if make_image else image
    out = make_out(tmp_path) if make_out else tmp_path / "maps.png"
    assert check_one_line(["explain", trained[0], bad_image, "--out", out], words, tmp_path, capsys) == []


def test_missing_model_is_one_line(image, tmp_path, capsys):
    arguments = ["explain", tmp_path / "missing", image, "--out", tmp_path / "maps.png"]
    assert check_one_line(arguments, ["No model", "missing"], tmp_path, capsys) == []


def test_explain_refuses_a_pickle(image, tmp_path, capsys):
    model = write(tmp_path / "model.pt", pickle.dumps({}))
    arguments = ["explain", model, image, "--out", tmp_path / "maps.png"]
    assert check_one_line(arguments, ["pickle"], tmp_path, capsys) == []


def test_explain_without_out_is_exit_code_2(trained, image, capsys):
    assert main(["explain", str(trained[0]), str(image)]) == 2
    assert "--out" in capsys.readouterr().err

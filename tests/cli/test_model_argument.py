"""Model passed where a command expects images, and the reverse: one line with the order of the arguments."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from skconv.cli.main import main

from .conftest import check_one_line

IMAGE = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)


def write_image(path):
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(IMAGE).save(path)
    return path


# name: (arguments from run folder, image and folder of images, words of the message)
EXCHANGED = {
    "predict": (lambda run, image, _: ["predict", image, run], ["a.png is not a model", "skconv predict RUN IMAGE"]),
    "predict a folder": (lambda run, _, folder: ["predict", folder, run], ["is not a model", "predict RUN IMAGE"]),
    "evaluate": (lambda run, *_: ["evaluate", "mnist", run], ["mnist is not a model", "skconv evaluate RUN DATA"]),
    "evaluate digits": (lambda run, *_: ["evaluate", "digits", run], ["is a model; expected images", "RUN DATA"]),
    "report": (lambda run, *_: ["report", "mnist", run, "--out", "a.html"], ["mnist is not a model", "report RUN"]),
    "compare": (lambda run, *_: ["compare", "mnist", run, run], ["mnist is not a model", "compare RUN RUN DATA"]),
    "explain": (lambda run, image, _: ["explain", image, run, "--out", "a.png"], ["is not a model", "explain RUN IMA"]),
    "read": (lambda run, image, _: ["read", run, "--model", image], ["is not a model", "read IMAGE --model RUN"]),
    "init-service": (lambda run, *_: ["init-service", "service", run], ["service is not a model", "RUN FOLDER"]),
    "two models": (lambda run, *_: ["predict", run, run], ["is a model; expected images", "predict RUN IMAGE"]),
    "read a run": (lambda run, *_: ["read", run], ["is a model; expected images", "read IMAGE --model RUN"]),
    "read a model": (lambda run, *_: ["read", run / "model"], ["is a model; expected images"]),
    "serve": (lambda _, image, __: ["serve", image], ["a.png is an image", "--out RUN, then skconv serve RUN"]),
    "serve a folder": (lambda *each: ["serve", each[2]], ["contains no model", "then skconv serve RUN"]),
    "export": (lambda _, image, __: ["export", image], ["a.png is an image", "then skconv export RUN"]),
    "read with an image": (
        lambda _, image, __: ["read", image, "--model", image],
        ["a.png is an image; expected a run folder", "skconv read IMAGE --model RUN"],
    ),
}


@pytest.mark.parametrize("name", EXCHANGED)
def test_image_for_a_model_or_model_for_an_image_is_one_line(name, trained, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make, words = EXCHANGED[name]
    image = write_image(tmp_path / "images" / "a.png")
    check_one_line(make(trained[0], image, image.parent), words, tmp_path, capsys)


def test_images_beside_a_model_are_predicted(trained, tmp_path, capsys):
    write_image(tmp_path / "a.png")
    shutil.copytree(trained[0] / "model", tmp_path / "model")
    assert main(["predict", str(tmp_path / "model"), str(tmp_path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["predictions"]) == 1

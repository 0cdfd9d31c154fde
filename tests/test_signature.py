"""Shared keyword options in signatures, and paths that begin with ~."""

import inspect
import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

import skconv
from skconv.cli.main import main
from skconv.data.spec import DataOptions, DataSpec
from skconv.exceptions import ParameterError
from skconv.model_io.checkpoints import CheckpointFolder


def test_signature_lists_shared_options_with_defaults():
    parameters = inspect.signature(skconv.ensemble).parameters
    assert parameters["recipe"].default == "standard"
    assert parameters["image_size"].default is None
    assert inspect.signature(skconv.audit).parameters["recipe"].default == "audit"


def test_unknown_option_is_rejected():
    with pytest.raises(TypeError, match=r"train\(\): .*image_siz.*Did you mean 'image_size'"):
        skconv.train("digits", image_siz=(8, 8))


def test_object_instead_of_a_path_is_an_error_that_names_the_parameter():
    with pytest.raises(ParameterError, match=r"'source' parameter of train.*Got.*ndarray.*CNNClassifier"):
        skconv.train(np.zeros((9, 8, 8)))
    with pytest.raises(ParameterError, match=r"'recipe' parameter of train.*int"):
        skconv.train("digits", recipe=3)
    frame = pd.DataFrame({"file": ["a.png"], "label": ["a"]})
    calls = [(skconv.train,), (skconv.audit,), (skconv.evaluate, "digits"), (skconv.predict, "digits"), (skconv.read,)]
    for function, *others in calls:
        with pytest.raises(ParameterError, match=rf"parameter of {function.__name__}.*DataFrame.*as CSV.*load_images"):
            function(*others, frame)
    with pytest.raises(ParameterError, match=r"model is a CNNClassifier.*classifier\.save"):
        skconv.OnnxClassifier(skconv.CNNClassifier())


def test_data_options_are_fields_of_data_spec():
    types = {each.name: each.type for each in fields(DataSpec)}
    for name, kind in DataOptions.__annotations__.items():
        assert types[name] == kind.__forward_arg__


@pytest.mark.parametrize("name", skconv.__all__)
def test_public_functions_expand_paths(name):
    function = getattr(skconv, name)
    if inspect.isfunction(function) and name != "load_images":  # its paths are any iterable
        kinds = [str(each.annotation) for each in inspect.signature(function).parameters.values()]
        assert hasattr(function, "__wrapped__") or not any("PathLike" in kind for kind in kinds)


@pytest.mark.usefixtures("no_figures")
def test_paths_below_the_home_folder_are_found_and_written(tmp_path, monkeypatch, tiny_recipe):
    home, work = tmp_path / "home", tmp_path / "work"
    for folder in (home / "data", work):
        folder.mkdir(parents=True)
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(home))
    monkeypatch.chdir(work)
    shutil.copy(tiny_recipe, home / "tiny.toml")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(home / "image.png")
    run = "--recipe ~/tiny.toml --out=~/run --data-home ~/data"
    assert main(f"train digits {run}".split()) == 0
    assert main(["predict", "~/run", "~/image.png", "--out", "~/answers.csv"]) == 0
    assert main(["explain", "~/run", "~/image.png", "--out", "~/maps.png"]) == 0
    assert (home / "answers.csv").exists() and (home / "maps.png").exists()
    assert len(skconv.predict(Path("~/run"), ["~/image.png", Path("~/image.png")]).predictions) == 2
    classifier = skconv.CNNClassifier("fast", max_epochs=3, random_state=0, init_from="~/run")
    X, y = load_digits(return_X_y=True)
    classifier.fit(X[:200], y[:200]).save("~/model")
    assert skconv.CNNClassifier.load("~/model").image_shape_ == skconv.OnnxClassifier("~/model").input_shape
    assert CheckpointFolder("~/kept", {}).path == home / "kept"
    assert list(work.iterdir()) == []

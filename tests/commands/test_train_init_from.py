"""`train(init_from=…)`: initialise the weights from a model."""

import json
import tomllib

import pytest

from skconv.cli.main import main
from skconv.commands.evaluate import evaluate
from skconv.commands.train import train
from skconv.exceptions import ModelFileError, ParameterError

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture(scope="module")
def first(tiny_recipe, tmp_path_factory):
    return train("digits", recipe=tiny_recipe, network="t4_narrow", out=tmp_path_factory.mktemp("first") / "run")


def test_init_from_uses_the_network_of_the_model_and_writes_the_recipe(first, tiny_recipe, tmp_path, capsys):
    out = tmp_path / "second"
    arguments = ["train", "digits", "--recipe", str(tiny_recipe), "--init-from", first.folder]
    arguments += ["--freeze-fraction", "0.3"]
    assert main([*arguments, "--out", str(out), "--json"]) == 0  # the same seed holds out the same test images
    streams = capsys.readouterr()
    assert json.loads(streams.out)["test_accuracy"] > first.test_accuracy - 0.05
    assert f"from {first.folder}." in streams.err and "Loaded " in streams.err
    assert "too high" not in streams.err
    recipe = tomllib.loads((out / "recipe.toml").read_text())
    assert recipe["network"] == {"name": "t4_narrow"}
    assert recipe["training"]["init_from"] == first.folder and recipe["training"]["freeze_fraction"] == 0.3


def test_invalid_init_from_raises(first, tiny_recipe, tmp_path):
    with pytest.raises(ParameterError, match=r"name their model in 'init_from' .* pretrained network"):
        train("digits", recipe=tiny_recipe, freeze_fraction=0.5, out=tmp_path / "out")
    with pytest.raises(ModelFileError, match="None of the"):
        train("digits", recipe=tiny_recipe, init_from=first.folder, network="t1_skorch", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_init_from_warns_of_leaked_test_images_and_inherits_fingerprints(first, tiny_recipe, tmp_path):
    with pytest.warns(UserWarning, match=r"trained on \d+ of the 270 test images: the test accuracy will be too high"):
        second = train("digits", recipe=tiny_recipe, init_from=first.folder, seed=1, out=tmp_path / "second")
    scored = evaluate(second.model, "digits")
    assert scored.split == "unseen" and scored.n < 100  # the images that neither model was trained on

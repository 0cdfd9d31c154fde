"""`tune`: from the data to a recipe for `train`."""

import csv
import json
import tomllib

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("optuna")

from skconv.commands.train import train
from skconv.commands.tune import tune
from skconv.data.loading import load_dataset
from skconv.data.splitting import hold_out_test
from skconv.exceptions import OutputError, ParameterError
from skconv.recipes import load_recipe
from skconv.tuning.search_space import apply_settings, make_space


@pytest.fixture(scope="module")
def searched(tiny_recipe, tmp_path_factory):
    return tune("digits", trials=3, fraction=0.4, recipe=tiny_recipe, out=tmp_path_factory.mktemp("tune") / "search")


@pytest.mark.usefixtures("no_figures")
def test_best_recipe_can_be_trained(searched, tmp_path):
    document = tomllib.loads((tmp_path.parent / searched.best_recipe).read_text())
    assert document["data"] == {"source": "digits"} and document["training"]["max_epochs"] == 2
    assert document["training"]["learning_rate"] == pytest.approx(searched.best.settings["learning_rate"], rel=0.01)
    result = train(recipe=searched.best_recipe, out=tmp_path / "run")
    assert result.test_accuracy > 0.5


def test_tune_uses_training_images_only(searched):
    n_train = len(hold_out_test(load_dataset("digits"), seed=0).train_labels)
    assert searched.n_train + searched.n_valid == round(0.4 * n_train)
    assert searched.n_valid == round(0.15 * round(0.4 * n_train))


@pytest.mark.usefixtures("no_figures")
def test_test_images_do_not_change_the_trials(tiny_recipe, tmp_path):
    data = load_dataset("digits")
    X, y = data.train_images[:300], data.train_labels[:300]
    accuracies = []
    for number, X_test in enumerate((X[:50], 255 - X[:50])):
        np.savez(tmp_path / f"{number}.npz", X_train=X, y_train=y, X_test=X_test, y_test=y[:50])
        result = tune(tmp_path / f"{number}.npz", trials=2, recipe=tiny_recipe, out=tmp_path / f"out-{number}")
        accuracies.append([trial.valid_accuracy for trial in result.trials])
    assert accuracies[0] == accuracies[1] and len(accuracies[0]) == 2


def test_folder_has_trials_and_figures(searched, tmp_path):
    folder = tmp_path.parent / searched.folder
    assert {path.name for path in folder.iterdir()} == {
        "best.toml",
        "study.db",
        "trials.csv",
        "trials.png",
        "tune.json",
    }
    rows = list(csv.DictReader((folder / "trials.csv").open()))
    assert [row["number"] for row in rows] == ["0", "1", "2"] and float(rows[0]["learning_rate"]) == 0.01
    record = json.loads((folder / "tune.json").read_text())
    assert record["valid_accuracy"] == searched.best.valid_accuracy and record["command"].startswith("skconv.tune(")
    assert Image.open(folder / "trials.png").size[0] > 500


def test_text_ranks_the_trials_and_ends_with_the_next_command(searched):
    ranked = [trial.valid_accuracy for trial in searched.ranking]
    assert ranked == sorted(ranked, reverse=True)
    assert "no test images" in str(searched)
    assert str(searched).endswith(f"skconv train --recipe {searched.best_recipe}")


def test_tune_continues_a_study_and_prints_each_trial(searched, tiny_recipe, capsys):
    settings = {"fraction": 0.4, "recipe": tiny_recipe, "out": searched.folder}
    more = tune("digits", trials=4, progress=True, **settings)
    assert more.trials[:3] == searched.trials and len(more.trials) == 4
    assert capsys.readouterr().err.splitlines()[-1].startswith("trial 3: ")
    with pytest.raises(ParameterError, match="created with another fraction and seed"):
        tune("digits", trials=4, **{**settings, "fraction": 0.3}, seed=1)


def test_settings_are_rounded_and_flips_unchanged():
    fashion = load_recipe("fashion")
    space = make_space(fashion)
    assert "flip" not in space and space["rotation"].section == "augmentation"
    own = {name: setting.default for name, setting in space.items()}
    changed = apply_settings(fashion, space, {**own, "learning_rate": 0.0123456})
    assert changed.training["learning_rate"] == 0.0123
    assert changed.augmentation == fashion.augmentation


@pytest.mark.parametrize("name", ["t1-usps-skorch", "t3-kaggle-kfold", "digits", "fast", "accurate"])
def test_space_contains_the_values_of_the_recipe(name):
    recipe = load_recipe(name)
    for setting in make_space(recipe).values():
        assert setting.default in setting.choices or setting.low <= setting.default <= setting.high
    own = {key: setting.default for key, setting in make_space(recipe).items()}
    apply_settings(recipe, make_space(recipe), own).create_member()  # raises if a value is out of range


def test_tune_in_another_folder_raises(tiny_recipe, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        tune("digits", trials=1, recipe=tiny_recipe, out=tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trials": 0}, "'trials'"),
        ({"minutes": 0}, "'minutes'"),
        ({"fraction": 1.5}, "'fraction'"),
        ({"seed": -1}, "'seed'"),
    ],
)
def test_invalid_settings_raise(settings, message):
    with pytest.raises(ParameterError, match=message):
        tune("digits", **settings)


def test_missing_optuna_raises_with_the_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ParameterError, match=r"pip install 'skconv\[tune\]'"):
        tune("digits", trials=1)
    with pytest.raises(ParameterError, match="'auto' is for skconv train"):  # optuna would not help
        tune("digits", trials=1, recipe="auto")


@pytest.mark.usefixtures("no_figures")
def test_best_recipe_has_the_data_options_and_seed_of_the_search(tiny_recipe, tmp_path):
    result = tune("digits", trials=1, fraction=0.3, recipe=tiny_recipe, image_size=(9, 7), seed=4, out=tmp_path / "out")
    best = load_recipe(result.best_recipe)
    assert best.data.image_size == (9, 7)
    assert best.seed == 4  # another seed would hold out images that the search was trained on

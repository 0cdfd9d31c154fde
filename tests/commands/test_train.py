"""`train`: result, run folder, seeds, errors."""

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import skconv
from skconv.commands.run_folder import SeedResult
from skconv.commands.train import TrainResult, train
from skconv.exceptions import DataError, OutputError, ParameterError, RecipeError, UnknownNameError

FILES = {
    "confusion.png",
    "curves.png",
    "history.csv",
    "mistakes.csv",
    "mistakes.png",
    "model",
    "precision_recall.png",
    "recipe.toml",
    "roc.png",
    "samples.png",
    "scores.json",
}


def test_run_folder_has_the_documented_files(run):
    assert {path.name for path in Path(run.folder).iterdir()} == FILES
    for path in Path(run.folder).glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_json_has_exactly_the_documented_keys(run):
    record = json.loads(json.dumps(run.to_json()))
    assert set(record) == {"test_accuracy", "fit_seconds", "n_parameters", "n_epochs", "model", "seeds"}
    (seed,) = record["seeds"]
    assert {"seed", "test_accuracy", "low", "high", "fit_seconds", "n_epochs", "model"} <= set(seed)
    assert seed["test_accuracy"] == record["test_accuracy"]
    assert seed["low"] < record["test_accuracy"] < seed["high"]
    assert record["n_epochs"] == 2


def test_accuracy_equals_that_of_the_saved_model_on_the_held_out_images(run):
    from skconv.data.splitting import hold_out_test

    split = hold_out_test(skconv.load_dataset("digits"), seed=0)
    predicted = skconv.OnnxClassifier(run.model).predict_proba(split.test_images).argmax(axis=1)
    assert np.mean(predicted == split.test_labels) == run.test_accuracy
    assert run.test_accuracy > 0.8
    assert run.seeds[0].n == len(split.test_labels) == 270


def test_model_config_records_data_scores_and_command(run):
    config = skconv.OnnxClassifier(run.model).config
    data = config.data
    assert data.fingerprint == skconv.load_dataset("digits").fingerprint
    assert data.n_train == 1797 - 270
    assert config.environment["command"] == "skconv train --test"
    (seed,) = run.seeds
    facts = json.loads((Path(run.folder) / "scores.json").read_text())["test"]
    numbers = {name: value for name, value in facts.items() if isinstance(value, int | float)}
    assert set(numbers) == {
        *("accuracy", "low", "high", "n", "nll", "brier", "ece"),
        *("balanced_accuracy", "macro_f1", "cohen_kappa", "roc_auc", "average_precision"),
    }
    assert config.scores == {f"test_{name}": value for name, value in numbers.items()}
    assert (numbers["accuracy"], numbers["low"], numbers["n"]) == (run.test_accuracy, seed.low, 270)
    assert data.scored_on == "images of digits held out before training"
    assert config.input.pixel_range == (0, 255)


def test_history_has_a_row_per_epoch(run):
    with (Path(run.folder) / "history.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert float(rows[1]["train_loss"]) < float(rows[0]["train_loss"])


def test_scores_file_records_the_run(run):
    facts = json.loads((Path(run.folder) / "scores.json").read_text())
    assert facts["test"]["accuracy"] == run.test_accuracy
    assert facts["seed"] == 0
    assert facts["command"] == "skconv train --test"
    assert facts["data"]["n_train"] == 1797 - 270


def test_recipe_is_copied_unchanged(run, tiny_recipe):
    assert (Path(run.folder) / "recipe.toml").read_text() == tiny_recipe.read_text()


def test_text_has_accuracy_and_folder(run):
    assert f"Test accuracy {100 * run.test_accuracy:.2f} %" in str(run)
    assert run.folder in str(run)


@pytest.mark.usefixtures("no_figures")
def test_several_seeds_write_a_folder_each(tiny_recipe, tmp_path):
    result = train("digits", recipe=tiny_recipe, out=tmp_path / "out", seeds=2, seed=5)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["seed-5", "seed-6"]
    assert result.model == str(tmp_path / "out" / "seed-5" / "model")
    scores = [json.loads((tmp_path / "out" / f"seed-{s}" / "scores.json").read_text()) for s in (5, 6)]
    assert result.test_accuracy == pytest.approx(np.mean([each["test"]["accuracy"] for each in scores]))
    assert scores[0]["test"]["nll"] != scores[1]["test"]["nll"]


def make_seed(seed, accuracy, seconds, class_size_range=(10, 10)):
    interval = accuracy - 0.01, accuracy + 0.01
    settings = 100, seconds, 2, 1000, "fp32", f"m{seed}"
    return SeedResult(seed, accuracy, *interval, *settings, class_size_range, accuracy, 0.8)


def test_result_of_several_seeds_has_mean_median_and_deviation():
    result = TrainResult("d", "r", "f", (make_seed(0, 0.90, 1.0), make_seed(1, 0.96, 9.0), make_seed(2, 0.96, 2.0)))
    record = result.to_json()
    assert record["test_accuracy"] == pytest.approx(0.94)
    assert record["fit_seconds"] == 2.0
    assert record["test_accuracy_sd"] == pytest.approx(np.std([0.90, 0.96, 0.96], ddof=1))
    assert record["model"] == "m0"  # not the best by test accuracy
    assert "mean of 3 seeds" in str(result)


def test_text_has_scores_for_imbalanced_classes():
    assert "alanced" not in str(TrainResult("d", "r", "f", (make_seed(0, 0.5, 1.0),)))
    seeds = tuple(make_seed(seed, accuracy, 1.0, (2, 9)) for seed, accuracy in enumerate((0.5, 0.75)))
    expected = "Balanced accuracy 62.50 %, macro F1 0.8000 (2 to 9 images per class)."
    assert expected in str(TrainResult("d", "r", "f", seeds)).splitlines()


def test_default_folder_has_the_next_free_name(tiny_recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "digits-tiny").mkdir(parents=True)
    result = train(recipe=tiny_recipe, network="fast")
    assert Path(result.folder) == Path("runs/digits-tiny-2")
    assert {path.name for path in Path(result.folder).iterdir()} == FILES
    command = json.loads((Path(result.folder) / "scores.json").read_text())["command"]
    assert command == f"skconv.train(recipe={str(tiny_recipe)!r}, network='fast')"


def test_default_folder_is_reserved_and_removed_on_failure(tiny_recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []

    def fail(*_, **__):
        seen.extend(path.name for path in Path("runs").iterdir())
        raise RuntimeError("diverged")

    monkeypatch.setattr(skconv.CNNClassifier, "fit", fail)
    with pytest.raises(RuntimeError, match="diverged"):
        train(recipe=tiny_recipe)
    assert seen == ["digits-tiny"]
    assert list(tmp_path.iterdir()) == []


def test_train_without_data_raises(tmp_path):
    (tmp_path / "free.toml").write_text('title = "No data"\n')
    with pytest.raises(ParameterError, match="No data source"):
        train(recipe=tmp_path / "free.toml")


@pytest.mark.parametrize("setting", [{"seeds": 0}, {"seeds": 1.5}, {"seeds": True}, {"seed": -1}, {"seed": "0"}])
def test_seed_out_of_range_raises(setting):
    (name,) = setting
    with pytest.raises(ParameterError, match=rf"The '{name}' parameter must be an integer from \d"):
        train("digits", **setting)


def test_unknown_names_raise_before_data_is_read(tmp_path):
    unread = tmp_path / "unread.npz"
    unread.write_text("no archive at all")
    with pytest.raises(UnknownNameError, match=r"Unknown network 'fats'\. Did you mean 'fast'"):
        train(unread, network="fats")
    with pytest.raises(UnknownNameError, match="Unknown recipe 'fats'"):
        train(unread, recipe="fats")


def test_folder_that_is_not_empty_raises_before_data_is_read(tmp_path):
    (tmp_path / "kept.txt").write_text("precious")
    with pytest.raises(OutputError, match="exists and is not empty"):
        train(tmp_path / "missing", out=tmp_path)
    assert (tmp_path / "kept.txt").read_text() == "precious"


def test_recipe_value_out_of_range_raises(tmp_path):
    (tmp_path / "bad.toml").write_text("[training]\nbatch_size = 0\n")
    with pytest.raises(RecipeError, match=r"bad.*batch_size"):
        train("digits", recipe=tmp_path / "bad.toml")


def test_too_few_images_raise_and_write_nothing(tiny_recipe, tmp_path):
    np.savez(tmp_path / "few.npz", X=np.zeros((4, 8, 8), np.uint8), y=np.array([0, 0, 1, 1]))
    with pytest.raises(DataError, match="too few to hold out"):
        train(tmp_path / "few.npz", recipe=tiny_recipe, out=tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["few.npz"]


@pytest.mark.usefixtures("no_figures")
def test_training_with_the_recipe_of_a_run_gives_the_same_model(tiny_recipe, tmp_path):
    digits = skconv.load_dataset("digits")
    rows = np.column_stack([digits.train_images[:300].reshape(300, -1), digits.train_labels[:300]])
    header = ",".join([*(f"pixel{number}" for number in range(64)), "digit"])
    np.savetxt(tmp_path / "digits.csv", rows, "%d", ",", header=header, comments="")
    how = {"label_column": "digit", "image_size": (9, 7), "network": "t4_narrow", "seeds": 2, "seed": 5}
    train(tmp_path / "digits.csv", recipe=tiny_recipe, out=tmp_path / "runs", **how)
    # The test split of both seeds is that of the first seed.
    first = tmp_path / "runs" / "seed-6"
    again = train(recipe=first / "recipe.toml", out=tmp_path / "again")
    for name in ("model/model.safetensors", "recipe.toml"):
        assert (Path(again.folder) / name).read_bytes() == (first / name).read_bytes()
    assert again.test_accuracy == json.loads((first / "scores.json").read_text())["test"]["accuracy"]


@pytest.mark.usefixtures("no_figures")
def test_few_test_images_are_reported_with_the_command_that_uses_all(tmp_path, tiny_recipe):
    data = skconv.load_dataset("digits")
    np.savez(tmp_path / "few.npz", X=data.train_images[:60], y=data.train_labels[:60] % 3)
    with pytest.warns(UserWarning, match=r"has 9 images.*all 51 training images, use skconv cross-validate"):
        result = train(tmp_path / "few.npz", recipe=tiny_recipe, out=tmp_path / "run")
    assert "n = 9" in str(result)


@pytest.mark.parametrize("command", [skconv.train, skconv.ensemble])
def test_missing_package_or_disk_space_is_an_error_before_training(command, tiny_recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("skconv.estimators.CNNClassifier.fit", None)
    monkeypatch.setattr("skconv.estimators.KFoldEnsembleClassifier.fit", None)
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=2**20))
        with pytest.raises(OutputError, match=r"1 MiB free.*need about \d+ MiB"):
            command(recipe=tiny_recipe, out=tmp_path / "out")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ParameterError, match=r"save a model cannot be imported: .*onnx.*pip install"):
        command(recipe=tiny_recipe, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()

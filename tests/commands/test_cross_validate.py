"""`cross_validate`: result, folder, and a test split that is not used."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import skconv
from skconv.commands.cross_validate import CrossValidationResult, FoldResult, cross_validate
from skconv.exceptions import DataError, OutputError, ParameterError, SourceNotFoundError, UnknownNameError

FIGURES = {"confusion.png", "curves.png", "precision_recall.png", "roc.png"}
FILES = FIGURES | {"folds.csv", "out_of_fold.csv", "recipe.toml", "scores.json"}


@pytest.fixture(scope="module")
def run(tiny_recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "digits"
    return cross_validate(folds=3, recipe=tiny_recipe, out=out, command="skconv cross-validate --test")


def test_folder_has_the_documented_files(run):
    assert {path.name for path in Path(run.folder).iterdir()} == FILES
    for path in Path(run.folder).glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_json_has_exactly_the_documented_keys(run):
    record = json.loads(json.dumps(run.to_json()))
    added = {"balanced_accuracy", "macro_f1"}
    assert set(record) == {"accuracy", "accuracy_sd", "n_folds", "folds", "fit_seconds", "folder"} | added
    assert record["n_folds"] == len(record["folds"]) == 3
    assert set(record["folds"][0]) == {
        "fold", "accuracy", "valid_loss", "fit_seconds", "n_epochs", "n_train", "n_valid",
    }  # fmt: skip
    accuracies = [fold["accuracy"] for fold in record["folds"]]
    assert record["accuracy"] == pytest.approx(np.mean(accuracies)) and record["accuracy"] > 0.8
    assert record["accuracy_sd"] == pytest.approx(np.std(accuracies, ddof=1))


def test_folds_partition_the_training_images(run):
    assert (run.n_train, run.n_test) == (1797 - 270, 270)
    assert [fold.n_valid for fold in run.folds] == [509, 509, 509]
    assert all(fold.n_train + fold.n_valid == run.n_train for fold in run.folds)
    assert "1,527 training images; 270 test images were not used" in str(run)


class Stop(Exception):
    """Raised by a replaced `fit`, with its images."""


def test_test_images_of_train_are_not_fitted(tiny_recipe, tmp_path, monkeypatch):
    from skconv.data.splitting import hold_out_test

    def fit(self, X, y, sample_weight=None):
        raise Stop(X)

    monkeypatch.setattr(skconv.KFoldEnsembleClassifier, "fit", fit)
    with pytest.raises(Stop) as stopped:
        cross_validate(folds=2, recipe=tiny_recipe, seed=4, out=tmp_path / "out")
    split = hold_out_test(skconv.load_dataset("digits"), seed=4)
    np.testing.assert_array_equal(stopped.value.args[0], split.train_images)


def test_data_of_a_recipe_is_split_as_in_the_recipe(tiny_recipe, tmp_path, monkeypatch):
    recipe = tmp_path / "split.toml"
    split = 'source = "digits"\ntest_fraction = 0.3\nsplit_seed = 11'
    recipe.write_text(tiny_recipe.read_text().replace('source = "digits"', split))
    sizes = []

    def fit(self, X, y, sample_weight=None):
        sizes.append(len(X))
        raise Stop

    monkeypatch.setattr(skconv.KFoldEnsembleClassifier, "fit", fit)
    for source in (None, "digits"):
        with pytest.raises(Stop):
            cross_validate(source, recipe=recipe, out=tmp_path / "out")
    assert sizes == [1257, 1527]


def test_files_agree_with_the_result(run, tiny_recipe):
    with (Path(run.folder) / "folds.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["accuracy"]) for row in rows] == [fold.accuracy for fold in run.folds]
    facts = json.loads((Path(run.folder) / "scores.json").read_text())
    assert facts["accuracy"] == run.accuracy and facts["command"] == "skconv cross-validate --test"
    assert facts["out_of_fold"]["n"] == run.n_train
    assert facts["out_of_fold"]["accuracy"] == pytest.approx(run.accuracy)  # the folds have the same size
    assert (Path(run.folder) / "recipe.toml").read_text() == tiny_recipe.read_text()


@pytest.mark.usefixtures("no_figures")
def test_loss_is_that_of_the_final_weights(tiny_recipe, tmp_path):
    recipe = tmp_path / "kept.toml"
    recipe.write_text(f'{tiny_recipe.read_text()}restore_best = "valid_loss"\nlearning_rate = 0.3\n')
    result = cross_validate(folds=2, recipe=recipe, out=tmp_path / "out")
    assert result.selected and "optimistic" in str(result)
    assert all(np.isfinite(fold.valid_loss) for fold in result.folds)


@pytest.mark.usefixtures("no_figures")
def test_same_seed_gives_the_same_accuracies(run, tiny_recipe, tmp_path):
    again = cross_validate("digits", folds=3, recipe=tiny_recipe, out=tmp_path / "out")
    assert [fold.accuracy for fold in again.folds] == [fold.accuracy for fold in run.folds]
    text = (tmp_path / "out" / "recipe.toml").read_text()
    assert skconv.load_recipe(tmp_path / "out" / "recipe.toml").data.source == "digits", text


def test_text_has_a_row_per_fold_with_mean_and_deviation():
    folds = tuple(FoldResult(n, accuracy, 0.1 * n, 2.0, 10, 80, 20) for n, accuracy in ((1, 0.9), (2, 1.0)))
    result = CrossValidationResult("d", "r", "f", folds, 5.0, 100, 0, [20, 80], 0.9, 0.91, selected=False)
    lines = str(result).splitlines()
    assert [line.split() for line in lines[3:7]] == [
        ["1", "90.00", "%", "0.1000", "2.0", "10"],
        ["2", "100.00", "%", "0.2000", "2.0", "10"],
        ["mean", "95.00", "%", "0.1500", "2.0", "10"],
        ["sd", "7.07", "%", "0.0707", "0.0", "0"],
    ]
    assert len({len(line) for line in lines[2:7]}) == 1
    assert lines[-2] == "Balanced accuracy 90.00 %, macro F1 0.9100 (20 to 80 images per class)."
    assert lines[-1] == "Accuracy 95.00 % ± 7.07 %. Results in f."
    assert "optimistic" not in str(result)


@pytest.mark.usefixtures("no_figures")
def test_default_folder_has_the_next_free_name(tiny_recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "digits-tiny-folds").mkdir(parents=True)
    result = cross_validate(folds=2, recipe=tiny_recipe)
    assert Path(result.folder) == Path("runs/digits-tiny-folds-2")
    command = json.loads((Path(result.folder) / "scores.json").read_text())["command"]
    assert command == f"skconv.cross_validate(folds=2, recipe={str(tiny_recipe)!r})"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"folds": 1}, ParameterError, "'folds' parameter must be an integer from 2 to 1000"),
        ({"folds": 2.0}, ParameterError, "'folds'"),
        ({"folds": True}, ParameterError, "'folds'"),
        ({"seed": -1}, ParameterError, "'seed'"),
        ({"recipe": "fats"}, UnknownNameError, "Unknown recipe 'fats'"),
        ({"network": "fats"}, UnknownNameError, "Unknown network 'fats'"),
    ],
)
def test_invalid_setting_raises_before_data_is_read(settings, error, message, tmp_path):
    unread = tmp_path / "unread.npz"
    unread.write_text("no archive at all")
    with pytest.raises(error, match=message):
        cross_validate(unread, **settings)


def test_missing_data_raises_before_a_network_is_created(tmp_path):
    with pytest.raises(SourceNotFoundError, match="no file, folder or data set"):
        cross_validate(tmp_path / "missing", network="fats")


def test_folder_that_is_not_empty_raises_before_data_is_read(tmp_path):
    (tmp_path / "kept.txt").write_text("precious")
    with pytest.raises(OutputError, match="exists and is not empty"):
        cross_validate(tmp_path / "missing", out=tmp_path)


def test_too_few_images_of_a_class_raise_and_write_nothing(tiny_recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    labels = np.array(["rare"] * 4 + ["common"] * 40)
    np.savez(tmp_path / "few.npz", X=np.arange(44, dtype=np.uint8)[:, None, None] * np.ones((8, 8), np.uint8), y=labels)
    with pytest.raises(DataError, match="few: class 'rare' has 3 different training images, fewer than the 5 folds"):
        cross_validate(tmp_path / "few.npz", recipe=tiny_recipe)
    assert [path.name for path in tmp_path.iterdir()] == ["few.npz"]

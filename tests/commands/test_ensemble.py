"""`ensemble`, and recipes with an ensemble: from the data to the submission."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from skconv.commands.ensemble import ensemble
from skconv.commands.train import train
from skconv.competitions.making import write_competition
from skconv.competitions.submissions import check_competition
from skconv.data.dataset import Splits
from skconv.data.loading import load_dataset
from skconv.estimators import KFoldEnsembleClassifier
from skconv.exceptions import DataError, ParameterError
from skconv.inference import OnnxClassifier

RECIPE = """
[data]
source = "digits"

[network]
name = "fast"

[training]
max_epochs = 6
batch_size = 64
restore_best = "valid_loss"

[ensemble]
folds = 2
average = "logits"

[report]
print_epochs = true
record_every = 5
sample_rows = 2
"""


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("recipe") / "two.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def competition(tmp_path_factory):
    """A competition of 700 small digits, 420 of them for training, in the form of Kaggle's."""
    digits = load_dataset("digits")
    folder = tmp_path_factory.mktemp("competition") / "digits"
    labels = [str(label) for label in digits.train_labels[:700]]
    write_competition("kaggle-digits", folder, Splits(digits.train_images[:700], labels))
    return folder


@pytest.fixture(scope="module")
def run(recipe, competition, tmp_path_factory):
    return ensemble(competition, folds=3, recipe=recipe, out=tmp_path_factory.mktemp("runs") / "three", seed=4)


def test_submission_has_the_test_accuracy(run, competition):
    checked = check_competition(Path(run.folder) / "submission.csv", competition)
    assert run.n == 280 and run.test_accuracy > 0.8
    assert checked.accuracy == pytest.approx(run.test_accuracy)


def test_out_of_fold_accuracy_is_the_mean_over_folds(run):
    assert len(run.fold_accuracies) == 3
    assert run.out_of_fold_accuracy == pytest.approx(np.mean(run.fold_accuracies))  # 420 in 3 equal folds
    facts = json.loads((Path(run.folder) / "scores.json").read_text())
    assert facts["out_of_fold_accuracy"] == run.out_of_fold_accuracy
    assert facts["test"]["accuracy"] == run.test_accuracy


def test_run_folder_has_the_history_of_each_fold(run):
    folder = Path(run.folder)
    with (folder / "history.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["fold"] for row in rows} == {"1", "2", "3"} and all(row["valid_loss"] for row in rows)
    for fold in (1, 2, 3):
        assert (folder / f"iterations-{fold}.csv").is_file() and (folder / f"iterations-{fold}.png").is_file()
    text = (folder / "recipe.toml").read_text()
    assert "folds = 3" in text and 'average = "logits"' in text and "random_state = 4" in text


def test_model_folder_is_loaded_by_estimator_and_onnx_classifier(run):
    images = load_dataset("digits").train_images[1000:1020]
    loaded = KFoldEnsembleClassifier.load(run.model)
    assert len(loaded.estimators_) == 3
    np.testing.assert_allclose(OnnxClassifier(run.model).predict_proba(images), loaded.predict_proba(images), atol=1e-4)


@pytest.mark.usefixtures("no_figures")
def test_ensemble_without_a_test_split_trains_on_all_images(recipe, tmp_path, capsys):
    digits = load_dataset("digits")
    np.savez(tmp_path / "few.npz", X=digits.train_images[:200], y=digits.train_labels[:200])
    result = ensemble(tmp_path / "few.npz", folds=2, recipe=recipe, out=tmp_path / "out")
    assert result.test_accuracy is None and result.n == 0
    assert json.loads((tmp_path / "out" / "scores.json").read_text())["data"]["n_train"] == 200
    assert "Test accuracy" not in str(result) and "Out-of-fold accuracy" in str(result)
    folds = [line.split()[1] for line in capsys.readouterr().err.splitlines()]
    assert folds == ["1/2,"] * 6 + ["2/2,"] * 6  # one fold after the other


@pytest.mark.usefixtures("no_figures")
def test_train_with_a_recipe_for_an_ensemble(recipe, tmp_path):
    result = train(recipe=recipe, out=tmp_path / "out")
    assert result.test_accuracy > 0.8
    assert len(KFoldEnsembleClassifier.load(result.model).estimators_) == 2


def test_invalid_folds_raise_and_write_nothing(recipe, tmp_path):
    np.savez(tmp_path / "few.npz", X=np.zeros((4, 8, 8), np.uint8), y=np.array([0, 0, 1, 1]))
    with pytest.raises(DataError, match="fewer than the 3 folds"):
        ensemble(tmp_path / "few.npz", folds=3, recipe=recipe, out=tmp_path / "out")
    with pytest.raises(ParameterError, match="from 2 to 1000"):
        ensemble(tmp_path / "few.npz", folds=1, recipe=recipe, out=tmp_path / "out")
    with pytest.raises(ParameterError, match="'seed'"):
        ensemble(tmp_path / "few.npz", folds=2, seed=-1, recipe=recipe, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()

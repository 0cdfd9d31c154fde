"""Calibration, prediction sets and out-of-distribution scores, from training to `evaluate` and `predict`."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from skconv import CNNClassifier, KFoldEnsembleClassifier, OnnxClassifier, load_dataset
from skconv.cli.main import main
from skconv.commands.ensemble import ensemble
from skconv.commands.evaluate import evaluate
from skconv.commands.predict import predict
from skconv.commands.train import train
from skconv.exceptions import DataError, OutputError, ParameterError
from skconv.model_io.records import read_held_out

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture(scope="module")
def calibrated(tiny_recipe, tmp_path_factory):
    """A run with a validation split of 306 images and strong label smoothing."""
    folder = tmp_path_factory.mktemp("calibrated")
    recipe = folder / "held.toml"
    recipe.write_text(
        tiny_recipe.read_text().replace("max_epochs = 2", "max_epochs = 8")
        + "validation_fraction = 0.2\nlabel_smoothing = 0.4\n"
    )
    return train("digits", recipe=recipe, out=folder / "run")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "some.npz"
    digits = load_dataset("digits")
    np.savez(path, images=digits.train_images[:6])
    return path


def test_calibration_undoes_label_smoothing_and_onnx_agrees_with_torch(calibrated):
    facts = json.loads((Path(calibrated.folder) / "scores.json").read_text())
    assert facts["calibration"]["temperature"] < 0.8
    assert facts["calibration"]["n"] == 306
    assert facts["test"]["ece"] < 0.05  # about 0.4 without calibration
    assert "probabilities are calibrated" in (Path(calibrated.model) / "card.md").read_text()
    reader, classifier = OnnxClassifier(calibrated.model), CNNClassifier.load(calibrated.model)
    images = load_dataset("digits").train_images[:50]
    assert np.abs(reader.predict_proba(images) - classifier.predict_proba(images)).max() < 1e-4


def test_held_out_predictions_are_those_of_the_calibrated_model(calibrated):
    reader = OnnxClassifier(calibrated.model)
    held_out = read_held_out(reader.folder, reader.config)
    everything = reader.predict_proba(load_dataset("digits").train_images)
    for row in held_out.probabilities[:20]:
        assert np.abs(everything - row).max(axis=1).min() < 1e-4
    assert (held_out.probabilities.argmax(1) == held_out.labels).mean() > 0.9


def test_predict_gives_prediction_sets_as_text_json_and_csv(calibrated, images, tmp_path, capsys):
    arguments = ["predict", calibrated.model, str(images), "--coverage", "0.95"]
    assert main([*arguments, "--json"]) == 0
    records = json.loads(capsys.readouterr().out)["predictions"]
    assert len(records) == 6
    assert all(len(record["labels"]) <= 3 for record in records)
    assert sum(record["label"] in record["labels"] for record in records) >= 4
    assert main([*arguments, "--out", str(tmp_path / "sets.csv")]) == 0
    rows = list(csv.DictReader((tmp_path / "sets.csv").open()))
    assert [row["labels"] for row in rows] == ["|".join(record["labels"]) for record in records]
    capsys.readouterr()
    assert main(arguments) == 0
    assert f" {{{', '.join(records[0]['labels'])}}}" in capsys.readouterr().out.splitlines()[0]


def test_predict_without_coverage_has_no_sets(calibrated, images):
    record = predict(calibrated.model, images).to_json()["predictions"][0]
    assert set(record) == {"input", "label", "confidence", "alternatives", "ood_score", "unlike_training"}


def test_coverage_needs_held_out_predictions(run, images):
    with pytest.raises(ParameterError, match=r"training\.validation_fraction=0\.07"):
        predict(run.model, images, coverage=0.9)


def test_evaluate_measures_sets_and_corruptions_and_draws(calibrated, tmp_path):
    result = evaluate(calibrated.model, "digits", coverage=0.9, corruptions=True, report=tmp_path / "report")
    assert 0.8 < result.sets["coverage"] < 0.99
    assert len(result.corruptions) == 18
    assert result.corruptions["mean"][0] > result.corruptions["mean"][4]
    assert json.loads((tmp_path / "report" / "scores.json").read_text()) == result.to_json()
    drawn = {path.stem for path in (tmp_path / "report").glob("*.png")}
    assert drawn == {"confusion", "mistakes", "confidence", "corruptions", "roc", "precision_recall"}
    assert "Prediction sets for a coverage of 90.00 %" in str(result)
    assert "canny edges" in str(result)
    with pytest.raises(OutputError, match="not empty"):
        evaluate(calibrated.model, "digits", report=tmp_path / "report")


def test_evaluate_measures_out_of_distribution_detection(calibrated, tmp_path, capsys):
    noise = np.random.default_rng(0).integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "noise.npz", X=noise, y=np.arange(60) % 2)  # not the model's classes
    source = str(tmp_path / "noise.npz")
    assert main(["evaluate", calibrated.model, "digits", "--against", source, "--json"]) == 0
    against = json.loads(capsys.readouterr().out)["against"]
    assert (against["data"], against["split"], against["n"]) == ("noise", "all", 60)
    assert against["auroc"] > 0.99 and against["unlike_training"] > 0.95
    result = evaluate(calibrated.model, "digits", against=source)
    assert 0 <= result.unlike_training < 0.05
    assert "60 images of noise: AUROC " in str(result)


def test_prediction_is_marked_if_the_image_is_unlike_the_training_images(calibrated, tmp_path, capsys):
    digits = load_dataset("digits").train_images
    np.savez(tmp_path / "mixed.npz", images=np.concatenate([digits[:3], 255 - digits[:3]]))
    arguments = ["predict", calibrated.model, str(tmp_path / "mixed.npz")]
    assert main([*arguments, "--json"]) == 0
    records = json.loads(capsys.readouterr().out)["predictions"]
    assert [record["unlike_training"] for record in records] == [False] * 3 + [True] * 3
    threshold = OnnxClassifier(calibrated.model).ood_threshold
    assert all((record["ood_score"] > threshold) == record["unlike_training"] for record in records)
    assert main([*arguments, "--out", str(tmp_path / "marked.csv")]) == 0
    rows = list(csv.DictReader((tmp_path / "marked.csv").open()))
    assert [row["unlike_training"] for row in rows] == ["false"] * 3 + ["true"] * 3
    assert float(rows[5]["ood_score"]) == pytest.approx(records[5]["ood_score"], rel=1e-4)


def test_model_without_a_score_predicts_and_cannot_be_evaluated_against_other_data(calibrated, tmp_path, images):
    classifier = CNNClassifier.load(calibrated.model)
    classifier.ood_ = None
    classifier.save(tmp_path / "model")
    record = predict(tmp_path / "model", images).to_json()["predictions"][0]
    assert set(record) == {"input", "label", "confidence", "alternatives"}
    with pytest.raises(ParameterError, match="without an out-of-distribution score"):
        evaluate(tmp_path / "model", "digits", against="digits")


def test_against_needs_the_image_size_of_the_model(calibrated, tmp_path):
    np.savez(tmp_path / "large.npz", X=np.zeros((4, 9, 9), np.uint8), y=np.arange(4) % 2)
    with pytest.raises(DataError, match="--image-size 8x8"):
        evaluate(calibrated.model, "digits", against=tmp_path / "large.npz")


@pytest.fixture(scope="module")
def averaged(tiny_recipe, tmp_path_factory):
    """Three members with strong label smoothing, trained on 700 digits."""
    folder = tmp_path_factory.mktemp("averaged")
    recipe = folder / "smooth.toml"
    recipe.write_text(tiny_recipe.read_text().replace("max_epochs = 2", "max_epochs = 12") + "label_smoothing = 0.4\n")
    digits = load_dataset("digits")
    order = np.random.default_rng(0).permutation(len(digits.train_labels))  # the data is ordered by writer
    images, labels = digits.train_images[order], digits.train_labels[order]
    splits = {"train_images": images[:700], "train_labels": labels[:700]}
    np.savez(folder / "digits.npz", **splits, test_images=images[700:], test_labels=labels[700:])
    return ensemble(folder / "digits.npz", folds=3, recipe=recipe, out=folder / "run"), folder / "digits.npz"


def test_ensemble_is_calibrated_by_out_of_fold_predictions(averaged):
    result, source = averaged
    data = load_dataset(source)
    facts = json.loads((Path(result.folder) / "scores.json").read_text())
    assert facts["calibration"]["n"] == 700 and facts["calibration"]["temperature"] < 0.8
    assert facts["test"]["ece"] < 0.06  # about 0.4 without calibration
    reader, loaded = OnnxClassifier(result.model), KFoldEnsembleClassifier.load(result.model)
    images = data.train_images
    assert np.abs(reader.predict_proba(images[:50]) - loaded.predict_proba(images[:50])).max() < 1e-4
    held_out = read_held_out(reader.folder, reader.config)
    assert (held_out.labels == data.train_labels).all()
    # Each prediction is that of the calibrated member that was not trained on the image.
    probabilities = np.stack([member.predict_proba(images) for member in loaded.estimators_])
    assert np.abs(probabilities - held_out.probabilities).max(2).min(0).max() < 1e-4
    # That accuracy is of uncalibrated members; the biases can change predictions.
    biases = loaded.estimators_[0].net_.module_.logit_calibration.biases.numpy()
    as_trained = (np.log(held_out.probabilities) - biases).argmax(1)
    assert (as_trained == held_out.labels).mean() == pytest.approx(result.out_of_fold_accuracy)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_sets_of_an_ensemble_reach_the_coverage(averaged, level):
    result, source = averaged
    sets = evaluate(result.model, source, coverage=level).sets
    assert level <= sets["coverage"] and sets["mean_set_size"] < 2


def test_json_omits_what_was_not_requested(calibrated):
    assert not {"sets", "corruptions", "against"} & set(evaluate(calibrated.model, "digits").to_json())


@pytest.mark.parametrize(
    ("n_train", "words"),
    [
        (60, "need at least 100 training images; the model was trained on 60"),
        (300, "Train an ensemble"),
        (1000, r"validation_fraction=0.1, which holds out 100 of the 1,000"),
        (2020, r"validation_fraction=0.05, which holds out 101 of the 2,020"),
    ],
)
def test_suggestion_for_coverage_gives_enough_held_out_images(n_train, words, tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (n_train, 8, 8), dtype=np.uint8)
    classifier = CNNClassifier("t4_narrow", max_epochs=0.01, random_state=0).fit(images, np.arange(n_train) % 2)
    classifier.save(tmp_path / "model")
    with pytest.raises(ParameterError, match=words):
        predict(tmp_path / "model", tmp_path / "missing.png", coverage=0.9)

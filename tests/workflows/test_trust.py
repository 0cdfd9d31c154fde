"""Confidence from training to prediction: calibrated once, kept with the model, told by evaluate and predict."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from skconv import CNNClassifier, Reader, load_dataset
from skconv.artifacts.held_out import read_held_out
from skconv.cli.main import main
from skconv.exceptions import OutputError, ParameterError
from skconv.workflows.evaluate import evaluate
from skconv.workflows.predict import predict
from skconv.workflows.train import train


@pytest.fixture(scope="module")
def calibrated(tiny_recipe, tmp_path_factory):
    """A run with a validation split of 305 pictures, its label smoothing too strong to be calibrated by itself."""
    folder = tmp_path_factory.mktemp("calibrated")
    recipe = folder / "held.toml"
    recipe.write_text(
        tiny_recipe.read_text().replace("max_epochs = 2", "max_epochs = 8")
        + "validation_fraction = 0.2\nlabel_smoothing = 0.4\n"
    )
    return train("digits", recipe=recipe, out=folder / "run")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "some.npz"
    digits = load_dataset("digits")
    np.savez(path, images=digits.train_images[:6])
    return path


def test_smoothed_training_is_made_surer_and_reader_and_torch_agree(calibrated):
    facts = json.loads((Path(calibrated.folder) / "scores.json").read_text())
    assert facts["calibration"]["temperature"] < 0.8
    assert facts["calibration"]["n"] == 306
    assert facts["test"]["ece"] < 0.05  # about 0.4 with the smoothing left in
    assert "confidences are calibrated" in (Path(calibrated.model) / "card.md").read_text()
    reader, classifier = Reader(calibrated.model), CNNClassifier.load(calibrated.model)
    images = load_dataset("digits").train_images[:50]
    assert np.abs(reader.predict_proba(images) - classifier.predict_proba(images)).max() < 1e-4


def test_kept_answers_are_the_finished_models(calibrated):
    reader = Reader(calibrated.model)
    held_out = read_held_out(reader.folder, reader.config)
    everything = reader.predict_proba(load_dataset("digits").train_images)
    for row in held_out.probabilities[:20]:
        assert np.abs(everything - row).max(axis=1).min() < 1e-4
    assert (held_out.probabilities.argmax(1) == held_out.labels).mean() > 0.9


def test_predict_gives_sets_as_text_json_and_csv(calibrated, pictures, tmp_path, capsys):
    arguments = ["predict", calibrated.model, str(pictures), "--coverage", "0.95"]
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


def test_predict_without_coverage_is_as_before(calibrated, pictures):
    record = predict(calibrated.model, pictures).to_json()["predictions"][0]
    assert set(record) == {"input", "label", "confidence", "alternatives"}


def test_sets_need_a_model_with_held_out_answers(run, pictures):
    with pytest.raises(ParameterError, match="with a validation split"):
        predict(run.model, pictures, coverage=0.9)


def test_evaluate_measures_sets_and_damage_and_draws(calibrated, tmp_path):
    result = evaluate(calibrated.model, "digits", coverage=0.9, corruptions=True, report=tmp_path / "report")
    assert 0.8 < result.sets["coverage"] < 0.99
    assert len(result.corruptions) == 18
    assert result.corruptions["mean"][0] > result.corruptions["mean"][4]
    assert json.loads((tmp_path / "report" / "scores.json").read_text()) == result.to_json()
    drawn = {path.stem for path in (tmp_path / "report").glob("*.png")}
    assert drawn == {"confusion", "mistakes", "confidence", "corruptions"}
    assert "Prediction sets for a coverage of 90.00%" in str(result)
    assert "canny edges" in str(result)
    with pytest.raises(OutputError, match="not empty"):
        evaluate(calibrated.model, "digits", report=tmp_path / "report")


def test_evaluate_leaves_out_what_was_not_asked_for(calibrated):
    assert not {"sets", "corruptions"} & set(evaluate(calibrated.model, "digits").to_json())

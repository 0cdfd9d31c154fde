"""`predict`: labels and confidences, as the estimator gives them, and the CSV."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

import skconv
from skconv.exceptions import DataError, OutputError, SourceNotFoundError
from skconv.workflows.predict import predict


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Twelve digits as PNG files, with their pixels."""
    folder = tmp_path_factory.mktemp("pictures")
    images = skconv.load_dataset("digits").train_images[:12]
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:02}.png")
    return folder, images


def test_files_give_what_the_estimator_gives(run, pictures):
    folder, images = pictures
    expected = skconv.CNNClassifier.load(run.model, device="cpu").predict_proba(images)
    predictions = predict(run.model, folder).predictions
    assert [each.label for each in predictions] == [str(label) for label in expected.argmax(axis=1)]
    assert [each.confidence for each in predictions] == pytest.approx(expected.max(axis=1), abs=1e-4)


def test_predictions_come_in_the_order_of_the_inputs(run, pictures):
    folder, _ = pictures
    paths = [folder / "03.png", folder / "01.png"]
    assert [each.input for each in predict(run.model, paths).predictions] == [str(path) for path in paths]


def test_one_path_need_not_be_a_list(run, pictures):
    folder, _ = pictures
    assert predict(run.model, folder / "00.png") == predict(run.model, [folder / "00.png"])


def test_json_has_the_promised_keys(run, pictures):
    folder, _ = pictures
    record = json.loads(json.dumps(predict(run.model, folder / "00.png").to_json()))
    assert set(record) == {"predictions"}
    assert set(record["predictions"][0]) == {"input", "label", "confidence"}
    assert 0 < record["predictions"][0]["confidence"] <= 1


def test_csv_holds_the_predictions_and_replaces_an_old_file(run, pictures, tmp_path):
    folder, _ = pictures
    out = tmp_path / "predictions.csv"
    out.write_text("old")
    result = predict(run.model, folder, out=out)
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["input"], row["label"]) for row in rows] == [(p.input, p.label) for p in result.predictions]
    assert [float(row["confidence"]) for row in rows] == pytest.approx(
        [p.confidence for p in result.predictions], abs=1e-6
    )
    assert [path.name for path in tmp_path.iterdir()] == ["predictions.csv"]


def test_csv_that_cannot_be_written_is_told(run, pictures, tmp_path):
    folder, _ = pictures
    with pytest.raises(OutputError, match="Cannot write"):
        predict(run.model, folder, out=tmp_path / "missing" / "predictions.csv")


def test_failed_prediction_keeps_the_old_csv(run, tmp_path):
    out = tmp_path / "predictions.csv"
    out.write_text("old")
    (tmp_path / "note.png").write_text("no picture")
    with pytest.raises(DataError, match=r"note\.png"):
        predict(run.model, tmp_path / "note.png", out=out)
    assert out.read_text() == "old"


def test_pictures_of_another_size_are_fitted_with_a_note(run, tmp_path):
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "large.png")
    with pytest.warns(UserWarning):
        assert len(predict(run.model, tmp_path / "large.png").predictions) == 1


def test_missing_input_is_told(run, tmp_path):
    with pytest.raises(SourceNotFoundError, match=r"missing\.png"):
        predict(run.model, tmp_path / "missing.png")

"""`predict`: labels and confidences equal the estimator's; CSV and submission."""

import csv
import json
import shutil

import numpy as np
import pytest
from PIL import Image

import skconv
from skconv.commands.predict import predict
from skconv.competitions.making import write_competition
from skconv.competitions.submissions import check_competition
from skconv.data.dataset import Splits
from skconv.exceptions import DataError, OutputError, ParameterError, SourceNotFoundError


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Twelve digits as PNG files, with their pixels."""
    folder = tmp_path_factory.mktemp("images")
    images = skconv.load_dataset("digits").train_images[:12]
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:02}.png")
    return folder, images


@pytest.fixture(scope="module")
def competitions(tmp_path_factory):
    """A folder with both competitions, made from a hundred digits."""
    folder = tmp_path_factory.mktemp("competitions")
    images, labels = (getattr(skconv.load_dataset("digits"), name)[:100] for name in ("train_images", "train_labels"))
    names = [str(label) for label in labels]
    for competition in ("kaggle-digits", "identify-the-apparels"):
        write_competition(competition, folder / competition, Splits(images[:70], names[:70], images[70:], names[70:]))
    return folder


def test_predictions_equal_those_of_the_estimator(run, images):
    folder, images = images
    expected = skconv.CNNClassifier.load(run.model, device="cpu").predict_proba(images)
    predictions = predict(run.model, folder).predictions
    assert [each.label for each in predictions] == [str(label) for label in expected.argmax(axis=1)]
    assert [each.confidence for each in predictions] == pytest.approx(expected.max(axis=1), abs=1e-4)


def test_predictions_keep_the_order_of_the_inputs(run, images):
    folder, _ = images
    paths = [folder / "03.png", folder / "01.png"]
    assert [each.input for each in predict(run.model, paths).predictions] == [str(path) for path in paths]


def test_single_path_is_accepted(run, images):
    folder, _ = images
    assert predict(run.model, folder / "00.png") == predict(run.model, [folder / "00.png"])


def test_json_has_the_documented_keys(run, images):
    folder, _ = images
    record = json.loads(json.dumps(predict(run.model, folder / "00.png").to_json()))
    assert set(record) == {"predictions"}
    first = record["predictions"][0]
    assert set(first) == {"input", "label", "confidence", "alternatives", "ood_score", "unlike_training"}
    assert 0 < first["confidence"] <= 1
    assert [set(each) for each in first["alternatives"]] == [{"label", "confidence"}] * 2


def test_alternatives_are_the_next_classes_best_first(run, images):
    folder, images = images
    expected = skconv.CNNClassifier.load(run.model, device="cpu").predict_proba(images).argsort(axis=1)[:, ::-1]
    for prediction, order in zip(predict(run.model, folder).predictions, expected, strict=True):
        assert [each.label for each in prediction.alternatives] == [str(label) for label in order[1:3]]


def test_min_confidence_replaces_the_label_and_lists_the_candidates(run, images):
    folder, _ = images
    sure = predict(run.model, folder).predictions
    least = sorted(each.confidence for each in sure)[5]
    doubted = predict(run.model, folder, min_confidence=least)
    for before, after in zip(sure, doubted.predictions, strict=True):
        if before.confidence >= least:
            assert after == before
        else:
            assert after.label == "?" and after.alternatives[0].label == before.label
            assert after.confidence == before.confidence
    assert str(doubted).count(": ? (") == 5


@pytest.mark.parametrize("value", [-0.1, 1.5, True, "0.9", float("nan")])
def test_min_confidence_out_of_range_raises(run, images, value):
    with pytest.raises(ParameterError, match="min_confidence"):
        predict(run.model, images[0], min_confidence=value)


def test_annotate_draws_the_images(run, images, tmp_path):
    out = tmp_path / "seen.png"
    result = predict(run.model, images[0], annotate=out)
    assert str(result).splitlines()[-1] == f"Drew 12 images in {out}."
    with Image.open(out) as drawn:
        assert drawn.width > 400


def test_annotate_to_an_input_raises(run, images):
    file = images[0] / "00.png"
    before = file.read_bytes()
    with pytest.raises(OutputError, match="would be overwritten"):
        predict(run.model, images[0] / "00.png", annotate=file)
    assert file.read_bytes() == before


def test_out_writes_a_csv_and_replaces_a_file(run, images, tmp_path):
    folder, _ = images
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


def test_broken_images_have_an_error_and_others_a_prediction(run, images, tmp_path):
    folder, _ = images
    (tmp_path / "note.png").write_text("no image")
    paths = [folder / "00.png", tmp_path / "note.png", folder / "01.png", tmp_path / "missing.png"]
    with pytest.warns(UserWarning, match=r"2 of 4 images could not be read\. The first error: .*note\.png is not"):
        result = predict(run.model, paths, out=tmp_path / "out.csv", annotate=tmp_path / "seen.png")
    whole = predict(run.model, [paths[0], paths[2]]).predictions
    assert (result.predictions[0], result.predictions[2]) == whole
    assert result.n_broken == 2 and result.drawn.startswith("Drew 2 images")
    assert result.written == f"Wrote the predictions of 2 images, and 2 errors, to {tmp_path / 'out.csv'}."
    records = result.to_json()["predictions"]
    assert [each["input"] for each in records] == [str(path) for path in paths]
    assert ["error" in each for each in records] == [False, True, False, True]
    assert (records[1]["label"], records[1]["confidence"]) == ("", 0.0)
    assert f"{paths[1]}: error: {records[1]['error']}" == str(result.predictions[1])
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["error"] for row in rows] == [each.get("error", "") for each in records]


@pytest.mark.parametrize(
    ("option", "name", "words"),
    [
        ("out", "missing/predictions.csv", "no folder"),
        ("out", "predictions.json", "ends in .csv"),
        ("out", "folder.csv", "not a regular file"),
        ("out", "input.csv", "would be overwritten"),
        ("annotate", "missing/seen.png", "no folder"),
        ("annotate", "seen.jpg", "ends in .png"),
    ],
)
def test_outputs_are_checked_before_the_images_are_loaded(run, tmp_path, option, name, words):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "input.csv").write_text("no table")
    with pytest.raises(OutputError, match=words):
        predict(run.model, [tmp_path / "input.csv", tmp_path / "missing.png"], **{option: tmp_path / name})
    assert (tmp_path / "input.csv").read_text() == "no table"


def test_top_and_probabilities_are_those_of_the_estimator(run, images, tmp_path):
    folder, images = images
    expected = skconv.CNNClassifier.load(run.model, device="cpu").predict_proba(images)
    result = predict(run.model, folder, top=3, probabilities=True, min_confidence=1, out=tmp_path / "p.csv")
    with (tmp_path / "p.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    records = result.to_json()["predictions"]
    for row, record, each in zip(rows, records, expected, strict=True):
        best = [str(label) for label in each.argsort()[::-1][:3]]
        assert [candidate["label"] for candidate in record["top"]] == best
        assert [row[f"label_{rank}"] for rank in (1, 2, 3)] == best and "label_4" not in row
        assert record["probabilities"] == {str(k): pytest.approx(each[k], abs=1e-4) for k in range(10)}
        assert [float(row[f"probability_{k}"]) for k in range(10)] == pytest.approx(each, abs=1e-4)
        assert float(row["confidence_1"]) == float(row["confidence"]) and row["label"] == "?"


def test_top_above_the_number_of_classes_lists_all(run, images):
    (prediction,) = predict(run.model, images[0] / "00.png", top=99).predictions
    assert sorted(each.label for each in prediction.top) == [str(label) for label in range(10)]
    assert str(prediction).count("%") == 10


def test_csv_has_columns_of_top_beside_an_error(run, images, tmp_path):
    (tmp_path / "note.png").write_text("no image")
    with pytest.warns(UserWarning, match="could not be read"):
        predict(run.model, [tmp_path / "note.png", images[0] / "00.png"], top=1, out=tmp_path / "p.csv")
    header, broken, correct = (tmp_path / "p.csv").read_text().splitlines()
    assert header == "input,label,confidence,ood_score,unlike_training,label_1,confidence_1,error"
    assert broken.split(",")[1:7] == [""] * 6 and correct.endswith(",")


@pytest.mark.parametrize("top", [0, -1, True, 1.5])
def test_top_out_of_range_raises(run, images, top):
    with pytest.raises(ParameterError, match="'top' parameter must be"):
        predict(run.model, images[0], top=top)


def test_submission_with_probabilities_raises(run, competitions, tmp_path):
    with pytest.raises(ParameterError, match="submission"):
        predict(run.model, competitions / "kaggle-digits", out=tmp_path / "submission.csv", probabilities=True)
    assert not (tmp_path / "submission.csv").exists()


def test_failed_prediction_leaves_the_old_csv(run, tmp_path):
    out = tmp_path / "predictions.csv"
    out.write_text("old")
    (tmp_path / "note.png").write_text("no image")
    with pytest.raises(DataError, match=r"note\.png"):
        predict(run.model, tmp_path / "note.png", out=out)
    assert out.read_text() == "old"


def test_images_of_another_size_are_resized_with_a_warning(run, tmp_path):
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "large.png")
    with pytest.warns(UserWarning):
        assert len(predict(run.model, tmp_path / "large.png").predictions) == 1


def test_missing_input_raises(run, tmp_path):
    with pytest.raises(SourceNotFoundError, match=r"missing\.png"):
        predict(run.model, tmp_path / "missing.png")


@pytest.mark.parametrize(
    ("name", "file", "first_lines"),
    [
        ("kaggle-digits", "", ["ImageId,Label", "1,"]),
        ("kaggle-digits", "test.csv", ["ImageId,Label", "1,"]),
        ("identify-the-apparels", "", ["id,label", "71,"]),
        ("identify-the-apparels", "test.csv", ["id,label", "71,"]),
    ],
)
def test_submission_has_the_form_of_the_competition(run, competitions, tmp_path, name, file, first_lines):
    out = tmp_path / "submission.csv"
    result = predict(run.model, competitions / name / file, out=out)
    lines = out.read_text().splitlines()
    assert lines[0] == first_lines[0] and lines[1].startswith(first_lines[1])
    assert [line.split(",")[1] for line in lines[1:]] == [each.label for each in result.predictions]
    assert str(result) == f"Wrote the predictions of {len(lines) - 1} images to {out}."
    checked = check_competition(out, competitions / name)
    assert checked.rows == len(lines) - 1
    answers = (competitions / name / "answers.csv").read_text().splitlines()
    assert checked.accuracy == sum(line in answers for line in lines[1:]) / checked.rows > 0.3


def test_competition_with_another_file_name_writes_a_table_and_warns(run, competitions, tmp_path):
    out = tmp_path / "predictions.csv"
    with pytest.warns(UserWarning, match="begins with submission"):
        result = predict(run.model, competitions / "kaggle-digits", out=out)
    lines = out.read_text().splitlines()
    assert lines[0].startswith("input,label,confidence") and len(lines) == 41
    assert lines[1].startswith(f"{competitions / 'kaggle-digits'}#1,")
    assert str(result) == f"Wrote the predictions of 40 images to {out}."


def test_images_with_the_file_name_submission_write_a_table(run, images, tmp_path):
    folder, _ = images
    predict(run.model, folder, out=tmp_path / "submission.csv")
    assert (tmp_path / "submission.csv").read_text().startswith("input,label,confidence")


def test_submission_uses_the_labels_of_the_competition(saved_model, competitions, tmp_path):
    """The model's class is named "three", the competition writes 3."""
    with pytest.warns(UserWarning, match="30 images were resized"):
        result = predict(saved_model, competitions / "identify-the-apparels", out=tmp_path / "submission.csv")
    lines = (tmp_path / "submission.csv").read_text().splitlines()[1:]
    number_of = {"three": "3", "five": "5", "eight": "8"}
    assert [line.split(",")[1] for line in lines] == [number_of[each.label] for each in result.predictions]


def test_competition_with_other_labels_raises_and_writes_nothing(run, competitions, tmp_path):
    shutil.copytree(competitions / "kaggle-digits", tmp_path / "competition")
    train = tmp_path / "competition" / "train.csv"
    header, *rows = train.read_text().splitlines()
    train.write_text("\n".join([header, *("letter " + row for row in rows)]))
    with pytest.raises(DataError, match=r"The model's classes \(0, 1, .* are not the competition's \(letter 0, "):
        predict(run.model, tmp_path / "competition", out=tmp_path / "submission.csv")
    assert not (tmp_path / "submission.csv").exists()


@pytest.mark.parametrize(
    ("model", "inputs", "out", "error", "words"),
    [
        ("digts", "a.png", None, SourceNotFoundError, "Did you mean 'digits'"),
        ("digits", np.zeros((8, 8)), None, ParameterError, "expected paths"),
        ("digits", "a.png", "missing/p.csv", OutputError, "Create the folder"),
    ],
)
def test_predict_describes_wrong_arguments(tmp_path, model, inputs, out, error, words):
    with pytest.raises(error, match=words):
        predict(model, inputs, out=None if out is None else tmp_path / out)

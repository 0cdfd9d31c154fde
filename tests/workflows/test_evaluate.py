"""`evaluate`: the score of a saved model, and what it refuses."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import skconv
from skconv.exceptions import DataError, ModelFileError, SourceNotFoundError
from skconv.workflows.evaluate import evaluate
from skconv.workflows.splits import hold_out_test


@pytest.fixture(scope="module")
def held_out():
    split = hold_out_test(skconv.load_dataset("digits"), seed=0)
    return split.test_images, split.test_labels


def save(path, images, labels):
    np.savez(path, X=images, y=labels)
    return path


def test_held_out_pictures_give_the_score_of_training(run, held_out, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = evaluate(run.model, save(tmp_path / "test.npz", *held_out))
    assert (result.accuracy, result.n, result.split) == (run.test_accuracy, 270, "all")
    assert (result.low, result.high) == (run.seeds[0].low, run.seeds[0].high)


def test_json_has_the_promised_keys(run, held_out, tmp_path):
    record = json.loads(json.dumps(evaluate(run.folder, save(tmp_path / "test.npz", *held_out)).to_json()))
    assert {"accuracy", "low", "high", "n", "model", "scores"} <= set(record)
    assert record["scores"]["accuracy"] == record["accuracy"]
    assert "text" not in record


def test_source_of_the_training_is_told_to_flatter(run):
    with pytest.warns(UserWarning, match="trained on most of these pictures"):
        assert evaluate(run.model, "digits").n == 1797


def test_data_of_the_training_is_known_under_another_path_and_other_data_under_the_same(run, tmp_path):
    digits = skconv.load_dataset("digits")
    source = save(tmp_path / "copy.npz", digits.train_images, digits.train_labels)
    with pytest.warns(UserWarning, match="trained on most of these pictures"):
        evaluate(run.model, source)
    save(source, digits.train_images[::-1], digits.train_labels[::-1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluate(run.model, source)


def test_colour_pictures_are_made_grey_with_a_note(run, held_out, tmp_path):
    images, labels = held_out
    source = save(tmp_path / "colour.npz", np.repeat(images[..., np.newaxis], 3, axis=3), labels)
    with pytest.warns(UserWarning, match="The pictures of colour were made grey"):
        assert evaluate(run.model, source).accuracy == run.test_accuracy


def test_test_split_is_what_is_scored(run, held_out, tmp_path):
    images, labels = held_out
    np.savez(
        tmp_path / "both.npz",
        train_images=np.zeros_like(images),
        train_labels=labels,
        test_images=images,
        test_labels=labels,
    )
    result = evaluate(run.model, tmp_path / "both.npz")
    assert (result.accuracy, result.split) == (run.test_accuracy, "test")


def test_classes_are_matched_by_name_not_by_position(run, held_out, tmp_path):
    """Data with the classes 7 and 9 only: 7 is its class 0, and the model's class 7."""
    images, labels = held_out
    some = np.isin(labels, [7, 9])
    expected = skconv.Reader(run.model).predict_proba(images[some]).argmax(axis=1) == labels[some]
    assert evaluate(run.model, save(tmp_path / "some.npz", images[some], labels[some])).accuracy == expected.mean()


def test_unknown_class_is_an_error_that_says_both(run, held_out, tmp_path):
    images, labels = held_out
    with pytest.raises(DataError, match=r"classes the model does not know: 10\. The model's classes: 0, 1, 2"):
        evaluate(run.model, save(tmp_path / "ten.npz", images, np.where(labels == 0, 10, labels)))


def test_other_picture_size_is_an_error_that_says_both(run, tmp_path):
    source = save(tmp_path / "large.npz", np.zeros((20, 28, 28), np.uint8), np.arange(20) % 10)
    with pytest.raises(DataError, match=r"shape \(28, 28\); the model takes \(8, 8\)"):
        evaluate(run.model, source)


def test_missing_model_and_missing_source_are_told(run, tmp_path):
    with pytest.raises(SourceNotFoundError, match="No model at"):
        evaluate(tmp_path / "missing", "digits")
    with pytest.raises(SourceNotFoundError):
        evaluate(run.model, tmp_path / "missing")


def test_altered_model_is_refused(run, tmp_path):
    import shutil

    shutil.copytree(run.model, tmp_path / "model")
    with (Path(tmp_path) / "model" / "model.onnx").open("r+b") as stream:
        stream.seek(100)
        stream.write(b"\xff\xff")
    with pytest.raises(ModelFileError, match="was altered"):
        evaluate(tmp_path / "model", "digits")


def test_evaluate_and_predict_load_no_torch(run, held_out, tmp_path):
    source = save(tmp_path / "test.npz", *held_out)
    code = (
        "import sys, skconv; model, source = sys.argv[1:];"
        "skconv.evaluate(model, source); skconv.predict(model, [source]);"
        "print(sorted({'torch', 'skorch', 'matplotlib', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, run.model, str(source)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"

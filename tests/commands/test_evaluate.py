"""`evaluate`: scores of a saved model, and data that is refused."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import skconv
from skconv.commands.evaluate import evaluate
from skconv.data.splitting import hold_out_test
from skconv.exceptions import DataError, ModelFileError, SourceNotFoundError

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture(scope="module")
def held_out():
    split = hold_out_test(skconv.load_dataset("digits"), seed=0)
    return split.test_images, split.test_labels


def save(path, images, labels):
    np.savez(path, X=images, y=labels)
    return path


def test_evaluate_held_out_images_gives_the_score_of_training(run, held_out, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = evaluate(run.model, save(tmp_path / "test.npz", *held_out))
    assert (result.accuracy, result.n, result.split) == (run.test_accuracy, 270, "all")
    assert (result.low, result.high) == (run.seeds[0].low, run.seeds[0].high)


def test_json_has_the_documented_keys(run, held_out, tmp_path):
    record = json.loads(json.dumps(evaluate(run.folder, save(tmp_path / "test.npz", *held_out)).to_json()))
    assert {"accuracy", "low", "high", "n", "model", "scores"} <= set(record)
    assert record["scores"]["accuracy"] == record["accuracy"]
    assert record["scores"]["macro_f1"] == record["macro_f1"] and 0 < record["balanced_accuracy"] <= 1
    assert "text" not in record


def test_evaluate_training_source_scores_the_held_out_images(run):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = evaluate(run.model, "digits")
    assert (result.split, result.n, result.n_seen) == ("unseen", 270, 1797 - 270)
    assert (result.accuracy, result.low, result.high) == (run.test_accuracy, run.seeds[0].low, run.seeds[0].high)
    assert str(result).startswith(f"{run.model} on the 270 of 1,797 images of digits that it was not trained on:\n")


def test_images_of_one_class_have_no_curves_and_null_in_json(run, held_out, tmp_path):
    images, labels = held_out
    split = hold_out_test(skconv.load_dataset("digits"), seed=0)
    source = tmp_path / "threes.npz"
    test = {"test_images": images[labels == 3], "test_labels": labels[labels == 3]}
    np.savez(source, train_images=split.train_images, train_labels=split.train_labels, **test)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = evaluate(run.model, source, report=tmp_path / "report")
    document = json.loads((tmp_path / "report" / "scores.json").read_text(), parse_constant=pytest.fail)
    assert document["scores"]["roc_auc"] is None
    assert "all images are of one class" in str(result)
    assert {path.stem for path in (tmp_path / "report").glob("*.png")} == {"confusion", "mistakes", "confidence"}


def test_training_images_are_recognised_in_other_files_order_and_colour(run, tmp_path):
    digits = skconv.load_dataset("digits")
    source = save(tmp_path / "copy.npz", digits.train_images[::-1], digits.train_labels[::-1])
    assert evaluate(run.model, source).accuracy == run.test_accuracy
    colour = np.repeat(digits.train_images[..., np.newaxis], 3, axis=3)
    source = save(tmp_path / "colour.npz", colour, digits.train_labels)
    with pytest.warns(UserWarning, match="converted to greyscale"):
        assert evaluate(run.model, source).n == 270


def test_evaluate_raises_if_every_image_was_trained_on(run, tmp_path):
    digits, split = skconv.load_dataset("digits"), hold_out_test(skconv.load_dataset("digits"), seed=0)
    assert len(digits.train_images) > len(split.train_images)
    source = save(tmp_path / "train.npz", split.train_images, split.train_labels)
    with pytest.raises(DataError, match=r"All 1,527 images of train were in this model's training data: none remains"):
        evaluate(run.model, source)


def write_splits(path, n_known, held_out):
    """Write data whose test split is the held-out images and the first `n_known` training images."""
    split = hold_out_test(skconv.load_dataset("digits"), seed=0)
    images, labels = held_out
    np.savez(
        path,
        train_images=split.train_images,
        train_labels=split.train_labels,
        test_images=np.concatenate([images, split.train_images[:n_known]]),
        test_labels=np.concatenate([labels, split.train_labels[:n_known]]),
    )
    return path


def test_copies_of_training_images_are_left_out_with_their_number(run, tmp_path):
    digits, split = skconv.load_dataset("digits"), hold_out_test(skconv.load_dataset("digits"), seed=0)
    images = np.concatenate([digits.train_images, split.train_images[:3]])
    source = save(tmp_path / "copies.npz", images, np.concatenate([digits.train_labels, split.train_labels[:3]]))
    for command, options in ((evaluate, {}), (skconv.report, {"out": tmp_path / "page.html"})):
        with pytest.warns(UserWarning, match=r"^3 images of copies .* equal training images"):
            result = command(run.model, source, **options)
        assert (result.split, result.n, result.n_seen) == ("unseen", 270, 1530)
        assert "the 270 of 1,800 images of copies" in str(result)


def test_evaluate_raises_if_part_of_the_test_split_was_trained_on(run, held_out, tmp_path):
    source = write_splits(tmp_path / "mixed.npz", 3, held_out)
    with pytest.raises(DataError, match=r"training data contains 3 of the 273 images of mixed's test split"):
        evaluate(run.model, source)


def test_evaluate_warns_of_few_duplicates(run, held_out, tmp_path):
    source = write_splits(tmp_path / "few.npz", 2, held_out)
    with pytest.warns(UserWarning, match=r"2 of the 272 images of few's test split, included in the score"):
        result = evaluate(run.model, source)
    assert (result.split, result.n, result.n_seen) == ("test", 272, 2)


def test_evaluate_raises_for_a_model_trained_on_the_test_images_of_another_data_set(tiny_recipe, tmp_path):
    """A competition's training images are most of the test split of the data set it was made from."""
    digits = hold_out_test(skconv.load_dataset("digits"), seed=1)
    np.savez(
        tmp_path / "official.npz",
        train_images=digits.train_images,
        train_labels=digits.train_labels,
        test_images=digits.test_images,
        test_labels=digits.test_labels,
    )
    rows = np.column_stack([digits.test_labels, digits.test_images.reshape(270, 64)])
    lines = [",".join(map(str, row)) for row in [["label", *range(64)], *rows.tolist()]]
    (tmp_path / "competition.csv").write_text("\n".join(lines) + "\n")
    trained = skconv.train(tmp_path / "competition.csv", recipe=tiny_recipe, out=tmp_path / "run")
    n_known = 270 - trained.seeds[0].n
    with pytest.raises(
        DataError, match=rf"training data contains {n_known} of the 270 images of official's test split"
    ):
        evaluate(trained.model, tmp_path / "official.npz")


def test_evaluate_warns_without_training_fingerprints(saved_model, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (30, 12, 10), dtype=np.uint8)
    source = save(tmp_path / "some.npz", images, np.array(["three", "five", "eight"])[np.arange(30) % 3])
    with pytest.warns(UserWarning, match="no training fingerprints"):
        result = evaluate(saved_model, source)
    assert (result.split, result.n, result.n_seen) == ("all", 30, None)


def test_evaluate_converts_colour_to_greyscale_with_a_warning(run, held_out, tmp_path):
    images, labels = held_out
    source = save(tmp_path / "colour.npz", np.repeat(images[..., np.newaxis], 3, axis=3), labels)
    with pytest.warns(UserWarning, match="The images of colour were converted to greyscale"):
        assert evaluate(run.model, source).accuracy == run.test_accuracy


def test_evaluate_scores_the_test_split(run, held_out, tmp_path):
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
    expected = skconv.OnnxClassifier(run.model).predict_proba(images[some]).argmax(axis=1) == labels[some]
    assert evaluate(run.model, save(tmp_path / "some.npz", images[some], labels[some])).accuracy == expected.mean()


def test_numbers_are_matched_by_value_with_a_note(run, held_out, tmp_path):
    images, labels = held_out
    source = save(tmp_path / "padded.npz", images, np.array([f"{label:05d}" for label in labels]))
    with pytest.warns(UserWarning, match="matched by value, such as 00000 and 0"):
        assert evaluate(run.model, source).accuracy == run.test_accuracy


def test_evaluate_raises_for_classes_the_model_lacks(run, held_out, tmp_path):
    images, labels = held_out
    with pytest.raises(DataError, match=r"not have: 10\. The data's classes: 1, 2, 3.*\. The model's classes: 0, 1, 2"):
        evaluate(run.model, save(tmp_path / "ten.npz", images, np.where(labels == 0, 10, labels)))


def test_evaluate_raises_for_another_image_size(run, tmp_path):
    source = save(tmp_path / "large.npz", np.zeros((20, 28, 28), np.uint8), np.arange(20) % 10)
    with pytest.raises(DataError, match=r"are 28×28 pixels; the model expects 8×8.*--image-size 8x8"):
        evaluate(run.model, source)


def test_evaluate_raises_for_a_missing_model_or_source(run, tmp_path):
    with pytest.raises(SourceNotFoundError, match="No model at"):
        evaluate(tmp_path / "missing", "digits")
    with pytest.raises(SourceNotFoundError):
        evaluate(run.model, tmp_path / "missing")


def test_evaluate_raises_for_an_altered_model(run, tmp_path):
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

"""`compare`: paired scores of two saved models, models that differ in images or classes, data that is refused."""

import csv
import json
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pytest

import skconv
from skconv.cli.main import main
from skconv.commands.compare import compare
from skconv.data.splitting import hold_out_test
from skconv.exceptions import DataError, OutputError, ParameterError

pytestmark = pytest.mark.usefixtures("no_figures")


@pytest.fixture(scope="module")
def split():
    return hold_out_test(skconv.load_dataset("digits"), seed=0)


@pytest.fixture(scope="module")
def other(tiny_recipe, tmp_path_factory):
    """The run folder of a worse model, trained on the same split."""
    folder = tmp_path_factory.mktemp("other") / "run"
    return skconv.train("digits", recipe=tiny_recipe, epochs=0.3, out=folder).folder


@pytest.fixture(scope="module")
def leaked(split, train):
    """The run folder of a model that was trained on the test images of the others."""
    return train(split.test_images, split.test_labels, "leaked")


@pytest.fixture(scope="module")
def six(split, train):
    """The run folder of a model of the classes 0 to 5."""
    known = split.train_labels < 6
    return train(split.train_images[known], split.train_labels[known], "six")


def save(path, images, labels, **options):
    np.savez(path, X=images, y=labels, **options)
    return path


@pytest.fixture(scope="module")
def train(tiny_recipe, tmp_path_factory):
    """Return a function that trains a model for a few steps on exactly these images; its result is the run folder."""

    folder = tmp_path_factory.mktemp("trained")

    def run(images, labels, name):
        blank = np.zeros_like(images[:10])
        np.savez(folder / f"{name}-data.npz", train_images=images, train_labels=labels, test_images=blank,
                 test_labels=labels[:10])  # fmt: skip
        return skconv.train(folder / f"{name}-data.npz", recipe=tiny_recipe, epochs=0.5, out=folder / name).folder

    return run


def test_scores_are_those_of_evaluate(run, other):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = compare(run.folder, other, "digits")
    apart = [skconv.evaluate(each, "digits") for each in (run.folder, other)]
    assert (result.n, result.split, result.n_left_out) == (270, "unseen", 1527)
    for model, expected in zip(result.models, apart, strict=True):
        assert (model.accuracy, model.low, model.high) == (expected.accuracy, expected.low, expected.high)
        assert model.log_loss == pytest.approx(expected.scores["nll"])
        assert model.n_seen == 1527
    assert result.difference == pytest.approx(apart[1].accuracy - apart[0].accuracy) and result.difference < -0.02
    assert result.p_value < 0.001 and not result.is_same_model
    text = str(result)
    assert f"{run.folder} is more accurate than {other}" in text
    assert "the 270 of 1,797 images of digits that neither was trained on, n = 270" in text


def test_copy_is_the_same_model_and_does_not_differ(run, tmp_path):
    shutil.copytree(run.model, tmp_path / "copy")
    result = compare(run.folder, tmp_path / "copy", "digits")
    assert result.is_same_model and result.models[0].sha256 == result.models[1].sha256
    assert (result.difference, result.p_value, result.n_different, result.log_loss_difference) == (0, 1, 0, 0)
    assert "are the same model: their weights have the same sha256" in str(result)


def test_classes_in_another_order_are_matched_by_name(make_network, make_config, sample, tmp_path):
    from skconv.model_io import save_model

    save_model(tmp_path / "a", make_network(), make_config(), sample=sample)
    save_model(tmp_path / "b", make_network(), make_config(class_names=("five", "three", "eight")), sample=sample)
    images = np.random.default_rng(0).integers(0, 256, (30, 12, 10), dtype=np.uint8)
    source = save(tmp_path / "some.npz", images, np.array(["three", "five", "eight"])[np.arange(30) % 3])
    with pytest.warns(UserWarning, match=r"^.*/a: The model folder has no training fingerprints"):
        result = compare(tmp_path / "a", tmp_path / "b", source)
    assert result.models[0].sha256 == result.models[1].sha256
    assert not result.is_same_model  # the weights are equal, the classes are not
    apart = [skconv.evaluate(tmp_path / each, source) for each in "ab"]
    assert [each.accuracy for each in result.models] == [each.accuracy for each in apart]
    exchanged = {"three": "five", "five": "three"}
    assert result.n_different > 0 and all(exchanged[row[2]] == row[4] for row in result.differences)


def test_json_and_table_of_the_command(run, other, tmp_path, capsys):
    file = tmp_path / "differences.csv"
    assert main(["compare", run.folder, other, "digits", "--out", str(file), "--json"]) == 0
    record = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert {"difference", "low", "high", "p_value", "n", "models", "per_class", "is_same_model"} <= set(record)
    assert [each["model"] for each in record["models"]] == [run.folder, other]
    assert all(each["seconds_per_image"] > 0 and each["bytes"] > 0 for each in record["models"])
    assert "differences" not in record
    rows = list(csv.DictReader(file.open()))
    assert len(rows) == record["n_different"]
    assert sum(row["first"] == row["true"] for row in rows) == record["n_only_first"]
    assert sum(row["second"] == row["true"] for row in rows) == record["n_only_second"]
    assert all(row["input"].startswith("train ") and row["first"] != row["second"] for row in rows)
    highest = [max(float(row["first_confidence"]), float(row["second_confidence"])) for row in rows]
    assert highest == sorted(highest, reverse=True)


@pytest.mark.parametrize(("name", "words"), [("mistakes.txt", r"\.csv"), ("no/x.csv", "no folder")])
def test_output_that_cannot_be_written_raises_first(name, words, tmp_path):
    with pytest.raises(OutputError, match=words):
        compare("no-model", "no-model", "digits", out=tmp_path / name)


def test_source_is_not_overwritten(tmp_path):
    (tmp_path / "table.csv").write_text("a,b\n")
    with pytest.raises(OutputError, match="also an input"):
        compare("no-model", "no-model", tmp_path / "table.csv", out=tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text() == "a,b\n"


def test_images_that_one_model_was_trained_on_are_left_out(run, split, train, tmp_path):
    """Each model was trained on other images; the remaining images are compared once."""
    images, labels = split.test_images, split.test_labels
    model = train(images[:100], labels[:100], "hundred")
    source = save(tmp_path / "all.npz", np.concatenate([images, split.train_images[:50]]),
                  np.concatenate([labels, split.train_labels[:50]]))  # fmt: skip
    result = compare(run.folder, model, source)
    assert (result.split, result.n, result.n_left_out) == ("unseen", 170, 150)
    assert [each.n_seen for each in result.models] == [50, 100]
    correct = skconv.OnnxClassifier(run.folder).predict_proba(images[100:]).argmax(1) == labels[100:]
    assert result.models[0].accuracy == correct.mean()


@pytest.mark.parametrize(
    ("n", "words"),
    [(1, "only 1 image: no difference .* fewer than 6"), (20, "only 20 images: .* below 30 points")],
)
def test_few_common_images_are_noted(n, words, run, other, split, tmp_path):
    source = save(tmp_path / "few.npz", np.concatenate([split.train_images[:50], split.test_images[:n]]),
                  np.concatenate([split.train_labels[:50], split.test_labels[:n]]))  # fmt: skip
    with pytest.warns(UserWarning, match=words):
        result = compare(run.folder, other, source)
    assert result.n == n


def test_no_common_unseen_image_raises(run, leaked):
    with pytest.raises(DataError, match="none remains to compare them on"):
        compare(run.folder, leaked, "digits")


def test_test_split_that_the_second_model_was_trained_on_raises_with_its_name(run, leaked, split, tmp_path):
    np.savez(tmp_path / "both.npz", train_images=split.train_images, train_labels=split.train_labels,
             test_images=split.test_images, test_labels=split.test_labels)  # fmt: skip
    with pytest.raises(DataError, match=r"^.*leaked: This model's training data contains 270 of the 270"):
        compare(run.folder, leaked, tmp_path / "both.npz")


def enlarge(images):
    return np.kron(images, np.ones((2, 2), np.uint8))


def test_models_of_other_size_and_channels_get_their_own_images(run, split, train, tmp_path):
    colour = np.repeat(enlarge(split.train_images[:500])[..., np.newaxis], 3, axis=3)
    model = train(colour, split.train_labels[:500], "large")
    source = save(tmp_path / "test.npz", split.test_images, split.test_labels)
    with pytest.warns() as caught:
        result = compare(run.folder, model, source)
    messages = [str(each.message) for each in caught]
    assert any("different sizes, 8×8 pixels" in each and "16×16" in each and "resized" in each for each in messages)
    assert any(each.startswith(f"{model}: ") and "converted to colour" in each for each in messages)
    assert len(messages) == 2
    assert [each.input for each in result.models] == ["8×8 grey", "16×16 colour"]
    assert (result.n, result.models[0].accuracy) == (270, run.test_accuracy)
    with pytest.raises(ParameterError, match=r"8×8 pixels .*16×16.*Omit it \(--image-size\)"):
        compare(run.folder, model, source, image_size=8)


def test_model_with_more_classes_is_noted_and_its_other_predictions_are_wrong(run, six, split, tmp_path):
    few = split.test_labels < 6
    source = save(tmp_path / "few.npz", split.test_images[few], split.test_labels[few])
    with pytest.warns(UserWarning, match=r"^Only .* has the classes 6, 7, 8, 9\."):
        result = compare(six, run.folder, source)
    assert result.n == few.sum() and len(result.per_class) == 6
    assert result.models[1].accuracy == skconv.evaluate(run.folder, source).accuracy
    predicted = skconv.OnnxClassifier(run.folder).predict(split.test_images[few])
    named = {row[4] for row in result.differences}
    assert set(map(str, predicted[predicted > 5])) <= named


def test_data_with_classes_that_a_model_lacks_raises_with_its_name(run, six):
    with pytest.raises(DataError, match=r"^.*six: .*does not have: 6, 7, 8, 9.*--drop-class"):
        compare(run.folder, six, "digits")


def test_notes_on_the_data_are_printed_once(run, other, split, tmp_path, capsys):
    source = save(tmp_path / "more.npz", split.test_images, split.test_labels)
    assert main(["compare", run.folder, other, str(source), "--drop-class", "9"]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Note: ")]
    assert len([each for each in notes if "--drop-class" in each]) == 1


def test_missing_model_is_an_error_in_one_line(run, capsys):
    assert main(["compare", run.folder, "runs/no-such-run", "digits"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("Error: No model at runs/no-such-run")


def test_compare_loads_no_torch(run, other, split, tmp_path):
    source = save(tmp_path / "test.npz", split.test_images, split.test_labels)
    code = (
        "import sys, skconv; skconv.compare(*sys.argv[1:]);"
        "print(sorted({'torch', 'skorch', 'matplotlib', 'scipy', 'sklearn', 'pandas'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, run.folder, other, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

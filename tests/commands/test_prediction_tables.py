"""Tables of mistakes and of out-of-fold predictions: names of images, order, probabilities."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import skconv
from skconv.commands.cross_validate import cross_validate
from skconv.commands.ensemble import ensemble
from skconv.commands.evaluate import evaluate
from skconv.commands.report import report
from skconv.commands.train import train

pytestmark = pytest.mark.usefixtures("no_figures")


def read(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two hundred digits as files in class folders, every tenth in a wrong class folder."""
    folder = tmp_path_factory.mktemp("digits")
    data = skconv.load_dataset("digits")
    for number in range(200):
        label = data.class_names[(data.train_labels[number] + (number % 10 == 0)) % 10]
        (folder / label).mkdir(exist_ok=True)
        Image.fromarray(data.train_images[number]).save(folder / label / f"{number:03}.png")
    return folder


@pytest.fixture(scope="module")
def trained(folder, tiny_recipe, tmp_path_factory):
    return train(folder, recipe=tiny_recipe, out=tmp_path_factory.mktemp("runs") / "run")


def test_mistakes_of_a_run_are_files_of_the_held_out_images_by_confidence(folder, trained):
    rows = read(Path(trained.folder) / "mistakes.csv")
    assert list(rows[0]) == ["input", "true", "predicted", "confidence"]
    assert len(rows) == round((1 - trained.test_accuracy) * trained.seeds[0].n) > 0
    confidences = [float(row["confidence"]) for row in rows]
    assert confidences == sorted(confidences, reverse=True)
    predictions = skconv.predict(trained.model, [row["input"] for row in rows]).predictions
    for row, prediction in zip(rows, predictions, strict=True):
        assert Path(row["input"]).parent.name == row["true"] != row["predicted"] == prediction.label
        assert float(row["confidence"]) == pytest.approx(prediction.confidence, abs=1e-4)


def test_report_and_evaluate_list_the_same_mistakes(folder, trained, tmp_path):
    evaluated = evaluate(trained.model, folder, report=tmp_path / "scores")
    rows = read(tmp_path / "scores" / "mistakes.csv")
    assert evaluated.split == "unseen"
    images = {(row["input"], row["true"], row["predicted"]) for row in rows}
    assert images == {tuple(row.values())[:3] for row in read(Path(trained.folder) / "mistakes.csv")}
    report(trained.model, folder, out=tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'download="mistakes.csv"' in page and rows[0]["input"] in page


def test_images_of_an_array_are_named_by_split_and_index(tmp_path, tiny_recipe):
    data = skconv.load_dataset("digits")
    np.savez(tmp_path / "a.npz", X=data.train_images[:200], y=(data.train_labels[:200] + 1) % 10)
    result = train(tmp_path / "a.npz", recipe=tiny_recipe, out=tmp_path / "run")
    for row in read(tmp_path / "run" / "mistakes.csv"):
        split, index = row["input"].split()
        assert split == "train" and str((data.train_labels[int(index)] + 1) % 10) == row["true"]
    assert result.seeds[0].n == 30


@pytest.mark.parametrize("command", [ensemble, cross_validate])
def test_out_of_fold_predictions_are_a_row_per_training_image(folder, tiny_recipe, tmp_path, command):
    command(folder, recipe=tiny_recipe, folds=2, out=tmp_path / "run")
    rows = read(tmp_path / "run" / "out_of_fold.csv")
    names = [str(digit) for digit in range(10)]
    assert list(rows[0]) == ["input", "label", "predicted", "fold", *(f"probability_{name}" for name in names)]
    assert len(rows) == (200 if command is ensemble else 170) and {row["fold"] for row in rows} == {"1", "2"}
    assert len({row["input"] for row in rows}) == len(rows)
    for row in rows:
        probabilities = [float(row[f"probability_{name}"]) for name in names]
        assert sum(probabilities) == pytest.approx(1, abs=1e-4)
        assert names[int(np.argmax(probabilities))] == row["predicted"]
        assert Path(row["input"]).parent.name == row["label"]

"""Commands on folders of images: splits, size and resize rule of the model, names that are not UTF-8."""

import os
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import skconv
from skconv.commands.audit import audit
from skconv.commands.train import train
from skconv.inference import OnnxClassifier
from skconv.model_io.folder import read_config

RNG = np.random.default_rng(0)
pytestmark = [pytest.mark.filterwarnings("ignore::UserWarning"), pytest.mark.usefixtures("no_figures")]


def put(folder: Path, n: int, shape: tuple[int, ...] = (12, 12), suffix: str = ".png") -> None:
    folder.mkdir(parents=True)
    for number in range(n):
        Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(folder / f"{number}{suffix}")


@pytest.fixture(scope="module")
def photos(tmp_path_factory, tiny_recipe):
    """Return a folder of wide photographs, and the run of a training on it."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("a", "b"):
        put(folder / "data" / name, 10, (100, 150, 3), ".jpg")
    return folder / "data", train(folder / "data", recipe=tiny_recipe, out=folder / "run")


def test_model_records_size_and_resize_rule_of_its_images(photos):
    images = read_config(Path(photos[1].model)).input
    assert (images.height, images.width, images.resize) == (52, 78, "pad")
    assert OnnxClassifier(photos[1].model).image_spec.resize == "pad"


def test_predict_and_evaluate_resize_as_the_training_did(photos):
    folder, run = photos
    classifier = OnnxClassifier(run.model)
    dataset = skconv.load_dataset(folder)
    np.testing.assert_array_equal(
        [classifier.image_spec.preprocess(classifier.image_spec.open(file)) for file in dataset.files],
        dataset.train_images,
    )
    expected = classifier.predict_proba(dataset.train_images).max(axis=1)
    predictions = skconv.predict(run.model, [str(file) for file in dataset.files]).predictions
    np.testing.assert_allclose([each.confidence for each in predictions], expected, atol=1e-6)
    # Three images are unseen, of which the scores are those of the training.
    assert skconv.evaluate(run.model, folder).accuracy == run.test_accuracy


def test_evaluate_resizes_arrays_if_the_training_did(tmp_path, tiny_recipe):
    images = RNG.integers(0, 256, (40, 70, 70), dtype=np.uint8)
    np.savez(tmp_path / "large.npz", images=images, labels=np.arange(40) % 2)
    run = train(tmp_path / "large.npz", recipe=tiny_recipe, out=tmp_path / "run")
    assert OnnxClassifier(run.model).image_spec.shape == (64, 64)
    assert skconv.evaluate(run.model, tmp_path / "large.npz").accuracy == run.test_accuracy


def test_train_validates_on_the_validation_split(tmp_path, tiny_recipe, monkeypatch):
    passed = []
    fit = skconv.CNNClassifier.fit

    def record(self, X, y, **validation):
        passed.append(validation)
        return fit(self, X, y, **validation)

    monkeypatch.setattr(skconv.CNNClassifier, "fit", record)
    for split, n in (("train", 9), ("val", 5), ("test", 4)):
        for name in ("a", "b"):
            put(tmp_path / "data" / split / name, n)
    run = train(tmp_path / "data", recipe=tiny_recipe, out=tmp_path / "run")
    dataset = skconv.load_dataset(tmp_path / "data")
    np.testing.assert_array_equal(passed[0]["X_val"], dataset.valid_images)
    np.testing.assert_array_equal(passed[0]["y_val"], [0] * 5 + [1] * 5)
    assert run.seeds[0].n == 8
    for split in ("train", "val"):  # images of both are known to the model
        with pytest.raises(skconv.DataError, match="were in this model's training data"):
            skconv.evaluate(run.model, tmp_path / "data" / split)


def test_audit_names_the_files_of_every_split(tmp_path, tiny_recipe):
    for split in ("train", "val", "test"):
        for name in ("a", "b"):
            put(tmp_path / split / name, 5)
    for copy in ("val/b/copy.png", "test/b/copy.png"):
        (tmp_path / copy).write_bytes((tmp_path / "train/a/3.png").read_bytes())
    result = audit(tmp_path, recipe=tiny_recipe, folds=2)
    found = {each.image for each in result.issues if each.kind == "overlap"}
    assert found == {str(tmp_path / "val/b/copy.png"), str(tmp_path / "test/b/copy.png")}


def test_audit_continues_without_unreadable_files(tmp_path, tiny_recipe):
    for name in ("a", "b"):
        put(tmp_path / name, 5)
    (tmp_path / "a" / "4.png").write_bytes(b"")
    assert audit(tmp_path, recipe=tiny_recipe, folds=2).classes == {}
    result = audit(tmp_path, recipe=tiny_recipe, folds=2, skip_unreadable=True)
    assert result.classes == {"a": 4, "b": 5}
    assert [each.image for each in result.issues if each.kind == "broken"] == [str(tmp_path / "a" / "4.png")]


@pytest.mark.skipif(os.name != "posix", reason="file names are text")
def test_commands_accept_names_that_are_not_utf8(tmp_path, tiny_recipe):
    source = tmp_path / os.fsdecode(b"caf\xe9")
    for name in (b"th\xe9", b"coffee", b"$a_{b"):
        put(source / os.fsdecode(name), 8, suffix=os.fsdecode(b"\xff.png"))
    (source / "coffee" / os.fsdecode(b"copy\xff.png")).write_bytes(
        (source / "coffee" / os.fsdecode(b"0\xff.png")).read_bytes()
    )
    run = train(source, recipe=tiny_recipe, out=tmp_path / "run")
    assert OnnxClassifier(run.model).class_names == ("$a_{b", "coffee", "th\\xe9")
    assert tomllib.loads((tmp_path / "run" / "recipe.toml").read_text())["data"]["source"].endswith("caf\\xe9")
    skconv.report(run.model, source, out=tmp_path / "page.html")
    audit(source, recipe=tiny_recipe, folds=2, out=tmp_path / "audit")
    assert (tmp_path / "page.html").stat().st_size and (tmp_path / "audit" / "duplicate.png").stat().st_size


def test_train_on_a_folder_with_a_class_of_one_image(tmp_path, tiny_recipe):
    for name, n in (("a", 9), ("b", 9), ("rare", 1)):
        put(tmp_path / "data" / name, n)
    with pytest.warns(UserWarning, match=r"class 'rare' \(1 image\) is left out: 3 or more .*--min-class-size"):
        run = train(tmp_path / "data", recipe=tiny_recipe, out=tmp_path / "run")
    assert OnnxClassifier(run.model).class_names == ("a", "b")

"""`explain`: figures of activations, attributions and neighbours, and their records."""

import json
import warnings

import numpy as np
import pytest
from PIL import Image

import skconv
from skconv.commands.explain import explain
from skconv.commands.scoring import choose_unseen
from skconv.exceptions import DataError, ModelFileError, OutputError, SourceNotFoundError, UnknownNameError


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "digit.png"
    Image.fromarray(skconv.load_dataset("digits").train_images[0]).save(path)
    return path


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """A model folder with an ensemble of two."""
    digits = skconv.load_dataset("digits")
    member = skconv.CNNClassifier("fast", max_epochs=1, precision="fp32")
    classifier = skconv.KFoldEnsembleClassifier(member, cv=2, random_state=0)
    folder = tmp_path_factory.mktemp("ensemble") / "model"
    classifier.fit(digits.train_images[:200], digits.train_labels[:200]).save(folder)
    return folder


def test_explain_gives_the_prediction_and_lists_the_convolutions(run, image, tmp_path):
    out = tmp_path / "maps.png"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = explain(run.model, image, out=out)
    (predicted,) = skconv.predict(run.model, image).predictions
    assert (result.input, result.label) == (predicted.input, predicted.label)
    assert result.confidence == pytest.approx(predicted.confidence, abs=1e-4)
    assert [(layer.maps, layer.height, layer.width) for layer in result.layers] == [(16, 6, 6), (32, 4, 4), (64, 2, 2)]
    with Image.open(out) as figure:
        assert figure.format == "PNG"
    assert f"{image}: {result.label}" in str(result) and str(out) in str(result)


def test_json_has_the_documented_keys(run, image, tmp_path):
    record = json.loads(json.dumps(explain(run.folder, image, out=tmp_path / "maps.png").to_json()))
    assert list(record) == ["input", "label", "confidence", "layers", "figure", "neighbours"]
    assert [list(layer) for layer in record["layers"]] == [["name", "maps", "height", "width"]] * 3
    assert record["figure"] == str(tmp_path / "maps.png")


def test_explain_is_reproducible_and_replaces_a_file(run, image, tmp_path):
    out = tmp_path / "maps.PNG"
    out.write_text("old")
    explain(run.model, image, out=out)
    first = out.read_bytes()
    explain(run.model, image, out=out)
    assert out.read_bytes() == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digit.png", "maps.PNG"]


def test_explain_warns_that_an_ensemble_is_shown_by_its_first_member(ensemble, image, tmp_path):
    with pytest.warns(UserWarning, match="first member"):
        result = explain(ensemble, image, out=tmp_path / "maps.png")
    (predicted,) = skconv.predict(ensemble, image).predictions
    assert result.label == predicted.label
    assert result.confidence == pytest.approx(predicted.confidence, abs=1e-4)
    assert [layer.name for layer in result.layers] == ["blocks.1.0", "blocks.2.0", "blocks.3.0"]


def test_explain_warns_of_a_converted_image(run, tmp_path):
    Image.fromarray(np.full((40, 30, 3), (200, 10, 60), np.uint8)).save(tmp_path / "large.png")
    with pytest.warns(UserWarning) as notes:
        explain(run.model, tmp_path / "large.png", out=tmp_path / "maps.png")
    messages = " ".join(str(note.message) for note in notes)
    assert "resized to 8×8" in messages and "grey" in messages


@pytest.mark.parametrize("name", ["maps.pdf", "maps.jpg", "maps", ".png", "", "maps.png.txt"])
def test_out_that_is_not_a_png_raises_first(name, tmp_path):
    with pytest.raises(OutputError, match=r"ends in \.png"):
        explain(tmp_path / "missing", tmp_path / "missing.png", out=name)


def test_out_that_is_the_image_raises(run, image):
    before = image.read_bytes()
    with pytest.raises(OutputError, match="would be overwritten"):
        explain(run.model, image, out=image.parent / "." / image.name)
    assert image.read_bytes() == before


def test_several_images_raise(run, image, tmp_path):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "second.png")
    with pytest.raises(DataError, match="2 images"):
        explain(run.model, tmp_path, out=tmp_path / "maps.png")
    assert not (tmp_path / "maps.png").exists()


def test_missing_model_or_image_raises(run, image, tmp_path):
    with pytest.raises(SourceNotFoundError, match="No model"):
        explain(tmp_path / "missing", image, out=tmp_path / "maps.png")
    with pytest.raises(SourceNotFoundError, match=r"missing\.png"):
        explain(run.model, tmp_path / "missing.png", out=tmp_path / "maps.png")
    with pytest.raises(ModelFileError):
        explain(image, image, out=tmp_path / "maps.png")
    assert [path.name for path in tmp_path.iterdir()] == ["digit.png"]


@pytest.mark.parametrize("shown", ["occlusion", "attributions"])
def test_attributions_are_drawn_beside_the_image(shown, run, image, tmp_path):
    if shown == "attributions":
        pytest.importorskip("captum")
    result = explain(run.model, image, out=tmp_path / "parts.png", show=shown)
    assert result.layers == result.neighbours == ()
    pixels = np.asarray(Image.open(tmp_path / "parts.png").convert("RGB")).astype(int)
    assert (np.abs(pixels[..., 0] - pixels[..., 2]) > 60).any()  # the image itself is grey


def test_nearest_neighbour_of_a_training_image_is_itself(run, image, tmp_path):
    result = explain(run.model, image, out=tmp_path / "near.png", show="neighbours")
    nearest = result.neighbours[0]
    assert (nearest.position, nearest.label) == (0, "0")
    assert nearest.distance == pytest.approx(0, abs=1e-5)
    distances = [each.distance for each in result.neighbours]
    assert distances == sorted(distances)
    assert len(distances) == 19
    assert "Nearest training images" in str(result)


def test_held_out_images_are_not_neighbours(run, image, tmp_path):
    result = explain(run.model, image, out=tmp_path / "near.png", show="neighbours")
    held_out = set(choose_unseen(skconv.OnnxClassifier(run.model), skconv.load_dataset("digits")).positions)
    assert held_out and not held_out & {each.position for each in result.neighbours}


def test_neighbours_come_from_the_given_source(run, image, tmp_path):
    digits = skconv.load_dataset("digits")
    np.savez(tmp_path / "few.npz", X=digits.train_images[500:560], y=digits.train_labels[500:560])
    result = explain(run.model, image, out=tmp_path / "near.png", show="neighbours", source=tmp_path / "few.npz")
    assert max(each.position for each in result.neighbours) < 60


def test_unknown_explanation_raises_with_the_known_ones(run, image, tmp_path):
    with pytest.raises(UnknownNameError, match="occlusion"):
        explain(run.model, image, out=tmp_path / "maps.png", show="oclusion")

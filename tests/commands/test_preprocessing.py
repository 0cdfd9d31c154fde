"""Preprocessing step "digit", from a folder of images of any size to the prediction."""

import numpy as np
import pytest
from PIL import Image

import skconv
from skconv.commands.evaluate import evaluate
from skconv.commands.predict import predict
from skconv.commands.train import train
from skconv.digits.preprocess.normalization import normalize_digit
from skconv.exceptions import ParameterError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Class folders of digits, dark on paper of different shades and sizes."""
    folder = tmp_path_factory.mktemp("own")
    mnist = skconv.load_dataset("mnist")
    for digit in (0, 1, 7):
        (folder / str(digit)).mkdir()
        for number, index in enumerate(np.flatnonzero(mnist.train_labels == digit)[:20]):
            scale, margin = 1 + number % 4, 3 + number
            strokes = np.pad(mnist.train_images[index], margin).repeat(scale, axis=0).repeat(scale, axis=1)
            paper = 250 - number - (strokes * 0.8).astype(np.uint8)
            Image.fromarray(paper.astype(np.uint8)).save(folder / str(digit) / f"{number:02}.png")
    return folder


def test_load_dataset_normalizes_images_of_several_sizes(folder):
    dataset = skconv.load_dataset(folder, normalize="digit")
    assert dataset.image_shape == (28, 28) and dataset.preprocessing == "digit"
    first = np.asarray(Image.open(folder / "0" / "00.png"))
    np.testing.assert_array_equal(dataset.train_images[0], normalize_digit(first))


def test_unknown_normalization_raises(folder):
    with pytest.raises(ParameterError, match=r"'normalize' parameter must be None or 'digit'\. Got 'letter'"):
        skconv.load_dataset(folder, normalize="letter")


def test_model_applies_its_preprocessing(folder, tiny_recipe, tmp_path):
    recipe = tmp_path / "own.toml"
    recipe.write_text(tiny_recipe.read_text().replace("[data]", '[data]\nnormalize = "digit"'))
    result = train(folder, recipe=recipe, out=tmp_path / "run")
    reader = skconv.OnnxClassifier(result.model)
    assert reader.image_spec.preprocessing == "digit" and reader.input_shape == (1, 28, 28)
    file = folder / "7" / "05.png"
    seen = normalize_digit(np.asarray(Image.open(file)))
    prediction = predict(result.model, file).predictions[0]
    assert prediction.confidence == pytest.approx(float(reader.predict_proba(seen[None]).max()))
    scored = evaluate(result.model, folder)
    assert scored.n_seen == reader.config.data.n_train  # recognised after preprocessing
    assert scored.n + scored.n_seen == 60


def test_bundled_model_is_scored_on_images_of_several_sizes(folder):
    # MNIST's training digits at other sizes: the fingerprints do not match.
    assert evaluate("digits", folder).accuracy > 0.9

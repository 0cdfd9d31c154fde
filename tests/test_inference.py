import hashlib
import shutil
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from skconv.exceptions import DataError, ModelFileError, ParameterError, SourceNotFoundError
from skconv.inference import OnnxClassifier, describe_predictions
from skconv.model_io import InputConfig, read_config, save_model
from skconv.model_io.config import FileRecord
from skconv.model_io.onnx_metadata import describe_onnx, replace_metadata
from skconv.networks import create_network


@pytest.fixture(scope="module")
def colour(tmp_path_factory, make_config):
    folder = tmp_path_factory.mktemp("colour") / "model"
    torch.manual_seed(1)
    network = create_network("fast", in_channels=3, image_size=(12, 10), num_classes=3)
    sample = np.random.default_rng(0).integers(0, 256, (4, 3, 12, 10), dtype=np.uint8)
    save_model(folder, network, make_config(input=InputConfig(3, 12, 10)), sample=sample)
    return folder


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(2).integers(0, 256, (300, 12, 10), dtype=np.uint8)


def test_predict_proba_agrees_with_torch(saved_model, make_network, images):
    network = make_network().eval()
    with torch.inference_mode():
        expected = torch.softmax(network(torch.from_numpy(images[:, None]).float()), 1).numpy()
    classifier = OnnxClassifier(saved_model)
    probabilities = classifier.predict_proba(images)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert classifier.predict(images).tolist() == [(3, 5, 8)[k] for k in expected.argmax(1)]


def test_attributes_describe_the_model(saved_model):
    classifier = OnnxClassifier(saved_model.parent, threads=1)
    assert classifier.input_shape == (1, 12, 10)
    assert classifier.class_names == ("three", "five", "eight")
    assert classifier.classes_.tolist() == [3, 5, 8]
    assert classifier.config.data.licence == "CC BY-SA 3.0"


def test_predictions_have_an_out_of_distribution_score_only_if_the_model_has_one(saved_model, images):
    classifier = OnnxClassifier(saved_model)
    probabilities, scores = classifier.predict_with_ood(images)
    assert scores is None and classifier.ood_threshold is None
    np.testing.assert_array_equal(probabilities, classifier.predict_proba(images))
    without = describe_predictions(["a"], probabilities[:1], classifier.class_names)[0]
    assert not {"ood_score", "unlike_training"} & set(without.to_json())
    scored = describe_predictions(
        ["a", "b"], probabilities[:2], classifier.class_names, ood_scores=np.array([1, 2.5]), ood_threshold=1.0
    )
    assert [(each.ood_score, each.unlike_training) for each in scored] == [(1.0, False), (2.5, True)]
    assert ["unlike the training images" in str(each) for each in scored] == [False, True]


def test_predict_proba_ignores_masks(saved_model, images):
    masked = np.ma.masked_array(images, mask=True)
    classifier = OnnxClassifier(saved_model)
    np.testing.assert_array_equal(classifier.predict_proba(masked), classifier.predict_proba(images))


def test_predict_proba_accepts_every_shape_and_dtype_of_grey_images(saved_model, images):
    classifier = OnnxClassifier(saved_model)
    expected = classifier.predict_proba(images)
    for converted in (
        images[:, None],
        images[..., None],
        images.reshape(300, 120),
        images.astype(np.float64),
        images.astype(np.int16),
        np.asfortranarray(images),
        images.tolist(),
    ):
        np.testing.assert_array_equal(classifier.predict_proba(converted), expected)
    np.testing.assert_allclose(classifier.predict_proba(images[::-1])[::-1], expected, atol=1e-6)


def test_predict_proba_accepts_both_shapes_of_colour_images(colour):
    classifier = OnnxClassifier(colour)
    channels_first = np.random.default_rng(3).integers(0, 256, (5, 3, 12, 10), dtype=np.uint8)
    expected = classifier.predict_proba(channels_first)
    np.testing.assert_array_equal(classifier.predict_proba(channels_first.transpose(0, 2, 3, 1)), expected)


def test_predict_accepts_no_image_and_one(saved_model, images):
    classifier = OnnxClassifier(saved_model)
    assert classifier.predict_proba(images[:0]).shape == (0, 3)
    assert classifier.predict(images[:1]).shape == (1,)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((12, 10)), r"pass images\[None\]"),
        (np.zeros((5, 121)), "If the label is among the columns"),
        (np.zeros((5, 10, 12)), "shape .5, 10, 12.; the model expects .n, 12, 10."),
        (np.zeros((5, 12, 10, 3)), "the model expects"),
        (np.zeros(()), "the model expects"),
        (np.full((5, 12, 10), "a"), "expected numbers"),
        (np.zeros((5, 12, 10), object), "expected numbers"),
        (np.zeros((5, 12, 10), complex), "expected numbers"),
        (["photo.jpg"], r"skconv\.load_images"),
        ([Path("photo.jpg")], r"skconv\.load_images"),
        ([[1, 2], [3]], "are not an array"),
    ],
)
def test_predict_proba_refuses_images_that_do_not_fit_in_one_line(saved_model, images, message):
    with pytest.raises(DataError, match=message) as caught:
        OnnxClassifier(saved_model).predict_proba(images)
    assert "\n" not in str(caught.value)


def test_predict_refuses_grey_images_for_a_colour_model(colour, images):
    with pytest.raises(DataError, match="repeat the grey channel"):
        OnnxClassifier(colour).predict(images)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_predict_names_the_image_with_an_invalid_value(saved_model, images, value):
    broken = images.astype(np.float64)
    broken[270, 3, 3] = value
    with pytest.raises(DataError, match="Image 270 contains"):
        OnnxClassifier(saved_model).predict(broken)


@pytest.fixture
def trained_on(saved_model, tmp_path):
    """Return a function that loads a model with another pixel range of the training images."""

    def load(*pixel_range):
        folder = Path(shutil.copytree(saved_model, tmp_path / f"{pixel_range}"))
        config = replace(read_config(folder), input=InputConfig(1, 12, 10, pixel_range))
        metadata = describe_onnx(config, config.files["model.safetensors"].sha256)
        onnx = replace_metadata((folder / "model.onnx").read_bytes(), metadata)
        (folder / "model.onnx").write_bytes(onnx)
        record = FileRecord(hashlib.sha256(onnx).hexdigest(), len(onnx))
        config = replace(config, files={**config.files, "model.onnx": record})
        (folder / "config.json").write_bytes(config.to_bytes())
        return OnnxClassifier(folder)

    return load


@pytest.mark.parametrize(
    ("trained", "divisor", "message"),
    [
        ((0, 255), 255.0, "pixels from 0 to 1; the model was trained on pixels from 0 to 255"),
        ((0, 255), 16, "pixels from 0 to 15; the model was trained on pixels from 0 to 255"),
        ((0, 255), 13, "pixels from 0 to 19; the model was trained on pixels from 0 to 255"),  # 0..16, resized
        ((0, 1), 1, "pixels from 0 to 255; the model was trained on pixels from 0 to 1"),
        ((0, 16), 1, "pixels from 0 to 255; the model was trained on pixels from 0 to 16"),
        ((0, 16), 255.0, "pixels from 0 to 1; the model was trained on pixels from 0 to 16"),
        ((-1, 1), 1, "pixels from 0 to 255; the model was trained on pixels from -1 to 1"),
    ],
)
def test_predict_proba_warns_once_per_call_about_another_pixel_range(trained_on, images, trained, divisor, message):
    other = images / divisor if isinstance(divisor, float) else images // divisor
    with pytest.warns(UserWarning, match=message) as caught:
        trained_on(*trained).predict_proba(other)
    assert len(caught) == 1 and caught[0].filename == __file__


def test_predict_does_not_warn_about_dark_bright_or_blank_images(trained_on, images):
    classifier = trained_on(0, 255)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for valid in (images, images // 8, images // 2 + 128, 0 * images, 0.0 * images + 1, images[:0]):
            classifier.predict(valid)
        classifier.predict(np.concatenate([images[:280] / 255, images[280:]]))  # usual in the last batch
        trained_on(0, 1).predict(images / 255)
        trained_on(0, 200).predict(images)


def test_predict_does_not_warn_if_the_range_is_unknown(saved_model, images):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        OnnxClassifier(saved_model).predict(images / 255)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_invalid_number_of_threads_is_refused(saved_model, threads):
    with pytest.raises(ParameterError, match="threads"):
        OnnxClassifier(saved_model, threads=threads)


def test_missing_and_altered_models_are_refused(tmp_path, saved_model):
    with pytest.raises(SourceNotFoundError):
        OnnxClassifier(tmp_path / "nowhere")
    copy = Path(shutil.copytree(saved_model, tmp_path / "model"))
    (copy / "model.onnx").write_bytes(b"x" * (copy / "model.onnx").stat().st_size)
    with pytest.raises(ModelFileError, match="altered"):
        OnnxClassifier(copy)


def test_file_is_verified_again_when_it_is_opened(tmp_path, saved_model, images):
    copy = Path(shutil.copytree(saved_model, tmp_path / "model"))
    classifier = OnnxClassifier(copy)
    path = copy / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"model\.onnx was altered"):
        classifier.predict(images)


def test_inference_imports_neither_torch_nor_scikit_learn(saved_model):
    code = f"""
import sys
import numpy as np
from skconv.inference import OnnxClassifier, describe_predictions
classifier = OnnxClassifier({str(saved_model)!r})
assert "onnxruntime" not in sys.modules
assert classifier.predict(np.zeros((2, 12, 10), np.uint8)).shape == (2,)
loaded = {{"torch", "sklearn", "scipy", "cv2", "matplotlib", "onnx", "safetensors", "PIL"}} & set(sys.modules)
assert not loaded, loaded
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_representation_describes_the_model(saved_model, colour):
    config = OnnxClassifier(saved_model).config
    names = ", ".join(config.class_names)
    assert (
        str(OnnxClassifier(saved_model))
        == f"<OnnxClassifier of {saved_model}: network fast, 10×12 pixels in grey, 3 classes: {names}>"
    )
    assert "10×12 pixels in colour" in repr(OnnxClassifier(colour))
    many = str(OnnxClassifier("digits"))
    assert many.endswith("11 classes: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, nothing>")

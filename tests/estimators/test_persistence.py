"""Saved, pickled and cloned classifiers."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from skconv import OnnxClassifier, load_dataset
from skconv.estimators import CNNClassifier
from skconv.exceptions import ModelFileError
from skconv.model_io import read_config

from .conftest import same_weights


def test_bundled_model_predicts_the_same_in_torch_and_onnx():
    bundled = CNNClassifier.load("digits")
    images = load_dataset("mnist").test_images[:100]
    answers = bundled.predict_proba(images)
    np.testing.assert_allclose(OnnxClassifier("digits").predict_proba(images), answers, atol=1e-5)


def test_loaded_model_predicts_the_same(fitted, digits, tmp_path):
    X, _ = digits
    fitted.save(tmp_path / "model", class_names=[f"digit {k}" for k in range(10)])
    loaded = CNNClassifier.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert loaded.get_params()["network"] == "fast" and loaded.max_epochs == 6
    assert loaded.n_parameters_ == fitted.n_parameters_


def test_pixel_range_survives_saving_a_loaded_model(fitted, digits, tmp_path):
    X, _ = digits
    fitted.save(tmp_path / "first")
    CNNClassifier.load(tmp_path / "first").save(tmp_path / "second")
    assert fitted.pixel_range_ == (X.min(), X.max())
    assert read_config(tmp_path / "second").input.pixel_range == fitted.pixel_range_


def test_pickle_and_clone(fitted, digits):
    X, _ = digits
    restored = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(restored.predict(X), fitted.predict(X))
    assert not hasattr(clone(fitted), "net_") and clone(fitted).get_params() == fitted.get_params()


def test_pickled_copy_continues_training_alike(digits):
    X, y = digits
    original = CNNClassifier("fast", random_state=0, ema_decay=0.9).partial_fit(X[:200], y[:200])
    restored = pickle.loads(pickle.dumps(original))
    for model in (original, restored):
        model.partial_fit(X[:200], y[:200])
    assert same_weights(original, restored)


def test_save_ignores_parameters_changed_after_fit(fitted, digits, tmp_path):
    X, _ = digits
    changed = copy.deepcopy(fitted).set_params(network="accurate")
    changed.save(tmp_path / "model")
    np.testing.assert_array_equal(CNNClassifier.load(tmp_path / "model").predict(X), fitted.predict(X))


def test_load_refuses_a_pickle(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"weights": 1}))
    with pytest.raises(ModelFileError, match="pickle"):
        CNNClassifier.load(path)


def test_list_of_augmentations_is_saved(digits, tmp_path):
    X, y = digits
    steps = [{"rotation": 5}, {"shift": 0.1, "perspective": 0.1}]
    classifier = CNNClassifier("fast", max_epochs=1, augmentation=steps, random_state=0).fit(X[:100], y[:100])
    classifier.save(tmp_path / "model")
    assert CNNClassifier.load(tmp_path / "model").augmentation == steps

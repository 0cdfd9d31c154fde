"""Images outside the range of the training images: the same warning from the estimators and `OnnxClassifier`."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits

from skconv.estimators import CNNClassifier, KFoldEnsembleClassifier
from skconv.inference import OnnxClassifier

DIGITS = load_digits()
UNIT, Y = DIGITS.images[:200] / 16, DIGITS.target[:200]
RANGES = {
    "0..1": UNIT,
    "-1..1": 2 * UNIT - 1,
    "0..255": (255 * UNIT).astype(np.uint8),
    "0..65535": (65535 * UNIT).astype(np.uint16),
}
METHODS = ("predict", "predict_proba", "decision_function")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return a classifier per range, with its model in ONNX."""
    fitted = {}
    for name, images in RANGES.items():
        folder = tmp_path_factory.mktemp("range") / "model"
        classifier = CNNClassifier("fast", max_epochs=1, random_state=0).fit(images, Y)
        classifier.save(folder)
        fitted[name] = classifier, OnnxClassifier(folder)
    return fitted


def collect(call, *arguments):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*arguments)
    return [str(each.message) for each in caught], [each.filename for each in caught]


@pytest.mark.parametrize("trained", RANGES)
@pytest.mark.parametrize("asked", RANGES)
def test_another_range_is_a_warning_of_both(models, trained, asked):
    classifier, onnx = models[trained]
    expected, _ = collect(onnx.predict_proba, RANGES[asked])
    # 0..1 is within -1..1; only a factor is certain.
    assert bool(expected) == (trained != asked and (trained, asked) != ("-1..1", "0..1"))
    for method in METHODS:
        messages, files = collect(getattr(classifier, method), RANGES[asked])
        assert messages == expected and set(files) <= {__file__}
    assert collect(classifier.score, RANGES[asked], Y)[0] == expected
    assert all("trained on pixels from" in message for message in expected)


def test_blank_and_dark_images_are_no_warning(models):
    for name, white in (("0..1", 1.0), ("0..255", 255), ("0..65535", 65535)):
        for images in (0 * RANGES[name], 0 * RANGES[name] + white, RANGES[name] / 3, white - RANGES[name]):
            for model in models[name]:
                assert collect(model.predict, images) == ([], [])


def test_single_outliers_are_no_warning(models):
    images = UNIT.copy()
    images[::20, 0, 0] = 9.0  # as after scaling each feature by its range
    for model in models["0..1"]:
        assert collect(model.predict, images) == ([], [])


def test_blank_images_far_outside_the_range_are_a_warning(models):
    for model in models["0..1"]:
        assert "from 255 to 255" in collect(model.predict, np.full((2, 8, 8), 255))[0][0]


def test_validation_and_further_training_images_are_checked():
    classifier = CNNClassifier("fast", max_epochs=1, random_state=0)
    with pytest.warns(UserWarning, match="pixels from 0 to 1; the model was trained on pixels from 0 to 255") as caught:
        classifier.fit(RANGES["0..255"], Y, X_val=UNIT, y_val=Y)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="pixels from 0 to 65535") as caught:
        classifier.partial_fit(RANGES["0..65535"], Y)
    assert caught[0].filename == __file__ and classifier.pixel_range_ == (0, 65535)


def test_ensemble_checks_the_range():
    ensemble = KFoldEnsembleClassifier(CNNClassifier("fast", max_epochs=1), cv=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ensemble.fit(RANGES["0..255"], Y)
    with pytest.warns(UserWarning, match="pixels from 0 to 1;"):
        ensemble.predict(UNIT)

"""Warnings about validation images that are too few to select weights by or to calibrate on."""

import warnings

import numpy as np
import pytest

from skconv import CNNClassifier, KFoldEnsembleClassifier


def make_images(n, n_classes):
    labels = np.arange(n) % n_classes
    images = np.random.default_rng(0).integers(0, 100, (n, 8, 8), dtype=np.uint8)
    return images + (20 * labels[:, None, None]).astype(np.uint8), labels


@pytest.mark.parametrize(
    ("n", "n_classes", "parameters", "words"),
    [
        (10, 2, {"validation_fraction": 0.05}, r"has 1 image: too few to calibrate.* Add images"),
        (30, 10, {"validation_fraction": 0.1}, "3 images: too few to calibrate"),
        (60, 3, {"validation_fraction": 0.2, "patience": 3}, r"12 images, 4 of class 0: too few to stop"),
        (60, 3, {"validation_fraction": 0.2, "restore_best": "valid_loss"}, "select weights"),
        (200, 2, {"validation_fraction": 0.4, "patience": 9}, r"80 images: .*validation_fraction .*, or an ensemble"),
        (150, 2, {"validation_fraction": 0.1}, r"15 images: too few to calibrate.* Use an ensemble"),
        (200, 60, {"validation_fraction": 0.5, "patience": 9}, r"100 images, 1 of class \d+: too few to st"),
    ],
)
def test_few_validation_images_are_reported_once(n, n_classes, parameters, words):
    with pytest.warns(UserWarning, match=words) as caught:
        classifier = CNNClassifier("fast", max_epochs=1, random_state=0, **parameters).fit(*make_images(n, n_classes))
    assert len([each for each in caught if "validation split has" in str(each.message)]) == 1
    assert classifier.held_out_ is None or n_classes == 60


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"validation_fraction": 0.5},
        {"validation_fraction": 0.5, "patience": 2},
        {"validation_fraction": 0.1, "calibrate": False},
    ],
)
def test_enough_or_no_validation_images_are_not_reported(parameters):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        CNNClassifier("fast", max_epochs=1, random_state=0, **parameters).fit(*make_images(200, 2))


def test_ensemble_of_few_images_reports_that_it_is_not_calibrated():
    member = CNNClassifier("fast", max_epochs=1)
    with pytest.warns(UserWarning, match="not calibrated: calibration needs 100 images, and there are 30"):
        ensemble = KFoldEnsembleClassifier(member, cv=2, random_state=0).fit(*make_images(30, 3))
    assert ensemble.held_out_ is None

"""Test of mirrored images, with classifiers of known behaviour."""

import numpy as np
import pytest

from skconv.auto.mirroring import compare_mirrored, is_improved
from skconv.evaluation.metrics import score_predictions

LABELS = np.arange(300) % 3


class CornerClassifier:
    """Predicts the label from the corner pixels: both corners, or the left one only."""

    def __init__(self, *, both: bool) -> None:
        self.both = both

    def predict(self, images):
        corners = images[:, 0, 0].astype(int)
        if self.both:
            corners = np.maximum(corners, images[:, 0, -1])
        return corners % 3


def make_images(labels=LABELS):
    images = np.zeros((len(labels), 8, 8), np.uint8)
    images[:, 0, 0] = labels
    return images


@pytest.mark.parametrize(
    ("classifier", "expected"), [(CornerClassifier(both=True), True), (CornerClassifier(both=False), False)]
)
def test_compare_mirrored_compares_mirrored_images(classifier, expected):
    preserves, sentence = compare_mirrored([(classifier, make_images(), LABELS)])
    assert preserves is expected
    assert "mirrored" in sentence and "100.0 %" in sentence


def test_compare_mirrored_leaves_the_decision_to_a_training_if_some_classes_are_not_symmetric():
    labels = np.arange(300) % 10
    images = make_images(labels)
    images[labels > 2, 0, -1] = labels[labels > 2]  # the images of classes 1 and 2 all face to the left
    classifier = CornerClassifier(both=True)
    classifier.predict = lambda images: images[:, 0, 0]
    preserves, sentence = compare_mirrored([(classifier, images, labels)])
    assert preserves is None and "mirrored 80.0 %" in sentence


def test_few_lost_images_of_a_small_class_are_no_evidence():
    labels = np.repeat([0, 1, 2], [200, 200, 8])
    images = make_images(labels)
    classifier = CornerClassifier(both=False)
    images[:, 0, -1] = labels
    images[400:402, 0, -1] = 0  # two of eight images of class 2 face to the left
    preserves, _ = compare_mirrored([(classifier, images, labels)])
    assert preserves


def score(confidences):
    """Return the scores of 20 images of each of two classes, predicted with the confidence of their class."""
    sure = np.repeat(confidences, 20)
    labels = np.repeat([0, 1], 20)
    return score_predictions(labels, np.where(labels[:, None] == np.arange(2), sure[:, None], 1 - sure[:, None]))


@pytest.mark.parametrize(
    ("flipped", "expected"), [((0.95, 0.95), True), ((0.8, 0.8), False), ((0.999, 0.45), False)], ids=str
)
def test_flips_are_an_improvement_if_the_loss_is_lower_and_no_class_is_lost(flipped, expected):
    original = score((0.7, 0.55)) if flipped == (0.999, 0.45) else score((0.9, 0.9))
    assert is_improved(score(flipped), original) is expected


def test_compare_mirrored_detects_two_mirrored_classes_among_many():
    labels = np.arange(4000) % 100
    images = np.full((4000, 8, 8), 0, np.uint8)
    images[:, 0, :] = labels[:, None]
    pair = labels < 2  # "turn left" and "turn right" differ in the side of a mark
    images[pair, 0, :] = 0
    images[pair, 1, 0] = labels[pair]
    images[pair, 1, -1] = 1 - labels[pair]

    class Signs:
        def predict(self, images):
            return np.where(images[:, 0, 0] > 1, images[:, 0, 0], images[:, 1, 0]).astype(int)

    preserves, sentence = compare_mirrored([(Signs(), images, labels)])
    assert preserves is None and "98.0 %" in sentence

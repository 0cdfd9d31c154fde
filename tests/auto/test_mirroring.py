"""Test of mirrored images, with classifiers of known behaviour."""

import numpy as np
import pytest

from skconv.auto.mirroring import is_mirrorable

LABELS = np.arange(300) % 3


class Reader:
    """Classifier that reads the label from the corner pixels: both corners, or the left one only."""

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


@pytest.mark.parametrize(("classifier", "expected"), [(Reader(both=True), True), (Reader(both=False), False)])
def test_is_mirrorable_compares_mirrored_images(classifier, expected):
    mirrorable, sentence = is_mirrorable([(classifier, make_images(), LABELS)])
    assert mirrorable is expected
    assert "mirrored" in sentence and "100.0 %" in sentence


def test_is_mirrorable_refuses_two_mirrored_classes_among_many():
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

    mirrorable, sentence = is_mirrorable([(Signs(), images, labels)])
    assert not mirrorable and "98.0 %" in sentence

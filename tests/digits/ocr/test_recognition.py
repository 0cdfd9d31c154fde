"""Whole numbers read from images, with a plain classifier of MNIST's digits: the nearest of some thousand."""

import numpy as np
import pytest

from skconv import load_dataset
from skconv.digits.ocr.recognition import read_image
from skconv.exceptions import DataError


class NearestReader:
    """What `read_image` needs of a reader; has no class "nothing"."""

    class_names = tuple("0123456789")

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images = self._scale(images)
        self.labels = labels

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        likeness = self._scale(images) @ self.images.T
        best = np.stack([likeness[:, self.labels == digit].max(axis=1) for digit in range(10)], axis=1)
        odds = np.exp(25 * (best - best.max(axis=1, keepdims=True))) * np.clip(best.max(axis=1, keepdims=True), 0.1, 1)
        return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)

    @staticmethod
    def _scale(images: np.ndarray) -> np.ndarray:
        flat = images.reshape(len(images), -1).astype(np.float32)
        return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1)


@pytest.fixture(scope="module")
def mnist():
    return load_dataset("mnist")


@pytest.fixture(scope="module")
def reader(mnist) -> NearestReader:
    return NearestReader(mnist.train_images[:4000], mnist.train_labels[:4000])


@pytest.fixture(scope="module")
def samples(mnist, reader) -> tuple[np.ndarray, np.ndarray]:
    """Digits of the test split that the reader knows for sure."""
    images, labels = mnist.test_images[:200].reshape(-1, 28, 28), mnist.test_labels[:200]
    sure = reader.predict_proba(images)[np.arange(200), labels] > 0.9
    return images[sure], labels[sure]


def join(labels) -> str:
    return "".join(map(str, labels))


def test_read_image_one_row(reader, samples, write_rows):
    images, labels = samples
    right = 0
    for start in range(0, 50, 5):
        reading = read_image(reader, write_rows([images[start : start + 5]], scale=3))
        right += reading.text == join(labels[start : start + 5])
        assert 0 <= reading.confidence <= 1
        assert len(reading.digits) == len(reading.text)
    assert right >= 8


def test_read_image_several_rows(reader, samples, write_rows):
    images, labels = samples
    rows = [slice(0, 4), slice(4, 6), slice(6, 11)]
    reading = read_image(reader, write_rows([images[row] for row in rows], scale=3))
    assert reading.text.count("\n") == 2
    wanted = "\n".join(join(labels[row]) for row in rows)
    assert sum(a == b for a, b in zip(reading.text, wanted, strict=True)) >= len(wanted) - 1


def test_read_image_digits_tell_boxes_and_alternatives(reader, samples, write_rows):
    images, labels = samples
    reading = read_image(reader, write_rows([images[:3]], scale=3))
    assert "".join(digit.label for digit in reading.digits) == reading.text == join(labels[:3])
    lefts = [digit.box[0] for digit in reading.digits]
    assert lefts == sorted(lefts)
    for digit in reading.digits:
        assert digit.label not in [label for label, _ in digit.alternatives]
        assert all(digit.confidence >= confidence for _, confidence in digit.alternatives)


def test_read_image_comma_is_no_digit_and_its_place_is_told(reader, samples, write_rows):
    images, labels = samples
    image = write_rows([images[:4]], scale=3, gap=14)
    plain = read_image(reader, image)
    left = (plain.digits[1].box[2] + plain.digits[2].box[0]) // 2
    image[80:92, left - 3 : left + 3] = 40
    reading = read_image(reader, image)
    assert reading.text == plain.text == join(labels[:4])
    (mark,) = reading.marks
    assert mark.position == 2
    assert mark.box[0] <= left <= mark.box[2]


def test_read_image_one_digit(reader, samples, write_rows):
    images, labels = samples
    right = sum(read_image(reader, write_rows([images[k : k + 1]], scale=4)).text == str(labels[k]) for k in range(30))
    assert right >= 28


def test_read_image_blank_is_surely_nothing(reader):
    reading = read_image(reader, np.full((80, 200), 220, np.uint8))
    assert reading.text == ""
    assert reading.digits == reading.marks == ()
    assert reading.confidence == 1


def test_read_image_dot_alone_is_no_number(reader):
    image = np.full((80, 200), 220, np.uint8)
    image[40:43, 100:103] = 20
    assert read_image(reader, image).confidence < 0.9


def test_read_image_noise_is_less_sure_than_digits(reader, samples, write_rows):
    images, _ = samples
    clear = read_image(reader, write_rows([images[:4]], scale=3))
    rng = np.random.default_rng(0)
    smear = np.where(rng.random((90, 200)) < 0.5, 30, 220).astype(np.uint8)
    reading = read_image(reader, smear)
    assert reading.text == "" or reading.confidence < clear.confidence


def test_read_image_wrong_array_is_told(reader):
    with pytest.raises(DataError, match="uint8"):
        read_image(reader, np.zeros((20, 20)))

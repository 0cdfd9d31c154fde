"""Recognition of numbers, with a nearest-neighbour classifier of MNIST digits as the model."""

from dataclasses import replace

import numpy as np
import pytest

from skconv import load_dataset
from skconv.digits.ocr.readings import DigitReading, NumberReading
from skconv.digits.ocr.recognition import read_image
from skconv.exceptions import DataError
from skconv.inference import Alternative


class NearestNeighbor:
    """Stand-in for `OnnxClassifier`: cosine similarity to labelled images; has no background class."""

    class_names = tuple("0123456789")

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images = self._normalize(images)
        self.labels = labels

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        similarity = self._normalize(images) @ self.images.T
        best = np.stack([similarity[:, self.labels == digit].max(axis=1) for digit in range(10)], axis=1)
        odds = np.exp(25 * (best - best.max(axis=1, keepdims=True))) * np.clip(best.max(axis=1, keepdims=True), 0.1, 1)
        return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)

    def predict_with_ood(self, images: np.ndarray) -> tuple[np.ndarray, None]:
        return self.predict_proba(images), None

    @staticmethod
    def _normalize(images: np.ndarray) -> np.ndarray:
        flat = images.reshape(len(images), -1).astype(np.float32)
        return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1)


@pytest.fixture(scope="module")
def mnist():
    return load_dataset("mnist")


@pytest.fixture(scope="module")
def model(mnist) -> NearestNeighbor:
    return NearestNeighbor(mnist.train_images[:4000], mnist.train_labels[:4000])


@pytest.fixture(scope="module")
def samples(mnist, model) -> tuple[np.ndarray, np.ndarray]:
    """Test digits that the model classifies with high confidence, and their labels."""
    images, labels = mnist.test_images[:200].reshape(-1, 28, 28), mnist.test_labels[:200]
    confident = model.predict_proba(images)[np.arange(200), labels] > 0.9
    return images[confident], labels[confident]


def join(labels) -> str:
    return "".join(map(str, labels))


def test_read_image_reads_one_row(model, samples, write_rows):
    images, labels = samples
    n_correct = 0
    for start in range(0, 50, 5):
        reading = read_image(model, write_rows([images[start : start + 5]], scale=3))
        n_correct += reading.text == join(labels[start : start + 5])
        assert 0 <= reading.confidence <= 1
        assert len(reading.digits) == len(reading.text)
    assert n_correct >= 8


def test_read_image_separates_rows_by_newlines(model, samples, write_rows):
    images, labels = samples
    rows = [slice(0, 4), slice(4, 6), slice(6, 11)]
    reading = read_image(model, write_rows([images[row] for row in rows], scale=3))
    assert reading.text.count("\n") == 2
    expected = "\n".join(join(labels[row]) for row in rows)
    assert sum(a == b for a, b in zip(reading.text, expected, strict=True)) >= len(expected) - 1


def test_read_image_returns_boxes_and_alternatives(model, samples, write_rows):
    images, labels = samples
    reading = read_image(model, write_rows([images[:3]], scale=3))
    assert "".join(digit.label for digit in reading.digits) == reading.text == join(labels[:3])
    lefts = [digit.box[0] for digit in reading.digits]
    assert lefts == sorted(lefts)
    for digit in reading.digits:
        assert digit.label not in [other.label for other in digit.alternatives]
        assert all(digit.confidence >= other.confidence for other in digit.alternatives)


def test_read_image_returns_comma_as_mark(model, samples, write_rows):
    images, labels = samples
    image = write_rows([images[:4]], scale=3, gap=14)
    plain = read_image(model, image)
    left = (plain.digits[1].box[2] + plain.digits[2].box[0]) // 2
    image[80:92, left - 3 : left + 3] = 40
    reading = read_image(model, image)
    assert reading.text == plain.text == join(labels[:4])
    (mark,) = reading.marks
    assert mark.position == 2
    assert mark.box[0] <= left <= mark.box[2]


def test_read_image_reads_single_digits(model, samples, write_rows):
    images, labels = samples
    texts = [read_image(model, write_rows([images[k : k + 1]], scale=4)).text for k in range(30)]
    n_correct = sum(text == str(label) for text, label in zip(texts, labels[:30], strict=True))
    assert n_correct >= 28


def test_read_image_blank_is_empty_with_full_confidence(model):
    reading = read_image(model, np.full((80, 200), 220, np.uint8))
    assert reading.text == ""
    assert reading.digits == reading.marks == ()
    assert reading.confidence == 1


def test_read_image_single_dot_has_low_confidence(model):
    image = np.full((80, 200), 220, np.uint8)
    image[40:43, 100:103] = 20
    assert read_image(model, image).confidence < 0.9


def test_read_image_noise_has_lower_confidence_than_digits(model, samples, write_rows):
    images, _ = samples
    clear = read_image(model, write_rows([images[:4]], scale=3))
    rng = np.random.default_rng(0)
    noise = np.where(rng.random((90, 200)) < 0.5, 30, 220).astype(np.uint8)
    reading = read_image(model, noise)
    assert reading.text == "" or reading.confidence < clear.confidence


def test_read_image_rejects_float_array(model):
    with pytest.raises(DataError, match="uint8"):
        read_image(model, np.zeros((20, 20)))


def test_mask_below_replaces_uncertain_digits_across_lines():
    image = np.zeros((28, 28), np.uint8)
    digits = tuple(
        DigitReading(label, confidence, (0, 0, 5, 9), (Alternative("0", 0.05),), image)
        for label, confidence in (("3", 0.99), ("7", 0.4), ("1", 0.9))
    )
    reading = NumberReading("a.png", "3\n71", 0.36, digits)
    masked = reading.mask_below(0.5)
    assert masked.text == "3\n?1"
    assert [other.label for other in masked.digits[1].alternatives] == ["7", "0"]
    assert masked.digits[1].confidence == 0.4
    assert reading.mask_below(0.4) is reading


def test_to_json_has_plain_values_and_score_and_error_only_if_set():
    digit = DigitReading("3", 0.9, (1, 2, 3, 4), (Alternative("8", 0.1),), np.zeros((28, 28), np.uint8))
    record = NumberReading("a.png", "3", 0.9, (digit,)).to_json()
    assert record == {
        "input": "a.png",
        "text": "3",
        "confidence": 0.9,
        "digits": [
            {"label": "3", "confidence": 0.9, "box": (1, 2, 3, 4), "alternatives": [{"label": "8", "confidence": 0.1}]}
        ],
        "marks": [],
    }
    scored = replace(digit, ood_score=0.75).to_json()
    assert scored == {**record["digits"][0], "ood_score": 0.75}
    assert NumberReading("a.png", "", 0.0, error="empty").to_json()["error"] == "empty"

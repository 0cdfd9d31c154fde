"""The temperature, against what it must be."""

import numpy as np
import pytest

from skconv.evaluation.calibration import fit_temperature
from skconv.evaluation.scores import score_predictions


def draw_labels(logits, seed=0):
    """Classes drawn with the probabilities that the logits say."""
    return (logits + np.random.default_rng(seed).gumbel(size=logits.shape)).argmax(1)


def softmax(logits):
    exponentials = np.exp(logits - logits.max(1, keepdims=True))
    return exponentials / exponentials.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def logits():
    return np.random.default_rng(1).normal(0, 2, (6000, 4))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_temperature_is_found_again(logits, temperature):
    assert fit_temperature(temperature * logits, draw_labels(logits)) == pytest.approx(temperature, rel=0.06)


def test_temperature_is_the_best_of_a_scan(logits):
    labels = draw_labels(logits)
    found = fit_temperature(2.5 * logits, labels)

    def loss(temperature):
        return score_predictions(labels, softmax(2.5 * logits / temperature)).negative_log_likelihood

    assert loss(found) <= min(loss(found * 1.03), loss(found / 1.03), loss(1.0))
    before, after = (score_predictions(labels, softmax(2.5 * logits / each)) for each in (1.0, found))
    assert after.expected_calibration_error < before.expected_calibration_error / 5


def test_temperature_of_no_mistake_stays_modest():
    logits = np.eye(3)[np.arange(150) % 3] * 8.0
    confidence = softmax(logits / fit_temperature(logits, np.arange(150) % 3)).max()
    assert 0.98 < confidence < 0.999


def test_temperature_goes_by_the_weights(logits):
    sure, unsure = 3 * logits, logits  # half of the pictures are told too surely
    both = np.concatenate([sure[:3000], unsure[3000:]])
    labels, first = draw_labels(logits), np.arange(6000) < 3000
    assert fit_temperature(both, labels, first * 1.0) == pytest.approx(3, rel=0.1)
    assert fit_temperature(both, labels, 1.0 - first) == pytest.approx(1, rel=0.1)

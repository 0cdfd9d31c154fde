"""Temperature and biases, against what they must be."""

import numpy as np
import pytest

from skconv.evaluation.calibration import fit_calibration, softmax
from skconv.evaluation.metrics import score_predictions


def draw_labels(logits, seed=0):
    """Classes drawn with the probabilities that the logits say."""
    return (logits + np.random.default_rng(seed).gumbel(size=logits.shape)).argmax(1)


@pytest.fixture(scope="module")
def logits():
    return np.random.default_rng(1).normal(0, 2, (6000, 4))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_temperature_and_biases_are_found_again(logits, temperature):
    biases = np.array([0.5, 0.0, -1.0, 0.5])
    found = fit_calibration(temperature * (logits - biases) + 7, draw_labels(logits))
    assert found[0] == pytest.approx(temperature, rel=0.06)
    assert found[1] == pytest.approx(biases, abs=0.15)


def test_without_biases_no_answer_changes(logits):
    temperature, biases = fit_calibration(2 * logits + [1, 0, 0, 0], draw_labels(logits), with_biases=False)
    assert temperature == pytest.approx(2.1, rel=0.1) and not biases.any()


def test_calibration_is_the_best_of_a_scan(logits):
    labels = draw_labels(logits)
    temperature, biases = fit_calibration(2.5 * logits, labels)

    def loss(factor, bias):
        probabilities = softmax(2.5 * logits / temperature / factor + biases + [0, bias, 0, 0])
        return score_predictions(labels, probabilities).negative_log_likelihood

    assert loss(1, 0) <= min(loss(1.03, 0), loss(1 / 1.03, 0), loss(1, 0.1), loss(1, -0.1))
    before, after = (
        score_predictions(labels, softmax(each)) for each in (2.5 * logits, 2.5 * logits / temperature + biases)
    )
    assert after.expected_calibration_error < before.expected_calibration_error / 5


def test_few_images_move_biases_little(logits):
    few = draw_labels(logits - [1, 0, 0, 0])[:20]
    assert np.abs(fit_calibration(logits[:20], few)[1]).max() < 0.35
    many = draw_labels(logits - [1, 0, 0, 0])
    assert np.ptp(fit_calibration(logits, many)[1]) == pytest.approx(1, abs=0.15)


def test_calibration_of_no_mistake_stays_modest():
    logits = np.eye(3)[np.arange(150) % 3] * 8.0
    temperature, biases = fit_calibration(logits, np.arange(150) % 3)
    assert 0.98 < softmax(logits / temperature).max() < 0.999
    assert biases == pytest.approx(np.zeros(3), abs=0.01)


def test_calibration_goes_by_the_weights(logits):
    sure, unsure = 3 * logits, logits  # half of the images are told too surely
    both = np.concatenate([sure[:3000], unsure[3000:]])
    labels, first = draw_labels(logits), np.arange(6000) < 3000
    assert fit_calibration(both, labels, first * 1.0)[0] == pytest.approx(3, rel=0.1)
    assert fit_calibration(both, labels, 1.0 - first)[0] == pytest.approx(1, rel=0.1)

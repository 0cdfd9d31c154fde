import numpy as np
import pytest
from scipy.special import softmax

from skconv.evaluation.calibration import fit_calibration
from skconv.evaluation.metrics import score_predictions


def draw_labels(logits, seed=0):
    """Draw classes with the probabilities softmax(logits)."""
    return (logits + np.random.default_rng(seed).gumbel(size=logits.shape)).argmax(1)


@pytest.fixture(scope="module")
def logits():
    return np.random.default_rng(1).normal(0, 2, (6000, 4))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 4.0])
def test_fit_recovers_temperature_and_biases(logits, temperature):
    biases = np.array([0.5, 0.0, -1.0, 0.5])
    found = fit_calibration(temperature * (logits - biases) + 7, draw_labels(logits))
    assert found[0] == pytest.approx(temperature, rel=0.06)
    assert found[1] == pytest.approx(biases, abs=0.15)


def test_fit_without_biases_returns_zeros(logits):
    temperature, biases = fit_calibration(2 * logits + [1, 0, 0, 0], draw_labels(logits), with_biases=False)
    assert temperature == pytest.approx(2.1, rel=0.1) and not biases.any()


def test_fit_minimises_the_loss(logits):
    labels = draw_labels(logits)
    temperature, biases = fit_calibration(2.5 * logits, labels)

    def loss(factor, bias):
        probabilities = softmax(2.5 * logits / temperature / factor + biases + [0, bias, 0, 0], axis=1)
        return score_predictions(labels, probabilities).negative_log_likelihood

    assert loss(1, 0) <= min(loss(1.03, 0), loss(1 / 1.03, 0), loss(1, 0.1), loss(1, -0.1))
    before, after = (
        score_predictions(labels, softmax(each, axis=1)) for each in (2.5 * logits, 2.5 * logits / temperature + biases)
    )
    assert after.expected_calibration_error < before.expected_calibration_error / 5


def test_few_images_give_small_biases(logits):
    few = draw_labels(logits - [1, 0, 0, 0])[:20]
    assert np.abs(fit_calibration(logits[:20], few)[1]).max() < 0.35
    many = draw_labels(logits - [1, 0, 0, 0])
    assert np.ptp(fit_calibration(logits, many)[1]) == pytest.approx(1, abs=0.15)


def test_temperature_is_finite_without_mistakes():
    logits = np.eye(3)[np.arange(150) % 3] * 8.0
    temperature, biases = fit_calibration(logits, np.arange(150) % 3)
    assert 0.98 < softmax(logits / temperature, axis=1).max() < 0.999
    assert biases == pytest.approx(np.zeros(3), abs=0.01)


def test_fit_depends_on_the_weights(logits):
    both = np.concatenate([3 * logits[:3000], logits[3000:]])  # the first half is overconfident
    labels, first = draw_labels(logits), np.arange(6000) < 3000
    assert fit_calibration(both, labels, first * 1.0)[0] == pytest.approx(3, rel=0.1)
    assert fit_calibration(both, labels, 1.0 - first)[0] == pytest.approx(1, rel=0.1)

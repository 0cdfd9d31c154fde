import numpy as np
import pytest
from scipy.special import softmax

from skconv.evaluation.ood import N_NEIGHBORS, measure_auroc, ood_score


def make_predictions(n, seed, margin=4.0):
    logits = np.random.default_rng(seed).normal(0, 1, (n, 5))
    logits[np.arange(n), np.arange(n) % 5] += margin
    return softmax(logits, axis=1).astype(np.float32)


def test_ood_score_is_the_distance_to_the_tenth_nearest_held_out_prediction():
    held_out, predictions = make_predictions(300, 0), make_predictions(600, 1)
    differences = np.log(predictions.astype(float) + 1e-4)[:, None] - np.log(held_out.astype(float) + 1e-4)[None]
    expected = np.sort(np.sqrt((differences**2).sum(2)), axis=1)[:, N_NEIGHBORS - 1]
    np.testing.assert_allclose(ood_score(held_out, predictions), expected, rtol=1e-6)


def test_ood_score_detects_images_of_usual_confidence():
    inside, held_out = make_predictions(500, 2), make_predictions(500, 3)
    confidence = inside.max(1)
    outside = np.full((500, 5), 1e-6)
    outside[:, 0], outside[:, 1] = confidence, 1 - confidence  # the remaining probability on one other class
    assert measure_auroc(1 - confidence, 1 - outside.max(1)) == pytest.approx(0.5, abs=0.01)
    assert measure_auroc(ood_score(held_out, inside), ood_score(held_out, outside)) > 0.95


def test_ood_score_accepts_zeros_few_and_many_held_out_predictions_and_no_image():
    certain = np.eye(3)[np.arange(12_000) % 3]  # probabilities of exactly 0 and 1
    assert ood_score(certain, certain[:4]) == pytest.approx(0, abs=1e-5)
    assert ood_score(certain[:4], certain[:2]).shape == (2,)
    assert np.isfinite(ood_score(certain, np.full((1, 3), 1 / 3))).all()
    assert ood_score(certain, certain[:0]).shape == (0,)

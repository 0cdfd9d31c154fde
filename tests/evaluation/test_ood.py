"""Strangeness of answers, and how well a score parts two kinds."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from skconv.evaluation.ood import NEIGHBOURS, measure_auroc, score_out_of_distribution


def make_answers(n, seed, sureness=4.0):
    logits = np.random.default_rng(seed).normal(0, 1, (n, 5))
    logits[np.arange(n), np.arange(n) % 5] += sureness
    exponentials = np.exp(logits)
    return (exponentials / exponentials.sum(1, keepdims=True)).astype(np.float32)


def test_strangeness_is_the_distance_to_the_tenth_nearest_held_out_answer():
    held_out, asked = make_answers(300, 0), make_answers(600, 1)
    differences = np.log(asked.astype(float) + 1e-4)[:, None] - np.log(held_out.astype(float) + 1e-4)[None]
    expected = np.sort(np.sqrt((differences**2).sum(2)), axis=1)[:, NEIGHBOURS - 1]
    np.testing.assert_allclose(score_out_of_distribution(held_out, asked), expected, rtol=1e-6)


def test_strangeness_tells_another_kind_of_sureness_that_confidence_does_not():
    inside, held_out = make_answers(500, 2), make_answers(500, 3)
    sureness = inside.max(1)
    outside = np.full((500, 5), 1e-6)
    outside[:, 0], outside[:, 1] = sureness, 1 - sureness  # all doubt is of one other class
    assert measure_auroc(1 - sureness, 1 - outside.max(1)) == pytest.approx(0.5, abs=0.01)
    assert (
        measure_auroc(score_out_of_distribution(held_out, inside), score_out_of_distribution(held_out, outside)) > 0.95
    )


def test_strangeness_takes_certainty_few_and_many_held_out_answers_and_no_image():
    certain = np.eye(3)[np.arange(12_000) % 3]  # probabilities of exactly 0 and 1
    assert score_out_of_distribution(certain, certain[:4]).tolist() == [0, 0, 0, 0]
    assert score_out_of_distribution(certain[:4], certain[:2]).shape == (2,)
    assert np.isfinite(score_out_of_distribution(certain, np.full((1, 3), 1 / 3))).all()
    assert score_out_of_distribution(certain, certain[:0]).shape == (0,)


def test_auroc_is_that_of_scikit_learn_with_and_without_ties():
    generator = np.random.default_rng(0)
    for decimals in (1, 12):
        inside, outside = generator.normal(0, 1, 300).round(decimals), generator.normal(1, 2, 200).round(decimals)
        kind = np.repeat([0, 1], (300, 200))
        assert measure_auroc(inside, outside) == pytest.approx(roc_auc_score(kind, np.r_[inside, outside]))

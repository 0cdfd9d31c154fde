"""Synthetic images of the background class."""

import numpy as np
import pytest

from skconv.digits.synthetic.background_class import make_background, normalize_clothing
from skconv.digits.synthetic.dataset import N_BACKGROUND


@pytest.mark.parametrize("kind", list(N_BACKGROUND))
def test_make_background_is_varied_and_reproducible(digits, kind):
    made = [make_background(kind, digits[0], 12, np.random.default_rng(3)) for _ in range(2)]
    assert made[0].shape == (12, 28, 28) and made[0].dtype == np.uint8
    assert np.array_equal(*made)
    assert len(np.unique(made[0].reshape(12, -1), axis=0)) >= 8


def test_make_background_normalizes_scribbles_letters_and_wrong_cuts(digits):
    for kind in ("scribble", "letter", "wrong cut"):
        made = make_background(kind, digits[0], 20, np.random.default_rng(0))
        assert (made.max(axis=(1, 2)) > 200).all()
        assert (made[:, [0, -1]].max(axis=(1, 2)) == 0).mean() > 0.8


def test_normalize_clothing_normalizes_half_and_leaves_none_blank():
    clothing = np.random.default_rng(0).integers(0, 256, (40, 28, 28), np.uint8)
    clothing[:, :6] = clothing[:, -6:] = 0
    made = normalize_clothing(clothing, np.random.default_rng(0))
    same = (made == clothing).all(axis=(1, 2))
    assert 5 <= same.sum() <= 35 and made.any(axis=(1, 2)).all()

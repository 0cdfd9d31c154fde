from itertools import pairwise

import numpy as np
import pytest

from skconv.evaluation.corruptions import STRENGTHS, corrupt, list_corruptions
from skconv.exceptions import ParameterError


@pytest.fixture(scope="module")
def digits():
    from skconv import load_dataset

    return np.ascontiguousarray(load_dataset("mnist").train_images[:40])


@pytest.mark.parametrize("name", list_corruptions())
def test_corruption_increases_with_its_strength(digits, name):
    before = digits.copy()
    changes = [np.abs(corrupt(digits, name, strength).astype(float) - digits).mean() for strength in STRENGTHS]
    assert changes[0] > 0.1
    assert changes[4] > 1.3 * changes[0]
    assert all(later >= 0.95 * earlier for earlier, later in pairwise(changes))
    assert np.array_equal(digits, before)


@pytest.mark.parametrize("name", list_corruptions())
@pytest.mark.parametrize("shape", [(3, 28, 28), (2, 33, 17, 3), (2, 8, 8), (1, 96, 64), (2, 1, 5)])
def test_corruption_preserves_shape_and_is_reproducible(name, shape):
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    damaged = corrupt(images, name, 3, seed=4)
    assert damaged.shape == shape
    assert damaged.dtype == np.uint8
    assert np.array_equal(damaged, corrupt(images, name, 3, seed=4))


def test_colour_images_are_transformed_as_grey_ones():
    grey = np.random.default_rng(0).integers(0, 256, (4, 20, 20), dtype=np.uint8)
    colour = np.repeat(grey[..., None], 3, axis=3)
    for name in ("rotate", "shear", "fog", "spatter", "zigzag", "blur"):
        assert np.array_equal(corrupt(colour, name, 4)[..., 1], corrupt(grey, name, 4)), name


def test_there_are_at_least_ten():
    assert len(list_corruptions()) >= 10


@pytest.mark.parametrize(("name", "strength", "message"), [("rain", 1, "Got 'rain'"), ("fog", 6, "1 to 5")])
def test_unknown_corruption_or_strength_is_refused(digits, name, strength, message):
    with pytest.raises(ParameterError, match=message):
        corrupt(digits, name, strength)

"""Covering parts of an image."""

import numpy as np
import pytest

from skconv.evaluation.attributions import occlude
from skconv.exceptions import DataError, ParameterError


def _look_at_corner(images):
    """A model that looks at the upper left pixels only."""
    share = images[:, :3, :3].reshape(len(images), -1).mean(axis=1) / 255
    return np.stack([share, 1 - share], axis=1)


def test_only_what_the_model_looks_at_counts():
    image = np.zeros((12, 10), np.uint8)
    image[:3, :3] = image[8:, 6:9] = 255
    drop = occlude(_look_at_corner, image, 0, patch=3)
    assert drop.shape == (12, 10)
    assert drop[:3, :3].min() > 0
    np.testing.assert_allclose(drop[6:, 6:], 0)


def test_sign_tells_for_which_class_it_speaks():
    image = np.zeros((12, 10), np.uint8)
    image[:3, :3] = 255
    np.testing.assert_allclose(occlude(_look_at_corner, image, 0), -occlude(_look_at_corner, image, 1))


def test_colour_is_covered_with_the_colour_of_the_rim():
    image = np.full((8, 8, 3), (200, 10, 30), np.uint8)
    seen = []

    def note(images):
        seen.append(images)
        return np.full((len(images), 2), 0.5)

    assert not occlude(note, image, 0).any()
    assert (seen[0] == image).all()


@pytest.mark.parametrize("patch", [0, 9])
def test_patch_outside_the_image_is_refused(patch):
    with pytest.raises(ParameterError, match="1 to 8"):
        occlude(_look_at_corner, np.zeros((9, 8), np.uint8), 0, patch=patch)


def test_several_images_are_refused():
    with pytest.raises(DataError):
        occlude(_look_at_corner, np.zeros((2, 9, 8, 3), np.uint8), 0)

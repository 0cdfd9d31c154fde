"""Augmentation of handwritten digits: properties of each transformation."""

import pytest
import torch

from skconv.digits.augmentation import Handwriting
from skconv.exceptions import ParameterError
from skconv.training.augmentation import Augmentation, AugmentationSequence, make_augmentation

KINDS = list(Handwriting.__dataclass_fields__)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def bars(n=64, wide=3):
    """Return images of vertical bars."""
    images = torch.zeros(n, 1, 28, 28)
    images[:, :, 4:24, 14 - wide // 2 : 14 + (wide + 1) // 2] = 255
    return images


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(5, 1, 28, 28), (3, 3, 9, 20), (2, 1, 1, 7)])
def test_handwriting_preserves_shape_and_range_and_is_reproducible(kind, shape):
    images = torch.rand(shape, generator=generator(1)) * 255
    before = images.clone()
    augment = Handwriting(**{kind: 1.0})
    result = augment(images, generator())
    assert result.shape == images.shape
    assert result.min() >= -1e-3 and result.max() <= 255.001
    assert torch.equal(result, augment(images, generator()))
    assert torch.equal(images, before)


@pytest.mark.parametrize("kind", KINDS)
def test_handwriting_changes_requested_share_of_images(kind):
    images = bars(400, wide=12)
    changed = (Handwriting(**{kind: 0.3})(images, generator()) != images).flatten(1).any(1).float().mean()
    assert 0.15 < changed < 0.38


def test_handwriting_without_transformations_returns_input():
    images = bars(4)
    assert Handwriting()(images, generator()) is images


def test_pen_dilates_and_erodes():
    images = bars()
    ink = Handwriting(pen=1.0)(images, generator()).sum((1, 2, 3)) / images.sum((1, 2, 3))
    assert ink.max() > 1.4 and ink.min() < 0.6


def test_breaks_only_remove_ink():
    images = bars()
    result = Handwriting(breaks=1.0)(images, generator())
    assert (result <= images).all()
    assert 0.6 < result.sum() / images.sum() < 0.99


def test_neighbours_only_add_ink_at_the_sides():
    images = bars(wide=12)
    result = Handwriting(neighbours=1.0)(images, generator())
    added = (result - images).sum((0, 1, 2))
    assert (result >= images).all()
    assert added[:5].sum() > 0 and added[-5:].sum() > 0
    assert added[8:20].sum() == 0


@pytest.mark.parametrize("kind", ["blur", "low_resolution", "uneven_ink"])
def test_smoothing_transformations_preserve_peak_intensity(kind):
    result = Handwriting(**{kind: 1.0})(bars(), generator())
    assert result.amax((1, 2, 3)).min() >= 180


def test_noise_does_not_change_background():
    result = Handwriting(noise=1.0)(bars(), generator())
    assert result[:, :, :, :11].abs().max() == 0


@pytest.mark.parametrize("value", [-0.1, 1.1, True, "much", float("nan")])
def test_probability_outside_its_range_raises(value):
    with pytest.raises(ParameterError, match=r"augmentation's 'blur' is .*; expected a number from 0 to 1\."):
        Handwriting(blur=value)


def test_make_augmentation_splits_one_mapping():
    made = make_augmentation({"rotation": 10, "blur": 0.2})
    assert isinstance(made, AugmentationSequence)
    assert made.steps == (Augmentation(rotation=10), Handwriting(blur=0.2))
    assert make_augmentation({"pen": 0.5}) == Handwriting(pen=0.5)
    assert make_augmentation(Handwriting(pen=0.5)) == Handwriting(pen=0.5)


def test_make_augmentation_lists_all_settings_for_an_unknown_one():
    with pytest.raises(ParameterError, match=r"no setting 'spin'.*rotation, .*low_resolution"):
        make_augmentation({"spin": 3})

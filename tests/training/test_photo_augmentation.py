"""Augmentation of photographs against plain references."""

import pytest
import torch
from torch.nn import functional as F

from skconv.exceptions import ParameterError
from skconv.training.augmentation import Augmentation, AugmentationSequence, make_augmentation
from skconv.training.photo_augmentation import PhotoAugmentation

SETTINGS = ("crop", "brightness", "contrast", "saturation", "cutout")


def augment(images, seed=0, **settings):
    return PhotoAugmentation(**settings)(images, torch.Generator().manual_seed(seed))


def test_crop_returns_every_crop_of_the_image_padded_by_reflection():
    image = torch.rand(1, 3, 8, 16)
    padded = F.pad(image, (2, 2, 1, 1), mode="reflect")[0]  # an eighth of each side
    crops = {padded[:, y : y + 8, x : x + 16].contiguous().numpy().tobytes() for y in range(3) for x in range(5)}
    result = augment(image.expand(500, -1, -1, -1), crop=0.125)
    assert {each.contiguous().numpy().tobytes() for each in result} == crops


def test_brightness_contrast_and_saturation_preserve_what_they_do_not_change():
    images = torch.rand(64, 3, 6, 6) + 0.1
    factors = augment(images, brightness=0.3) / images
    torch.testing.assert_close(factors, factors[:, :1, :1, :1].expand_as(images))
    assert 0.7 <= factors.min() < 0.75 and 1.25 < factors.max() <= 1.3
    contrasted = augment(images, contrast=0.5)
    torch.testing.assert_close(contrasted.mean((1, 2, 3)), images.mean((1, 2, 3)))
    ratio = contrasted.std((1, 2, 3)) / images.std((1, 2, 3))
    assert 0.5 <= ratio.min() < 0.6 and 1.4 < ratio.max() <= 1.5
    weights = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)
    saturated = augment(images, saturation=0.5)
    assert not torch.allclose(saturated, images)
    torch.testing.assert_close((saturated * weights).sum(1), (images * weights).sum(1))
    grey = images[:, :1]
    assert augment(grey, saturation=0.5) is grey


def test_cutout_replaces_one_rectangle_by_the_mean_colour():
    images = torch.rand(200, 3, 10, 20)
    result = augment(images, cutout=0.4)
    changed = (result != images).all(1)
    rows, columns = changed.any(2).sum(1), changed.any(1).sum(1)
    assert torch.equal(changed.sum((1, 2)), rows * columns)
    assert rows.max() == 4 and columns.max() == 8 and rows.min() >= 1
    where = changed[:, None].expand_as(images)
    mean = images.mean((2, 3), keepdim=True).expand_as(images)
    torch.testing.assert_close(result[where], mean[where])


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("shape", [(2, 1, 1, 7), (3, 3, 1, 1)])
def test_augmentation_accepts_any_size_and_differs_between_seeds(name, shape):
    images = torch.rand(shape)
    result = augment(images, **{name: 0.5})
    assert result.shape == shape
    assert torch.equal(result, augment(images, **{name: 0.5}))
    wide = torch.rand(20, 3, 9, 9)
    assert not torch.equal(augment(wide, **{name: 0.5}), augment(wide, seed=1, **{name: 0.5}))


def test_settings_of_both_augmentations_in_one_mapping_flip_first():
    expected = AugmentationSequence((Augmentation(flip=True), PhotoAugmentation(crop=0.1)))
    assert make_augmentation({"crop": 0.1, "flip": True}) == expected


def test_crop_above_its_maximum_is_refused():
    with pytest.raises(ParameterError, match=r"'crop' is 0.6; expected a number from 0 to 0.5"):
        PhotoAugmentation(crop=0.6)

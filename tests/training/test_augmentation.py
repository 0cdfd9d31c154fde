"""Augmentation against plain references."""

from dataclasses import dataclass

import pytest
import torch

from skconv.distributed.process_group import BatchShard
from skconv.exceptions import ParameterError
from skconv.training.augmentation import (
    AUGMENTATIONS,
    Augmentation,
    AugmentationSequence,
    RandomDraws,
    check_settings,
    describe_augmentation,
    make_augmentation,
    setting,
)

EVERYTHING = {
    "rotation": 10, "shift": 0.1, "scale": 0.1, "shear": 5, "elastic": 0.02, "erasing": 0.5, "flip": True,
    "perspective": 0.3,
}  # fmt: skip


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def blob(height=28, width=28, y=14.0, x=14.0):
    rows, columns = torch.arange(height) + 0.5, torch.arange(width) + 0.5
    return 255 * torch.exp(-((rows[:, None] - y) ** 2 + (columns[None] - x) ** 2) / 8)


def centre(image):
    rows, columns = torch.arange(image.shape[0]) + 0.5, torch.arange(image.shape[1]) + 0.5
    return float((image.sum(1) * rows).sum() / image.sum()), float((image.sum(0) * columns).sum() / image.sum())


@pytest.mark.parametrize("setting", EVERYTHING)
@pytest.mark.parametrize("shape", [(5, 1, 28, 28), (3, 3, 9, 20), (2, 1, 1, 7), (2, 1, 1, 1)])
def test_augmentation_preserves_shape_and_range_and_is_deterministic(setting, shape):
    images = torch.rand(shape) * 255
    augment = Augmentation(**{setting: EVERYTHING[setting]})
    result = augment(images, generator())
    assert result.shape == images.shape
    assert result.min() >= 0 and result.max() <= 255
    assert torch.equal(result, augment(images, generator()))


@pytest.mark.parametrize("setting", EVERYTHING)
def test_augmentation_differs_between_images(setting):
    images = (torch.rand(1, 1, 28, 28) * 255).expand(8, -1, -1, -1)
    result = Augmentation(**{setting: EVERYTHING[setting]})(images, generator())
    assert not torch.equal(result, images)
    assert not all(torch.equal(result[0], other) for other in result[1:])


def test_augmentation_without_settings_returns_the_images():
    images = torch.rand(4, 1, 8, 8)
    assert Augmentation()(images, generator()) is images


def test_shift_stays_within_its_range():
    images = blob().expand(200, 1, 28, 28)
    centres = [centre(image[0]) for image in Augmentation(shift=0.1)(images, generator())]
    offsets = torch.tensor(centres) - 14
    assert offsets.abs().max() <= 2.81 and offsets.abs().max() > 2.3
    assert offsets.mean().abs() < 0.3


def test_rotation_of_oblong_images_is_not_distorted():
    images = blob(20, 60, y=10, x=50).expand(200, 1, 20, 60)
    offsets = torch.tensor([centre(image[0]) for image in Augmentation(rotation=15)(images, generator())])
    y, x = offsets[:, 0] - 10, offsets[:, 1] - 30
    angles = torch.rad2deg(torch.atan2(y, x))
    assert 13 < angles.abs().max() <= 15.5
    torch.testing.assert_close(torch.hypot(y, x), torch.full((200,), 20.0), atol=0.6, rtol=0)


def test_flip_mirrors_about_half():
    images = blob(x=6).expand(400, 1, 28, 28)
    result = Augmentation(flip=True)(images, generator())
    mirrored = sum(centre(image[0])[1] > 14 for image in result)
    assert 150 < mirrored < 250
    torch.testing.assert_close(result[0], images[0].flip(2) if centre(result[0, 0])[1] > 14 else images[0])


def test_erasing_has_its_probability():
    images = torch.zeros(1000, 1, 20, 20)
    images[:, :, 0, 0] = 255
    changed = (Augmentation(erasing=0.3)(images, generator()) != images).flatten(1).any(1)
    assert 220 < int(changed.sum()) < 380


def test_uniform_images_stay_uniform():
    images = torch.full((16, 1, 28, 28), 200.0)
    settings = {name: value for name, value in EVERYTHING.items() if name != "erasing"}
    torch.testing.assert_close(Augmentation(**settings)(images, generator()), images)


@pytest.mark.parametrize(("setting", "value"), [("rotation", -1), ("scale", 1.5), ("shift", "far"), ("erasing", 2)])
def test_augmentation_raises_for_values_out_of_range(setting, value):
    with pytest.raises(ParameterError, match=setting):
        Augmentation(**{setting: value})


def test_perspective_displaces_corners_within_its_range():
    augment = Augmentation(perspective=0.4)
    draws = RandomDraws(generator(), BatchShard(0, 200, 200))
    matrices = augment._draw_perspective(torch.zeros(200, 1, 28, 28), draws)
    # The matrices map the new image to the old one; their inverses map the old corners to the new image.
    corners = torch.tensor([[-1.0, -1.0, 1.0], [1.0, -1.0, 1.0], [1.0, 1.0, 1.0], [-1.0, 1.0, 1.0]])
    moved = corners @ torch.linalg.inv(matrices).transpose(1, 2)
    distances = 1 - (moved[..., :2] / moved[..., 2:]).abs()
    assert distances.min() >= -1e-4 and distances.max() <= 0.4 + 1e-4 and distances.max() > 0.35


def test_perspective_has_its_probability():
    images = torch.rand(400, 1, 12, 12) * 255
    result = Augmentation(perspective=0.5, perspective_probability=0.25)(images, generator())
    alone = ((result - images).abs().amax((1, 2, 3)) < 0.01).sum()
    assert 260 < alone < 340


def test_sequence_applies_its_steps_in_turn():
    images = torch.rand(6, 1, 9, 9) * 255
    first, second = Augmentation(shift=0.2), Augmentation(flip=True)
    numbers = generator()
    expected = second(first(images, numbers), numbers)
    assert torch.equal(AugmentationSequence((first, second))(images, generator()), expected)


@dataclass(frozen=True)
class Brighten:
    """Custom augmentation."""

    brightness: float = setting(max=50)

    def __post_init__(self):
        check_settings(self)

    def __call__(self, images, generator):
        return images + self.brightness


@pytest.fixture
def brighten():
    AUGMENTATIONS.register("brighten", Brighten)
    yield Brighten
    AUGMENTATIONS.unregister("brighten")


def test_make_augmentation_finds_registered_augmentations_by_setting(brighten):
    augment = make_augmentation({"brightness": 20, "flip": True})
    assert augment == AugmentationSequence((Augmentation(flip=True), Brighten(20)))
    assert describe_augmentation(augment)[1] == {"brightness": 20}
    with pytest.raises(ParameterError, match=r"'brightness' is 51; expected a number from 0 to 50"):
        make_augmentation({"brightness": 51})


@pytest.mark.parametrize("value", ["much", 3, [3], object()])
def test_make_augmentation_raises_for_other_values(value):
    with pytest.raises(ParameterError, match="must be a mapping"):
        make_augmentation(value)

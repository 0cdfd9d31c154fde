"""Rules for images of another aspect ratio, and the size to train on."""

import numpy as np
import pytest
from PIL import Image

from skconv.images.opening import open_image
from skconv.images.resizing import choose_size, convert_image, has_other_aspect
from skconv.images.spec import ImageSpec

# A square of 90 in the middle of a wide image, on 200 at the left and 100 at the right.
WIDE = np.repeat(np.array([[200] * 20 + [90] * 40 + [100] * 20], np.uint8), 40, axis=0)


def test_convert_image_pads_with_mean_of_both_seams():
    padded = convert_image(WIDE, 32, 32, 1, "pad")
    top = round((20 * 200 + 40 * 90 + 20 * 100) / 80)
    assert padded.shape == (32, 32)
    assert np.abs(padded[:8].astype(int) - top).max() <= 1 and np.abs(padded[24:].astype(int) - top).max() <= 1
    np.testing.assert_array_equal(padded[8:24], convert_image(WIDE, 16, 32, 1))
    tall = convert_image(np.ascontiguousarray(WIDE.T), 32, 32, 1, "pad")
    np.testing.assert_array_equal(tall, padded.T)


def test_convert_image_pads_colour_with_colour():
    colour = np.full((10, 40, 3), (10, 20, 30), np.uint8)
    np.testing.assert_array_equal(convert_image(colour, 24, 24, 3, "pad"), np.full((24, 24, 3), (10, 20, 30)))


def test_convert_image_crops_centre():
    cropped = convert_image(WIDE, 32, 32, 1, "crop")
    assert (cropped[:, 2:-2] == 90).all()


@pytest.mark.parametrize("rule", ["stretch", None])
def test_convert_image_stretches(rule):
    stretched = convert_image(WIDE, 32, 32, 1, rule)
    assert stretched[0, 0] == 200 and stretched[0, 16] == 90 and stretched[0, -1] == 100


@pytest.mark.parametrize("rule", ["pad", "crop", "stretch"])
def test_convert_image_needs_no_rule_for_equal_aspect_ratio(rule):
    image = np.random.default_rng(0).integers(0, 256, (48, 64), dtype=np.uint8)
    np.testing.assert_array_equal(convert_image(image, 24, 32, 1, rule), convert_image(image, 24, 32, 1))
    # 21.33 rows are rounded, not padded.
    np.testing.assert_array_equal(convert_image(image[:32], 21, 42, 1, "pad"), convert_image(image[:32], 21, 42, 1))


@pytest.mark.parametrize(("height", "width"), [(1, 500), (500, 1), (1, 1)])
@pytest.mark.parametrize("rule", ["pad", "crop", "stretch"])
def test_convert_image_accepts_extreme_shapes(rule, height, width):
    image = np.full((height, width, 3), 7, np.uint8)
    assert (convert_image(image, 28, 20, 1, rule) == 7).all()


@pytest.mark.parametrize(
    ("sizes", "n_images", "expected"),
    [
        ([(28, 28)], 60_000, None),
        ([(64, 64)], 100_000, None),
        ([(16, 256)], 500, None),  # as many pixels as 64×64
        ([(65, 65)], 500, (64, 64)),
        ([(60, 70)], 500, None),  # the size that would be chosen
        ([(128, 128)], 5000, (48, 48)),
        ([(224, 224)], 100_000, (32, 32)),
        ([(3024, 4032)], 5000, (42, 56)),
        ([(4032, 3024)], 5000, (56, 42)),
        ([(100, 105), (105, 100)], 5000, (48, 48)),
        ([(20, 30), (22, 33), (200, 300)], 5000, (22, 32)),  # not larger than the median
        ([(10, 1000), (9, 1000)], 5000, (34, 68)),  # at most 1:2
        ([(2, 3), (3, 2)], 5000, (8, 8)),
    ],
)
def test_choose_size_from_sizes_and_number(sizes, n_images, expected):
    assert choose_size(sizes, n_images) == expected


def test_has_other_aspect_ignores_rounding():
    assert not has_other_aspect((427, 640), (32, 48))
    assert has_other_aspect((480, 640), (32, 32))


@pytest.mark.parametrize("rule", ["pad", "crop", "stretch"])
def test_image_spec_decodes_large_jpeg_at_sufficient_resolution(tmp_path, rule):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8))
    smooth = noise.resize((1200, 900), Image.Resampling.BICUBIC)
    smooth.save(tmp_path / "photo.jpg", quality=95)
    spec = ImageSpec(32, 32, 3, resize=rule)
    reduced = spec.open(tmp_path / "photo.jpg")
    assert reduced.shape == (225, 300, 3)
    full = convert_image(open_image(tmp_path / "photo.jpg"), 32, 32, 3, rule)
    assert np.abs(spec.preprocess(reduced).astype(int) - full).mean() < 1


def test_image_spec_without_rule_decodes_at_full_resolution(tmp_path):
    Image.new("RGB", (1200, 900), "navy").save(tmp_path / "photo.jpg")
    assert ImageSpec(32, 32, 3).open(tmp_path / "photo.jpg").shape == (900, 1200, 3)


def test_open_image_reduces_large_images_before_copies(tmp_path):
    Image.new("RGB", (4000, 3600), "navy").save(tmp_path / "large.png")
    assert open_image(tmp_path / "large.png", shortest=100).shape == (100, 112, 3)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([(384, 512)] * 3, (224, 298)),
        ([(128, 128)] * 3, None),
        ([(224, 500)] * 3, None),
        ([(100, 100), (90, 110)], (100, 100)),
        ([(900, 300)] * 2, (448, 224)),
    ],
)
def test_choose_size_limits_the_shorter_side(sizes, expected):
    assert choose_size(sizes, 5000, short_side=224) == expected

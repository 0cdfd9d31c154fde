"""Many image files as one array: common size, channels, unreadable files."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skconv.data.image_files import decode_files, read_images
from skconv.data.spec import DataSpec
from skconv.exceptions import DataError
from skconv.images.spec import ImageSpec

RNG = np.random.default_rng(0)


def save(folder: Path, *shapes: tuple[int, ...], suffix: str = "png") -> list[Path]:
    """Write one image of noise per shape."""
    files = []
    for number, shape in enumerate(shapes):
        files.append(folder / f"{number:04}.{suffix}")
        Image.fromarray(RNG.integers(0, 256, shape, dtype=np.uint8)).save(files[-1])
    return files


def test_read_images_of_one_small_size_are_unchanged_without_a_word(tmp_path):
    files = save(tmp_path, *[(30, 20)] * 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images = read_images(files, DataSpec())
    np.testing.assert_array_equal(images, [np.asarray(Image.open(file)) for file in files])


@pytest.mark.parametrize(
    ("shapes", "expected", "note"),
    [
        (
            [(100, 100)] * 3,
            (64, 64),
            r"are 100×100 pixels.* resized to 64×64, so that training takes minutes\.",
        ),
        (
            [(30, 20)] * 2 + [(60, 40)],
            (30, 20),
            r"from 20×30 to 40×60 .*20×30, so that all have one size",
        ),
        ([(480, 640), (640, 480), (480, 640)], (56, 74), r"74×56.*another aspect ratio are padded.*--resize"),
    ],
)
def test_read_images_chooses_a_common_size_and_prints_it(tmp_path, shapes, expected, note):
    with pytest.warns(UserWarning, match=note):
        assert read_images(save(tmp_path, *shapes), DataSpec()).shape[1:] == expected


def test_read_images_without_a_word_if_size_and_rule_are_given(tmp_path):
    files = save(tmp_path, (20, 40), (40, 20, 3))
    with pytest.warns(UserWarning, match="Padding 2 of 2 images to the aspect ratio of the size 16×16"):
        padded = read_images(files, DataSpec(image_size=16))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for rule in ("pad", "crop", "stretch"):
            images = read_images(files, DataSpec(image_size=16, resize=rule))
            expected = [ImageSpec(16, 16, 3, resize=rule).preprocess(np.asarray(Image.open(file))) for file in files]
            np.testing.assert_array_equal(images, expected)
            assert np.array_equal(images, padded) == (rule == "pad")


def test_read_images_size_of_a_model_replaces_the_choice(tmp_path):
    files = save(tmp_path, (100, 200))
    form = ImageSpec(20, 30, 1, resize="crop")
    images = read_images(files, DataSpec(form=form))
    np.testing.assert_array_equal(images[0], form.preprocess(np.asarray(Image.open(files[0]))))


@pytest.mark.parametrize(("size", "shape"), [((8, 8), (4, 8, 8, 3)), ((8, 8, 1), (4, 8, 8)), ((8, 8, 3), (4, 8, 8, 3))])
def test_read_images_channels(tmp_path, size, shape):
    files = save(tmp_path, (8, 8), (8, 8), (8, 8, 3), (8, 8))
    images = read_images(files, DataSpec(image_size=size))
    assert images.shape == shape
    if len(shape) == 4:
        np.testing.assert_array_equal(images[1], np.asarray(Image.open(files[1]).convert("RGB")))


def test_read_images_grey_colour_files_are_grey(tmp_path):
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        Image.new("RGB", (8, 8), (7, 7, 7)).save(file)
    assert read_images(files, DataSpec()).shape == (2, 8, 8)
    assert read_images(files, DataSpec(image_size=(8, 8, 3))).shape == (2, 8, 8, 3)


def test_decode_files_examines_a_sample_of_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr("skconv.data.image_files._N_SAMPLED", 2)
    files = save(tmp_path, (8, 8), (100, 90), (8, 8), (8, 8))
    images = read_images(files, DataSpec())
    assert images.shape == (4, 8, 8)
    np.testing.assert_array_equal(images[2], np.asarray(Image.open(files[2])))


def break_some(files: list[Path]) -> None:
    files[1].write_bytes(b"")
    files[3].write_bytes(files[3].read_bytes()[:60])
    files[4].write_text("version https://git-lfs.github.com/spec/v1\n")


def test_decode_files_lists_all_unreadable_files_at_once(tmp_path):
    files = save(tmp_path, *[(8, 8)] * 6)
    break_some(files)
    with pytest.raises(DataError) as caught:
        decode_files(files, DataSpec())
    message = str(caught.value)
    assert message.startswith("3 of 6 image files cannot be read: ") and "--skip-unreadable" in message
    for part in ("0001.png): save or download", "0003.png", "Git LFS pointer", "0004.png): run 'git lfs pull'"):
        assert part in message
    files[3].write_bytes(b"x" * 90)
    files[1].write_bytes(b"x" * 90)
    with pytest.raises(DataError, match=r"\(.*0001\.png, .*0003\.png\)"):
        decode_files(files, DataSpec())


def test_decode_files_lists_ten_of_many(tmp_path):
    files = save(tmp_path, *[(8, 8)] * 14)
    for file in files[:12]:
        file.write_bytes(b"")
    with pytest.raises(DataError, match=r"12 of 14 .*0009\.png and 2 more"):
        decode_files(files, DataSpec())
    for file in files:
        file.write_bytes(b"")
    with pytest.raises(DataError, match="14 of 14") as caught:
        decode_files(files, DataSpec(skip_unreadable=True))
    assert "--skip-unreadable" not in str(caught.value)


def test_decode_files_skips_unreadable_files_with_a_note(tmp_path):
    files = save(tmp_path, *[(8, 8)] * 6)
    break_some(files)
    with pytest.warns(UserWarning, match=r"3 of 6 image files cannot be read and were left out: empty.*0001\.png"):
        decoded = decode_files(files, DataSpec(skip_unreadable=True))
    assert list(decoded.positions) == [0, 2, 5]
    np.testing.assert_array_equal(decoded.images, [np.asarray(Image.open(files[k])) for k in (0, 2, 5)])


def test_decode_files_names_one_unreadable_file(tmp_path):
    files = save(tmp_path, (8, 8), (8, 8))
    files[1].write_bytes(b"")
    with pytest.raises(DataError, match=r"0001\.png is empty.* Pass --skip-unreadable"):
        decode_files(files, DataSpec())


def test_decode_files_does_not_cache_skipped_files(tmp_path, cache):
    folder = tmp_path / "images"
    folder.mkdir()
    files = save(folder, *[(2, 2)] * 1001)
    files[7].write_bytes(b"")
    for _ in range(2):
        with pytest.warns(UserWarning, match="1 of 1,001"):
            assert len(decode_files(files, DataSpec(skip_unreadable=True)).images) == 1000
    assert not cache.exists()


def test_read_images_notes_values_far_below_16_bits(tmp_path):
    for number in range(2):
        Image.fromarray(RNG.integers(300, 4096, (8, 8)).astype(np.uint16)).save(tmp_path / f"{number}.png")
    with pytest.warns(UserWarning, match=r"maximum.* is 1[56] of 255"):
        read_images(sorted(tmp_path.iterdir()), DataSpec())


@pytest.mark.parametrize("suffix", ["gif", "tif", "png", "webp"])
def test_images_of_several_frames_are_counted(tmp_path, suffix):
    (still,) = save(tmp_path, (8, 8), suffix=suffix)
    frames = [Image.fromarray(RNG.integers(0, 256, (8, 8), dtype=np.uint8)) for _ in range(3)]
    frames[0].save(tmp_path / f"frames.{suffix}", save_all=True, append_images=frames[1:])
    with pytest.warns(UserWarning, match=rf"Only the first frame or page is used of 1 of 2 images.*frames\.{suffix}"):
        images = read_images([still, tmp_path / f"frames.{suffix}"], DataSpec())
    assert images.shape[:3] == (2, 8, 8)


def test_second_view_of_an_mpo_photograph_is_not_a_frame(tmp_path, recwarn):
    views = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    views[0].save(tmp_path / "a.mpo", save_all=True, append_images=views[1:])
    assert read_images([tmp_path / "a.mpo"], DataSpec()).shape == (1, 8, 8, 3)
    assert not recwarn.list


def test_sizes_of_equal_area_are_both_printed(tmp_path):
    files = save(tmp_path, (10, 90), (90, 10))
    with pytest.warns(UserWarning, match="from 90×10 to 10×90"):
        read_images(files, DataSpec())


def test_very_large_image_is_reported_once(tmp_path):
    Image.new("1", (10_000, 9_500)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="10000×9500"), warnings.catch_warnings():
        warnings.filterwarnings("error", "Image size")  # of Pillow
        read_images([tmp_path / "a.png"], DataSpec())

"""Opening untrusted image files."""

import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skconv.exceptions import DataError, SourceNotFoundError
from skconv.images.opening import open_image
from skconv.images.resizing import convert_image

GREY = (np.arange(20 * 30).reshape(20, 30) % 256).astype(np.uint8)


def save(folder: Path, name: str, image: Image.Image, **options) -> Path:
    path = folder / name
    image.save(path, **options)
    return path


def png(width: int, height: int, *chunks: tuple[bytes, bytes], colour: int = 0) -> bytes:
    header = (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    content = b"\x89PNG\r\n\x1a\n"
    for name, body in (header, *chunks, (b"IEND", b"")):
        content += struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return content


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "gif"])
def test_open_image_lossless_formats_preserve_every_pixel(tmp_path, suffix):
    path = save(tmp_path, f"a.{suffix}", Image.fromarray(GREY))
    np.testing.assert_array_equal(open_image(path), GREY)


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_open_image_lossy_formats_are_close(tmp_path, suffix):
    smooth = np.tile(np.linspace(20, 230, 30, dtype=np.uint8), (20, 1))
    image = open_image(save(tmp_path, f"a.{suffix}", Image.fromarray(smooth)))
    grey = convert_image(image, 20, 30, 1)
    assert np.abs(grey.astype(int) - smooth).max() < 12


def test_open_image_detects_format_by_content(tmp_path):
    path = save(tmp_path, "a.png", Image.fromarray(GREY))
    np.testing.assert_array_equal(open_image(path.rename(tmp_path / "a.jpg")), GREY)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("16.png", GREY.astype(np.uint16) * 257),
        ("16.tif", GREY.astype(np.uint16) * 257),
        ("32.tif", GREY.astype(np.int32) * 257),
        ("unit.tif", GREY.astype(np.float32) / 255),
        ("full.tif", GREY.astype(np.float32)),
    ],
)
def test_open_image_deep_grey_is_scaled_to_8_bits(tmp_path, name, values):
    np.testing.assert_array_equal(open_image(save(tmp_path, name, Image.fromarray(values))), GREY)


def test_open_image_rejects_nan(tmp_path):
    path = save(tmp_path, "nan.tif", Image.fromarray(np.full((4, 4), np.nan, np.float32)))
    with pytest.raises(DataError, match=r"nan\.tif has grey values that are negative, NaN"):
        open_image(path)


@pytest.mark.parametrize(("mode", "suffix"), [("1", "png"), ("1", "tif"), ("P", "png"), ("LA", "png")])
def test_open_image_black_and_white_modes_become_grey(tmp_path, mode, suffix):
    halves = Image.fromarray(np.repeat(np.array([[0, 255]], np.uint8), 10, axis=1).repeat(10, axis=0))
    image = open_image(save(tmp_path, f"a.{suffix}", halves.convert(mode)))
    np.testing.assert_array_equal(image, np.asarray(halves))


def test_open_image_cmyk_becomes_colour(tmp_path):
    path = save(tmp_path, "a.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)))
    image = open_image(path)
    assert image.shape == (8, 8, 3)
    assert image[0, 0, 0] > 200 > 60 > image[0, 0, 1]


def test_open_image_colour_file_without_colour_is_grey(tmp_path):
    path = save(tmp_path, "a.png", Image.fromarray(GREY).convert("RGB"))
    np.testing.assert_array_equal(open_image(path), GREY)


@pytest.mark.parametrize(
    ("orientation", "suffix"), [*((each, "png") for each in range(1, 9)), (3, "tif"), (5, "tif"), (6, "tif")]
)
def test_open_image_applies_every_orientation(tmp_path, orientation, suffix):
    stored = {  # stored pixels of the upright image for each value of the tag
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.T,
        6: lambda p: np.rot90(p, 1),
        7: lambda p: p.T[::-1, ::-1],
        8: lambda p: np.rot90(p, -1),
    }[orientation](GREY)
    image = Image.fromarray(np.ascontiguousarray(stored))
    if suffix == "tif":
        path = save(tmp_path, "a.tif", image, tiffinfo={274: orientation})
    else:
        exif = Image.Exif()
        exif[274] = orientation
        path = save(tmp_path, "a.png", image, exif=exif)
    np.testing.assert_array_equal(open_image(path), GREY)


@pytest.mark.parametrize(("stroke", "background"), [(0, 255), (30, 255), (255, 0)])
def test_open_image_composites_on_contrasting_background(tmp_path, stroke, background):
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((stroke, stroke, stroke, 255), (10, 10, 20, 20))
    image = open_image(save(tmp_path, "a.png", image))
    assert image[0, 0] == background
    assert image[15, 15] == stroke


def test_open_image_fully_transparent_is_white(tmp_path):
    image = open_image(save(tmp_path, "a.png", Image.new("RGBA", (5, 5), (9, 9, 9, 0))))
    assert (image == 255).all()


def test_open_image_reads_first_frame(tmp_path):
    second = Image.fromarray(255 - GREY)
    path = save(tmp_path, "a.gif", Image.fromarray(GREY), save_all=True, append_images=[second])
    np.testing.assert_array_equal(open_image(path), GREY)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "bmp", "tif", "gif"])
def test_open_image_rejects_truncated_file(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    path = save(tmp_path, f"half.{suffix}", Image.fromarray(noise))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"half\.{suffix}"):
        open_image(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"<html>404</html>", "not an image"),
        (b"P7\nWIDTH 2\nHEIGHT 2\nDEPTH 1\nENDHDR\nabcd", "not an image"),  # an unsupported format
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image"),
        (png(60000, 60000, (b"IDAT", zlib.compress(bytes(1000)))), "too many pixels"),
        (png(9000, 9000, (b"IDAT", zlib.compress(bytes(1000)))), "81,000,000 pixels; .*50,000,000"),
        (png(6000, 6000, (b"IDAT", zlib.compress(bytes(1000))), colour=2), "at most 13,000,000"),
        (png(9, 9, (b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000)))), "damaged"),
    ],
)
def test_open_image_rejects_hostile_file_within_a_second(tmp_path, content, message):
    path = tmp_path / "hostile.png"
    path.write_bytes(content)
    start = time.perf_counter()
    with pytest.raises(DataError, match=message) as caught:
        open_image(path)
    assert time.perf_counter() - start < 1
    assert "hostile.png" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_open_image_rejects_file_without_end_marker(tmp_path, suffix):
    path = save(tmp_path, f"large.{suffix}", Image.new("L", (3000, 3000)))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match="truncated"):
        open_image(path)


def test_open_image_halves_large_jpeg(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    image = Image.new("L", (4400, 3000), 255)
    image.paste(0, (0, 0, 2200, 3000))
    image = open_image(save(tmp_path, "a.jpg", image, exif=exif))
    assert image.shape == (2200, 1500)
    assert image[:1090].max() < 10 and image[1110:].min() > 245


@pytest.mark.parametrize("suffix", ["png", "webp", "jpg"])
def test_open_image_applies_orientation_in_every_format(tmp_path, suffix):
    exif = Image.Exif()
    exif[274] = 6
    image = Image.new("L", (40, 30), 255)
    image.paste(0, (0, 0, 20, 30))
    image = convert_image(open_image(save(tmp_path, f"a.{suffix}", image, exif=exif)), 40, 30, 1)
    assert image[:18].max() < 40 and image[22:].min() > 215


def test_open_image_composites_transparent_palette(tmp_path):
    image = Image.new("P", (20, 20), 1)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.paste(0, (5, 5, 10, 10))
    image = open_image(save(tmp_path, "a.png", image, transparency=1))
    assert image[0, 0] == 255 and image[7, 7] == 0


def test_open_image_rejects_file_over_max_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr("skconv.images.opening.MAX_BYTES", 100)
    path = save(tmp_path, "a.bmp", Image.fromarray(GREY))
    with pytest.raises(DataError, match="limit is 100"):
        open_image(path)


def test_open_image_distinguishes_folder_and_missing_file(tmp_path):
    with pytest.raises(DataError, match="is not a file"):
        open_image(tmp_path)
    with pytest.raises(SourceNotFoundError, match=r"nothing\.png"):
        open_image(tmp_path / "nothing.png")


def test_convert_image_shrinks_with_antialiasing():
    checks = np.indices((280, 280)).sum(axis=0) % 2 * 255  # finer than the resolution of the result: averaged to grey
    small = convert_image(checks.astype(np.uint8), 28, 28, 1)
    assert small.shape == (28, 28)
    assert small.min() > 110 and small.max() < 145


def test_convert_image_between_grey_and_colour():
    colour = convert_image(GREY, 20, 30, 3)
    assert colour.shape == (20, 30, 3)
    np.testing.assert_array_equal(convert_image(colour, 20, 30, 1), GREY)


def test_open_image_longest_halves_jpeg(tmp_path):
    waves = 128 + 100 * np.sin(np.arange(640) / 40)[None] * np.cos(np.arange(480) / 30)[:, None]
    for name in ("a.jpg", "a.png"):
        Image.fromarray(waves.astype(np.uint8)).save(tmp_path / name)
    assert open_image(tmp_path / "a.jpg", longest=321).shape == (480, 640)
    half = open_image(tmp_path / "a.jpg", longest=320)
    assert half.shape == (240, 320)
    assert np.abs(half - waves[::2, ::2]).mean() < 4
    assert open_image(tmp_path / "a.png", longest=100).shape == (480, 640)

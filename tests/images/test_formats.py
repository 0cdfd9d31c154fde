"""Image formats: which are decoded, and files that must not be."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skconv.exceptions import DataError
from skconv.images.formats import looks_like_image
from skconv.images.opening import open_image, read_header

GREY = (np.arange(20 * 30).reshape(20, 30) % 256).astype(np.uint8)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=2)


@pytest.mark.parametrize(
    ("name", "image"),
    [
        ("a.ppm", COLOUR),
        ("a.pgm", GREY),
        ("a.pfm", GREY.astype(np.float32) / 255),
        ("16.pgm", GREY.astype(np.uint16) * 257),
        ("a.jp2", COLOUR),
        ("16.jp2", GREY.astype(np.uint16) * 257),
        ("a.qoi", COLOUR),
        ("a.sgi", COLOUR),
        ("a.tga", COLOUR),
        ("a.pcx", COLOUR),
        ("a.dib", COLOUR),
    ],
)
def test_open_image_reads_other_lossless_formats(tmp_path, name, image):
    Image.fromarray(image).save(tmp_path / name)
    np.testing.assert_array_equal(open_image(tmp_path / name), COLOUR if image.ndim == 3 else GREY)
    assert read_header(tmp_path / name)[:2] == (20, 30)


def test_open_image_reads_avif(tmp_path):
    Image.new("RGB", (30, 20), "navy").save(tmp_path / "a.avif", quality=100)
    assert np.abs(open_image(tmp_path / "a.avif").astype(int) - (0, 0, 128)).max() <= 3


@pytest.mark.parametrize("suffix", ["ico", "icns", "eps", "pdf"])
def test_open_image_rejects_formats_that_hide_their_size_or_run_programs(tmp_path, suffix):
    Image.fromarray(COLOUR).save(tmp_path / f"a.{suffix}")
    with pytest.raises(DataError, match="not an image in a supported format; expected PNG"):
        open_image(tmp_path / f"a.{suffix}")


def test_open_image_reads_tga_by_suffix_only(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.tga")
    with pytest.raises(DataError, match="not an image"):
        open_image((tmp_path / "a.tga").rename(tmp_path / "a.jpg"))


def test_open_image_names_git_lfs_pull(tmp_path):
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
    (tmp_path / "a.jpg").write_text(pointer)
    for read in (open_image, read_header):
        with pytest.raises(DataError, match=r"Git LFS pointer.* Run 'git lfs pull'"):
            read(tmp_path / "a.jpg")


HEADERS = {  # CR and LF before the pixels: with comments, 16 bits, grey and bilevel
    "colour": (b"P6\r\n2 2\r\n255\r\n", 12),
    "comment": (b"P6 # by hand\n2\t2 255\r\n", 12),
    "grey": (b"P5\n2 2\n255\r\n", 4),
    "16 bits": (b"P5\n2 2\n65535\r\n", 8),
    "bilevel": (b"P4\n9 2\r\n", 4),
}


@pytest.mark.parametrize(("header", "n_bytes"), HEADERS.values(), ids=HEADERS)
def test_open_image_rejects_line_end_that_shifts_pixels(tmp_path, header, n_bytes):
    path = tmp_path / "a.ppm"
    path.write_bytes(header + bytes(n_bytes))
    for read in (open_image, read_header):
        with pytest.raises(DataError, match=r"CRLF.*shifts the pixels"):
            read(path)
    # Without the LF, or if it is the first pixel, nothing is shifted.
    path.write_bytes(header[:-1] + bytes(n_bytes))
    assert open_image(path).max() in (0, 255)
    path.write_bytes(header + bytes(n_bytes - 1))
    assert open_image(path).size


def test_open_image_names_package_for_heic(tmp_path, monkeypatch):
    (tmp_path / "a.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with pytest.raises(DataError, match=r"HEIC.*pip install 'skconv\[heic\]'"):
        open_image(tmp_path / "a.jpg")


def test_open_image_reads_heic_with_package(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(Image.fromarray(COLOUR)).save(tmp_path / "a.heic")
    assert open_image(tmp_path / "a.heic").shape == (20, 30, 3)


def make_mpo(path: Path, side: int) -> None:
    first = Image.fromarray(np.kron(COLOUR, np.ones((side // 20, side // 20, 1), np.uint8)))
    first.save(path, "MPO", save_all=True, append_images=[first.resize((60, 40))], quality=90)


def test_open_image_reads_first_frame_of_mpo_as_jpeg(tmp_path):
    make_mpo(tmp_path / "phone.jpg", 3000)  # 13.5 megapixels: only a JPEG may be that large
    assert open_image(tmp_path / "phone.jpg").shape == (1500, 2250, 3)
    assert open_image(tmp_path / "phone.jpg", shortest=300).shape == (375, 563, 3)
    content = (tmp_path / "phone.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"cut\.jpg is .*truncated"):
        open_image(tmp_path / "cut.jpg")


@pytest.mark.parametrize(
    ("name", "start", "expected"),
    [
        ("A.JPG", b"", True),
        ("photo.jpg_large", b"\xff\xd8\xff\xe0", True),
        ("photo", b"\x89PNG\r\n\x1a\n", True),
        ("scan", b"P6\n12 12\n255\n", True),
        ("raw.NEF", b"MM\0*", False),  # its first image is a preview
        ("notes.txt", b"P6 is my favourite", False),
        ("BM.txt", b"BM is no bitmap", False),
    ],
)
def test_looks_like_image_decides_by_suffix_or_content(name, start, expected):
    assert looks_like_image(name, start) is expected

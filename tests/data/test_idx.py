"""IDX files, valid and invalid."""

import gzip

import numpy as np
import pytest

from skconv.data.idx import read_idx, read_idx_folder
from skconv.exceptions import DataError


def test_read_idx_memory_maps_raw_file(tmp_path, samples):
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(samples.idx(samples.images(5)))
    images = read_idx(path, 3)
    assert isinstance(images, np.memmap)
    np.testing.assert_array_equal(images, samples.images(5))


def test_read_idx_detects_gzip_by_content(tmp_path, samples):
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(samples.idx(samples.images(5, 3, 4))))
    np.testing.assert_array_equal(read_idx(path, 3), samples.images(5, 3, 4))


def test_read_idx_folder_finds_every_spelling(tmp_path, samples):
    for index, (name, content) in enumerate(samples.idx_files().items()):
        (tmp_path / (name.replace("-idx", ".idx") if index % 2 else f"{name}.gz")).write_bytes(content)
    splits = read_idx_folder(tmp_path)
    np.testing.assert_array_equal(splits.train_images, samples.images(20))
    assert list(splits.test_labels) == [str(digit) for digit in range(10)]


def test_read_idx_folder_without_test_files_has_no_test_split(tmp_path, samples):
    samples.idx_folder(tmp_path)
    for path in tmp_path.glob("t10k*"):
        path.unlink()
    assert read_idx_folder(tmp_path).test_images is None


@pytest.mark.parametrize("missing", ["train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"])
def test_read_idx_folder_error_has_name_of_missing_file(tmp_path, samples, missing):
    samples.idx_folder(tmp_path)
    (tmp_path / f"{missing}.gz").unlink()
    with pytest.raises(DataError, match=f"has no {missing}"):
        read_idx_folder(tmp_path)


def test_read_idx_folder_rejects_different_counts(tmp_path, samples):
    samples.idx_folder(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(samples.idx(np.zeros(19, np.uint8))))
    with pytest.raises(DataError, match=r"20 images, .*19 labels"):
        read_idx_folder(tmp_path)


@pytest.mark.parametrize(
    ("pack", "change", "message"),
    [
        (bytes, lambda whole: whole[:-1], "fewer bytes than the 320"),
        (gzip.compress, lambda whole: whole[:-1], "fewer bytes than the 320"),
        (bytes, lambda whole: whole + b"x", "more bytes than the 320"),
        (gzip.compress, lambda whole: whole + b"x", "more bytes than the 320"),
        (bytes, lambda whole: whole[:9], "truncated"),
        (bytes, lambda whole: b"<html>" + whole, "begins with 3c 68 74 6d"),
        (bytes, lambda whole: whole[:3] + b"\x01" + whole[4:], "swapped"),
        (bytes, lambda whole: whole[:4] + b"\xff" * 12, "fewer bytes"),  # 2**96 pixels
        (gzip.compress, lambda whole: whole[:4] + b"\xff" * 12, "fewer bytes"),
    ],
)
def test_read_idx_rejects_invalid_content(tmp_path, samples, pack, change, message):
    path = tmp_path / "images"
    path.write_bytes(pack(change(samples.idx(samples.images(5)))))
    with pytest.raises(DataError, match=message) as caught:
        read_idx(path, 3)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("change", [lambda packed: packed[:-20], lambda packed: packed[:60] + bytes(30) + packed[90:]])
def test_read_idx_rejects_damaged_gzip(tmp_path, samples, change):
    path = tmp_path / "images.gz"
    path.write_bytes(change(gzip.compress(samples.idx(samples.images(5)))))
    with pytest.raises(DataError, match="gzip"):
        read_idx(path, 3)


def test_read_idx_rejects_empty_file(tmp_path):
    path = tmp_path / "images"
    path.touch()
    with pytest.raises(DataError, match="is empty"):
        read_idx(path, 3)


def test_read_idx_rejects_wrong_checksum(tmp_path, samples):
    path = tmp_path / "images"
    path.write_bytes(samples.idx(samples.images(5)))
    with pytest.raises(DataError, match="other content"):
        read_idx(path, 3, sha256="0" * 64)

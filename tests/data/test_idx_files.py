"""IDX files: MNIST, EMNIST and others, valid and hostile."""

import gzip

import numpy as np
import pytest

from skconv.data.idx_files import has_idx_files, read_idx, read_idx_folder
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
        (bytes, lambda whole: b"<html>" + whole, "begins with the bytes 3c 68 74 6d"),
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


def write_set(folder, samples, prefix, *, suffix="-idx{}-ubyte.gz", splits=("train", "test"), n=6):
    folder.mkdir(parents=True, exist_ok=True)
    for split in splits:
        for kind, dimensions, content in (
            ("images", 3, samples.images(n, 4, 6)),
            ("labels", 1, (np.arange(n) % 3 + 1).astype(np.uint8)),
        ):
            name = f"{prefix}{split}-{kind}{suffix.format(dimensions)}"
            packed = gzip.compress(samples.idx(content)) if name.endswith(".gz") else samples.idx(content)
            (folder / name).write_bytes(packed)
    return folder


@pytest.mark.parametrize("suffix", ["-idx{}-ubyte", ".idx{}-ubyte.gz", ".idx{}", "_ubyte.gz"])
def test_read_idx_folder_accepts_any_prefix_and_suffix(tmp_path, samples, suffix):
    splits = read_idx_folder(write_set(tmp_path, samples, "kannada-", suffix=suffix))
    np.testing.assert_array_equal(splits.train_images, samples.images(6, 4, 6))
    assert splits.test_labels == ["1", "2", "3"] * 2


def test_read_idx_folder_transposes_emnist_and_names_its_classes(tmp_path, samples):
    write_set(tmp_path, samples, "emnist-letters-")
    (tmp_path / "emnist-letters-mapping.txt").write_text("1 65 97\n2 66 98\n3 67 99\n")
    with pytest.warns(UserWarning, match="EMNIST .*transposed"):
        splits = read_idx_folder(tmp_path)
    np.testing.assert_array_equal(splits.train_images, samples.images(6, 4, 6).transpose(0, 2, 1))
    assert splits.train_labels == ["A", "B", "C"] * 2


def test_read_idx_folder_finds_files_in_folders_of_the_same_name(tmp_path, samples):
    for name, content in samples.idx_files().items():
        (tmp_path / name).mkdir()
        (tmp_path / name / name.replace("-idx", ".idx")).write_bytes(content)
    assert has_idx_files(tmp_path)
    splits = read_idx_folder(tmp_path)
    assert len(splits.train_images) == 20 and len(splits.test_images) == 10


def test_read_idx_folder_uses_validation_split(tmp_path, samples):
    splits = read_idx_folder(write_set(tmp_path, samples, "", splits=("train", "val")))
    assert len(splits.valid_images) == 6 and splits.test_images is None


def test_read_idx_folder_of_several_sets_reads_the_chosen_one(tmp_path, samples):
    write_set(tmp_path, samples, "emnist-letters-")
    write_set(tmp_path, samples, "kmnist-")
    with pytest.raises(DataError, match=r"2 data sets: 'emnist-letters', 'kmnist'.* as the source"):
        read_idx_folder(tmp_path)
    assert len(read_idx_folder(tmp_path / "kmnist-train-images-idx3-ubyte.gz").train_images) == 6


@pytest.mark.parametrize(
    ("removed", "message"),
    [
        ("kmnist-train-labels*", "no kmnist-train-labels-idx1-ubyte, .*kmnist-train-images"),
        ("*train*", "no .* training split"),
    ],
)
def test_read_idx_folder_reports_missing_files_of_any_name(tmp_path, samples, removed, message):
    write_set(tmp_path, samples, "kmnist-")
    for path in tmp_path.glob(removed):
        path.unlink()
    with pytest.raises(DataError, match=message):
        read_idx_folder(tmp_path)


@pytest.mark.parametrize("name", ["faces.idx", "sample_idx3.png"])
def test_other_files_with_such_names_are_no_idx_files(tmp_path, name):
    (tmp_path / name).write_bytes(b"faces/1.jpg 1 0 0 64 64\n")
    assert not has_idx_files(tmp_path)
    (tmp_path / "digits.idx").write_bytes(b"\0\0\x08\x01")
    assert has_idx_files(tmp_path)

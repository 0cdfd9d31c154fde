"""IDX files and .npz archives, valid and hostile."""

import gzip

import numpy as np
import pytest

from skconv.data.array_files import read_idx, read_idx_folder, read_npz, read_npz_images
from skconv.exceptions import DataError

LABELS = np.arange(6) % 3


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


@pytest.mark.parametrize(
    ("keys", "save"),
    [
        (("train_x", "train_y", "test_x", "test_y"), np.savez),
        (("x_train", "y_train", "x_test", "y_test"), np.savez_compressed),
        (("X_train", "y_train", "X_test", "y_test"), np.savez),
        (("train_images", "train_labels", "test_images", "test_labels"), np.savez),
    ],
)
def test_read_npz_accepts_common_keys(tmp_path, samples, keys, save):
    path = tmp_path / "a.npz"
    images = samples.images(6)
    save(path, **dict(zip(keys, (images, LABELS, images[:3], LABELS[:3]), strict=True)))
    splits = read_npz(path)
    np.testing.assert_array_equal(splits.train_images, images)
    np.testing.assert_array_equal(splits.test_images, images[:3])
    assert splits.train_labels == ["0", "1", "2", "0", "1", "2"]
    assert isinstance(splits.train_images, np.memmap) == (save is np.savez)


@pytest.mark.parametrize("keys", [("images", "labels"), ("X", "y")])
def test_read_npz_without_test_keys_has_no_test_split(tmp_path, samples, keys):
    path = tmp_path / "a.npz"
    np.savez(path, **dict(zip(keys, (samples.images(6), LABELS), strict=True)))
    assert read_npz(path).test_images is None


def test_read_npz_reads_fortran_order_and_rows(tmp_path, samples):
    path = tmp_path / "a.npz"
    images = samples.images(6)
    np.savez(path, X=np.asfortranarray(images.reshape(6, 64)), y=LABELS)
    np.testing.assert_array_equal(read_npz(path).train_images, images)


def test_read_npz_rejects_pickled_objects(tmp_path, samples):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("the pickle was loaded",))

    path = tmp_path / "a.npz"
    np.savez(path, X=samples.images(1), y=np.array([Bomb()], dtype=object))
    with pytest.raises(DataError, match=r"\[y\].* pickled"):
        read_npz(path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": LABELS, "b": LABELS}, "keys 'a', 'b'; expected train_x"),
        ({"X": np.zeros((5, 8, 8), np.uint8), "y": LABELS}, "5 images in 'X', but 6 labels in 'y'"),
        ({"X": np.full((6, 8, 8), -1), "y": LABELS}, "-1..-1"),
        ({"X": np.full((6, 8, 8), 0.5) + LABELS[:, None, None], "y": LABELS}, "with fractions"),
        ({"X": np.zeros((6, 8, 8), np.uint8), "y": np.eye(6)}, "one integer or word"),
    ],
)
def test_read_npz_rejects_unusable_arrays(tmp_path, arrays, message):
    path = tmp_path / "a.npz"
    np.savez(path, **arrays)
    with pytest.raises(DataError, match=message):
        read_npz(path)


@pytest.mark.parametrize(
    ("save", "fraction"), [(np.savez, 0), (np.savez, 0.01), (np.savez, 0.95), (np.savez_compressed, 0.5)]
)
def test_read_npz_rejects_truncated_archive(tmp_path, samples, save, fraction):
    path = tmp_path / "a.npz"
    save(path, X=samples.images(6), y=LABELS)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * fraction)])
    with pytest.raises(DataError, match=r"a\.npz"):
        read_npz(path)


def test_read_npz_rejects_damaged_bytes(tmp_path, samples):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, X=samples.images(60), y=np.arange(60) % 2)
    content = bytearray(path.read_bytes())
    content[500:600] = bytes(100)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"\[X\] is damaged"):
        read_npz(path)


def test_read_npz_rejects_name_that_is_not_utf8(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, bildä=np.zeros(3))
    path.write_bytes(path.read_bytes().replace("ä".encode(), b"\xff\xff"))
    with pytest.raises(DataError, match=r"not an \.npz"):
        read_npz(path)


def test_read_npz_images_reads_test_split_or_only_array(tmp_path, samples):
    np.savez(tmp_path / "a.npz", x_train=samples.images(6), y_train=LABELS, x_test=samples.images(3))
    np.savez(tmp_path / "b.npz", whatever=samples.images(2))
    assert len(read_npz_images(tmp_path / "a.npz")) == 3
    assert len(read_npz_images(tmp_path / "b.npz")) == 2

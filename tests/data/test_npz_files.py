"""Archives and files of NumPy arrays, valid and hostile."""

import numpy as np
import pytest

from skconv.data.npz_files import has_npy_pair, read_npz, read_npz_images
from skconv.exceptions import DataError

LABELS = np.arange(6) % 3


@pytest.mark.parametrize(
    ("keys", "save"),
    [
        (("train_x", "train_y", "test_x", "test_y"), np.savez),
        (("x_train", "y_train", "x_test", "y_test"), np.savez_compressed),
        (("X_train", "y_train", "X_test", "y_test"), np.savez),
        (("train_images", "train_labels", "test_images", "test_labels"), np.savez),
        (("training_images", "training_labels", "testing_images", "testing_labels"), np.savez_compressed),
        (("trainX", "trainY", "testX", "testY"), np.savez),
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


@pytest.mark.parametrize("keys", [("images", "labels"), ("X", "y"), ("data", "target"), ("arr_0", "arr_1")])
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
        ({"a": np.zeros((6, 8, 8), np.uint8), "b": np.array(3)}, "keys 'a', 'b'; expected train_x"),
        ({"X": np.zeros((5, 8, 8), np.uint8), "y": LABELS}, "5 images in 'X', but 6 labels in 'y'"),
        ({"X": np.full((6, 8, 8), -1), "y": LABELS}, "-1..-1"),
        ({"X": np.full((6, 8, 8), 0.5) + LABELS[:, None, None], "y": LABELS}, "with fractions"),
        ({"X": np.zeros((6, 8, 8), np.uint8), "y": np.zeros((6, 6))}, "one integer or word"),
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


@pytest.mark.parametrize("keys", [("val_images", "val_labels"), ("x_val", "y_val"), ("X_valid", "y_valid")])
def test_read_npz_uses_validation_split(tmp_path, samples, keys):
    path, images = tmp_path / "a.npz", samples.images(6)
    validation = dict(zip(keys, (images[:2], LABELS[:2, None]), strict=True))
    np.savez(path, train_images=images, train_labels=LABELS[:, None], **validation)
    splits = read_npz(path)
    np.testing.assert_array_equal(splits.valid_images, images[:2])
    assert splits.valid_labels == ["0", "1"] and splits.test_images is None


def test_read_npz_lists_arrays_that_are_not_used(tmp_path, samples):
    path = tmp_path / "a.npz"
    np.savez(path, x_train=samples.images(6), y_train=LABELS, x_test=samples.images(3), weights=np.zeros(2))
    with pytest.warns(UserWarning, match="are not used: 'x_test', 'weights'"):
        assert read_npz(path).test_images is None


def test_read_npz_rejects_two_arrays_of_one_role(tmp_path, samples):
    path = tmp_path / "a.npz"
    np.savez(path, X=samples.images(6), images=samples.images(6), y=LABELS)
    with pytest.raises(DataError, match="several arrays of train images: 'X', 'images'"):
        read_npz(path)


def test_read_npz_suggests_moving_last_axis(tmp_path, samples):
    path = tmp_path / "a.npz"
    np.savez(path, X=samples.images(6, 8, 9).transpose(1, 2, 0), y=LABELS)
    with pytest.raises(DataError, match=r"np\.moveaxis\(X, -1, 0\)"):
        read_npz(path)


def test_read_npz_reads_npy_files(tmp_path, samples):
    images = samples.images(6)
    for name, array in {"X_train": images, "y_train": LABELS, "X_test": images[:2], "y_test": LABELS[:2]}.items():
        np.save(tmp_path / f"{name}.npy", array)
    assert has_npy_pair(tmp_path)
    for path in (tmp_path, tmp_path / "X_train.npy"):
        splits = read_npz(path)
        np.testing.assert_array_equal(splits.train_images, images)
        assert splits.test_labels == ["0", "1"]


def test_read_npz_rejects_pickles_and_damage_in_npy_files(tmp_path, samples):
    np.save(tmp_path / "X.npy", samples.images(2))
    np.save(tmp_path / "y.npy", np.array(["a", None], object), allow_pickle=True)
    with pytest.raises(DataError, match=r"y\.npy contains pickled"):
        read_npz(tmp_path / "X.npy")
    (tmp_path / "y.npy").write_bytes(b"\x93NUMPY\x01\x00")
    with pytest.raises(DataError, match="damaged"):
        read_npz(tmp_path / "X.npy")


def write_files(folder, samples, prefix, n=6):
    arrays = {"train-imgs": samples.images(n), "train-labels": np.arange(n) % 3, "test-imgs": samples.images(2)}
    for name, array in {**arrays, "test-labels": np.arange(2)}.items():
        np.savez(folder / f"{prefix}{name}.npz", array)


def test_read_npz_reads_archives_of_one_array(tmp_path, samples):
    write_files(tmp_path, samples, "kmnist-")
    np.save(tmp_path / "weights.npy", np.zeros(2))
    assert has_npy_pair(tmp_path)
    for path in (tmp_path, tmp_path / "kmnist-train-imgs.npz", tmp_path / "kmnist-test-labels.npz"):
        with pytest.warns(UserWarning) as notes:
            splits = read_npz(path)
        text = "\n".join(str(note.message) for note in notes)
        assert "train images in 'kmnist-train-imgs.npz', labels in 'kmnist-train-labels.npz'; test images" in text
        assert "not used: 'weights'" in text
        np.testing.assert_array_equal(splits.train_images, samples.images(6))
        assert splits.train_labels == ["0", "1", "2"] * 2 and splits.test_labels == ["0", "1"]
    assert len(read_npz_images(tmp_path)) == 2
    assert len(read_npz_images(tmp_path / "kmnist-train-imgs.npz")) == 6
    np.savez(tmp_path / "kmnist-train-labels.npz", a=LABELS, b=LABELS)
    with pytest.raises(DataError, match=r"train-labels\.npz has the keys 'a', 'b'; expected one array"):
        read_npz(tmp_path)


@pytest.mark.filterwarnings("ignore")
def test_read_npz_of_several_sets_reads_the_chosen_one(tmp_path, samples):
    write_files(tmp_path, samples, "kmnist-")
    write_files(tmp_path, samples, "k49-", n=9)
    with pytest.raises(DataError, match=r"2 data sets: 'k49', 'kmnist'.* as the source"):
        read_npz(tmp_path)
    assert len(read_npz(tmp_path / "k49-train-imgs.npz").train_images) == 9


def test_read_npz_ignores_other_files_beside_a_pair(tmp_path, samples):
    write_files(tmp_path, samples, "kmnist-")
    np.savez(tmp_path / "train-imgs.npz", samples.images(9))
    with pytest.warns(UserWarning, match=r"not used: 'train-imgs\.npz'"):
        np.testing.assert_array_equal(read_npz(tmp_path).train_images, samples.images(6))
    folder = tmp_path / "npy"
    folder.mkdir()
    np.save(folder / "X.npy", samples.images(6))
    np.save(folder / "y.npy", LABELS)
    np.savez(folder / "X.npz", samples.images(9))
    np.savez(folder / "data.npz", a=LABELS, b=LABELS)
    with pytest.warns(UserWarning, match=r"not used: 'X\.npz', 'data\.npz'"):
        np.testing.assert_array_equal(read_npz(folder).train_images, samples.images(6))


@pytest.mark.parametrize("outer", [".", "train"])
@pytest.mark.parametrize("name", ["resnet_{}.npy", "train_{}.npz"])
def test_features_beside_class_folders_are_not_read(tmp_path, samples, outer, name):
    for kind, array in {"features": samples.images(6), "labels": LABELS}.items():
        (np.savez if name.endswith("z") else np.save)(tmp_path / name.format(kind), array)
    assert has_npy_pair(tmp_path)
    samples.class_folders(tmp_path / "runs" / "a", "figures")
    assert has_npy_pair(tmp_path)
    samples.class_folders(tmp_path / outer, "cat", "dog")
    assert not has_npy_pair(tmp_path)


def test_read_npz_of_two_files_with_other_names_depends_on_their_shapes(tmp_path, samples):
    np.save(tmp_path / "faces.npy", samples.images(6))
    np.save(tmp_path / "faces_target.npy", LABELS)
    with pytest.warns(UserWarning, match="shapes, 'faces' is used as images and 'faces_target' as labels"):
        assert read_npz(tmp_path / "faces.npy").train_labels == ["0", "1", "2"] * 2

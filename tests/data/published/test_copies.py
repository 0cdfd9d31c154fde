"""Copies of named data sets in the data home: other folders, unpacked files, class folders, other checksums."""

import gzip
from dataclasses import replace

import numpy as np
import pytest

from skconv.data.catalog.lookup import get_entry
from skconv.data.published.named import load_entry
from skconv.exceptions import DataError

from .published_files import (
    N_TEST,
    N_TRAIN,
    encode,
    make_cifar,
    make_emnist,
    make_folder,
    make_gtsrb,
    make_images,
    make_labels,
    make_tar,
    make_zip,
)  # fmt: skip


@pytest.mark.parametrize("place", ["", "cifar10", "downloads"])
def test_load_entry_finds_published_file_in_folders_of_data_home(cifar10, tmp_path, server, place):
    home = tmp_path / "home" / place
    home.mkdir(parents=True)
    (tmp_path / "made.tar.gz").rename(home / "cifar-10-binary.tar.gz")
    assert load_entry(cifar10, data_home=tmp_path / "home").source == str(home)
    assert server.requests == []


def make_class_folders(shape=(32, 32, 3), kind: str = "PNG") -> dict[str, bytes]:
    """Return images of CIFAR-10 in class folders."""
    files = {}
    for split, n in (("train", N_TRAIN), ("test", N_TEST)):
        for index, image in enumerate(make_images(n, *shape)):
            files[f"{split}/{get_entry('cifar10').class_names[index % 10]}/{index:03}.{kind.lower()}"] = encode(
                image, kind
            )
    return {**files, "README.txt": b"a copy", "__MACOSX/train/cat/._1.png": b"x"}


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (make_tar, "cifar10.tar.gz"),
        (make_zip, "cifar10.zip"),
        (make_folder, "cifar10"),
        (make_tar, "images/cifar10.tgz"),
    ],
)
def test_load_entry_reads_class_folders_in_data_home(cifar10, tmp_path, server, make, name):
    (tmp_path / "home" / name).parent.mkdir(parents=True)
    make(tmp_path / "home" / name, make_class_folders())
    with pytest.warns(UserWarning, match="not in the published form"):
        dataset = load_entry(cifar10, data_home=tmp_path / "home")
    order = [k for label in range(10) for k in range(label, N_TRAIN, 10)]
    np.testing.assert_array_equal(dataset.train_images, make_images(N_TRAIN, 32, 32, 3)[order])
    assert dataset.train_labels.tolist() == sorted(k % 10 for k in range(N_TRAIN))
    assert dataset.class_names[:2] == ("airplane", "automobile")
    assert dataset.source == str(tmp_path / "home" / name) and server.requests == []


def test_load_entry_reads_unpacked_files_in_data_home(cifar10, tmp_path, samples):
    files, images = make_cifar(10)
    make_folder(tmp_path / "home" / "cifar10", files)
    with pytest.warns(UserWarning, match="not in the published form"):
        np.testing.assert_array_equal(load_entry(cifar10, data_home=tmp_path / "home").train_images, images)


def test_load_entry_reads_unpacked_emnist_in_data_home(tmp_path, server, cache, samples):
    files, images = make_emnist(samples, "mnist", 10)
    make_folder(
        tmp_path / "home" / "emnist", {name.removesuffix(".gz"): gzip.decompress(files[name]) for name in files}
    )
    entry = replace(get_entry("emnist-mnist"), n_images=(N_TRAIN, 0, N_TEST))
    with pytest.warns(UserWarning, match="not in the published form"):
        np.testing.assert_array_equal(load_entry(entry, data_home=tmp_path / "home").train_images, images)


def test_load_entry_reads_unpacked_gtsrb_in_data_home(tmp_path, server, cache):
    train, test, labels = make_gtsrb(43)
    entry = replace(get_entry("gtsrb"), class_names=tuple(map(str, range(20))), n_images=(N_TRAIN, 0, N_TEST))
    make_folder(tmp_path / "home" / "gtsrb", {**train, **test, **labels})
    with pytest.warns(UserWarning, match="not in the published form"):
        assert len(load_entry(entry, data_home=tmp_path / "home").train_images) == N_TRAIN


def test_load_entry_reads_gtsrb_of_kaggle_in_data_home(tmp_path, server, cache):
    image = encode(make_images(1, 30, 30, 3)[0], "PNG")
    files = {f"Train/{k}/{k:05}_00000_00000.png": image for k in range(N_TRAIN)}
    files |= {f"Test/{k:05}.png": image for k in range(N_TEST)} | {"Meta/3.png": image}
    rows = "".join(f"30,30,5,5,25,25,{k},Test/{k:05}.png\n" for k in range(N_TEST))
    files["Test.csv"] = f"Width,Height,Roi.X1,Roi.Y1,Roi.X2,Roi.Y2,ClassId,Path\n{rows}".encode()
    make_zip(tmp_path / "gtsrb.zip", files)
    entry = replace(get_entry("gtsrb"), class_names=tuple(map(str, range(N_TRAIN))), n_images=(N_TRAIN, 0, N_TEST))
    with pytest.warns(UserWarning, match="not in the published form"):
        dataset = load_entry(entry, data_home=tmp_path)
    assert dataset.train_labels.tolist() == list(range(N_TRAIN)) and dataset.test_labels.tolist() == list(range(N_TEST))


def test_load_entry_reads_unpacked_idx_files_in_data_home(tmp_path, server, cache, samples):
    entry = replace(get_entry("kmnist"), n_images=(N_TRAIN, 0, N_TEST), image_shape=(8, 8))
    samples.idx_folder(tmp_path / "kmnist", compressed=False)
    with pytest.warns(UserWarning, match="not in the published form"):
        assert load_entry(entry, data_home=tmp_path).class_names == entry.class_names


def test_load_entry_reads_npz_with_other_checksum_in_data_home(tmp_path, server, cache):
    entry = replace(get_entry("medmnist:pneumoniamnist"), n_images=(N_TRAIN, 4, N_TEST))
    arrays = {}
    for split, n in (("train", N_TRAIN), ("val", 4), ("test", N_TEST)):
        arrays |= {f"{split}_images": make_images(n, 28, 28), f"{split}_labels": make_labels(n, 2)}
    np.savez(tmp_path / "pneumoniamnist.npz", **arrays)
    with pytest.warns(UserWarning, match="not in the published form"):
        assert load_entry(entry, data_home=tmp_path).class_names == ("normal", "pneumonia")
    np.savez(
        tmp_path / "pneumoniamnist.npz", **{**arrays, "val_images": arrays["val_images"][:3], "val_labels": [0, 1, 0]}
    )
    with pytest.raises(DataError, match="3 validation images; 'medmnist:pneumoniamnist' has 4"):
        load_entry(entry, data_home=tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({**make_class_folders(), "train/tractor/1.png": b"x"}, "has the class 'tractor'"),
        (make_class_folders((16, 16, 3)), "16×16 pixels; the images of 'cifar10' are 32×32"),
        ({**make_class_folders(), "train/cat/1.png": b"x"}, "train/cat/1.png.* is not an image"),
        ({"cats/1.png": b"x"}, "no folders train and test"),
    ],
    ids=["class", "size", "damaged", "layout"],
)
def test_load_entry_rejects_other_class_folders(cifar10, tmp_path, files, message):
    make_zip(tmp_path / "cifar10.zip", files)
    with pytest.raises(DataError, match=message):
        load_entry(cifar10, data_home=tmp_path)


def test_load_entry_rejects_wrong_checksum_in_data_home(cifar10, tmp_path, server):
    make_folder(tmp_path / "home" / "cifar10", {"cifar-10-binary.tar.gz": b"other"})
    with pytest.raises(DataError, match="other content than published"):
        load_entry(cifar10, data_home=tmp_path / "home")
    assert server.requests == []

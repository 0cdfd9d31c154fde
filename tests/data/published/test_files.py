"""Named data sets as published: small files in the true formats, downloaded from a local server."""

import gzip
import io
from dataclasses import replace

import numpy as np
import pytest
from scipy.io import savemat

from skconv.data.catalog.lookup import get_entry, list_datasets
from skconv.data.loading import load_dataset
from skconv.data.published.named import load_entry
from skconv.exceptions import DataError, SourceNotFoundError

from .published_files import (
    N_TEST,
    N_TRAIN,
    make_cifar,
    make_emnist,
    make_gtsrb,
    make_images,
    make_labels,
    make_tar,
    make_zip,
    shrink,
)  # fmt: skip


@pytest.mark.parametrize(("name", "n_classes"), [("cifar10", 10), ("cifar100", 12)])
def test_load_entry_downloads_cifar(tmp_path, server, cache, name, n_classes):
    files, images = make_cifar(n_classes)
    archive = make_tar(tmp_path / "made.tar.gz", files)
    entry = shrink(get_entry(name), {get_entry(name).files[0].name: archive.read_bytes()}, server, n_classes)
    dataset = load_entry(entry)
    np.testing.assert_array_equal(dataset.train_images, images)
    assert dataset.train_labels.tolist() == make_labels(N_TRAIN, n_classes).tolist()
    assert len(dataset.test_images) == N_TEST and dataset.class_names == entry.class_names
    assert dataset.preprocessing is None
    assert [each.name for each in (cache / name).iterdir()] == [entry.files[0].name]
    assert load_entry(entry, download=False).fingerprint == dataset.fingerprint
    assert len(server.requests) == 1


def test_load_entry_downloads_svhn(tmp_path, server, cache):
    files = {}
    for split, n in (("train", N_TRAIN), ("test", N_TEST)):
        labels = make_labels(n, 10)[:, None]
        labels[labels == 0] = 10  # the label of the digit 0
        savemat(
            tmp_path / "made.mat",
            {"X": make_images(n, 32, 32, 3).transpose(1, 2, 3, 0), "y": labels},
            do_compression=True,
        )
        files[f"{split}_32x32.mat"] = (tmp_path / "made.mat").read_bytes()
    dataset = load_entry(shrink(get_entry("svhn"), files, server, 10))
    np.testing.assert_array_equal(dataset.train_images, make_images(N_TRAIN, 32, 32, 3))
    assert dataset.train_labels.tolist() == make_labels(N_TRAIN, 10).tolist()


@pytest.mark.parametrize(
    "content", [b"", b"no matlab file", {"X": np.zeros((3, 3))}, {"X": np.zeros((8, 8, 3, 2)), "y": [[1], [2]]}]
)
def test_load_entry_rejects_other_mat_files(tmp_path, server, cache, content):
    if isinstance(content, dict):
        savemat(tmp_path / "made.mat", content)
        content = (tmp_path / "made.mat").read_bytes()
    with pytest.raises(DataError, match=r"train_32x32\.mat (is not|has the arrays|cannot)"):
        load_entry(shrink(get_entry("svhn"), {"train_32x32.mat": content, "test_32x32.mat": content}, server, 10))


@pytest.mark.parametrize(("subset", "first"), [("balanced", 0), ("letters", 1)])
def test_load_entry_downloads_emnist_upright(tmp_path, server, cache, samples, subset, first):
    files, images = make_emnist(samples, subset, 10, first)
    archive = make_zip(tmp_path / "made.zip", files)
    entry = shrink(get_entry(f"emnist-{subset}"), {"gzip.zip": archive.read_bytes()}, server, 10)
    dataset = load_entry(entry)
    np.testing.assert_array_equal(dataset.train_images, images)
    assert dataset.train_labels.tolist() == make_labels(N_TRAIN, 10).tolist()
    assert dataset.class_names[:2] == (("0", "1") if subset == "balanced" else ("A", "B"))
    assert [each.name for each in (cache / "emnist").iterdir()] == ["gzip.zip"]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: gzip.compress(gzip.decompress(content)[:-1]), "fewer bytes"),
        (lambda content: gzip.compress(gzip.decompress(content) + b"x"), "more bytes"),
        (lambda content: content[:-20], "truncated or damaged"),
        (lambda _: gzip.compress(bytes((0, 0, 8, 3)) + b"\xff" * 12), "fewer bytes"),
        (lambda _: b"no idx file", "begins with the bytes"),
    ],
    ids=["short", "long", "truncated", "bomb", "text"],
)
def test_load_entry_rejects_damaged_emnist(tmp_path, server, cache, samples, damage, message):
    files, _ = make_emnist(samples, "digits", 10)
    name = "gzip/emnist-digits-train-images-idx3-ubyte.gz"
    archive = make_zip(tmp_path / "made.zip", {**files, name: damage(files[name])})
    with pytest.raises(DataError, match=message):
        load_entry(shrink(get_entry("emnist-digits"), {"gzip.zip": archive.read_bytes()}, server, 10))


def test_load_entry_downloads_kmnist(server, cache, samples):
    files = {f"{name}.gz": gzip.compress(content) for name, content in samples.idx_files(N_TRAIN, N_TEST).items()}
    entry = replace(shrink(get_entry("kmnist"), files, server, 10), image_shape=(8, 8))
    dataset = load_entry(entry)
    np.testing.assert_array_equal(dataset.train_images, samples.images(N_TRAIN))
    assert dataset.class_names[:3] == ("o", "ki", "su")


def test_load_entry_downloads_medmnist_with_validation_split(server, cache):
    stream = io.BytesIO()
    arrays = {}
    for split, n in (("train", N_TRAIN), ("val", 4), ("test", N_TEST)):
        arrays[f"{split}_images"], arrays[f"{split}_labels"] = make_images(n, 28, 28), make_labels(n, 2)[:, None]
    np.savez_compressed(stream, **arrays)
    entry = shrink(get_entry("medmnist:breastmnist"), {"breastmnist.npz": stream.getvalue()}, server, 2, kind="md5")
    dataset = load_entry(replace(entry, n_images=(N_TRAIN, 4, N_TEST)))
    np.testing.assert_array_equal(dataset.valid_images, arrays["val_images"])
    assert dataset.valid_labels.tolist() == [0, 1, 0, 1]
    assert dataset.name == "medmnist-breastmnist" and dataset.class_names == ("malignant", "normal, benign")


def test_load_entry_downloads_gtsrb(tmp_path, server, cache):
    archives = [make_zip(tmp_path / f"{k}.zip", files).read_bytes() for k, files in enumerate(make_gtsrb())]
    names = [file.name for file in get_entry("gtsrb").files]
    dataset = load_entry(shrink(get_entry("gtsrb"), dict(zip(names, archives, strict=True)), server, 2, kind="md5"))
    assert dataset.train_images.shape == (N_TRAIN, 48, 48, 3) and dataset.resize == "pad"
    assert np.bincount(dataset.train_labels).tolist() == [10, 10]
    expected = np.concatenate([make_images(1, 48, 48, 3) // (k + 1) for k in (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)])
    np.testing.assert_array_equal(dataset.test_images, expected)  # by class
    assert dataset.test_labels.tolist() == [0] * 5 + [1] * 5


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (b"Filename;ClassId\n00000.ppm;0\n", "no image or no label for the test image 00001.ppm"),
        (b"Filename;Width\n00000.ppm;3\n", "columns Filename and ClassId"),
        (b"", "no label"),
        ("".join(["Filename;ClassId\n", *(f"{k:05}.ppm;{k}\n" for k in range(N_TEST))]).encode(), "image of class 2"),
    ],
)
def test_load_entry_rejects_gtsrb_without_labels(tmp_path, server, cache, labels, message):
    parts = make_gtsrb()
    archives = [make_zip(tmp_path / f"{k}.zip", files).read_bytes() for k, files in enumerate(parts[:2])]
    archives.append(make_zip(tmp_path / "2.zip", {"GT-final_test.csv": labels}).read_bytes())
    names = [file.name for file in get_entry("gtsrb").files]
    with pytest.raises(DataError, match=message):
        load_entry(shrink(get_entry("gtsrb"), dict(zip(names, archives, strict=True)), server, 2))


def test_load_entry_rejects_wrong_download(cifar10, server, cache):
    server.put("/cifar-10-binary.tar.gz", b"other")
    with pytest.raises(SourceNotFoundError, match=r"other content than expected .the sha256 differs"):
        load_entry(cifar10)
    assert list((cache / "cifar10").iterdir()) == []


def test_load_entry_rejects_truncated_download(cifar10, server, cache, truncated):
    (send,) = server.responses["/cifar-10-binary.tar.gz"]
    server.put("/cifar-10-binary.tar.gz", truncated(b"x" * 100_000), truncated(b"x" * 100_000), send)
    assert len(load_entry(cifar10).train_images) == N_TRAIN
    assert len(server.requests) == 3


def test_load_entry_replaces_damaged_file_in_the_cache(cifar10, server, cache):
    (cache / "cifar10").mkdir(parents=True)
    (cache / "cifar10" / "cifar-10-binary.tar.gz").write_bytes(b"damaged")
    assert len(load_entry(cifar10).train_images) == N_TRAIN


def test_load_entry_rejects_other_numbers_of_images(cifar10):
    with pytest.raises(DataError, match=r"has 20 training images; .cifar10. has 50,000"):
        load_entry(replace(cifar10, n_images=(50_000, 0, 10_000)))


def test_load_dataset_rejects_collection_and_multi_label_set():
    with pytest.raises(
        SourceNotFoundError, match=r"collection; pass one of medmnist:bloodmnist, .*medmnist:tissuemnist\."
    ):
        load_dataset("medmnist")
    with pytest.raises(SourceNotFoundError, match="several labels per image"):
        load_dataset("medmnist:chestmnist")


@pytest.mark.parametrize("name", [name for name in list_datasets() if get_entry(name).n_images])
def test_catalog_describes_published_data_sets(name):
    entry = get_entry(name)
    assert len(set(entry.class_names)) == len(entry.class_names)
    for file in entry.files:
        kind, _, digest = file.checksum.partition(":")
        assert len(digest) == {"sha256": 64, "md5": 32}[kind] and all(url.startswith("http") for url in file.addresses)
    assert all(0 < each.accuracy < 1 for each in entry.published)


@pytest.mark.data
def test_load_dataset_reads_retinamnist_as_published(data_home, recwarn):
    dataset = load_dataset("medmnist:retinamnist", data_home=data_home / "small-images-dev", download=False)
    assert [len(each) for each in (dataset.train_images, dataset.valid_images, dataset.test_images)] == [1080, 120, 400]
    assert not [each for each in recwarn if "published form" in str(each.message)]

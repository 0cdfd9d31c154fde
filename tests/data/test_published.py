"""Named data sets as published: small files in the true formats, downloads from a local server, and copies."""

import gzip
import hashlib
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from skconv.data.catalog import CatalogFile, get_entry, list_datasets
from skconv.data.loading import load_dataset
from skconv.data.named import load_entry
from skconv.exceptions import DataError, SourceNotFoundError

from .test_archives import make_folder, make_tar, make_zip

N_TRAIN, N_TEST = 20, 10


def make_images(n: int, *shape: int) -> np.ndarray:
    """Return n different images."""
    return np.random.default_rng(n).integers(0, 256, (n, *shape), dtype=np.uint8)


def make_labels(n: int, n_classes: int) -> np.ndarray:
    return (np.arange(n) % n_classes).astype(np.uint8)


def encode(image: np.ndarray, kind: str = "PPM") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, kind)
    return stream.getvalue()


def make_cifar(n_classes: int) -> tuple[dict[str, bytes], np.ndarray]:
    """Return the files of the binary version, and the training images."""
    images = {"train": make_images(N_TRAIN, 32, 32, 3), "test": make_images(N_TEST, 32, 32, 3)}
    records = {}
    for split, n in (("train", N_TRAIN), ("test", N_TEST)):
        labels = make_labels(n, n_classes)[:, None]
        coarse = [] if n_classes == 10 else [np.full((n, 1), 7, np.uint8)]
        planes = images[split].transpose(0, 3, 1, 2).reshape(n, -1)
        records[split] = np.concatenate([*coarse, labels, planes], axis=1)
    if n_classes == 10:
        parts = np.split(records["train"], 5)
        files = {f"cifar-10-batches-bin/data_batch_{k}.bin": part.tobytes() for k, part in enumerate(parts, start=1)}
        return {**files, "cifar-10-batches-bin/test_batch.bin": records["test"].tobytes()}, images["train"]
    files = {f"cifar-100-binary/{split}.bin": each.tobytes() for split, each in records.items()}
    return files, images["train"]


def make_emnist(samples, subset: str, n_classes: int, first: int = 0) -> tuple[dict[str, bytes], np.ndarray]:
    """Return the files of gzip.zip, and the training images upright."""
    train = make_images(N_TRAIN, 28, 28)
    files = {}
    for split, images in (("train", train), ("test", make_images(N_TEST, 28, 28))):
        labels = make_labels(len(images), n_classes) + np.uint8(first)
        stored = np.ascontiguousarray(images.transpose(0, 2, 1))
        files[f"gzip/emnist-{subset}-{split}-images-idx3-ubyte.gz"] = gzip.compress(samples.idx(stored))
        files[f"gzip/emnist-{subset}-{split}-labels-idx1-ubyte.gz"] = gzip.compress(samples.idx(labels))
    return files, train


def make_gtsrb(n_classes: int = 2) -> tuple[dict[str, bytes], dict[str, bytes], dict[str, bytes]]:
    """Return the files of the training images, the test images and the labels of the test images."""
    train = {}
    for index, label in enumerate(make_labels(N_TRAIN, n_classes)):
        folder = f"GTSRB/Final_Training/Images/{label:05}"
        train[f"{folder}/{index:05}_00000.ppm"] = encode(make_images(1, 20 + index, 25, 3)[0])
        train[f"{folder}/GT-{label:05}.csv"] = b"Filename;Width\n"
    test = {
        f"GTSRB/Final_Test/Images/{k:05}.ppm": encode(make_images(1, 48, 48, 3)[0] // (k + 1)) for k in range(N_TEST)
    }
    rows = "".join(f"{k:05}.ppm;48;48;5;5;40;40;{k % n_classes}\r\n" for k in range(N_TEST))
    header = "Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId\r\n"
    return train, test, {"GT-final_test.csv": (header + rows).encode()}


def shrink(entry, files: dict[str, bytes], server, n_classes: int, *, kind: str = "sha256"):
    """Return the entry of a small data set with files on the server."""
    catalog_files = tuple(
        CatalogFile(
            name,
            addresses=(server.put(f"/{name}", content),),
            checksum=f"{kind}:{hashlib.new(kind, content).hexdigest()}",
        )
        for name, content in files.items()
    )
    names = entry.class_names[:n_classes]
    return replace(entry, files=catalog_files, class_names=names, n_images=(N_TRAIN, 0, N_TEST))


@pytest.fixture
def cifar10(tmp_path, server, cache):
    """Return the entry of a small CIFAR-10."""
    archive = make_tar(tmp_path / "made.tar.gz", make_cifar(10)[0])
    return shrink(get_entry("cifar10"), {"cifar-10-binary.tar.gz": archive.read_bytes()}, server, 10)


@pytest.mark.parametrize(("name", "n_classes"), [("cifar10", 10), ("cifar100", 12)])
def test_load_entry_downloads_cifar(tmp_path, server, cache, name, n_classes):
    files, images = make_cifar(n_classes)
    archive = make_tar(tmp_path / "made.tar.gz", files)
    entry = shrink(get_entry(name), {get_entry(name).files[0].name: archive.read_bytes()}, server, n_classes)
    if n_classes == 12:
        entry = replace(entry, class_names=entry.class_names[:N_TRAIN][:12])
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


def test_load_entry_rejects_wrong_checksum_in_data_home(cifar10, tmp_path, server):
    make_folder(tmp_path / "home" / "cifar10", {"cifar-10-binary.tar.gz": b"other"})
    with pytest.raises(DataError, match="other content than published"):
        load_entry(cifar10, data_home=tmp_path / "home")
    assert server.requests == []


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

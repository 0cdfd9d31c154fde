"""Small data sets in the published formats, and archives, for tests."""

import gzip
import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skconv.data.catalog.lookup import CatalogFile, get_entry

N_TRAIN, N_TEST = 20, 10


def make_tar(path: Path, files: dict[str, bytes], mode: str = "w:gz", extra: tuple[tarfile.TarInfo, ...] = ()) -> Path:
    with tarfile.open(path, mode) as archive:
        for member in extra:
            archive.addfile(member)
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def make_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


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

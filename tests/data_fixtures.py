"""Fixtures of the tests of data and competitions: small data in every format, an empty cache."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skconv.data.dataset import Splits


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of an empty cache; no data home is set."""
    folder = tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda *_: str(folder))
    monkeypatch.delenv("SKCONV_DATA", raising=False)
    return folder


class Samples:
    """Writes small data in every format."""

    @staticmethod
    def images(n: int, height: int = 8, width: int = 8) -> np.ndarray:
        """Return n different grey images."""
        return np.random.default_rng(0).integers(0, 256, (n, height, width), dtype=np.uint8)

    @staticmethod
    def idx(array: np.ndarray) -> bytes:
        """Return an array of uint8 as an IDX file."""
        return bytes((0, 0, 8, array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()

    def idx_files(self, n_train: int = 20, n_test: int = 10) -> dict[str, bytes]:
        """Return the four files of MNIST, small, by name without .gz."""
        files = {}
        for split, n in (("train", n_train), ("t10k", n_test)):
            files[f"{split}-images-idx3-ubyte"] = self.idx(self.images(n))
            files[f"{split}-labels-idx1-ubyte"] = self.idx((np.arange(n) % 10).astype(np.uint8))
        return files

    def idx_folder(self, folder: Path, *, compressed: bool = True) -> Path:
        """Write the four files into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self.idx_files().items():
            path = folder / (f"{name}.gz" if compressed else name)
            path.write_bytes(gzip.compress(content) if compressed else content)
        return folder

    def class_folders(self, folder: Path, *classes: str, n: int = 2, height: int = 8, width: int = 8) -> Path:
        """Write n PNG files for each class."""
        for name in classes:
            (folder / name).mkdir(parents=True)
            for index, image in enumerate(self.images(n, height, width)):
                Image.fromarray(image).save(folder / name / f"{index}.png")
        return folder

    def csv(self, path: Path, n: int = 6, *, n_pixels: int = 64, header: bool = True, label: bool = True) -> Path:
        """Write a CSV of pixels in Kaggle's format, labels 0, 1, 2, 0, 1, …"""
        names = ["label"] * label + [f"pixel{index}" for index in range(n_pixels)]
        pixels = np.random.default_rng(0).integers(0, 256, (n, n_pixels))
        rows = [[index % 3] * label + row.tolist() for index, row in enumerate(pixels)]
        path.write_text("".join(",".join(map(str, row)) + "\n" for row in [names] * header + rows))
        return path


@pytest.fixture
def samples() -> Samples:
    """Return a writer of small data in every format."""
    return Samples()


@pytest.fixture(scope="session")
def digits() -> Splits:
    """Return a hundred digits of scikit-learn, seventy of them for training."""
    from sklearn.datasets import load_digits

    images, labels = load_digits().images.astype(np.uint8), [str(label) for label in load_digits().target]
    return Splits(images[:70], labels[:70], images[70:100], labels[70:100])


@pytest.fixture
def make_competition(tmp_path: Path, digits: Splits) -> Callable[[str], Path]:
    """Return a function that makes a competition by name, with the images of `digits`."""
    from skconv.competitions.making import write_competition

    def make(name: str) -> Path:
        write_competition(name, tmp_path / name, digits)
        return tmp_path / name

    return make
